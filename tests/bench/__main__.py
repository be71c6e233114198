"""`make bench` and `make bench-quick`: measure, compare with what is committed, and write docs/PERFORMANCE.json and its tables.

Nothing fails on a clock: `--check` prints where a ratio is half as large again as the committed one, for a person to look at.
"""

import argparse
import time

from tests.bench import page
from tests.bench.figures import Measured
from tests.bench.stages import FULL, QUICK
from tests.bench.stages.home import bench


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only what takes under two minutes together")
    parser.add_argument("--only", action="append", default=[], help="a stage by the name of its function; may be repeated")
    parser.add_argument("--check", action="store_true", help="compare the ratios with the committed ones")
    parser.add_argument("--write", action="store_true", help="put the figures into docs/PERFORMANCE.json")
    options = parser.parse_args()
    found: list[Measured] = []
    with bench() as made:
        for stage in QUICK if options.quick else FULL:
            if options.only and stage.__name__ not in options.only:
                continue
            print(f"{stage.__name__}: {(stage.__doc__ or '').splitlines()[0]}", flush=True)
            begun, used = time.perf_counter(), time.process_time()
            for figure in stage(made):
                print(f"  {figure.line}", flush=True)
                found.append(figure)
            print(f"  (the stage: {time.perf_counter() - begun:.0f} s, {time.process_time() - used:.0f} CPU s here)", flush=True)
    if options.check:
        for text in page.worse(found) or ["no ratio is much worse than the committed one"]:
            print(text)
    if options.write:
        page.write(found)


if __name__ == "__main__":
    main()
