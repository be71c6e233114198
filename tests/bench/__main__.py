"""`make bench` and `make bench-quick`: measure, compare with what is committed, and write docs/PERFORMANCE.json and its table.

Nothing fails on a clock: `--check` prints where a ratio is half as large again as the committed one, for a person to look at.
"""

import argparse
import json
import os
import platform
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure
from tests.bench.stages import FULL, QUICK, bench

FILE = Path(__file__).resolve().parents[2] / "docs" / "PERFORMANCE.json"
PAGE = FILE.with_suffix(".md")
MARK = "<!-- the table that `make bench BENCH_ARGS=--write` makes -->"
WORSE = 1.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only what takes under two minutes together")
    parser.add_argument("--only", action="append", default=[], help="a stage by the name of its function; may be repeated")
    parser.add_argument("--check", action="store_true", help="compare the ratios with the committed ones")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/PERFORMANCE.json")
    options = parser.parse_args()
    committed = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {"figures": {}}
    found: list[Figure] = []
    with bench() as made:
        for stage in QUICK if options.quick else FULL:
            if options.only and stage.__name__ not in options.only:
                continue
            print(f"{stage.__name__}: {(stage.__doc__ or '').splitlines()[0]}", flush=True)
            for figure in stage(made):
                print(f"  {figure.line}", flush=True)
                found.append(figure)
    if options.check:
        for text in worse(found, committed["figures"]) or ["no ratio is much worse than the committed one"]:
            print(text)
    if options.write:
        figures = committed["figures"] | {each.key: {**asdict(each), "ratio": each.ratio} for each in found}
        machine = {"cpus": os.cpu_count(), "machine": platform.machine(), "python": platform.python_version()}
        document = {"measured": time.strftime("%Y-%m-%d", time.gmtime()), "machine": machine, "figures": figures}
        FILE.write_text(json.dumps(document, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        head, _, rest = PAGE.read_text(encoding="utf-8").partition(f"{MARK}\n")
        tail = rest.partition(f"{MARK}\n")[2]
        PAGE.write_text(f"{head}{MARK}\n{table(figures)}{MARK}\n{tail}", encoding="utf-8")


def table(figures: dict[str, dict[str, Any]]) -> str:
    """The figures as a table of Markdown, in the order of their keys."""
    rows = [
        f"| {each['what']} | {each['ours_s']:.3g} | {each['against']} | {each['other_s']:.3g} | {each['ratio']:.3g} | "
        f"{'' if each['goal'] is None else format(each['goal'], '.3g')} |"
        for _, each in sorted(figures.items())
    ]
    head = "| ours | CPU s | the other way | CPU s | ratio | goal |\n|---|---|---|---|---|---|\n"
    return f"\n{head}" + "".join(f"{row}\n" for row in rows) + "\n"


def worse(found: list[Figure], committed: dict[str, dict[str, float]]) -> list[str]:
    """A line for each figure whose ratio is more than WORSE times the committed one."""
    return [
        f"look at {each.key}: ratio {each.ratio:.3g}, committed {committed[each.key]['ratio']:.3g}"
        for each in found
        if each.key in committed and each.ratio > WORSE * committed[each.key]["ratio"]
    ]


if __name__ == "__main__":
    main()
