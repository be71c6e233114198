"""Output for a person at a terminal: progress bars on standard error, tables on standard output."""

import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from forecaster import logs
from forecaster.reports import numbers_as_text
from forecaster.reports.content.combined import COMBINED, expected_number, made_from, made_of, pooled_phrase
from forecaster.reports.content.contract import RecipeForecast, ReportData
from forecaster.reports.content.ranking import in_order
from forecaster.reports.content.recipe_part import result_of
from forecaster.reports.texts import FALLBACK, translator
from forecaster.timewindow import day_of_window

MAX_COMBINATIONS = 3  # shown below the table


@contextmanager
def progress(title: str, total: int | None = None, every_s: float = 60.0) -> Iterator[Callable[[int, int | None, str], None]]:
    """Show a bar on standard error, or a line a minute where that is no terminal; nothing in a log of JSON. Yields update(done, total,
    text)."""
    if not sys.stderr.isatty() and not logs.is_json():
        with _lines(title, total, every_s) as update:
            yield update
        return
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.completed:.0f}/{task.total:.0f}"))
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), TextColumn("{task.fields[text]}"), console=console, disable=logs.is_json()) as bar:
        task = bar.add_task(title, total=total or 1, text="")

        def update(done: int, total: int | None = None, text: str = "") -> None:
            bar.update(task, completed=done, total=total, text=text)

        yield update


@contextmanager
def _lines(title: str, total: int | None, every_s: float) -> Iterator[Callable[[int, int | None, str], None]]:
    """Report the progress on standard error at intervals: `training: 3 of 29 after 2 min, tokyo-m45, etas`."""
    state: list[tuple[int, int | None, str]] = [(0, total, "")]
    begun, over = time.monotonic(), threading.Event()

    def tell() -> None:
        while not over.wait(every_s):
            done, of, text = state[0]
            part = f"{done} of {of} " if of else ""
            print(
                f"{title}: {part}after {(time.monotonic() - begun) / 60:.0f} min{', ' if text else ''}{text}", file=sys.stderr, flush=True
            )

    def update(done: int, total: int | None = None, text: str = "") -> None:
        state[0] = (done, total, text)

    teller = threading.Thread(target=tell, name=f"progress of {title}", daemon=True)
    teller.start()
    try:
        yield update
    finally:
        over.set()
        teller.join()


def chance(probability: float | None) -> str:
    """Return a probability in the notation of the reports: '3.1 %', and at or below 1 % 'about 1 in N'."""
    return translator(FALLBACK)(numbers_as_text.probability_phrase(probability))


def chances(probability: float | None, usual: float | None) -> tuple[str, str]:
    """Return a probability and the usual rate in one notation."""
    say = translator(FALLBACK)
    first, second = numbers_as_text.probability_pair(probability, usual)
    return say(first), say(second)


def forecast_table(data: ReportData) -> Table:
    """Print one row a recipe, the highest ratio first, comparison recipes last: the published probability, the usual rate, the expected
    number, and how many models it is combined from. Below the table: the weight of each model."""
    say = translator(FALLBACK)
    table = Table(title=f"Next-day forecasts, made {data.generated_at:%Y-%m-%d %H:%M} UTC", title_justify="left")
    for name in ("recipe", "target", "day (local)"):
        table.add_column(name, no_wrap=True)
    for name in ("probability", "usual", "times usual", "expected (95 %)"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("made from")
    for row in ordered(data.recipes):
        target = f"M{row.threshold_mag:.1f}+ {row.radius_km:.0f} km"
        ratio = numbers_as_text.ratio_to_usual(row.probability, row.reference_probability)
        if ratio is None:
            table.add_row(row.recipe_id, target, "", "", "", "", "", row.not_scoreable_reason or "")
            continue
        number = expected_number(row)
        expected = f"{number['count']} ({number['low']} to {number['high']})" if number else ""
        figures = (*chances(row.probability, row.reference_probability), numbers_as_text.ratio_text(ratio), expected)
        table.add_row(row.recipe_id, target, _local_day(row).isoformat(), *figures, say(made_of(row)))
    shares = Counter(", ".join(map(say, made_from(row))) for row in data.recipes if row.model_kind == COMBINED and row.weights)
    counted = [f"{made} ({count} places)" if count > 1 else made for made, count in shares.most_common(MAX_COMBINATIONS)]
    table.caption = "\n".join(["How much each model counts, which need not add up to 100 %:", *counted] if counted else [])
    table.caption += "\n" + say(pooled_phrase(data.pooled_skill))
    table.caption_justify = "left"
    return table


def days_table(row: RecipeForecast, count: int) -> Table:
    """Print the last `count` forecasts for one place with the observed outcomes, oldest first."""
    say = translator(FALLBACK)
    place = f"{row.recipe_id}, M{row.threshold_mag:.1f}+ within {row.radius_km:.0f} km"
    table = Table(title=f"{place}: the forecast of each day, and what happened", title_justify="left")
    table.add_column("day (local)", no_wrap=True)
    for name in ("probability", "usual", "times usual"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("earthquake?", no_wrap=True)
    for outcome in (*row.recent_outcomes, *row.open_outcomes)[-count:]:
        ratio = numbers_as_text.ratio_text(numbers_as_text.ratio_to_usual(outcome.probability, outcome.reference_probability))
        figures = (*chances(outcome.probability, outcome.reference_probability), ratio)
        table.add_row(outcome.day.isoformat(), *figures, say(result_of(outcome) if outcome.observed is not None else "history.key_open"))
    return table


def ordered(recipes: Sequence[RecipeForecast]) -> list[RecipeForecast]:
    """Sort in the order of the reports: the highest ratio to the usual rate first, comparison recipes last."""
    return in_order([row for row in recipes if not row.comparison_only]) + in_order([row for row in recipes if row.comparison_only])


def _local_day(row: RecipeForecast) -> date:
    return day_of_window(row.target_start, ZoneInfo(row.time_zone))


def print_table(table: Table) -> None:
    """Print a table on standard output, as wide as the terminal, and at least wide enough to keep every number whole."""
    console = Console()
    Console(width=max(console.width, 150)).print(table)
