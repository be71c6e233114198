"""The daily flow under Prefect, with a USGS server, an SMTP server and a webhook receiver of its own: good days and bad ones."""

import json
import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from prefect.utilities.callables import parameter_schema

from flows import tasks
from flows.daily import daily
from flows.support.task_kinds import heals
from forecaster.errors import BadInput, CatalogMalformed, CatalogRefused, CatalogTruncated, CatalogUnreachable, NotWritable, StoreBusy
from forecaster.pipeline.messaging.operator import report_to_operator, send_heartbeat
from forecaster.recipe import load_recipes
from forecaster.settings import load_settings
from forecaster.store import fits, ledger
from tests.flows.conftest import NOW, PASSWORD, RECIPES, WEBHOOK_PATH
from tests.support import tiny
from tests.support.folders import content_of
from tests.support.slack_server import SlackServer, said
from tests.support.toys import dump, table
from tests.support.usgs_server import Fault
from tests.support.web_server import WebServer
from tests.support.webhook_server import SECRET

UNFITTED = ["climatology", "published", "recent_rate"]  # of a recipe without models of its own, or whose kinds all need a fit
RUNS = ("fetch_log", "run")  # every run is noted, also one that has nothing to do


def run_daily(**options):
    """A replay that is told to send; by itself it does not."""
    return daily(**({"train_mode": "never", "simulated_now": NOW, "languages": ("en",), "send": "everything"} | options))


def last_run(world):
    row = table(world.store, "run").sort_values("started_at").iloc[-1]
    return row["state"], json.loads(row["details"])


@pytest.fixture
def impatient(monkeypatch):
    """Waits between tries are cut; how often and for what it is tried again stays."""
    for name in ("CAP_S", "LEAST_S"):
        monkeypatch.setattr(f"forecaster.catalog.rate_limit.{name}", 0.01)
    for name in ("pull_task", "predict_task", "verify_task"):
        monkeypatch.setattr(tasks, name, getattr(tasks, name).with_options(retry_delay_seconds=0))


def test_a_good_day_is_stored_written_and_told_once(world, impatient, toys):
    """The service is away for the first seven requests: five tries of the client, then the task's second try."""
    world.usgs.faults.append(Fault("status", times=7, status=503))
    done = run_daily(train_mode="due", max_minutes=1, recipes=["athens", "tokyo-m45"])
    assert (done["state"], done["problems"], done["not_scoreable"]) == ("success", [], {})
    assert done["pulled"]["new_revisions"] == 1
    assert [asked.status for asked in world.usgs.requests[:8]] == [503] * 7 + [200]
    assert set(done["trained"]) == {"athens"} and set(done["not_trained"]) == {"tokyo-m45"} and done["not_fitted"] == {}
    assert last_run(world) == ("success", json.loads(json.dumps(done)))
    rows = table(world.store, "forecast")
    kinds = rows.groupby("recipe_id")["model_kind"].apply(sorted).to_dict()
    assert kinds == {"athens": ["climatology", "etas", "pooled", "published", "recent_rate"], "tokyo-m45": UNFITTED}
    assert rows.groupby("recipe_id")["published"].sum().to_dict() == {"athens": 1, "tokyo-m45": 1}
    assert set(rows["mode"]) == {"replay"} and not rows["degraded"].any() and set(rows["run_id"]) == {done["run_id"]}
    out = world.settings.output
    assert done["pages"] == [str(out / "reports" / "2024-01-02T1200Z-replay.en.html")]
    assert "Tokyo" in (out / "reports" / "2024-01-02T1200Z-replay.en.html").read_text(encoding="utf-8")
    assert len(json.loads((out / "predictions.json").read_text(encoding="utf-8"))["predictions"]) == 2
    (document,) = world.hook.received
    (report,) = table(world.store, "report").to_dict("records")
    assert document["report_id"] == report["report_id"] and world.hook.paths == [WEBHOOK_PATH]
    assert [mail["To"] for mail in world.smtp.messages] == ["a@example.org", "b@example.org"] and world.smtp.encrypted == [True] * 2
    assert table(world.store, "delivery")["state"].tolist() == ["sent"] * 3
    assert world.settings.published.is_file()


def test_the_same_moment_again_changes_nothing_and_sends_nothing(world):
    def written() -> dict[Path, bytes]:
        """Without the hidden list of heads, which notes when each page was written."""
        return {path: path.read_bytes() for path in world.settings.output.rglob("[!.]*") if path.is_file()}

    run_daily()
    before, pages = dump(world.store, *RUNS), written()
    assert run_daily()["state"] == "success"
    assert dump(world.store, *RUNS) == before
    assert written() == pages
    assert len(table(world.store, "run")) == 1
    assert (len(world.smtp.messages), len(world.hook.received)) == (2, 1)


