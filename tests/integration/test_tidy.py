"""What leaves with time and what never does; the clock of the job is that of the machine, moved on, because files are dated by it."""

import json
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from forecaster.cli import main
from forecaster.clock import Clock
from forecaster.pipeline.daily import publish_report
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.tidy import tidy
from forecaster.settings import Settings
from forecaster.store import ledger
from forecaster.store.database import Store, open_store
from forecaster.timewindow import TimeWindow
from tests.support.forecast_rows import forecast_row
from tests.support.steps import machine
from tests.support.toys import dump, table

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def job(store: Store, settings: Settings, recipes) -> Job:
    return Job(settings, store, [recipes["tokyo-m45"]], machine(NOW), "now")


def page(settings: Settings, age: timedelta, language: str = "en", name: str = "") -> Path:
    moment = NOW - age
    path = settings.output / "reports" / f"{name or format(moment, '%Y-%m-%dT%H%MZ')}.{language}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("a page")
    os.utime(path, (moment.timestamp(), moment.timestamp()))
    return path


def rows(store: Store, name: str, *made: dict) -> None:
    with store.transaction() as connection:
        ledger.insert(connection, name, list(made))


def run_row(age: timedelta, **more) -> dict:
    at = NOW - age
    return {"run_id": f"{at:%F %T}", "kind": "daily", "started_at": at, "finished_at": at, "state": "success", "code_version": "0"} | more


def names(paths: list[Path]) -> list[str]:
    return sorted(path.name for path in paths if path.exists())


def test_pages_leave_after_their_days_and_sooner_where_nobody_was_sent_them(job, store, settings):
    publish_report.write_index(settings, "ja")
    today, week_old = page(settings, DAY / 4), [page(settings, 7 * DAY + hour * timedelta(hours=1)) for hour in range(3)]
    morning, noon, evening = (page(settings, 50 * DAY + hour * timedelta(hours=1)) for hour in (8, 4, 0))
    both = page(settings, 50 * DAY, "ja")
    groups = [page(settings, 50 * DAY, name=f"{report.name.split('.')[0]}.group-japan_2") for report in (morning, noon)]
    too_old = [page(settings, 401 * DAY, language) for language in ("en", "ja")]
    replay = page(settings, DAY, name="1999-01-01T0000Z-replay")
    mine = page(settings, 900 * DAY, name="notes")
    rows(store, "report", {
        "report_id": "r", "issue_time": NOW, "mode": "live", "path": f"reports/{morning.name}", "forecasts_sha256": "0", "created_at": NOW,
    })  # fmt: skip
    rows(store, "delivery", {
        "delivery_id": "d", "subject_id": "r", "subject_kind": "report", "channel": "webhook", "recipient": "w", "state": "sent",
        "attempts": 1, "created_at": NOW - 50 * DAY, "sent_at": NOW - 50 * DAY,
    })  # fmt: skip
    before = names(list((settings.output / "reports").iterdir()))
    told = tidy(job, dry_run=True)
    assert names(list((settings.output / "reports").iterdir())) == before
    assert tidy(job).files == told.files
    assert names([noon, *too_old]) == [], "of that day the last stays, and the one that was sent; after 400 days none"
    assert names(groups) == [groups[0].name], "a group's page stays and leaves with the page of its day"
    assert names([today, *week_old, morning, evening, both, groups[0], replay, mine]) == names(
        list((settings.output / "reports").iterdir())
    )
    index = (settings.output / "index.html").read_text(encoding="utf-8")
    assert 'lang="ja"' in index and noon.name not in index and evening.name in index
    assert tidy(job).nothing


