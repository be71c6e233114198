"""A report is sent, sent again and exported as it was written, whatever the recipes, the store and the process are by then."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from forecaster.pipeline.daily.export_map_files import export
from forecaster.pipeline.daily.publish_report import KEEP_DOCUMENTS, kept_data, write_report
from forecaster.pipeline.messaging.deliver import notify, resend
from forecaster.pipeline.run_context import Job
from forecaster.registry import reasons
from forecaster.reports.outgoing.letters import ReportLetter
from forecaster.settings import load_settings
from forecaster.store import deliveries
from tests.support.channels import channels_to
from tests.support.steps import machine, predict
from tests.support.toys import cover, quake, table, write

pytestmark = pytest.mark.closed_files

TOKYO = Path(__file__).resolve().parents[2] / "recipes" / "tokyo-m45.toml"


@pytest.fixture
def written() -> datetime:
    """Ten minutes ago by the machine's clock: what failed then is due again by now."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=10)


@pytest.fixture
def channels(servers) -> dict[str, object]:
    return channels_to(*servers, base_url="https://example.org")


@pytest.fixture
def job(store, settings, recipes, channels, written):
    """make(moment, names): the job of these recipes; the store has a toy catalogue."""
    write(store, quake("us1", written - timedelta(days=700)), quake("us2", written - timedelta(days=300)))
    cover(store, written)

    def make(moment=written, names=("tokyo-m45",), run_id="run", **changes) -> Job:
        made = load_settings(home=settings.home, **(channels | changes))
        return Job(made, store, [recipes[name] for name in names], machine(moment), run_id)

    return make


def reported(work: Job):
    predict(work.store, work.recipes, work.settings, work.clock)
    return write_report(work, ["en"])


