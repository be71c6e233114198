"""`make demo`: the daily job on real data around the Noto earthquake of 2024-01-01, replayed day by day, without the internet.

The bundled snapshot is loaded as it was known on 2023-12-25. Then the daily Prefect flow runs with a simulated clock at 21:00 Japan time
of every day to 2024-01-03; each run pulls over HTTP from a local event service that answers as USGS could have answered at that moment.
Every recipe is forecast by the combination from the first run on; the first run also trains the models of five recipes. At the end stand
the last forecasts of all recipes, and what was said of the place that rose most day by day, with what came. Every forecast is marked as a
replay.
"""

import argparse
import os
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

SNAPSHOT_KNOWN_BY = datetime(2023, 12, 25, tzinfo=UTC)
FIRST_ISSUE = datetime(2023, 12, 26, 12, tzinfo=UTC)  # 21:00 in Japan
LAST_ISSUE = datetime(2024, 1, 3, 12, tzinfo=UTC)  # the first that knows what came on the day after the main shock
SHOWN_ISSUES = 9
TRAINED = ["niigata-m45", "istanbul", "los-angeles", "athens", "anchorage"]
HISTORY_START = datetime(2023, 10, 15, tzinfo=UTC)
HISTORY_END = datetime(2024, 1, 5, tzinfo=UTC)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, epilog="Example: python -m tests.support.demo --max-minutes 0.5")
    parser.add_argument("--home", type=Path, default=Path("var") / "demo", help="where the demo works; emptied first")
    parser.add_argument("--max-minutes", type=float, default=0.3, help="training time per recipe, shared by its kinds of models")
    parser.add_argument("--max-epochs", type=int, help="epochs of each ConvLSTM, instead of the time")
    parser.add_argument("--until", type=datetime.fromisoformat, default=LAST_ISSUE, help="last issue time (UTC)")
    options = parser.parse_args()
    started = time.monotonic()
    shutil.rmtree(options.home, ignore_errors=True)
    return replay(options.home.resolve(), options, started)


def replay(home: Path, options: argparse.Namespace, started: float) -> int:
    """Run the flow for every issue time, then print what the last one said."""
    from flows.commands import prefect_defaults
    from flows.support.own_prefect import no_heartbeats
    from tests.support.usgs_server import serve

    prefect_defaults()
    history, source = recorded_history()
    say(started, f"local event service: {source}")
    with serve(history, clock=FIRST_ISSUE) as server, no_heartbeats():
        os.environ |= {"QUAKECAST_HOME": str(home), "QUAKECAST_USGS_URL": server.url, "QUAKECAST_CONTACT": "demo"}
        os.environ["QUAKECAST_RECIPE_STREAMS"] = "false"  # the local service knows no year but this one
        from flows.daily import daily
        from forecaster.clock import Clock
        from forecaster.console import days_table, forecast_table, ordered, print_table
        from forecaster.pipeline.run_context import open_job
        from forecaster.quantities import counted
        from forecaster.settings import load_settings
        from tests.support.steps import report_data

        work = open_job(load_settings(), Clock.standing_at(FIRST_ISSUE), known_by=SNAPSHOT_KNOWN_BY)
        say(started, f"bundled snapshot loaded as it was known on {SNAPSHOT_KNOWN_BY:%Y-%m-%d}")
        issue, done = FIRST_ISSUE, {}
        while issue <= options.until:
            server.clock = issue
            os.environ["QUAKECAST_WORLD_MAP"] = str(issue == options.until).lower()  # the newest day's is enough to look at
            done = daily(
                train_mode=TRAINED if issue == FIRST_ISSUE else "never",
                max_minutes=options.max_minutes,
                max_epochs=options.max_epochs,
                simulated_now=issue,
                languages=("en", "ja") if issue == options.until else ("en",),
            )
            pulled = done.get("pulled", {})
            read = f"{counted(pulled.get('new_revisions', 0), 'new version')} of events in {counted(pulled.get('requests', 0), 'request')}"
            told = f"{done['forecasts']} forecasts, {done.get('settled', 0)} outcomes written"
            say(started, f"issue {issue:%Y-%m-%d %H:%M} UTC: {read}, {told}, {done['state']}")
            for problem in done["problems"]:
                print(f"  {problem}")
            issue += timedelta(days=1)
        last = Clock.standing_at(issue - timedelta(days=1))
        data = report_data(work.store, work.recipes, last)
        print_table(forecast_table(data))
        print_table(days_table(ordered(data.recipes)[0], SHOWN_ISSUES))
    print("A replay with a simulated clock: none of these forecasts is official, and no warning is meant.")
    for page in done["pages"]:
        print(f"report: {Path(page).relative_to(Path.cwd()) if Path(page).is_relative_to(Path.cwd()) else page}")
    print(f"JSON files: {os.path.relpath(home / 'out')}/")
    say(started, "done")
    return 0 if done["state"] == "success" else 3


def recorded_history():
    """What the local service knows: the recorded history where it lies beside the checkout, else a slice with modelled known-times."""
    from tests.support.usgs_history import shared_history, slice_history
    from tests.support.usgs_server import SLICE

    recorded = Path(__file__).resolve().parents[2].parent / "shared" / "data"
    if recorded.is_dir():
        return shared_history(recorded, HISTORY_START, HISTORY_END), "the recorded history of the feed"
    return slice_history(SLICE), "real events with modelled times of becoming known"


def say(started: float, text: str) -> None:
    """One line with the seconds since the start."""
    print(f"[{time.monotonic() - started:5.0f} s] {text}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