def test_details_of_the_map_leave_with_the_pages(job, settings):
    folder = settings.output / "tokyo-m45"
    folder.mkdir(parents=True)
    days = [(NOW - age * DAY).date() for age in (0, 399, 400, 401, 3000)]
    for day in days:
        (folder / f"detail_{day:%Y%m%d}_{day + DAY:%Y%m%d}.json").write_text("{}")
    (folder / "validations.json").write_text("{}")
    tidy(job)
    left = [f"detail_{day:%Y%m%d}_{day + DAY:%Y%m%d}.json" for day in days[:3]]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*left, "validations.json"])


def fill_tables(store: Store) -> None:
    for age in (1, 100, 399, 401, 2000):
        at = NOW - age * DAY
        rows(store, "fetch_log", {"requested_at": at, "url": str(age)})
        rows(store, "run", run_row(age * DAY, details=json.dumps({"problems": ["it rained"], "pages": ["a"], "sent": []})))
        for state in ("sent", "dead", "failed"):
            rows(store, "delivery", {
                "delivery_id": f"{state}{age}", "subject_id": "s", "subject_kind": "report", "channel": "webhook", "recipient": "w",
                "state": state, "attempts": 1, "created_at": at, "sent_at": at if state == "sent" else None,
            })  # fmt: skip
        for times in range(2):
            observed = {"source": "usgs", "observed_at": at + times * DAY}
            rows(store, "quarantine", {"reason": "no magnitude", "raw": f"row {age}", **observed})


def test_rows_leave_after_their_days_and_no_quarantined_row_is_forgotten(job, store):
    fill_tables(store)
    kept = {name: table(store, name).to_csv() for name in ("forecast", "outcome", "score", "alert", "report", "coverage_read")}
    told = tidy(job, dry_run=True)
    gone = {"requests to the service": 2, "quarantined rows kept twice": 5, "sent messages": 2, "details of runs": 2}
    assert told.rows == gone | {"cells of old maps of the world": 0}
    assert len(table(store, "fetch_log")) == 5
    assert tidy(job).rows == told.rows
    assert sorted(table(store, "fetch_log")["url"].astype(int)) == [1, 100, 399]
    assert sorted(table(store, "quarantine")["raw"]) == sorted(f"row {age}" for age in (1, 100, 399, 401, 2000))
    states = table(store, "delivery").groupby("state")["delivery_id"].count().to_dict()
    assert states == {"sent": 3, "dead": 5, "failed": 5}, "what was not sent stays"
    details = [json.loads(text) for text in table(store, "run").sort_values("started_at")["details"]]
    assert [sorted(each) for each in details] == [["problems"]] * 2 + [["pages", "problems", "sent"]] * 3
    assert all(each["problems"] == ["it rained"] for each in details)
    assert {name: table(store, name).to_csv() for name in kept} == kept
    assert tidy(job).nothing


def test_a_sent_message_stays_long_enough_not_to_be_sent_again(store, settings, recipes):
    fill_tables(store)
    short = settings.model_copy(update={"keep_details_days": 1, "keep_pages_days": 1})
    tidy(Job(short, store, [], machine(NOW), "now"))
    assert sorted(table(store, "delivery").query("state == 'sent'")["delivery_id"]) == ["sent1", "sent100"]
    assert sorted(table(store, "fetch_log")["url"]) == ["1"]


def test_a_sent_page_stays_as_long_as_pages_do_however_short_the_details(store, settings):
    fill_tables(store)
    longer = settings.model_copy(update={"keep_details_days": 1, "keep_pages_days": 400})
    tidy(Job(longer, store, [], machine(NOW), "now"))
    assert sorted(table(store, "delivery").query("state == 'sent'")["delivery_id"]) == ["sent1", "sent100", "sent399"]


def test_nothing_leaves_in_a_replay_or_where_everything_is_kept_for_ever(store, settings, recipes):
    fill_tables(store)
    page(settings, 4000 * DAY)
    before = dump(store)
    for_ever = settings.model_copy(update={"keep_details_days": 0, "keep_pages_days": 0, "keep_world_days": 0})
    assert tidy(Job(for_ever, store, [], machine(NOW), "now")).nothing
    assert tidy(Job(settings, store, [], Clock.standing_at(NOW), "now")).nothing
    rows(store, "run", run_row(DAY / 2, replay=True))
    before = dump(store)
    assert tidy(Job(settings, store, [], machine(NOW), "now")).nothing, "the home of a replay"
    assert dump(store) == before and len(list((settings.output / "reports").iterdir())) == 1


