"""Pre-training from an installation's own catalogue: what takes over, what is refused, and what bad input leaves as it was."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

from forecaster.errors import NotTrainable
from forecaster.models import service_periods
from forecaster.models.pretrained import newest_before, packaged
from forecaster.pipeline.pretraining import fit_set, pretraining_due, trained_sets
from forecaster.pipeline.pretraining.pretrain import PretrainResult, arguments, opponent_of, plan_pretraining, pretrain
from forecaster.pipeline.run_context import Job
from forecaster.publishing_rule.weights import SET, usable_weights
from forecaster.store import world_set_rows as stored
from tests.support import small_globe as world
from tests.support.small_globe import NOW, SMALL, UNTIL
from tests.support.steps import machine
from tests.support.world_sets import decision, own_periods

pytestmark = pytest.mark.usefixtures("own_periods")
assert own_periods

TOMORROW = NOW.date() + timedelta(days=1)
TWIN_UNTIL = UNTIL - timedelta(days=729 + 17)
SAME = {"etas": 0.0, "pooled": 0.0, "hybrid": 0.0, "cells": 0.0}


@pytest.fixture
def job(store, settings) -> Job:
    return Job(settings, store, [], machine(NOW), "0123456789abcdef")


def _run(job: Job):
    return pretrain(job, plan_pretraining(job, SMALL), SMALL, PretrainResult())


def _rows(job: Job) -> dict[str, dict]:
    with job.store.transaction() as connection:
        return {row["kind"]: row for row in stored.decisions(connection)}


def _serving() -> dict[str, str | None]:
    found = {kind: newest_before(kind, TOMORROW) for kind in trained_sets.SET_KINDS}
    return {kind: None if one is None else one.folder.name for kind, one in found.items()}


BEFORE = {"etas": None, **{kind: f"{kind}-2014-12-31" for kind in ("pooled", "hybrid", "cells")}, SET: "combination-2017-11-16"}


def test_sets_that_are_no_worse_serve_from_the_next_day_on(job, monkeypatch):
    trained = world.install(monkeypatch, SAME)
    result = _run(job)
    assert result.state == "success" and not result.failed
    assert _serving() == {kind: f"{kind}-{UNTIL}" for kind in trained_sets.SET_KINDS}
    assert newest_before("hybrid", NOW.date()).data_until == date(2014, 12, 31), "the day of the decision keeps its set"
    assert sorted(trained) == sorted((kind, day) for kind in SAME for day in (TWIN_UNTIL, UNTIL))
    row = _rows(job)["hybrid"]
    assert row["decision"] == "serves" and row["decided_by"] == "rule" and row["instead_of"] == "hybrid-2014-12-31"
    assert row["reason"].startswith("not worse: +0.000 nats per target day") and "hybrid-2014-12-31" in row["reason"]
    assert row["numbers"]["difference"]["target_days"] > 150 and row["numbers"]["first_day"] == str(UNTIL - timedelta(days=729))
    twin = trained_sets.twin_of(job.settings, row)
    assert twin.data_until == TWIN_UNTIL and json.loads((twin.folder / world.FILE).read_text()) == 0.0


def test_memory_is_given_back_after_each_training(job, monkeypatch):
    """What the training of a twin has freed must not be held while its kind, or another one, is trained again."""
    done = world.install(monkeypatch, SAME)
    monkeypatch.setattr(fit_set, "give_back", lambda: done.append("given back"))
    fit_set.fit_kind(job.store, **arguments(job, plan_pretraining(job, SMALL), SMALL)["etas"])
    assert done[0] == ("etas", TWIN_UNTIL) and done[1] == "given back"
    assert done[-2] == ("etas", UNTIL) and done[-1] == "given back"


def test_a_set_that_is_worse_is_refused_with_its_figures_and_the_better_ones_serve(job, monkeypatch):
    world.install(monkeypatch, {"etas": 0.0, "pooled": -0.7, "hybrid": 0.5})
    result = _run(job)
    rows = _rows(job)
    assert rows["pooled"]["decision"] == "refused" and rows["pooled"]["reason"].startswith("worse: -0.")
    assert rows["pooled"]["numbers"]["difference"]["high"] < 0 < rows["hybrid"]["numbers"]["difference"]["low"]
    assert rows["hybrid"]["reason"].startswith("better: +0.")
    assert _serving()["pooled"] == "pooled-2014-12-31" and _serving()["hybrid"] == f"hybrid-{UNTIL}"
    assert not (job.settings.models / "world" / f"pooled-{UNTIL}").exists()
    assert result.state == "success" and "refused" in result.decided[f"pooled-{UNTIL}"]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (world.TOO_LITTLE, "only 3 of 400 circles were found; load more of the catalogue"),
        (RuntimeError("secret://user:password"), "RuntimeError: unexpected error; the run's own log says more"),
        (MemoryError(), "MemoryError: unexpected error; the run's own log says more"),
    ],
)
def test_a_kind_that_fails_leaves_its_set_and_the_weights_and_the_others_go_on(job, monkeypatch, error, line):
    world.install(monkeypatch, SAME | {"hybrid": error})
    result = _run(job)
    assert result.state == "partial" and result.failed["hybrid"] == line
    assert "hybrid failed; the weights that serve stay" in result.failed[SET]
    others = {kind: f"{kind}-{UNTIL}" for kind in trained_sets.KINDS_TRAINED if kind != "hybrid"}
    assert _serving() == BEFORE | others


def test_a_full_disk_leaves_what_serves(job, monkeypatch):
    world.install(monkeypatch, SAME)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trained_sets, "place_folder", full)
    result = _run(job)
    assert result.state == "partial" and _serving() == BEFORE and not _rows(job)
    told = [result.failed[kind] for kind in trained_sets.KINDS_TRAINED]
    assert all("No space left on device; the sets that serve stay: free some space" in line for line in told)


@pytest.mark.parametrize(
    ("known", "said"),
    [
        (world.globe(start=datetime(2000, 1, 1, tzinfo=UTC)), "the longest span that was read is 2000-01-16 to 2024-05-15"),
        (world.globe(gap=True), "without a gap, the longest span that was read is 1973-01-16 to 2009-12-31"),
    ],
    ids=["too young", "with a gap"],
)
def test_a_store_that_is_too_young_or_has_a_gap_changes_nothing_and_says_so(job, monkeypatch, known, said):
    trained = world.install(monkeypatch, SAME, known)
    plan = plan_pretraining(job, SMALL)
    with pytest.raises(NotTrainable, match=said):
        pretrain(job, plan, SMALL, PretrainResult())
    assert said in plan.text and not trained and _serving() == BEFORE and not _rows(job)


def test_a_set_is_compared_only_with_one_that_has_not_seen_the_days(job, monkeypatch):
    world.install(monkeypatch, SAME)
    first = UNTIL - timedelta(days=729)
    assert opponent_of(job, "hybrid", [], first).folder.name == "hybrid-2014-12-31"
    _run(job)
    later = first + timedelta(days=31)
    rows = list(_rows(job).values())
    assert newest_before("hybrid", TOMORROW).data_until == UNTIL, "it has seen the days from `later` on"
    job = Job(job.settings, job.store, [], machine(NOW + timedelta(days=31)), "1")
    found = opponent_of(job, "hybrid", rows, later)
    assert found.folder == trained_sets.twins_of(job.settings) / f"hybrid-{TWIN_UNTIL}"
    (found.folder / world.FILE).write_text("5")
    assert opponent_of(job, "hybrid", rows, later).folder == packaged() / "hybrid-2014-12-31"


def test_weights_are_learnt_on_from_those_that_serve(job, monkeypatch):
    """The hybrid's days were right: twice as many came as the usual rate said; it gains weight."""
    world.install(monkeypatch, {"etas": 0.0, "pooled": 0.0, "hybrid": 0.5})
    before = usable_weights(TOMORROW)[0]
    _run(job)
    after, problem = usable_weights(TOMORROW)
    assert problem is None and after.name == f"combination-{UNTIL}" and after.data_until == UNTIL
    assert after.belief.weights["hybrid"] > before.belief.weights["hybrid"] + 0.02
    assert after.pooled_gain[3] > before.pooled_gain[3] and (after.day_share, after.own_sd) == (before.day_share, before.own_sd)
    assert usable_weights(NOW.date())[0].name == before.name