def in_another_process(work: Job, *command: str, **changes: object) -> subprocess.CompletedProcess[str]:
    """The command line, with this job's settings and nothing else of it."""
    named = work.settings.model_dump(exclude_defaults=True) | changes
    shown = {name: value.get_secret_value() if hasattr(value, "get_secret_value") else value for name, value in named.items()}
    variables = {f"QUAKECAST_{name.upper()}": ",".join(value) if isinstance(value, tuple) else str(value) for name, value in shown.items()}
    code = [sys.executable, "-m", "forecaster", *command]
    return subprocess.run(code, env={**os.environ, **variables}, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_a_pending_report_is_sent_by_another_process_with_other_recipes_as_it_was_written(job, store, servers, written, tmp_path):
    """Both receivers are ill when it is first sent. Then earthquakes come, one is withdrawn, and the recipe is another circle by its old
    name, beside one that nobody has forecast: nothing of that is in what goes out."""
    smtp, hook = servers
    smtp.answers["a@example.org"], hook.statuses[:] = "451 later", [500, 204]
    first = reported(job())
    letter = ReportLetter(first.data, "en", f"https://example.org/reports/{first.pages[0].name}")
    assert len(notify(job(), sent_at=datetime.now(UTC)).failed) == 2
    smtp.answers.clear()
    write(store, quake("us3", written - timedelta(days=2), 7.4), quake("us2", written - timedelta(days=300), 3.0, known=written))
    folder = tmp_path / "recipes"
    folder.mkdir()
    text = TOKYO.read_text(encoding="utf-8")
    changed = text.replace("= 150000", "= 90000").replace('en = "Tokyo"', 'en = "Elsewhere"')
    assert changed.count("90000") == changed.count("Elsewhere") == 1
    (folder / TOKYO.name).write_text(changed, encoding="utf-8")
    shutil.copyfile(TOKYO.parent / "taipei.toml", folder / "taipei.toml")
    done = in_another_process(job(), "notify", "--no-report", recipes=folder)
    assert done.returncode == 0, done.stderr
    assert json.dumps(hook.received[-1], sort_keys=True) == json.dumps(letter.document(), sort_keys=True)
    assert hook.received[-1]["forecasts_sha256"] == first.data.forecasts_sha256 == table(store, "report")["forecasts_sha256"][0]
    (mail,) = smtp.messages
    assert mail.get_body(("plain",)).get_content().splitlines() == letter.mail().text.splitlines()
    assert mail["Subject"] == letter.mail().subject
    again = in_another_process(job(), "notify", "--resend", first.report_id, recipes=folder)
    assert again.returncode == 0 and hook.received[-1] == hook.received[-2] and len(smtp.messages) == 2


def test_what_somebody_was_told_stays_when_the_report_is_written_again(job, store, written, servers):
    """Greylisted for one; the report is written again an hour later, when more is known: who waits gets what the other got."""
    smtp, hook = servers
    smtp.answers["a@example.org"] = "451 later"
    first = reported(job())
    notify(job(), sent_at=datetime.now(UTC))
    smtp.answers.clear()
    write(store, quake("us3", written - timedelta(days=2), 7.4, known=written + timedelta(minutes=30)))
    later = job(written + timedelta(hours=1), run_id="later")
    again = write_report(later, ["en"])
    assert again.report_id == first.report_id and again.data != first.data
    notify(later, sent_at=datetime.now(UTC))
    (row,) = table(store, "report").to_dict("records")
    assert kept_data(row) == first.data and row["path"].endswith(first.pages[0].name) and row["created_at"] == written + timedelta(hours=1)
    told = ReportLetter(first.data, "en", f"https://example.org/{row['path']}").mail().text
    assert smtp.messages[0].get_body(("plain",)).get_content().splitlines() == told.splitlines() and len(hook.received) == 1


def test_written_again_before_anybody_was_told_the_newer_one_counts(job, store, written):
    reported(job())
    again = write_report(job(written + timedelta(hours=1), run_id="later"), ["en"])
    (row,) = table(store, "report").to_dict("records")
    assert kept_data(row) == again.data and row["run_id"] == "later"


def test_written_again_within_the_minute_page_and_message_still_agree(job, store, written, servers):
    first = reported(job())
    notify(job(), sent_at=datetime.now(UTC))
    write(store, quake("us3", written - timedelta(days=2), 7.4, known=written))
    assert write_report(job(), ["en"]).data == first.data


def test_the_run_s_export_says_what_its_report_says(job, store, written, tmp_path):
    """Between report and export the forecast is made anew; another run's export follows the store."""
    first = reported(job())
    predict(store, job().recipes, job().settings, job().clock, reissue=True, problems=(reasons.other("the sky fell"),))
    write(store, quake("us3", written - timedelta(days=1), 7.9, known=written))
    other = job(written + timedelta(minutes=1), run_id="another")
    predict(store, other.recipes, other.settings, other.clock, reissue=True)
    for work in (job(), other):
        export(work, tmp_path / work.run_id)
    said, else_said = (json.loads((tmp_path / run / "predictions.json").read_text())["predictions"][0] for run in ("run", "another"))
    assert said["probability"] == first.data.recipes[0].probability
    assert said["start_date"] == else_said["start_date"]


def test_a_report_of_an_earlier_version_is_closed_with_the_reason_and_goes_out_when_written_again(job, store, written, servers):
    smtp, _ = servers
    smtp.answers["a@example.org"] = "451 later"
    reported(job())
    notify(job())
    smtp.answers.clear()
    with store.transaction() as connection:
        connection.execute("UPDATE report SET document = NULL, document_sha256 = NULL")
    later = written + timedelta(minutes=5)
    assert notify(job(later)).rows == [] and not smtp.messages
    row = table(store, "delivery").set_index("channel").loc["email"]
    assert row["state"] == "closed" and row["last_error"].startswith(
        "an earlier version wrote the report and kept no document of it; `quake"
    )
    assert "due, but cannot be sent" not in notify(job(later), dry_run=True).text
    again = resend(job(later), row["subject_id"])
    assert len(again.failed) == 2 and all("no document of it is kept" in said for said in again.failed)
    write_report(job(later), ["en"])
    assert [(row["channel"], row["state"]) for row in notify(job(later), sent_at=datetime.now(UTC)).rows] == [
        ("email", "sent"),
        ("webhook", "sent"),
    ]
    assert len(smtp.messages) == 1


def test_a_damaged_document_is_not_sent(job, store, servers):
    reported(job())
    with store.transaction() as connection:
        connection.execute("UPDATE report SET document_sha256 = repeat('0', 64)")
    result = notify(job())
    assert len(result.failed) == 2 and "its SHA-256 differs" in result.failed[0]
    assert set(table(store, "delivery")["state"]) == {"closed"} and not servers[0].messages and not servers[1].received


def test_a_report_whose_document_is_damaged_is_written_anew_within_the_same_minute(job, store):
    first = reported(job())
    notify(job(), sent_at=datetime.now(UTC))
    with store.transaction() as connection:
        connection.execute("UPDATE report SET document_sha256 = repeat('0', 64)")
    again = write_report(job(), ["en"])
    assert again.report_id == first.report_id and all(page.is_file() for page in again.pages)


def test_documents_that_nobody_can_need_any_more_are_dropped(job, store, written):
    """A month later: of three reports the first still waits for a mail server, the second went out, the third is the newest."""
    ids = []
    for days, state in ((0, "pending"), (1, "sent"), (2, "sent")):
        work = job(written + timedelta(days=days))
        report_id = reported(work).report_id
        ids.append(report_id)
        with store.transaction() as connection:
            row = {"delivery_id": f"d{days}", "subject_id": report_id, "subject_kind": "report", "channel": "email", "recipient": "a"}
            more = {"state": state, "attempts": 0, "created_at": work.clock.now()}
            deliveries.write(connection, [row | more])
    assert len(set(ids)) == 3 and table(store, "report")["document"].notna().all()
    with store.transaction() as connection:
        assert deliveries.clear_documents(connection, written + KEEP_DOCUMENTS) == 1
        assert deliveries.clear_documents(connection, written + KEEP_DOCUMENTS) == 0
    kept = table(store, "report").set_index("report_id")
    assert list(kept.loc[ids, "document"].isna()) == [False, True, False] and kept["document_sha256"].notna().all()