def model_row(name: str, kind: str, age: int) -> dict:
    at = NOW - age * DAY
    return {
        "model_id": name, "recipe_id": "tokyo-m45", "kind": kind, "recipe_hash": "h", "directory": f"tokyo-m45/{name}", "data_as_of": at,
        "decision": "", "details": "{}", "created_at": at, "code_version": "0",
    }  # fmt: skip


def test_a_superseded_model_leaves_unless_something_asks_for_it(job, store, settings):
    old = ["first", "pinned", "walked", "spoke"]
    made = [model_row(name, "etas", 900 + n) for n, name in enumerate(old)]
    made += [model_row("newer", "etas", 500), model_row("newest", "etas", 100), model_row("alone", "hybrid", 2000)]
    rows(store, "model", *made, model_row("outside", "etas", 950) | {"directory": "../outside"})
    for row in made:
        folder = settings.models / row["directory"]
        folder.mkdir(parents=True)
        (folder / "model.json").write_text("{}")
    (settings.home / "outside").mkdir()
    rows(store, "publication", {
        "recipe_id": "tokyo-m45", "target_hash": "t", "number": 1, "how": "kind", "kind": "etas", "model_id": "pinned", "since": NOW,
        "reason": "mine", "code_version": "0",
    })  # fmt: skip
    rows(store, "walk_forward_fit", {
        "recipe_id": "tokyo-m45", "recipe_hash": "h", "retrain_every_days": 90, "first_day": date(2023, 1, 1), "as_of": NOW,
        "kind": "published", "reason": "", "numbers": "{}", "models": json.dumps({"etas": "walked"}), "failed": "{}", "seconds": 1.0,
        "code_version": "0", "created_at": NOW,
    })  # fmt: skip
    long_ago = {"issue_time": NOW - 300 * DAY, "mode": "hindcast", "official": False}
    rows(store, "forecast", forecast_row(job.recipes[0], TimeWindow(NOW, NOW + DAY), NOW, model_id="spoke", model_kind="etas", **long_ago))
    assert tidy(job, dry_run=True).files["models"] == ["models/tokyo-m45/first"]
    assert (settings.models / "tokyo-m45" / "first").is_dir()
    tidy(job)
    stay = {"pinned", "walked", "spoke", "newer", "newest", "alone"}
    assert {path.name for path in (settings.models / "tokyo-m45").iterdir()} == stay, "newer was superseded 100 days ago only"
    assert (settings.home / "outside").is_dir() and len(table(store, "model")) == 8


def test_the_command_lists_what_would_go_and_lets_it_go(settings, tmp_path):
    store = open_store(settings.database)
    rows(store, "fetch_log", {"requested_at": datetime(2001, 1, 1, tzinfo=UTC), "url": "old"})
    old = page(settings, 900 * DAY)

    def said(*arguments: str) -> str:
        ended = CliRunner().invoke(main, ["--home", str(settings.home), "tidy", *arguments])
        assert ended.exit_code == 0, ended.output
        return ended.output

    assert said("--dry-run") == f"would remove: 1 requests to the service, 1 pages; 0.0 MB of files\n  out/reports/{old.name}\n"
    assert old.exists() and len(table(store, "fetch_log")) == 1
    assert json.loads(said("--dry-run", "--json"))["rows"]["requests to the service"] == 1
    assert said().startswith("removed: 1 requests to the service, 1 pages")
    assert not old.exists() and table(store, "fetch_log").empty
    assert said("--dry-run") == "nothing is old enough to leave\n" == said()
