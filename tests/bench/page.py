"""docs/PERFORMANCE.json and the tables of docs/PERFORMANCE.md: what was committed, what is worse now, and how new figures get in."""

import json
import os
import platform
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.figures import Amount, Figure, Measured, Size
from tests.bench.size_picture import size_picture

FILE = Path(__file__).resolve().parents[2] / "docs" / "PERFORMANCE.json"
PAGE, PICTURE = FILE.with_suffix(".md"), FILE.with_name("performance.svg")
MARK = "<!-- the tables that `make bench BENCH_ARGS=--write` makes -->"
WRITE = "BENCH_WRITE"
WORSE = 1.5
SECTIONS: dict[type[Measured], str] = {Figure: "figures", Amount: "amounts", Size: "sizes"}


def committed() -> dict[str, dict[str, Any]]:
    """By the names of SECTIONS, by key, what docs/PERFORMANCE.json holds."""
    document = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
    return {name: document.get(name, {}) for name in SECTIONS.values()}


def worse(found: Iterable[Measured]) -> list[str]:
    """A line for each ratio that is more than WORSE times the committed one."""
    before = committed()["figures"]
    return [
        f"look at {each.key}: ratio {each.ratio:.3g}, committed {before[each.key]['ratio']:.3g}"
        for each in found
        if isinstance(each, Figure) and each.key in before and each.ratio > WORSE * before[each.key]["ratio"]
    ]


def keep(*found: Measured) -> None:
    """Print these, and write them where the environment says so: for measurements that pytest runs."""
    for each in found:
        print(f"\n{each.line}")
    if os.environ.get(WRITE):
        write(found)


def write(found: Iterable[Measured]) -> None:
    """Put these into docs/PERFORMANCE.json, each with the day, and its tables into docs/PERFORMANCE.md. Others stay as they are."""
    today = time.strftime("%Y-%m-%d", time.gmtime())
    all_of_them = committed()
    for each in found:
        name = SECTIONS[type(each)]
        more = {"ratio": each.ratio} if isinstance(each, Figure) else {}
        all_of_them[name][each.key] = asdict(each) | more | {"reached": each.reached, "measured": today}
    machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
    FILE.write_text(json.dumps({"machine": machine, **all_of_them}, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    if sizes := all_of_them["sizes"]:
        PICTURE.write_text(size_picture([sizes[key] for key in sorted(sizes, reverse=True)]), encoding="utf-8")
    head, _, rest = PAGE.read_text(encoding="utf-8").partition(f"{MARK}\n")
    tail = rest.partition(f"{MARK}\n")[2]
    shown = f"![CPU seconds by the number of recipes, days and events]({PICTURE.name})\n\n" if sizes else ""
    PAGE.write_text(f"{head}{MARK}\n\n{tables(all_of_them)}\n{shown}{MARK}\n{tail}", encoding="utf-8")


def tables(entries: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """The ratios and the amounts as tables of Markdown, in the order of their keys."""
    ratios = [
        [each["what"], f"{each['ours']:.3g}", each["against"], f"{each['other']:.3g}", each["unit"], f"{each['ratio']:.3g}", *_goal(each)]
        for _, each in sorted(entries["figures"].items())
    ]
    amounts = [
        [each["what"], f"{each['amount']:,.3g}" if each["amount"] < 1000 else f"{each['amount']:,.0f}", each["unit"], *_goal(each)]
        for _, each in sorted(entries["amounts"].items())
    ]
    return "\n".join(
        [
            _table(["ours", "", "the other way", "", "in", "ratio", "goal", "reached", "measured"], ratios),
            _table(["what", "", "in", "goal", "reached", "measured"], amounts),
        ]
    )


def _goal(each: Mapping[str, Any]) -> list[str]:
    if each["goal"] is None:
        return ["", "", each["measured"]]
    least = "at least " if each.get("at_least") else ""
    goal = f"{each['goal']:,.3g}" if each["goal"] < 1000 else f"{each['goal']:,.0f}"
    return [f"{least}{goal}", "yes" if each["reached"] else "**no**", each["measured"]]


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