def test_a_replay_sends_nothing_unless_it_is_told_to(world, monkeypatch):
    """No report, no alert, no heartbeat, and no word of its failure."""
    with WebServer([200]) as beat:
        monkeypatch.setenv("QUAKECAST_HEARTBEAT_URL", f"http://127.0.0.1:{beat.port}/beat")
        assert run_daily(send=None, recipes=["istanbul"])["state"] == "success"
        with pytest.raises(BadInput):
            run_daily(send=None, recipes=["istanbul"], simulated_now=NOW - timedelta(days=1))
        assert not beat.asked
    assert not world.smtp.messages and not world.hook.received and table(world.store, "delivery").empty


def test_a_deployment_neither_offers_nor_takes_a_simulated_clock(world, monkeypatch):
    assert "simulated_now" not in parameter_schema(daily.fn).properties
    monkeypatch.setenv("PREFECT__RUNTIME__DEPLOYMENT__ID", "a deployment")
    before = dump(world.store)
    with pytest.raises(BadInput, match="simulated_now: a deployment keeps the record and replays nothing"):
        run_daily(recipes=["istanbul"])
    assert dump(world.store) == before and not world.smtp.messages


def test_a_failing_service_is_tried_again_and_the_day_goes_on_with_what_is_stored(world, impatient):
    world.usgs.faults.append(Fault("status", times=1000, status=500))
    done = run_daily(recipes=list(RECIPES))
    assert done["state"] == "partial" == last_run(world)[0]
    assert len(world.usgs.requests) == 2 * 5  # two tries of the task, five of the client in each
    rows = table(world.store, "forecast")
    assert rows["published"].sum() == 2 and rows["degraded"].all()
    assert (rows["degraded_reason"] == "USGS could not be read; the forecast is made from what was stored before").all()
    (told,) = [problem for problem in done["problems"] if problem.startswith("pull: ")]
    assert told.endswith("answers HTTP 500, 5 tries; check the network or run again later")
    assert len(world.smtp.messages) == 2 and "USGS could not be read" in Path(done["pages"][0]).read_text(encoding="utf-8")


def test_without_a_network_the_day_goes_on(world, impatient, monkeypatch):
    monkeypatch.setenv("QUAKECAST_USGS_URL", "http://127.0.0.1:9")  # nobody listens there
    done = run_daily(recipes=list(RECIPES))
    assert done["state"] == "partial"
    rows = table(world.store, "forecast")
    assert rows["degraded_reason"].str.startswith("USGS could not be read").all() and rows["published"].sum() == 2
    assert done["problems"][0].startswith("pull: http://127.0.0.1:9 cannot be reached: connection refused (5 tries); check the network; ")
    assert table(world.store, "fetch_log")["note"].str.startswith("no connection").sum() == 5, "nobody waits for a second try of the task"
    assert table(world.store, "delivery")["state"].tolist() == ["sent"] * 3


def test_a_corrupt_model_folder_gives_way_to_what_needs_no_fit(world, caplog):
    recipe = load_recipes(world.settings.recipe_folder)["athens"]
    folder = world.settings.models / "athens" / "broken"
    folder.mkdir(parents=True)
    (folder / "model.json").write_text('{"format": 1}')
    row = {
        "model_id": "broken",
        "recipe_id": "athens",
        "kind": "etas",
        "recipe_hash": recipe.recipe_hash,
        "directory": "athens/broken",
        "data_as_of": NOW - timedelta(days=1),
        "decision": "",
        "details": {},
        "created_at": NOW - timedelta(days=1),
        "code_version": "0",
    }
    with world.store.transaction() as connection:
        fits.add_model(connection, row)
    with caplog.at_level(logging.ERROR, "forecaster"):
        done = run_daily(recipes=["athens"])
    assert done["state"] == "partial"
    (said,) = table(world.store, "forecast").query("published").to_dict("records")
    assert said["model_kind"] == "published" and said["degraded"]
    assert said["degraded_reason"].startswith("etas without its fit: ") and "train again" in said["degraded_reason"]
    assert "\n" not in said["degraded_reason"]
    assert len([record for record in caplog.records if record.name.startswith("forecaster") and record.levelno >= logging.ERROR]) == 1
    assert done["problems"] == [said["degraded_reason"]]


