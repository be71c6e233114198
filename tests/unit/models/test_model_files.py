"""Model directories: what is loaded is what was saved, and anything else is refused in one line."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, date, datetime
from importlib import metadata

import numpy as np
import pytest

from forecaster.errors import CorruptModel, NotWritable
from forecaster.models import model_files
from forecaster.models.baselines.rates import Persistence
from tests.support import toy_models
from tests.support.changed_recipes import changed_recipe

AS_OF = datetime(2001, 7, 10, 12, tzinfo=UTC)
LAST = date(2001, 5, 23)


pytestmark = pytest.mark.usefixtures("toys")


def save(folder, recipe, model=None, **options):
    model = model or toy_models.Toy("etas", 0.9, 0.1, LAST)
    return toy_models.save(folder, recipe, model, **({"data_as_of": AS_OF, "seed": 7, "code_version": "1.2.3"} | options))


@pytest.fixture
def recipe(recipes):
    return recipes["athens"]


@pytest.fixture
def saved(recipe, tmp_path):
    return save(tmp_path, recipe, scores={"auc": 0.6, "nothing": float("nan"), "array": [np.float64(1.5), np.float64("inf")]})


def test_what_is_loaded_is_what_was_fitted(recipe, saved):
    assert model_files.load_model(saved.directory, recipe).model == toy_models.Toy("etas", 0.9, 0.1, LAST) == saved.model


def test_the_record_says_it_all(recipe, saved, tmp_path):
    record = json.loads((saved.directory / "model.json").read_text(encoding="utf-8"))
    assert saved.directory == tmp_path / "athens" / record["model_id"]
    assert record["model_id"].startswith("athens-etas-20010710-") and record["format"] == 2
    assert (record["recipe_id"], record["recipe_hash"], record["seed"]) == ("athens", recipe.recipe_hash, 7)
    assert (record["data_as_of"], record["last_data_day"]) == ("2001-07-10T12:00:00+00:00", "2001-05-23")
    assert record["scores"] == {"auc": 0.6, "nothing": None, "array": [1.5, None]}
    assert record["versions"]["quakecast"] == "1.2.3" and record["versions"]["numpy"] == metadata.version("numpy")
    weights = (saved.directory / toy_models.FILE).read_bytes()
    assert record["files"] == {toy_models.FILE: hashlib.sha256(weights).hexdigest()}
    assert [path.name for path in (tmp_path / "athens").iterdir()] == [saved.model_id], "no temporary folder is left"


def test_the_same_fit_has_the_same_id_and_replaces_itself(recipe, saved, tmp_path):
    again = save(tmp_path, recipe)
    assert again.model_id == saved.model_id and again.record["scores"] == {}
    others = [
        save(tmp_path, recipe, seed=8),
        save(tmp_path, recipe, data_as_of=AS_OF.replace(hour=13)),
        save(tmp_path, recipe, toy_models.Toy("etas", 0.9, 0.1, date(2001, 5, 22))),
        save(tmp_path, recipe, Persistence(recipe, 0.1, 0.2, LAST)),
    ]
    assert len({saved.model_id, *(other.model_id for other in others)}) == 5


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
        (lambda folder: (folder / toy_models.FILE).write_text("[1, 0]"), r"numbers\.json was changed, says the SHA-256 in model\.json"),
        (lambda folder: (folder / toy_models.FILE).unlink(), r"numbers\.json is missing"),
        (lambda folder: (folder / "more.py").write_text("1"), r"more\.py is none of its files"),
        (lambda folder: (folder / "model.json").unlink(), r"has no model\.json"),
        (lambda folder: (folder / "model.json").write_text("{"), r"model\.json is not readable JSON"),
        (lambda folder: (folder / "model.json").write_bytes(b"\xff\xfe"), r"model\.json is not readable JSON"),
        (lambda folder: (folder / "model.json").write_text("[]"), r"model\.json is not an object"),
        (lambda folder: spoil_record(folder, record=None), r"model\.json lacks record"),
        (lambda folder: spoil_record(folder, files=[]), r"model\.json lacks files"),
        (lambda folder: spoil_record(folder, record={}), r"not a toy"),
        (lambda folder: spoil_record(folder, kind="oracle"), r"no kind of model is called 'oracle'"),
        (lambda folder: spoil_record(folder, last_data_day="2001-05-22"), r"data to 2001-05-23, model\.json says etas to 2001-05-22"),
        (lambda folder: spoil_record(folder, last_data_day="May"), r"'May'"),
        (lambda folder: spoil_record(folder, format=1), r"is of format 1, this version reads format 2; train again"),
    ],
)
def test_a_spoilt_directory_is_refused_in_one_line(recipe, saved, spoil, message):
    spoil(saved.directory)
    with pytest.raises(CorruptModel, match=message) as caught:
        model_files.load_model(saved.directory, recipe)
    assert "\n" not in str(caught.value)


def test_another_recipe_is_refused_but_not_for_other_kinds_beside_it(saved, recipe):
    model_files.load_model(saved.directory, recipe.model_copy(update={"models": ("etas",)}))
    for changed in (changed_recipe(recipe, dropout=0.1), recipe.model_copy(update={"id": "athens-again"})):
        with pytest.raises(CorruptModel, match=r"was fitted for athens .* train again"):
            model_files.load_model(saved.directory, changed)


def test_a_folder_that_cannot_be_written_keeps_nothing(recipe, tmp_path, saved):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    with pytest.raises(NotWritable, match="cannot write a model of kind etas under"):
        save(blocked, recipe)
    model = replace(saved.model, last_data_day=LAST)
    assert model_files.load_model(saved.directory, recipe).model == model


def test_rates_are_models_like_any_other(recipe, tmp_path):
    kept = save(tmp_path, recipe, Persistence(recipe, 0.1, 0.2, LAST))
    assert kept.model == Persistence(recipe, 0.1, 0.2, LAST) and kept.record["files"] == {}
