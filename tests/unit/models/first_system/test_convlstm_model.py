"""The first system's network as a model of the registry: the fitted one and the loaded one say the same."""

from datetime import date

import numpy as np
import pytest

from forecaster.errors import CorruptModel
from forecaster.features.events import Events
from forecaster.models.first_system import convlstm_model
from forecaster.models.interface import History
from forecaster.timewindow import DAY_US


@pytest.fixture(scope="module")
def history(tiny_dataset):
    """500 days of the tiny world; its events again, in their own order."""
    dataset = tiny_dataset(epochs=1)
    rng = np.random.default_rng(1)
    busy = rng.random(500) < 1 / 3
    times = np.sort(dataset.days.target_starts_us[busy] - DAY_US // 3)
    ones = np.ones(len(times))
    centre = dataset.recipe.predict_center_lat * ones, dataset.recipe.predict_center_lng * ones
    events = Events(times, times, *centre, 10.0 * ones, 5.0 * ones)
    return History(dataset.recipe, events, events, dataset.days, dataset.happened, dataset.reference)


@pytest.fixture(scope="module")
def fitted(history, trains):
    return convlstm_model.fit(history, max_epochs=1)


@pytest.fixture
def saved(fitted, tmp_path):
    return tmp_path, fitted.save(tmp_path)


def test_loaded_it_forecasts_as_fitted(history, fitted, saved):
    folder, record = saved
    assert fitted.last_data_day == date(2001, 5, 23) and record["last_data_day"] == "2001-05-23"  # 500 days from 2000-01-10 on
    assert record["training"]["epochs"] == 1 and record["training"]["spans"]["train"]["first_day"] == "2000-01-10"
    curves = fitted.learning_curves()
    assert set(curves) == {"train_acc", "train_val_acc", "loss", "val_loss"} and {len(curve) for curve in curves.values()} == {1}
    days = history.days.take(slice(450, 500))
    loaded = convlstm_model.load(folder, record, history.recipe)
    said = fitted.probability(history.inputs, days, history.reference[450:])
    assert ((said > 0) & (said < 1)).all() and len(np.unique(said)) > 1
    np.testing.assert_array_equal(loaded.probability(history.inputs, days, history.reference[450:]), said)


def test_what_comes_after_the_cut_changes_nothing(history, fitted):
    days = history.days.take(slice(100, 101))
    earlier = history.inputs.take(history.inputs.origin_time_us < days.cut_us[0])
    assert len(earlier) < len(history.inputs)
    said = [fitted.probability(events, days, history.reference[:1])[0] for events in (history.inputs, earlier)]
    assert said[0] == said[1]


def test_what_is_not_ours_is_refused_in_one_line(history, saved, tiny_recipe):
    folder, record = saved
    with pytest.raises(CorruptModel, match=r"\(2, 3, 3\), the recipe gives \(3, 3, 3\)"):
        convlstm_model.load(folder, record, tiny_recipe(window_days=3))
    for spoilt in ({key: value for key, value in record.items() if key != "calibration"}, record | {"correction": {"slant": 1}}):
        with pytest.raises(CorruptModel, match="lacks or garbles"):
            convlstm_model.load(folder, spoilt, history.recipe)
    (folder / convlstm_model.WEIGHTS_FILE).write_bytes(b"not a network")
    with pytest.raises(CorruptModel, match="cannot be read as a Keras model") as caught:
        convlstm_model.load(folder, record, history.recipe)
    assert "\n" not in str(caught.value)
