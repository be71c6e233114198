"""What a person at a terminal sees: progress bars and tables, on standard error and standard output."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from forecaster.reports import words
from forecaster.reports.contract import ModelForecast, RecipeForecast, ReportData

KIND_NAMES = {
    "climatology": "usual rate",
    "best_rate": "best rate",
    "persistence": "yesterday",
    "etas": "ETAS",
    "pooled": "trees",
    "hybrid": "hybrid",
    "convlstm": "ConvLSTM",
}


@contextmanager
def progress(title: str, total: int | None = None) -> Iterator[Callable[[int, int | None, str], None]]:
    """A bar on standard error; yields update(done, total, text)."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), TextColumn("{task.completed:.0f}/{task.total:.0f}"))
    console = Console(stderr=True)
    with Progress(*columns, TimeElapsedColumn(), TextColumn("{task.fields[text]}"), console=console) as bar:
        task = bar.add_task(title, total=total or 1, text="")

        def update(done: int, total: int | None = None, text: str = "") -> None:
            bar.update(task, completed=done, total=total, text=text)

        yield update


def chance(probability: float) -> str:
    """As the reports say it: '3.1 %', and at or below 1 % 'about 1 in N'."""
    return f"{words.percent(probability)} %" if probability > 0.01 else f"about 1 in {round(words.one_significant(1 / probability)):,}"


def forecast_table(data: ReportData) -> Table:
    """One row a recipe: what is published, the usual rate, the model, and how it did on days that it never saw."""
    table = Table(title=f"Next-day forecasts, made {data.generated_at:%Y-%m-%d %H:%M} UTC", title_justify="left")
    for name in ("recipe", "target", "day (local)"):
        table.add_column(name, no_wrap=True)
    for name in ("probability", "usual", "ratio"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("published")
    table.add_column("gain on validation days, nats per target day", no_wrap=True)
    for row in data.recipes:
        target = f"M{row.threshold_mag:.1f}+ {row.radius_km:.0f} km"
        if row.probability is None or row.reference_probability is None:
            table.add_row(row.recipe_id, target, "", "", "", "", row.not_scoreable_reason or "", "")
            continue
        ratio = f"{row.probability / row.reference_probability:.2f}"
        day = row.target_start.astimezone(ZoneInfo(row.time_zone)).strftime("%Y-%m-%d")
        kind = KIND_NAMES.get(row.model_kind or "", row.model_kind or "")
        table.add_row(row.recipe_id, target, day, chance(row.probability), chance(row.reference_probability), ratio, kind, _gain(row))
    return table


def _gain(row: RecipeForecast) -> str:
    """The gain over the usual rate of the published model, or where that is the usual rate of the one that came nearest."""
    tested = [(model.published, gain, model.kind, model.evaluation) for model in row.models if (gain := _known_gain(model)) is not None]
    if not tested:
        return "no model judged"
    _, gain, kind, found = max(tested, key=lambda item: item[:2])
    bounds = "" if found is None or found.low is None or found.high is None else f" ({found.low:+.3f} to {found.high:+.3f})"
    return f"{KIND_NAMES.get(kind, kind)} {gain:+.3f}{bounds}"


def _known_gain(model: ModelForecast) -> float | None:
    return None if model.evaluation is None else words.known(model.evaluation.information_gain)


def print_table(table: Table) -> None:
    """On standard output, as wide as the terminal, and at least wide enough to keep every figure whole."""
    console = Console()
    Console(width=max(console.width, 150)).print(table)
