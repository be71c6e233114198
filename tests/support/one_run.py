"""A process that does the steps of the daily job, but for the pull, as often as it is told to: python -m tests.support.one_run SETTINGS.

It says "ready" first. Then for each line of JSON on its input, {"now": ..., "wait": step or null}, it runs once by a clock of the machine
that stands at `now`, and answers with a line of JSON. Before the step `wait` it says so, and waits for a line more: a run to be killed.
"""

import json
import sys
from datetime import UTC, datetime

from forecaster.clock import Clock
from forecaster.pipeline import run_context
from forecaster.pipeline.alerting import raise_alerts
from forecaster.pipeline.daily import predict, publish_report
from forecaster.pipeline.messaging import deliver
from forecaster.settings import load_settings


def main() -> None:
    settings = load_settings(**json.loads(sys.argv[1]))
    say("ready")
    for line in sys.stdin:
        told = json.loads(line)
        now = datetime.fromisoformat(told["now"])
        say(run(run_context.open_job(settings, Clock(lambda now=now: now, simulated=False)), told["wait"]))  # type: ignore[misc]


def run(work: run_context.Job, wait: str | None) -> dict:
    """One day's work; returns its id, the runs that it took for dead, its forecasts, and what it sent."""
    with run_context.alive(work, "daily"):
        done = {"run_id": work.run_id, "abandoned": run_context.start_run(work, "daily")}
        pause("predict", wait)
        said = predict.predict(work)
        done["forecast_ids"] = sorted(said.forecast_ids)
        pause("report", wait)
        done["alerts"] = raise_alerts.raise_alerts(work).messages
        done["report_id"] = publish_report.write_report(work, ["en"]).report_id
        pause("notify", wait)
        done["sent"] = [row["state"] for row in deliver.notify(work, sent_at=datetime.now(UTC)).rows]
        run_context.note_end(work, "success", {"problems": []})
    return done


def pause(step: str, wait: str | None) -> None:
    if step == wait:
        say(f"before {step}")
        sys.stdin.readline()


def say(what: object) -> None:
    print(json.dumps(what, default=str), flush=True)


if __name__ == "__main__":
    main()
