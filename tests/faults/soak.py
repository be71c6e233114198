"""`make soak`: the drivers of this folder at length, on loopback only, bounded in time and count; a table at the end.

    python -m tests.faults.soak --kills 200 --bodies 100000 --minutes 60 --seed 7 --only kills,months

Two months are replayed on the recorded history in ../shared/data, or one on the bundled slice where that is absent. The seed is printed;
the same seed draws the same cases (kills at random moments fall where the machine's speed lets them). The table is printed as Markdown
and written with its numbers as JSON below --out. Exit code 1 where anything was not as promised.
"""

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.faults import bodies, fuzz, kills, month, prefect_runs, upgrade, world
from tests.faults.fuzz import Fuzzed
from tests.faults.troubles import TROUBLES, recorded
from tests.support.usgs_server import load_history

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
MONTHS = (datetime(2023, 10, 1, 8, tzinfo=UTC), datetime(2024, 10, 1, 8, tzinfo=UTC))
SLICE_MONTH = datetime(2023, 12, 24, 8, tzinfo=UTC)
MAX_TOLD = 40  # findings of one part


@dataclass
class Part:
    """A line of the table: what was done how often, what came, how long it took, what was not as promised."""

    name: str
    done: str
    came: str
    seconds: float
    wrong: list[str]


class Soak:
    """The parts, in their order; each is given `asked` (the options), a folder of its own and the moment by which to end."""

    def __init__(self, asked: argparse.Namespace, folder: Path) -> None:
        self.asked, self.folder, self.began = asked, folder, time.monotonic()
        self.until = self.began + asked.minutes * 60

    def say(self, line: str) -> None:
        print(f"[{time.monotonic() - self.began:6.0f} s] {line}", flush=True)

    def schemas(self) -> tuple[str, str, list[str]]:
        wrong = []
        for schema in upgrade.schemas():
            path = self.folder / f"schema-{schema}" / "quakecast.duckdb"
            wrong += [f"schema {schema}: {fault}" for fault in upgrade.lost(path, upgrade.built(path, schema))]
        return f"{len(upgrade.schemas())} schemas opened, {upgrade.ROWS} rows a table", "nothing lost, every view answers", wrong

    def bodies(self) -> tuple[str, str, list[str]]:
        found = Fuzzed()
        for number, body in enumerate(bodies.bodies(self.asked.seed, self.asked.bodies)):
            if time.monotonic() > self.until:
                break
            found.case(f"seed {self.asked.seed}, body {number}", lambda body=body: bodies.judged(body)[0])
        return _fuzzed(found, "bodies")

    def recipes(self) -> tuple[str, str, list[str]]:
        return _fuzzed(fuzz.check_recipes(self.asked.recipes, self.asked.seed, self.folder / "recipes", self.until), "recipes")

    def arguments(self) -> tuple[str, str, list[str]]:
        home = fuzz.small_home(self.folder / "arguments" / "home")
        return _fuzzed(fuzz.check_arguments(self.asked.arguments, self.asked.seed, home, self.until), "command lines")

    def templates(self) -> tuple[str, str, list[str]]:
        return _fuzzed(fuzz.check_templates(self.asked.templates, self.asked.seed, self.folder / "templates", self.until), "templates")

    def months(self) -> tuple[str, str, list[str]]:
        shared = SHARED if SHARED.is_dir() else None
        done, came, wrong = [], [], []
        for first in MONTHS if shared else (SLICE_MONTH,):
            days = self.asked.month_days
            history = load_history(shared, first - timedelta(days=90), first + timedelta(days=days + 14))
            troubles = [*TROUBLES.values(), *(recorded(shared / "feed_incidents") if shared else [])]
            random.Random(self.asked.seed + first.year).shuffle(troubles)
            found = month.replay(self.folder / f"{first:%Y-%m}", history, first, days, troubles, say=self.say, until=self.until)
            met = Counter(day.trouble for day in found.bad if day.trouble != "none")
            done.append(f"{len(found.bad)} days from {first:%Y-%m-%d}, {len(met)} kinds of trouble on {met.total()} days")
            came.append(
                f"{found.events} events equal row for row; of {found.compared} forecasts {found.flagged} said that they were degraded, "
                f"{found.differing} differed ({found.learnt_otherwise} of them by weights learnt without degraded days); "
                f"{sum(day.requests for day in found.bad)} requests, "
                f"{max((day.requests for day in found.bad), default=0)} a day at most"
            )
            wrong += [f"{first:%Y-%m}: {fault}" for fault in found.wrong]
        return "; ".join(done), "; ".join(came), wrong

    def kills(self) -> tuple[str, str, list[str]]:
        days = max(2, self.asked.kills // 10)
        with world.made(self.folder / "kills", days, self.asked.seed) as made:
            found = kills.kill_days(made, days, self.asked.kills, self.asked.seed, say=self.say, until=self.until)
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(found.kills.items()))
        done = f"{found.kills.total()} kills over {found.days} days ({told}), {found.attempts} attempts"
        return done, f"{found.messages} messages, {found.sent_again_as_documented} of them repeats after a yes", found.wrong

    def overlaps(self) -> tuple[str, str, list[str]]:
        days = max(3, self.asked.kills // 20)
        with world.made(self.folder / "overlaps", days, self.asked.seed) as made:
            found = kills.overlap_days(made, days, self.asked.seed, say=self.say, until=self.until)
        done = f"{found.attempts} runs over {days} days, two at once, {found.kills.total()} of them killed"
        return done, f"{found.messages} messages", found.wrong

    def prefect(self) -> tuple[str, str, list[str]]:
        found = prefect_runs.kill_runs(self.folder / "prefect", self.asked.prefect_kills, self.asked.seed, say=self.say, until=self.until)
        ended = ", ".join(f"{count} {name}" for name, count in sorted(found.ended.items()))
        done = f"{found.kills} runs of a worker killed, {found.workers_killed} times with the worker"
        return done, f"{ended}; known as crashed after {found.slowest_to_end_s:.0f} s at most", found.wrong


def _fuzzed(found: Fuzzed, what: str) -> tuple[str, str, list[str]]:
    came = ", ".join(f"{count} {name}" for name, count in found.outcomes.most_common())
    return f"{found.outcomes.total()} {what}", f"{came}; {found.slowest_s:.1f} s at most", found.wrong


def main() -> None:
    asked = _asked()
    parts = asked.only.split(",") if asked.only else list(PARTS)
    print(f"seed {asked.seed}, at most {asked.minutes:g} minutes: {', '.join(parts)}", flush=True)
    done: list[Part] = []
    with tempfile.TemporaryDirectory(prefix="quakecast-soak-") as folder, fuzz.quiet():
        soak = Soak(asked, Path(folder))
        for name in parts:
            part = _timed(name, soak)
            soak.say(f"{name}: {part.done}; {len(part.wrong)} faults")
            done.append(part)
    table = markdown(done, asked)
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / f"soak-{asked.seed}.md").write_text(table, encoding="utf-8")
    document = {"seed": asked.seed, "at": datetime.now(UTC).isoformat(timespec="seconds"), "parts": [asdict(part) for part in done]}
    (asked.out / f"soak-{asked.seed}.json").write_text(json.dumps(document, indent=2, ensure_ascii=False), encoding="utf-8")
    print(table)
    sys.exit(any(part.wrong for part in done))


