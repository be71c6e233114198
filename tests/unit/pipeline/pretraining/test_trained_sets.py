"""Which set serves which day: service periods, the purge, roll-back, damage, and where the lookup works."""

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from multiprocessing import get_context

import pytest

from forecaster.errors import CorruptModel, NotWritable
from forecaster.models import service_periods
from forecaster.models.etas import etas
from forecaster.models.pretrained import newest_before, of_identity
from forecaster.pipeline.issuing import members
from forecaster.pipeline.pretraining import trained_sets
from forecaster.pipeline.run_context import open_reader
from forecaster.settings import load_settings
from forecaster.store import world_set_rows as stored
from forecaster.store.sharing.publish import publish
from tests.support.world_sets import Ledger, decision, etas_set, noon, own_periods

pytestmark = pytest.mark.usefixtures("own_periods")
assert own_periods

FIRST, SECOND = etas_set(date(2026, 8, 31), 0.4), etas_set(date(2026, 9, 30), 0.3)


@pytest.fixture
def ledger(settings) -> Ledger:
    return Ledger(settings)


def _until(day: date):
    found = newest_before("etas", day)
    return None if found is None else found.data_until


def test_a_set_serves_from_the_day_after_its_decision_on_and_past_days_keep_theirs(ledger):
    ledger.serve(FIRST, noon("2026-10-15"))
    ledger.serve(SECOND, noon("2026-11-14"))
    served = {day: _until(date.fromisoformat(day)) for day in ("2026-10-01", "2026-10-15", "2026-10-16", "2026-11-14", "2026-11-15")}
    assert served == {
        "2026-10-01": None,  # it had not seen that day, and was not there yet
        "2026-10-15": None,
        "2026-10-16": FIRST.data_until,
        "2026-11-14": FIRST.data_until,
        "2026-11-15": SECOND.data_until,
    }


def test_a_set_never_forecasts_a_day_within_a_purge_of_its_data(ledger):
    ledger.serve(FIRST, noon("2026-09-01"))
    assert _until(date(2026, 9, 16)) is None and _until(date(2026, 9, 17)) == FIRST.data_until


def test_a_set_that_is_retired_makes_way_for_the_one_before_and_past_days_keep_it(ledger):
    ledger.serve(FIRST, noon("2026-10-15"))
    ledger.serve(SECOND, noon("2026-11-14"))
    ledger.note(SECOND, "retired", noon("2026-11-20"))
    assert [_until(date(2026, 11, day)) for day in (20, 21)] == [SECOND.data_until, FIRST.data_until]
    ledger.note(SECOND, "serves", noon("2026-11-25"))
    assert [_until(date(2026, 11, day)) for day in (20, 25, 26)] == [SECOND.data_until, FIRST.data_until, SECOND.data_until]


def test_a_set_for_another_version_of_its_kind_or_that_was_refused_has_no_turn(ledger):
    ledger.serve(FIRST, noon("2026-10-15"))
    ledger.note(SECOND, "serves", noon("2026-11-14"), kind_version="of old")
    ledger.note(SECOND, "refused", noon("2026-11-15"))
    assert [period.data_until for period in service_periods.all_periods()] == [FIRST.data_until]


@pytest.mark.parametrize("damage", ["changed", "gone", "another training"])
def test_a_damaged_set_makes_way_for_the_one_before_and_the_log_says_so_once(ledger, damage, caplog):
    ledger.serve(FIRST, noon("2026-10-15"))
    ledger.serve(SECOND, noon("2026-11-14"))
    folder = ledger.folder / SECOND.name
    if damage == "changed":
        (folder / "parameters.json").write_text("{}")
    elif damage == "gone":
        folder.rename(folder.with_name("elsewhere"))
    else:
        trained_sets.place(ledger.settings, etas_set(SECOND.data_until, 0.25), None)
    assert [_until(date(2026, 11, 20)) for _ in range(3)] == [FIRST.data_until] * 3
    told = [record.message for record in caplog.records if "quakecast pretrain" in record.message]
    assert len(told) == 1 and SECOND.name in told[0] and "an older one stands in" in told[0]


