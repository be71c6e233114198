"""Skill on past days in words: what the page and SKILL.md share, and the page's context. Everything comes from skill.json's document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from forecaster.registry.model_kinds import looks, title_of
from forecaster.reports.skill_pages import skill_charts as charts

BASELINES = ("etas", "best_rate", "climatology")  # the usual rate last: much of a gain over it comes from the level of the last ten years
POOLS = {"japan": "Japan", "abroad": "Abroad", "circles": "Random circles"}
ARMS = {
    "A": "the final catalogue, one fit on days to 2014",
    "B": "as known at issue, the same fit",
    "C": "as known at issue, references refitted each year",
}
INPUTS = {"final": "the final catalogue", "known": "what was known at issue"}
DAYS_OF = {"all": "all days", "quiet": "quiet days", "sequence": "days in sequences", "outside_2011": "without 2011"}
NOTHING = "–"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Plots:
    """The page's plots of one experiment (`arm`) and pool, shown beside the figures."""

    arm: str
    pool: str
    reliability: Sequence[charts.ReliabilityPlot] = field(default_factory=tuple)
    base_rate: float = 0.0
    roc: Sequence[charts.Line] = field(default_factory=tuple)
    precision_recall: Sequence[charts.Line] = field(default_factory=tuple)
    molchan: Sequence[charts.Line] = field(default_factory=tuple)


def skill_context(document: Mapping[str, Any], plots: Sequence[Plots]) -> dict[str, Any]:
    """Return the context of templates/skill.html.j2."""
    arms = []
    for arm in document["arms"]:
        name = arm["arm"]
        pools = []
        for pool, title in POOLS.items():
            rows = rows_of(document, name, level="pool", name=pool)
            if not rows:
                continue
            drawn = next((item for item in plots if (item.arm, item.pool) == (name, pool)), Plots(name, pool))
            pools.append(
                {
                    "title": title,
                    "key": f"{name}-{pool}".lower(),
                    "recipes": recipe_count(rows[0]["recipes"], pool),
                    "count": rows[0]["recipes"],
                    "rows": [pool_cells(row) for row in rows],
                    "gains": {base: Markup(_gain_chart(document, name, pool, base)) for base in _drawn_baselines(rows)},
                    "reliability": [Markup(charts.reliability_chart(plot, name_of(plot.model))) for plot in drawn.reliability],
                    "curves": _curves(drawn),
                }
            )
        others = rows_of(document, name, level="recipe", pool=None)
        arms.append(
            {
                "name": name,
                "title": arm_title(arm),
                "days": arm_days(arm),
                "pools": pools,
                "models": [model for model in looks() if model in arm["models"]],
                "others": sorted({row["name"] for row in others}),
            }
        )
    return {
        "arms": arms,
        "names": {model: title_of(model) for model in looks()},
        "baselines": {base: name_of(base) for base in BASELINES},
        "reading": reading(document),
        "failures": failure_lines(document["failures"]),
        "code_version": document["code_version"],
        "marks": {model: Markup(f'<svg width="12" height="12" viewBox="-6 -6 12 12">{charts.mark(model)}</svg>') for model in looks()},
        "colours": (charts.style(0), charts.style(1)),
    }


def arm_title(arm: Row) -> str:
    """Return the title of an experiment (`arm`): its inputs and fits."""
    return ARMS.get(arm["arm"], f"inputs are {INPUTS[arm['inputs']]}")


def reading(document: Mapping[str, Any]) -> str:
    """Return how to read the figures."""
    interval = document["interval"]
    return (
        "Information gain is the sum of log-likelihood differences over all days, divided by the number of days on which the target came, "
        f"in nats; in brackets its 95 % interval by a joint bootstrap of {interval['block_days']}-day blocks ({interval['resamples']:,} "
        "draws); longer blocks, of which there are few, stand in a table of their own. The gain over ETAS is the first figure; the ETAS of "
        "random circles is the generic one. The usual rate is the trailing ten-year rate as known on each day. "
        "Calibration is expected / observed target days; slope "
        "1 is calibrated, below 1 says too much. A pool's AUC compares days of the same recipe only. Miscalibration and discrimination are "
        "CORP's parts of the log score, in nats a day; sharpness is the standard deviation of what was said; the T and W tests are "
        "against ETAS and take days as independent, which they are not. Gains in bold have an interval that leaves 0 out."
    )


def arm_days(arm: Row) -> str:
    """Return the experiment's days in words."""
    circles = [recipe_count(arm["circles"], "circles") + " drawn at random"] if arm.get("circles") else []
    counts = " and ".join(([recipe_count(arm["recipes"])] if arm["recipes"] or not circles else []) + circles)
    return f"Target days {arm['first_day']} to {arm['last_day']} (local days of each recipe), {counts}."