def test_an_output_folder_that_cannot_be_written_leaves_the_forecasts_stored(world):
    world.settings.output.write_text("a file in the way")
    done = run_daily(recipes=list(RECIPES))
    assert done["state"] == "partial" == last_run(world)[0]
    assert [problem.split(":")[0] for problem in done["problems"]] == ["report", "export"]
    assert all("cannot write" in problem for problem in done["problems"])
    assert table(world.store, "forecast")["published"].sum() == 2 and done["pages"] == []
    assert not world.smtp.messages and world.settings.published.is_file()


def test_our_own_bug_fails_the_run_at_once_and_says_so(world, impatient, monkeypatch):
    calls = []

    def broken(*_arguments, **_options):
        calls.append(1)
        raise KeyError("our own bug")

    monkeypatch.setattr("forecaster.pipeline.daily.predict.predict", broken)
    with pytest.raises(KeyError, match="our own bug"):
        run_daily(recipes=["istanbul"])
    state, details = last_run(world)
    assert len(calls) == 1 and state == "failed" and details["problems"][-1].startswith("KeyError: unexpected error")
    assert table(world.store, "forecast").empty and not world.smtp.messages
    assert table(world.store, "run").iloc[0]["finished_at"] == NOW


def test_bad_input_starts_no_run(world):
    with pytest.raises(BadInput, match="unknown recipe 'atlantis'"):
        run_daily(recipes=["atlantis"])
    assert table(world.store, "run").empty


def test_on_the_machine_s_clock_the_first_forecast_is_official(world):
    world.usgs.clock = datetime.now(UTC)
    done = daily(train_mode="never", recipes=["istanbul"], languages=("en",), send="nothing")
    rows = table(world.store, "forecast")
    assert set(rows["mode"]) == {"prospective"} and rows["official"].all() and rows["published"].sum() == 1
    assert done["state"] == "success" and not world.smtp.messages


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        *((kind("x"), True) for kind in (CatalogUnreachable, CatalogTruncated, CatalogMalformed, StoreBusy)),
        *((kind("x"), False) for kind in (CatalogRefused, BadInput, NotWritable, KeyError)),
    ],
)
def test_only_what_heals_is_tried_again(error, expected):
    from prefect.states import Failed

    assert heals(None, None, Failed(data=error)) is expected


def test_no_secret_is_written_anywhere(world, prefect_home, caplog, capfd, monkeypatch):
    """Channels that refuse and fail say where and what, never a password, a secret or the path of an address."""
    world.smtp.login = ("quake", "another password")
    world.hook.statuses[:] = [500]
    slack_path, chat, beat = "/services/T000/B000/Purple-Onion-99", "Silver-Spoon-11", "Copper-Kettle-22"
    with (
        SlackServer(path=slack_path, answers=[said(404, "no_service")]) as slack,
        WebServer([500]) as others,
        caplog.at_level(logging.DEBUG),
    ):
        monkeypatch.setenv("QUAKECAST_SLACK_WEBHOOK_URL", slack.url)
        monkeypatch.setenv("QUAKECAST_APPRISE_URLS", f"json://user:{chat}@127.0.0.1:{others.port}/{chat}")
        monkeypatch.setenv("QUAKECAST_HEARTBEAT_URL", f"http://127.0.0.1:{others.port}/{beat}")
        done = run_daily(recipes=["istanbul"])
        failures = report_to_operator(load_settings(), "a failure", "of this test", "key", datetime.now(UTC))
        failures.append(send_heartbeat(load_settings(), "success"))
    assert len(others.asked) == 3 and len(slack.asked) == 2 and len(failures) == 5
    assert done["state"] == "partial"
    told = dict(problem.split(": ", 1) for problem in done["problems"])
    assert "(535)" in told["email to a...@example.org by 127.0.0.1"] and "(535)" in told["email to b...@example.org by 127.0.0.1"]
    assert "answered 500" in told[f"webhook to http://127.0.0.1:{world.hook.port}"]
    assert "answered 404 no_service" in told[f"slack to http://127.0.0.1:{slack.port}"]
    assert "answered 500" in told[f"apprise to JSON 127.0.0.1:{others.port}"]
    states = {(row["channel"], row["state"]) for row in table(world.store, "delivery").to_dict("records")}
    assert states == {("email", "dead"), ("webhook", "failed"), ("slack", "dead"), ("apprise", "failed")}
    printed = capfd.readouterr()
    ours = "".join(record.getMessage() for record in caplog.records if not record.name.startswith(("aiosmtpd", "mail.log")))
    texts = {"log": ours, "printed": printed.out + printed.err, "rows": str(dump(world.store)), "result": f"{done}{failures}"}
    found = {name: text.encode() for name, text in texts.items()} | prefect_files(
        prefect_home, f"daily run {done['run_id']}: {done['forecasts']} forecasts"
    )
    found |= {str(path): path.read_bytes() for path in world.home.rglob("*") if path.is_file()}
    hook_path = WEBHOOK_PATH.rpartition("/")[2]
    for secret in (PASSWORD, SECRET, SECRET.removeprefix("whsec_"), hook_path, slack_path.rpartition("/")[2], chat, beat):
        assert [name for name, text in found.items() if secret.encode() in text] == [], secret


