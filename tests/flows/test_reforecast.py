"""The flow `reforecast`: a further forecast of a day beside the official one, which stays as it would be without it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from flows.reforecast import reforecast
from flows.support import steps
from forecaster.clock import Clock
from forecaster.errors import BadDate, BadInput
from forecaster.pipeline import run_context
from forecaster.pipeline.daily.build_report import report_data
from forecaster.pipeline.daily.issue_schedule import missing_issues
from forecaster.pipeline.daily.predict import PredictOptions, PredictResult, predict
from forecaster.settings import load_settings
from forecaster.store.database import open_store
from tests.flows.conftest import NOW
from tests.support.toys import dump, table

NOON = NOW  # 12:00 UTC of 2024-01-02, 21:00 in Tokyo and 15:00 in Istanbul
EVENING = datetime(2024, 1, 2, 20, 40, tzinfo=UTC)  # 23:40 in Istanbul, whose official forecast of 2024-01-03 was due at 20:30
RUN = ["run_id", "created_at"]
KINDS = ["climatology", "hybrid", "published", "recent_rate"]


def opened(recipes, at):
    return run_context.open_job(load_settings(), Clock(lambda: at, simulated=False), recipes or ())


@pytest.fixture
def at_noon(world, monkeypatch):
    """Flows run by the clock of this moment, as if it were the machine's."""
    monkeypatch.setattr(steps, "open_work", lambda recipes: opened(recipes, NOON))
    return world


def forecasts(world, **columns):
    rows = table(world.store, "forecast")
    for name, value in columns.items():
        rows = rows[rows[name] == value]
    return rows


def official(world, store=None):
    """The rows of the official forecast, which is made in the evening."""
    job = opened(["istanbul"], EVENING)
    predict(job if store is None else replace(job, store=store))
    rows = table(store or world.store, "forecast").query("official").drop(columns=RUN)
    return rows.sort_values("forecast_id").reset_index(drop=True)


def test_it_is_kept_beside_the_official_forecast_which_is_the_same_as_without_it(at_noon):
    done = reforecast(recipes=["istanbul"], languages=("en",))
    assert (done["state"], done["forecasts"]) == ("success", len(KINDS)), done["problems"]
    early = forecasts(at_noon)
    assert sorted(early["model_kind"]) == KINDS and set(early["mode"]) == {"prospective"}
    assert not early["official"].any() and not early["published"].any() and table(at_noon.store, "rung").empty
    assert table(at_noon.store, "run")["kind"].tolist() == ["reforecast"] and not at_noon.smtp.messages and not at_noon.hook.received
    without = at_noon.home / "without.duckdb"
    without.write_bytes(at_noon.settings.database.read_bytes())
    with (other := open_store(without)).transaction() as connection:
        connection.execute("DELETE FROM forecast")
    job = opened(["istanbul"], EVENING)
    assert [issue.day.isoformat() for issue in missing_issues(job.store, job.recipes, EVENING)] == ["2024-01-03"]
    rows = official(at_noon)
    assert set(rows["target_start"]) == set(early["target_start"]), "the same day"
    assert (
        rows.equals(official(at_noon, other))
        and rows["supersedes"].isna().all()
        and len(rows) == len(KINDS)
        and rows["published"].sum() == 1
    )
    assert sorted(forecasts(at_noon, official=False)["forecast_id"]) == sorted(early["forecast_id"]), "the reforecast stays, too"


def test_the_report_says_which_is_which(at_noon):
    page = reforecast(recipes=["istanbul"], languages=("en",))["pages"][0]
    told = "Reforecast of 2 Jan 2024, 15:00 for Wed 3 Jan 2024, not the official forecast of that day: about 1 in "
    text = Path(page).read_text(encoding="utf-8")
    assert told in text
    official(at_noon)
    (row,) = report_data(opened(["istanbul"], EVENING)).recipes
    early = forecasts(at_noon, official=False, model_kind="published").iloc[0]
    assert row.official and row.issue_time == EVENING and row.reforecast is not None
    assert (row.reforecast.issue_time, row.reforecast.probability) == (NOON, early["probability"])
    assert report_data(opened(["istanbul"], EVENING + timedelta(days=2))).recipes[0].reforecast is None, "its day has ended"


def test_one_that_follows_the_official_forecast_supersedes_nothing_and_is_not_shown_in_its_place(at_noon):
    before = official(at_noon)
    later = opened(["istanbul"], EVENING + timedelta(minutes=10))
    again = predict(later, PredictOptions(reforecast=True))
    assert len(again.forecast_ids) == len(KINDS) and not again.kept
    now = forecasts(at_noon, official=True).drop(columns=RUN).sort_values("forecast_id").reset_index(drop=True)
    assert now.equals(before) and forecasts(at_noon, official=False)["supersedes"].isna().all()
    (row,) = report_data(opened(["istanbul"], EVENING + timedelta(minutes=15))).recipes
    assert row.official and (row.issue_time, row.reforecast.issue_time) == (EVENING, EVENING + timedelta(minutes=10))
    assert row.target_start == row.reforecast.target_start


def test_a_day_that_has_begun_and_a_replay_have_none(at_noon):
    before = dump(at_noon.store)
    with pytest.raises(BadDate, match="2024-01-02 has begun"):
        predict(opened(["istanbul"], NOON), PredictOptions(NOON.date(), reforecast=True))
    replay = run_context.Job(at_noon.settings, at_noon.store, opened(["istanbul"], NOON).recipes, Clock.standing_at(NOON), "a" * 16)
    with pytest.raises(BadInput, match="a replay makes no reforecast"):
        predict(replay, PredictOptions(reforecast=True))
    assert dump(at_noon.store) == before


def test_a_part_that_failed_on_a_worker_is_reported_to_the_operator(at_noon, monkeypatch):
    """The daily run reports it in the same way."""
    monkeypatch.setattr("flows.tasks.predict_task", lambda *_, **__: PredictResult(failed={"istanbul": "the worker went away"}))
    done = reforecast(recipes=["istanbul"], languages=("en",))
    assert done["state"] == "partial" and len(done["failed_steps"]) == 1, done
    assert "the worker went away" in done["failed_steps"][0] and done["failed_steps"][0] in done["problems"]
    assert any("no forecast could be made" in problem for problem in done["problems"])