def test_the_parameters_of_the_set_are_those_that_forecast(ledger, recipes):
    ledger.serve(FIRST, noon("2026-10-15"))
    served = etas.generic_for(recipes["athens"], date(2026, 10, 16), date(1973, 1, 16))
    before = etas.generic_for(recipes["athens"], date(2026, 10, 15), date(1973, 1, 16))
    assert served.parameters.background == pytest.approx(0.4) and served.last_data_day == FIRST.data_until
    assert before == etas.generic(recipes["athens"])
    assert replace(served, parameters=before.parameters, last_data_day=before.last_data_day) == before


def test_a_model_of_a_set_finds_it_also_when_it_is_retired_and_no_other_in_its_place(ledger, tmp_path):
    ledger.serve(FIRST, noon("2026-10-15"))
    record = newest_before("etas", date(2026, 10, 16)).identity()
    ledger.note(FIRST, "retired", noon("2026-10-20"))
    assert of_identity("etas", tmp_path, record).folder == ledger.folder / FIRST.name
    with pytest.raises(CorruptModel):
        of_identity("etas", tmp_path, record | {"sha256": "0" * 64})


def test_a_disk_that_fills_leaves_what_serves(ledger, monkeypatch):
    ledger.serve(FIRST, noon("2026-10-15"))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("forecaster.files.os.fsync", full)
    with pytest.raises(NotWritable, match=r"No space left on device; the sets that serve stay"):
        trained_sets.place(ledger.settings, SECOND, None)
    assert _until(date(2026, 11, 20)) == FIRST.data_until
    assert [path.name for path in (ledger.folder).iterdir()] == [FIRST.name]


def test_what_a_killed_process_had_half_placed_is_cleared_and_never_read(ledger):
    from forecaster.models.model_files import clear_leftovers

    ledger.serve(FIRST, noon("2026-10-15"))
    half = ledger.folder / ".new-abc" / "made"
    half.mkdir(parents=True)
    (half / "parameters.json").write_text("{")
    assert _until(date(2026, 11, 20)) == FIRST.data_until
    clear_leftovers(ledger.settings.models)
    assert not half.exists()


def _seen_by_a_worker(folder: str) -> date | None:
    open_reader(load_settings(home=folder))
    return _until(date(2026, 11, 20))


def test_workers_find_it_in_threads_and_in_other_processes(store, settings):
    """As a worker finds it: in the published copy, whatever this process knows."""
    trained_sets.place(settings, FIRST, None)
    with store.transaction() as connection:
        stored.add_decision(connection, decision(FIRST, "serves", noon("2026-10-15")))
    publish(store, settings.published)
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        assert pool.submit(_seen_by_a_worker, str(settings.home)).result() == FIRST.data_until
    assert _until(date(2026, 11, 20)) is None, "this process has not looked into the store"
    trained_sets.use(store, settings)
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(_until, date(2026, 11, 20)).result() == FIRST.data_until


def test_a_fit_that_is_no_more_than_a_set_makes_way_for_the_one_that_serves(tmp_path, recipes, monkeypatch):
    """Of a kind that starts from sets: the fit of 2014's set stands where it serves, and makes way where another does."""
    day, tokyo = date(2024, 1, 1), recipes["tokyo-m45"]
    fit = members.generic_member(tokyo, "pooled", day, date(1973, 1, 16))
    monkeypatch.setattr(members, "load_member", lambda *_: replace(fit, model_id="fitted"))
    rows = {"pooled": {"model_id": "fitted", "directory": "x"}}

    def used(asked: date) -> tuple[str, dict]:
        found = members.members_for(tmp_path, tokyo, rows, asked, date(1973, 1, 16))
        return next(member.model_id for member in found.found if member.kind == "pooled"), found.replaced

    assert used(day) == ("fitted", {})
    assert used(date(2024, 12, 2)) == ("fitted", {})
    assert used(date(2024, 12, 3)) == (f"{tokyo.id}-pooled-generic-20241116", {})
