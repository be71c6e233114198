"""Model directories: what is loaded is what was saved, and anything else is refused in one line."""

import hashlib
import json
from datetime import UTC, date, datetime

import numpy as np
import pytest

from forecaster.errors import CorruptModel, NotWritable
from forecaster.models import registry
from forecaster.models.convlstm_training import fit_served

AS_OF = datetime(2001, 7, 10, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def fitted(tiny_dataset):
    dataset = tiny_dataset(epochs=1)
    return dataset, fit_served(dataset, max_minutes=None)


@pytest.fixture
def saved(fitted, tmp_path):
    dataset, result = fitted
    scores = {"auc": 0.6, "nothing": float("nan")}
    return registry.save_model(
        tmp_path, dataset.recipe, result, data_as_of=AS_OF, local_days=dataset.days.local_days, code_version="1.2.3", scores=scores
    )


def test_what_is_loaded_forecasts_as_what_was_fitted(fitted, saved):
    dataset, result = fitted
    loaded = registry.load_model(saved.directory)
    span = result.spans.calibration
    forecasts = loaded.forecast(dataset.grid, dataset.days.take(span.slice))
    expected = result.predictions[result.predictions["span"] == "calibration"]
    for column in ("raw", "corrected", "probability"):
        np.testing.assert_array_equal(getattr(forecasts, column), expected[column], err_msg=column)


def test_the_record_says_it_all(fitted, saved, tmp_path):
    dataset, result = fitted
    record = json.loads((saved.directory / "model.json").read_text(encoding="utf-8"))
    assert saved.directory == tmp_path / "athens" / record["model_id"]
    assert record["model_id"].startswith("athens-20010710-")
    assert record["recipe_hash"] == dataset.recipe.recipe_hash
    assert record["data_as_of"] == "2001-07-10T12:00:00+00:00"
    assert (record["epochs"], record["reason"], record["seed"]) == (1, "epochs", dataset.recipe.seed)
    assert record["scores"] == {"auc": 0.6, "nothing": None}
    assert record["history"][0]["train_loss"] is None
    assert record["versions"]["quakecast"] == "1.2.3"
    assert {"keras", "tensorflow", "numpy"} <= set(record["versions"])
    assert record["spans"]["train"]["first_day"] == "2000-01-10"
    assert saved.last_data_day == date(2001, 5, 23)  # 500 days from 2000-01-10 on
    assert record["validation_loss_before"] == pytest.approx(result.loss_before)
    assert [path.name for path in (tmp_path / "athens").iterdir()] == [saved.model_id]
    assert registry.list_models(tmp_path, "athens") == [saved.directory]
    assert registry.list_models(tmp_path, "tokyo") == []


def test_the_same_fit_has_the_same_id_and_replaces_itself(fitted, saved, tmp_path):
    dataset, result = fitted
    again = registry.save_model(
        tmp_path, dataset.recipe, result, data_as_of=AS_OF, local_days=dataset.days.local_days, code_version="1.2.3"
    )
    assert again.model_id == saved.model_id
    assert again.record["scores"] == {}
    spans = result.spans.dated(dataset.days.local_days)
    ids = {registry.model_id(dataset.recipe, AS_OF, spans, seed, epochs) for seed, epochs in ((1, 1), (2, 1), (1, 2))}
    assert len(ids) == 3


def spoil_weights(folder):
    path = folder / "weights.keras"
    path.write_bytes(path.read_bytes()[:-10])


def spoil_record(folder, **changes):
    path = folder / "model.json"
    record = json.loads(path.read_text(encoding="utf-8"))
    for key, value in changes.items():
        if value is None:
            del record[key]
        else:
            record[key] = value
    path.write_text(json.dumps(record), encoding="utf-8")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_weights, r"weights\.keras has SHA-256 [0-9a-f]{12}, model\.json says [0-9a-f]{12}; delete the folder and train again"),
        (lambda folder: (folder / "weights.keras").unlink(), r"has no weights\.keras"),
        (lambda folder: (folder / "model.json").unlink(), r"has no model\.json"),
        (lambda folder: (folder / "model.json").write_text("{"), r"model\.json is not readable JSON"),
        (lambda folder: (folder / "model.json").write_bytes(b"\xff\xfe"), r"model\.json is not readable JSON"),
        (lambda folder: (folder / "model.json").write_text("[]"), r"model\.json is not an object"),
        (lambda folder: spoil_record(folder, calibration=None), r"model\.json lacks calibration"),
        (lambda folder: spoil_record(folder, calibration={"slant": 1}), r"correction or calibration is not one of ours"),
        (lambda folder: spoil_record(folder, format=99), r"format 99; this version reads 'convlstm', format 1"),
    ],
)
def test_a_spoilt_directory_is_refused_in_one_line(saved, spoil, message):
    spoil(saved.directory)
    with pytest.raises(CorruptModel, match=message) as caught:
        registry.load_model(saved.directory)
    assert "\n" not in str(caught.value)


def test_weights_that_are_no_network(fitted, saved):
    """A file with the right hash that Keras cannot read."""
    dataset, _ = fitted
    (saved.directory / "weights.keras").write_bytes(b"not a network")
    spoil_record(saved.directory, weights_sha256=hashlib.sha256(b"not a network").hexdigest())
    model = registry.load_model(saved.directory)
    with pytest.raises(CorruptModel, match="cannot be read as a Keras model") as caught:
        model.forecast(dataset.grid, dataset.days)
    assert "\n" not in str(caught.value)


def test_another_recipe_is_refused(saved, fitted, tiny_recipe, tiny_dataset):
    dataset, _ = fitted
    registry.check_recipe(saved, dataset.recipe)
    with pytest.raises(CorruptModel, match="train again"):
        registry.check_recipe(saved, tiny_recipe(epochs=1, dropout=0.1))
    wider = tiny_dataset(window_days=3)
    with pytest.raises(CorruptModel, match=r"\(2, 3, 3\), the recipe gives \(3, 3, 3\)"):
        saved.forecast(wider.grid, wider.days)


def test_a_folder_that_cannot_be_written(fitted, tmp_path):
    dataset, result = fitted
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(NotWritable, match="cannot write the model athens-20010710-"):
        registry.save_model(blocked, dataset.recipe, result, data_as_of=AS_OF, local_days=dataset.days.local_days, code_version="1")