def _timed(name: str, soak: Soak) -> Part:
    began = time.monotonic()
    what, came, wrong = PARTS[name](soak)
    return Part(name, what, came, round(time.monotonic() - began, 1), wrong)


def markdown(parts: list[Part], asked: argparse.Namespace) -> str:
    rows = [f"| {part.name} | {part.done} | {part.came} | {len(part.wrong)} | {part.seconds:.0f} s |" for part in parts]
    head = ["| part | what was done | what came | not as promised | time |", "|---|---|---|---|---|"]
    faults = [f"- {part.name}: {fault[:600]}" for part in parts for fault in part.wrong[:MAX_TOLD]]
    return "\n".join([f"Seed {asked.seed}.", "", *head, *rows, *([""] if faults else []), *faults]) + "\n"


PARTS: dict[str, Callable[[Soak], tuple[str, str, list[str]]]] = {
    "schemas": Soak.schemas,
    "recipes": Soak.recipes,
    "bodies": Soak.bodies,
    "templates": Soak.templates,
    "arguments": Soak.arguments,
    "months": Soak.months,
    "kills": Soak.kills,
    "overlaps": Soak.overlaps,
    "prefect": Soak.prefect,
}


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000), help="default: drawn, and printed")
    parser.add_argument("--minutes", type=float, default=90.0, help="at most, all parts together (default 90)")
    parser.add_argument("--only", default="", help=f"parts, comma-separated, of {', '.join(PARTS)}")
    for name, count in (
        ("kills", 200),
        ("prefect-kills", 9),
        ("bodies", 100_000),
        ("recipes", 20_000),
        ("arguments", 1_000),
        ("templates", 1_000),
    ):
        parser.add_argument(f"--{name}", type=int, default=count, help=f"how many (default {count})")
    parser.add_argument("--month-days", type=int, default=len(TROUBLES) + 7, help="of each month replayed (default: one a trouble)")
    parser.add_argument("--out", type=Path, default=Path("var"), help="folder of the table (default var)")
    asked = parser.parse_args()
    if unknown := set(filter(None, asked.only.split(","))) - set(PARTS):
        parser.error(f"there is no part {sorted(unknown)[0]!r}; there are {', '.join(PARTS)}")
    return asked


if __name__ == "__main__":
    main()
