"""The members of a recipe: its newest fits, what stands in for them without a fit, and who drops out."""

import shutil
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from forecaster.errors import CorruptModel
from forecaster.features.events import Events
from forecaster.features.windows import target_days
from forecaster.models import pretrained
from forecaster.models.hybrid import regional
from forecaster.models.hybrid.hybrid_inference import network_of
from forecaster.pipeline.issuing.members import Member, asked, has_learnt, kinds_of, members_for, members_named
from forecaster.recipe import Recipe
from tests.support import toy_models
from tests.support.changed_recipes import changed_recipe

DAY, FIRST = date(2024, 6, 1), date(1980, 1, 1)
MADE = datetime(2024, 5, 1, tzinfo=UTC)
NOTHING = Events(*(np.empty(0, dtype) for dtype in (np.int64, np.int64, float, float, float, float, np.int64)))


@pytest.fixture(scope="module")
def tokyo(recipes) -> Recipe:
    return recipes["tokyo-m45"]


def stored(models, recipe, last=date(2024, 1, 1), kind="etas", **more) -> dict:
    """A toy in its directory, and what of its row of the table `model` is read."""
    kept = toy_models.save(models, recipe, toy_models.Toy(kind, 0.9, 0.1, last, **more), data_as_of=MADE)
    return {"model_id": kept.model_id, "directory": f"{recipe.id}/{kept.model_id}"}


def test_a_recipe_that_was_never_trained_has_all_members_but_the_network(tmp_path, tokyo):
    """With the package's sets to 2014-12-31 and 2024-11-16 and ETAS as pooled over circles."""
    recipe = changed_recipe(tokyo, models=("etas", "pooled", "hybrid", "convlstm"))
    found = members_for(tmp_path, recipe, {}, DAY, FIRST)
    assert [member.kind for member in found.found] == ["recent_rate", "etas", "pooled", "hybrid"]
    assert (found.missing, found.replaced) == ({}, {})
    until = {member.kind: member.model.last_data_day for member in found.found}
    assert until["pooled"] == until["hybrid"] == date(2014, 12, 31) and until["recent_rate"] == FIRST
    assert [member.model_id for member in found.found[2:]] == [
        "tokyo-m45-pooled-generic-20141231",
        "tokyo-m45-hybrid-generic-20141231",
    ]
    assert all(member.unseen_from <= DAY for member in found.found)


def test_the_newest_set_of_the_package_that_has_not_seen_the_day(tmp_path, tokyo):
    """The set to 2024-11-16 may forecast after the recipe's purge: its window of days and the target's day (`spans.purge_days`)."""
    for day, until in ((date(2024, 12, 2), date(2014, 12, 31)), (date(2025, 3, 1), date(2024, 11, 16))):
        member = next(member for member in members_for(tmp_path, tokyo, {}, day, FIRST).found if member.kind == "pooled")
        assert member.model.last_data_day == until and member.unseen_from <= day
    early = members_for(tmp_path, tokyo, {}, date(2014, 6, 1), FIRST)
    assert {"pooled", "hybrid"}.isdisjoint(member.kind for member in early.found) and early.missing == {}


@pytest.mark.parametrize(
    ("changes", "kinds"),
    [
        ({"threshold_mag": 4.4}, ["etas", "pooled", "hybrid", "regional"]),  # inputs and cells hold M4.5 and above
        ({"predict_range_days": 7}, ["recent_rate", "etas", "pooled", "hybrid", "regional", "cells"]),
        ({"models": ("etas",)}, ["recent_rate", "etas"]),
        ({"models": ("hybrid", "persistence")}, ["recent_rate", "hybrid"]),  # which needs a fit
        ({"models": ()}, ["recent_rate"]),
    ],
)
def test_what_a_recipe_cannot_have_is_left_out_without_a_word(tmp_path, tokyo, changes, kinds):
    recipe = changed_recipe(tokyo, **changes)
    found = members_for(tmp_path, recipe, {}, DAY, FIRST)
    assert [member.kind for member in found.found] == kinds and not found.missing and not found.replaced
    assert kinds_of(recipe) == ("recent_rate", *(kind for kind in recipe.models if kind != "cells" or recipe.threshold_mag >= 4.5))


@pytest.fixture
def toys(monkeypatch):
    toy_models.put_in_place(monkeypatch, generic=True)


def test_the_newest_fit_comes_before_what_needs_none(tmp_path, tokyo, toys):
    row = stored(tmp_path, tokyo)
    (member,) = [member for member in members_for(tmp_path, tokyo, {"etas": row}, DAY, FIRST).found if member.kind == "etas"]
    assert (member.model_id, member.model.high) == (row["model_id"], 0.9) and "generic" not in member.model_id


def spoil(models, row):
    (models / row["directory"] / toy_models.FILE).write_text("[1, 1]")