def test_it_is_due_by_age_and_a_refused_training_counts(job, monkeypatch):
    world.install(monkeypatch, SAME | {"pooled": -0.7})
    plan = plan_pretraining(job, SMALL)
    assert "days were verified since the data of the newest training ended" in plan.reasons[0]
    _run(job)
    assert plan_pretraining(job, SMALL).reasons == [], "just trained, one kind was refused"


def test_a_damaged_set_makes_it_due(job, monkeypatch):
    world.install(monkeypatch, SAME)
    _run(job)
    (job.settings.models / "world" / f"hybrid-{UNTIL}" / world.FILE).write_text("9")
    with job.store.transaction() as connection:
        told = pretraining_due.due_reasons(connection, stored.decisions(connection), world.globe(), UNTIL + timedelta(days=1), [], NOW)
    assert len(told) == 1 and "is not the file of the training" in told[0] and "hybrid-2014-12-31 stands in" in told[0]
    assert _serving()["hybrid"] == "hybrid-2014-12-31"


def test_a_new_version_of_a_kind_makes_it_due_and_sets_of_the_old_one_do_not_serve(job, monkeypatch):
    world.install(monkeypatch, SAME)
    _run(job)
    monkeypatch.setattr(trained_sets, "version_of", lambda kind: "99" if kind == "hybrid" else "1")
    trained_sets.use(job.store, job.settings)
    assert _serving()["hybrid"] == "hybrid-2014-12-31"
    assert all(period.kind != "hybrid" for period in service_periods.all_periods())


@pytest.mark.parametrize(
    ("days", "patch", "said"),
    [
        (10, {"GROWTH_SHARE": 1e-4}, "earthquakes of M 4.5 and more were verified since, the newest training knew"),
        (10, {"drift_together": lambda *_: "all recipes together: half of what came"}, "all recipes together: half of what came"),
        (6, {"GROWTH_SHARE": 1e-4, "drift_together": lambda *_: "half"}, None),
        (10, {}, None),
        (30, {}, "30 days were verified since the data of the newest training ended (2024-04-15), 30 are the limit"),
    ],
    ids=["growth", "drift", "too soon for either", "a third of a month", "a month"],
)
def test_why_it_is_due(monkeypatch, days, patch, said):
    """All kinds were trained `days` settled days ago."""
    last = UNTIL - timedelta(days=days)
    rows = [decision(world.toy_set(kind, last, 0.0), "refused", NOW) for kind in trained_sets.SET_KINDS]
    patch = {"drift_together": lambda *_: None} | patch
    for name, value in patch.items():
        monkeypatch.setattr(pretraining_due, name, value)
    told = pretraining_due.due_reasons(None, rows, world.globe(), UNTIL, [], NOW)
    assert (not told) if said is None else len(told) == 1 and said in told[0]