def recipe_count(count: int, pool: str = "") -> str:
    """Return "1 recipe", "8 recipes", or "250 circles" for their pool."""
    thing = "circle" if pool == "circles" else "recipe"
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _curves(plots: Plots) -> list[Markup]:
    """Return the curves that exist: ROC, precision and recall, Molchan."""
    drawn = (
        (plots.roc, "ROC", [(0.0, 0.0), (1.0, 1.0)]),
        (plots.precision_recall, "Precision and recall", [(0.0, plots.base_rate), (1.0, plots.base_rate)]),
        (plots.molchan, "Molchan", [(0.0, 1.0), (1.0, 0.0)]),
    )
    return [Markup(charts.curve_chart(lines, title, chance)) for lines, title, chance in drawn if lines]


def rows_of(document: Mapping[str, Any], arm: str, days_of: str = "all", **wanted: Any) -> list[Row]:
    """Return the scores of an experiment with these values, in the order of the tables."""
    found = [
        row
        for row in document["scores"]
        if row["arm"] == arm and row["days_of"] == days_of and all(row[name] == value for name, value in wanted.items())
    ]
    return sorted(found, key=lambda row: (row["name"], place_of(row["model"])))


def place_of(model: str) -> tuple[int, str]:
    """Return the model's position in every table, unknown models last."""
    order = list(looks())
    return (order.index(model) if model in order else len(order), model)


def name_of(model: str) -> str:
    """Return the model's name for readers."""
    return title_of(model)


def number_text(value: float | None, form: str = ".2f") -> str:
    """Return the number in this format, or a dash where there is none."""
    return NOTHING if value is None else format(value, form)


def gain_text(row: Row, baseline: str, interval: bool = True) -> str:
    """Return "+.085 (+.06 to +.11)", in bold where the interval excludes 0; a dash for a model against itself."""
    gain = row["information_gain"][baseline]
    itself = gain is not None and gain["low"] == gain["estimate"] == gain["high"] == 0  # the generic ETAS, where it takes the place of ETAS
    if gain is None or itself or row["model"] == baseline:
        return NOTHING
    text = f"{gain['estimate']:+.3f}"
    text = f"**{text}**" if clear(gain) else text
    return f"{text} ({gain['low']:+.3f} to {gain['high']:+.3f})" if interval else text


def clear(gain: Row) -> bool:
    """Return whether the interval excludes 0."""
    outside: bool = gain["low"] > 0 or gain["high"] < 0
    return outside


def pool_cells(row: Row) -> dict[str, Any]:
    """Return the figures of a pool's row as text."""
    return {
        "model": row["model"],
        "name": name_of(row["model"]),
        "recipes": row["recipes"],
        "gains": [
            {
                "text": gain_text(row, base).replace("**", ""),
                "clear": row["model"] != base and (gain := row["information_gain"][base]) is not None and clear(gain),
            }
            for base in BASELINES
        ],
        "auc": number_text(row["auc"], ".3f"),
        "molchan": number_text(row["molchan_skill"], ".3f"),
        "brier": number_text(row["brier"], ".4f"),
        "brier_skill": number_text(row["brier_skill"], "+.3f"),
        "calibration": number_text(row["calibration_ratio"]),
        "slope": number_text(row["calibration_slope"]),
        "target_days": f"{row['target_days']:,}",
    }


def failure_lines(failures: Sequence[Row]) -> list[list[str]]:
    """Return one line per reason; experiments, recipes, models and years with the same reason share a line."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in failures:
        grouped.setdefault((row["recipe_id"], row["reason"]), []).append(row)
    lines = []
    for (recipe_id, reason), rows in sorted(grouped.items()):
        arms = ", ".join(dict.fromkeys(row["arm"] for row in rows))
        models = ", ".join(dict.fromkeys(name_of(row["model"]) for row in rows))
        years = sorted({year for row in rows for year in row["years"]})
        lines.append([recipe_id, models, arms, f"{years[0]} to {years[-1]}" if len(years) > 1 else str(years[0]), reason])
    return lines


def _drawn_baselines(rows: Sequence[Row]) -> list[str]:
    return [base for base in BASELINES if any(row["information_gain"][base] and row["model"] != base for row in rows)]


def _gain_chart(document: Mapping[str, Any], arm: str, pool: str, baseline: str) -> str:
    blocks: list[tuple[str, Sequence[charts.Bar]]] = []
    rows = [*rows_of(document, arm, level="pool", name=pool), *rows_of(document, arm, level="recipe", pool=pool)]
    for name in dict.fromkeys(row["name"] for row in rows):
        shown = [row for row in rows if row["name"] == name and row["model"] not in (baseline, "climatology")]
        label = f"{POOLS[pool]}, pooled" if name == pool else name
        blocks.append((label, [_bar(row, baseline) for row in shown]))
    return charts.gain_chart(
        blocks, f"{POOLS[pool]}: information gain over {name_of(baseline)}", f"nats per target day over {name_of(baseline)}"
    )


def _bar(row: Row, baseline: str) -> charts.Bar:
    gain = row["information_gain"][baseline]
    return (
        charts.Bar(row["model"], None, None, None)
        if gain is None
        else charts.Bar(row["model"], gain["estimate"], gain["low"], gain["high"])
    )