def prefect_files(folder, last_line):
    """What Prefect has written, once its log has reached its database."""
    for _ in range(100):
        found = content_of(folder)
        if any(last_line.encode() in text for text in found.values()):
            return found
        time.sleep(0.2)
    raise AssertionError(f"{last_line!r} did not reach Prefect's database")


def test_after_a_downtime_the_missed_days_come_in_order_and_once(world):
    """Run as on a schedule, three days apart: each recipe's due day first, then what was missed since, then nothing."""
    first = run_daily(issue="due")
    assert first["days"] == {"2024-01-02": ["athens", "istanbul", "tokyo-m45"]}  # 21:00 in Japan, 14:00 in Greece: the 3rd is not due yet
    world.usgs.clock = NOW + timedelta(days=3)
    later = run_daily(issue="due", send="alerts", simulated_now=world.usgs.clock)
    assert list(later["days"]) == ["2024-01-03", "2024-01-04", "2024-01-05"]
    made = table(world.store, "forecast")
    said = made[made["published"]]
    assert len(said) == 12 and said.groupby(["recipe_id", "target_start"]).size().eq(1).all()
    assert first["forecasts"] + later["forecasts"] == len(made)
    again = run_daily(issue="due", simulated_now=world.usgs.clock)
    assert (again["forecasts"], again["state"]) == (0, "success")
    assert len(table(world.store, "forecast")) == len(made)
    assert len(world.smtp.messages) == 2  # the first run's report, to two readers; the second sends alerts alone, and there are none


@pytest.mark.parametrize("fault", ["the pull fails", "the clock is wrong"])
def test_a_run_on_an_old_catalogue_or_a_wrong_clock_makes_nothing_official_and_says_so(world, impatient, fault):
    """The catalogue of these tests ended years ago; or it is read, and the service's clock says that ours is six hours behind."""
    if fault == "the pull fails":
        world.usgs.faults.append(Fault("status", times=1000, status=500))
    world.usgs.clock = datetime.now(UTC) + timedelta(hours=6)
    done = daily(train_mode="never", recipes=["istanbul"], languages=("en",), send="nothing")
    rows = table(world.store, "forecast")
    assert done["state"] == "partial" and not rows["official"].any() and rows["degraded"].all() and rows["published"].sum() == 1
    (told,) = [problem for problem in done["problems"] if problem.endswith("so this is no official forecast")]
    assert ("has not been read since" if fault == "the pull fails" else "6.0 hours behind that of USGS") in told
    assert "so this is no official forecast" in Path(done["pages"][0]).read_text(encoding="utf-8")


def test_a_forecast_made_days_ahead_is_no_official_one(world):
    ahead = datetime.now(UTC).date() + timedelta(days=4)
    daily(target_date=ahead, train_mode="never", recipes=["istanbul"], languages=("en",), send="nothing")
    said = table(world.store, "forecast")
    assert set(said["mode"]) == {"prospective"} and not said["official"].any() and said["published"].sum() == 1


def test_runs_that_died_without_a_word_are_marked_by_the_next(world):
    with world.store.transaction() as connection:
        row = {"run_id": "dead", "kind": "daily", "started_at": NOW, "code_version": "0"}
        ledger.start_run(connection, row)
        ledger.start_run(connection, row | {"run_id": "other", "kind": "retrain"})
    done = daily(train_mode="never", recipes=["istanbul"], languages=("en",), send="nothing")
    assert done["abandoned"] == ["dead"]
    states = table(world.store, "run").set_index("run_id")["state"].to_dict()
    assert (states["dead"], states["other"]) == ("failed", "running")


def test_a_day_on_which_nothing_could_be_said_is_no_success(world, monkeypatch):
    """The catalogue has not been read for M3 at Niigata: no forecast, no heartbeat's word, and why."""
    monkeypatch.setenv("QUAKECAST_RECIPE_STREAMS", "false")
    tiny.write_recipe(world.home / "recipes", "niigata")
    done = run_daily(recipes=["niigata"])
    assert (done["state"], done["forecasts"]) == ("partial", 0)
    assert done["problems"][0].startswith("no forecast could be made: ")
    assert run_daily(recipes=["niigata"], return_state=True).name == "NoForecast"