@pytest.mark.parametrize(
    ("last", "training", "damage", "said"),
    [
        (date(2024, 1, 1), None, lambda models, row: shutil.rmtree(models / row["directory"]), "model.json"),
        (date(2024, 1, 1), None, spoil, "numbers.json was changed"),
        (date(2024, 1, 1), None, lambda models, row: row.pop("directory"), "is not in the table of models"),
        (DAY - timedelta(days=1), None, lambda models, row: None, "has seen days up to 2024-05-31 and may forecast from "),
        (date(2024, 1, 1), {"best_epoch": 0}, lambda models, row: None, "is untrained: its best state is its start, after 0 epochs"),
    ],
    ids=["gone", "changed", "no row", "has seen the day", "has not learnt"],
)
def test_a_fit_that_may_not_forecast_makes_way_for_the_generic_one_and_is_told(tmp_path, tokyo, toys, last, training, damage, said):
    row = stored(tmp_path, tokyo, last, training=training)
    damage(tmp_path, row)
    found = members_for(tmp_path, tokyo, {"etas": row}, DAY, FIRST)
    assert [member.kind for member in found.found] == ["recent_rate", "etas"] and found.missing == {}
    assert found.found[1].model_id == "tokyo-m45-etas-generic-19800101"
    assert list(found.replaced) == ["etas"] and said in (why := str(found.replaced["etas"])) and "\n" not in why


def test_without_a_generic_one_its_kind_is_missing_and_told(tmp_path, tokyo, toys):
    rows = {kind: stored(tmp_path, tokyo, kind=kind, training={"best_epoch": number}) for number, kind in enumerate(("pooled", "hybrid"))}
    found = members_for(tmp_path, tokyo, rows, DAY, FIRST)
    assert [member.kind for member in found.found] == ["recent_rate", "etas", "hybrid"], "an epoch is enough"
    assert list(found.missing) == ["pooled"] and "is untrained: its best state" in str(found.missing["pooled"]) and found.replaced == {}


def test_a_set_of_the_package_that_was_changed_is_missing_and_told(tmp_path, tokyo, monkeypatch):
    shutil.copytree(pretrained.packaged(), tmp_path / "data")
    (tmp_path / "data" / "pooled-2014-12-31" / "pretrained.json").write_text("{")
    monkeypatch.setattr(pretrained, "packaged", lambda: tmp_path / "data")
    found = members_for(tmp_path, tokyo, {}, DAY, FIRST)
    assert [member.kind for member in found.found] == ["recent_rate", "etas", "hybrid", "regional", "cells"]
    assert list(found.missing) == ["pooled"] and "install quakecast again" in str(found.missing["pooled"])


@pytest.mark.parametrize("moved", [False, True], ids=["as the world's", "moved"])
def test_a_regions_fit_that_moved_nothing_makes_way_for_the_newest_set(tmp_path, tokyo, moved):
    """Fitted on the set to 2014, where the one to 2024 may serve by now; what the region's own days moved stays until the next fit."""
    old = pretrained.of_data_until("hybrid", date(2014, 12, 31))
    files = {"network-0.keras": (old.folder / "network-0.keras").read_bytes()} if moved else {}
    networks = tuple(network_of(content, name) for name, content in files.items())
    model = regional.RegionalModel(tokyo, old, date(2024, 12, 1), files, networks, {"epochs": 3, "kept_epoch": int(moved)})
    kept = toy_models.save(tmp_path, tokyo, model, data_as_of=MADE)
    row = {"model_id": kept.model_id, "directory": f"{tokyo.id}/{kept.model_id}"}
    found = members_for(tmp_path, tokyo, {"regional": row}, date(2025, 3, 1), FIRST)
    member = next(member for member in found.found if member.kind == "regional")
    assert member.model_id == (kept.model_id if moved else "tokyo-m45-regional-generic-20241116") and found.replaced == {}


def test_models_that_are_not_trained_in_steps_have_learnt(tokyo):
    for training, expected in ((None, True), ({"best_epoch": 3}, True), ({"epochs": 2}, True), ({"best_epoch": 0}, False)):
        assert has_learnt(toy_models.Toy("etas", 0.9, 0.1, FIRST, training)) is expected


def test_members_are_found_again_by_their_ids(tmp_path, tokyo, toys):
    row = stored(tmp_path, tokyo)
    ids = {"recent_rate": "tokyo-m45-recent_rate-generic-19800101", "etas": row["model_id"]}
    again = members_named(tmp_path, tokyo, ids, [row], DAY, FIRST)
    assert {member.kind: member.model_id for member in again} == ids and again[1].model.high == 0.9
    generic = {"etas": "tokyo-m45-etas-generic-19800101"}
    assert members_named(tmp_path, tokyo, generic, [row], DAY, FIRST)[0].model_id == generic["etas"]
    for gone in ({"etas": "tokyo-m45-etas-20230101"}, {"pooled": "tokyo-m45-pooled-20230101"}):
        with pytest.raises(CorruptModel, match=r"is not in this installation any more"):
            members_named(tmp_path, tokyo, gone, [row], DAY, FIRST)


@pytest.mark.parametrize(("said", "expected"), [(1.0, 1 - 1e-7), (0.0, 1e-7), (0.25, 0.25)])
def test_who_says_always_or_never_is_held_away_from_it(tokyo, said, expected):
    member = Member("m", "etas", toy_models.Toy("etas", said, said, FIRST), FIRST)
    assert asked(member, NOTHING, target_days(tokyo, DAY, 2), np.full(2, 0.1)).tolist() == [expected] * 2


@pytest.mark.parametrize("said", [1.5, -0.1, float("nan")])
def test_what_is_no_probability_is_refused(tokyo, said):
    member = Member("m", "etas", toy_models.Toy("etas", said, said, FIRST), FIRST)
    with pytest.raises(CorruptModel, match=r"m returned .* for 2024-06-01: not a probability in \(0, 1\); train again"):
        asked(member, NOTHING, target_days(tokyo, DAY, 2), np.full(2, 0.1))
