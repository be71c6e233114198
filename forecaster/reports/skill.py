"""The skill page in words: Markdown tables, and the context of the HTML page; both from skill.json's document."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup

from forecaster.reports import skill_charts as charts

MODELS = ("climatology", "persistence", "best_rate", "etas", "pooled", "mean", "convlstm", "hybrid")
NAMES = {
    "climatology": "usual rate",
    "persistence": "persistence",
    "best_rate": "best rate",
    "etas": "ETAS",
    "pooled": "pooled trees",
    "mean": "mean of ETAS and trees",
    "convlstm": "first ConvLSTM",
    "hybrid": "hybrid",
}
POOLS = {"japan": "Japan", "abroad": "Abroad"}
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
    """What the page draws beside the figures, of one arm and pool."""

    arm: str
    pool: str
    reliability: Sequence[charts.ReliabilityPlot] = field(default_factory=tuple)
    roc: Sequence[charts.Line] = field(default_factory=tuple)
    molchan: Sequence[charts.Line] = field(default_factory=tuple)


def skill_markdown(document: Mapping[str, Any], preface: str = "") -> str:
    """SKILL.md: the preface, then of each arm the pools, the single recipes, and what failed."""
    parts = [preface.strip() or "# Skill on past days", _reading(document)]
    for arm in document["arms"]:
        parts += [f"## Arm {arm['arm']}: {arm_title(arm)}", _days(arm)]
        for pool in POOLS:
            if rows := _rows(document, arm["arm"], level="pool", name=pool):
                parts += [f"### {POOLS[pool]}, {rows[0]['recipes']} recipes", _pool_table(rows)]
        split = [
            row for days_of in ("quiet", "sequence", "outside_2011") for row in _rows(document, arm["arm"], level="pool", days_of=days_of)
        ]
        if split:
            parts += ["### Quiet days and sequences", _split_table(split)]
        for baseline in ("climatology", "etas"):
            if table := _recipe_table(document, arm["arm"], baseline):
                parts += [f"### Single recipes: information gain over {_name(baseline)}", table]
        if table := _count_table(document, arm["arm"]):
            parts += ["### Single recipes: target days that came, and that were expected", table]
        if table := _auc_table(document, arm["arm"]):
            parts += ["### Single recipes: AUC and Brier skill", table]
    if document["failures"]:
        parts += ["## What failed", _failure_table(document["failures"])]
    return "\n\n".join(parts) + "\n"


def skill_context(document: Mapping[str, Any], plots: Sequence[Plots]) -> dict[str, Any]:
    """What templates/skill.html.j2 is filled with."""
    arms = []
    for arm in document["arms"]:
        name = arm["arm"]
        pools = []
        for pool, title in POOLS.items():
            rows = _rows(document, name, level="pool", name=pool)
            if not rows:
                continue
            drawn = next((item for item in plots if (item.arm, item.pool) == (name, pool)), Plots(name, pool))
            pools.append(
                {
                    "title": title,
                    "key": f"{name}-{pool}".lower(),
                    "recipes": rows[0]["recipes"],
                    "rows": [_pool_cells(row) for row in rows],
                    "gains": {base: Markup(_gain_chart(document, name, pool, base)) for base in _drawn_baselines(rows)},
                    "reliability": [Markup(charts.reliability_chart(plot, _name(plot.model))) for plot in drawn.reliability],
                    "roc": Markup(charts.curve_chart(drawn.roc, "ROC", falling=False)) if drawn.roc else None,
                    "molchan": Markup(charts.curve_chart(drawn.molchan, "Molchan", falling=True)) if drawn.molchan else None,
                    "lines": drawn.roc,
                }
            )
        others = _rows(document, name, level="recipe", pool=None)
        arms.append(
            {
                "name": name,
                "title": arm_title(arm),
                "days": _days(arm),
                "pools": pools,
                "models": [model for model in MODELS if model in arm["models"]],
                "others": sorted({row["name"] for row in others}),
            }
        )
    return {
        "arms": arms,
        "names": NAMES,
        "baselines": {base: _name(base) for base in ("climatology", "etas", "best_rate")},
        "reading": _reading(document),
        "failures": _failures(document["failures"]),
        "code_version": document["code_version"],
        "marks": {model: Markup(f'<svg width="12" height="12" viewBox="-6 -6 12 12">{charts.mark(model)}</svg>') for model in MODELS},
        "colours": (charts.style(0), charts.style(1)),
    }


def arm_title(arm: Row) -> str:
    """What the arm's inputs and fits are."""
    return ARMS.get(arm["arm"], f"inputs are {INPUTS[arm['inputs']]}")


def _reading(document: Mapping[str, Any]) -> str:
    interval = document["interval"]
    return (
        "Information gain is the sum of log-likelihood differences over all days, divided by the number of days on which the target came, "
        f"in nats; in brackets its 95 % interval by a joint bootstrap of {interval['block_days']}-day blocks ({interval['resamples']:,} "
        "draws). The usual rate is the trailing ten-year rate as known on each day. Calibration is expected / observed target days; slope "
        "1 is calibrated, below 1 says too much. A pool's AUC compares days of the same recipe only. Gains in bold have an interval that "
        "leaves 0 out."
    )


def _days(arm: Row) -> str:
    return f"Target days {arm['first_day']} to {arm['last_day']} (local days of each recipe), {arm['recipes']} recipes."


def _rows(document: Mapping[str, Any], arm: str, days_of: str = "all", **wanted: Any) -> list[Row]:
    """Scores of an arm with these values, in the order of MODELS."""
    found = [
        row
        for row in document["scores"]
        if row["arm"] == arm and row["days_of"] == days_of and all(row[name] == value for name, value in wanted.items())
    ]
    return sorted(found, key=lambda row: (row["name"], _place(row["model"])))


def _place(model: str) -> tuple[int, str]:
    return (MODELS.index(model) if model in MODELS else len(MODELS), model)


def _name(model: str) -> str:
    return NAMES.get(model, model)


def _number(value: float | None, form: str = ".2f") -> str:
    return NOTHING if value is None else format(value, form)


def _gain(row: Row, baseline: str, interval: bool = True) -> str:
    """ "+.085 (+.06 to +.11)", in bold where the interval leaves 0 out; a dash for a model against itself."""
    gain = row["information_gain"][baseline]
    if gain is None or row["model"] == baseline:
        return NOTHING
    text = f"{gain['estimate']:+.3f}"
    text = f"**{text}**" if clear(gain) else text
    return f"{text} ({gain['low']:+.3f} to {gain['high']:+.3f})" if interval else text


def clear(gain: Row) -> bool:
    """Whether the interval leaves 0 out."""
    return gain["low"] > 0 or gain["high"] < 0


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in rows])


_POOL_HEAD = ("model", "over the usual rate", "over ETAS", "AUC", "Brier", "Brier skill", "calibration", "slope", "target days")


def _pool_cells(row: Row) -> dict[str, Any]:
    return {
        "model": row["model"],
        "name": _name(row["model"]),
        "recipes": row["recipes"],
        "climatology": _gain(row, "climatology").replace("**", ""),
        "climatology_clear": bool(row["information_gain"]["climatology"] and clear(row["information_gain"]["climatology"])),
        "etas": _gain(row, "etas").replace("**", ""),
        "etas_clear": bool(row["information_gain"]["etas"] and clear(row["information_gain"]["etas"])),
        "auc": _number(row["auc"], ".3f"),
        "molchan": _number(row["molchan_skill"], ".3f"),
        "brier": _number(row["brier"], ".4f"),
        "brier_skill": _number(row["brier_skill"], "+.3f"),
        "calibration": _number(row["calibration_ratio"]),
        "slope": _number(row["calibration_slope"]),
        "target_days": f"{row['target_days']:,}",
    }


def _pool_table(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        cells = _pool_cells(row)
        gains = [_gain(row, "climatology"), _gain(row, "etas")]
        keys = ("auc", "brier", "brier_skill", "calibration", "slope", "target_days")
        short = f" ({row['recipes']} recipes)" if row["recipes"] != rows[0]["recipes"] else ""
        lines.append([cells["name"] + short, *gains, *(cells[key] for key in keys)])
    return _table(_POOL_HEAD, lines)


def _split_table(rows: Sequence[Row]) -> str:
    ordered = sorted(rows, key=lambda row: (list(POOLS).index(row["name"]), _place(row["model"]), row["days_of"]))
    cells = [
        [
            POOLS[row["name"]],
            _name(row["model"]),
            DAYS_OF[row["days_of"]],
            _gain(row, "climatology"),
            _gain(row, "etas"),
            _number(row["calibration_ratio"]),
            f"{row['target_days']:,} of {row['days']:,}",
        ]
        for row in ordered
        if row["model"] != "climatology"
    ]
    return _table(("pool", "model", "days", "over the usual rate", "over ETAS", "calibration", "target days"), cells)


def _by_recipe(document: Mapping[str, Any], arm: str) -> tuple[list[str], dict[str, dict[str, Row]]]:
    """(models there are, recipe -> model -> row)."""
    found: dict[str, dict[str, Row]] = {}
    for row in _rows(document, arm, level="recipe"):
        found.setdefault(row["name"], {})[row["model"]] = row
    models = sorted({model for rows in found.values() for model in rows}, key=_place)
    return models, found


def _recipe_table(document: Mapping[str, Any], arm: str, baseline: str) -> str:
    models, found = _by_recipe(document, arm)
    shown = [model for model in models if model not in (baseline, "climatology")]
    if not shown or not any(row["information_gain"][baseline] for rows in found.values() for row in rows.values()):
        return ""
    lines = []
    for name, rows in sorted(found.items()):
        targets = next(iter(rows.values()))["target_days"]
        lines.append([name, f"{targets:,}", *(_gain(rows[model], baseline) if model in rows else "failed" for model in shown)])
    return _table(("recipe", "target days", *(_name(model) for model in shown)), lines)


def _count_table(document: Mapping[str, Any], arm: str) -> str:
    models, found = _by_recipe(document, arm)
    lines = []
    for name, rows in sorted(found.items()):
        cells = []
        for model in models:
            test = rows[model]["n_test"] if model in rows else None
            outside = test is not None and not test["low"] <= test["observed"] <= test["high"]
            text = NOTHING if test is None else f"{test['expected']:.0f} ({test['low']} to {test['high']})"
            cells.append(f"**{text}**" if outside else text)
        lines.append([name, f"{next(iter(rows.values()))['target_days']:,}", *cells])
    note = (
        "Expected target days with their 95 % interval were every day told rightly (binary N test); in bold where what came lies outside."
    )
    return note + "\n\n" + _table(("recipe", "came", *(_name(model) for model in models)), lines) if lines else ""


def _auc_table(document: Mapping[str, Any], arm: str) -> str:
    models, found = _by_recipe(document, arm)
    lines = []
    for name, rows in sorted(found.items()):
        cells = [
            f"{_number(rows[model]['auc'])}, {_number(rows[model]['brier_skill'], '+.3f')}" if model in rows else "failed"
            for model in models
        ]
        lines.append([name, *cells])
    return _table(("recipe", *(_name(model) for model in models)), lines) if lines else ""


def _failures(failures: Sequence[Row]) -> list[list[str]]:
    """One line a reason: arms, recipes, models and years that share it are told together."""
    grouped: dict[tuple[str, str], list[Row]] = {}
    for row in failures:
        grouped.setdefault((row["recipe_id"], row["reason"]), []).append(row)
    lines = []
    for (recipe_id, reason), rows in sorted(grouped.items()):
        arms = ", ".join(dict.fromkeys(row["arm"] for row in rows))
        models = ", ".join(dict.fromkeys(_name(row["model"]) for row in rows))
        years = sorted({year for row in rows for year in row["years"]})
        lines.append([recipe_id, models, arms, f"{years[0]} to {years[-1]}" if len(years) > 1 else str(years[0]), reason])
    return lines


def _failure_table(failures: Sequence[Row]) -> str:
    cells = [[cell.replace("|", "\\|") for cell in line] for line in _failures(failures)]
    return _table(("recipe", "models", "arms", "years", "reason"), cells)


def _drawn_baselines(rows: Sequence[Row]) -> list[str]:
    return [base for base in ("climatology", "etas") if any(row["information_gain"][base] and row["model"] != base for row in rows)]


def _gain_chart(document: Mapping[str, Any], arm: str, pool: str, baseline: str) -> str:
    blocks: list[tuple[str, Sequence[charts.Bar]]] = []
    rows = [*_rows(document, arm, level="pool", name=pool), *_rows(document, arm, level="recipe", pool=pool)]
    for name in dict.fromkeys(row["name"] for row in rows):
        shown = [row for row in rows if row["name"] == name and row["model"] not in (baseline, "climatology")]
        label = f"{POOLS[pool]}, pooled" if name == pool else name
        blocks.append((label, [_bar(row, baseline) for row in shown]))
    return charts.gain_chart(
        blocks, f"{POOLS[pool]}: information gain over {_name(baseline)}", f"nats per target day over {_name(baseline)}"
    )


def _bar(row: Row, baseline: str) -> charts.Bar:
    gain = row["information_gain"][baseline]
    return (
        charts.Bar(row["model"], None, None, None)
        if gain is None
        else charts.Bar(row["model"], gain["estimate"], gain["low"], gain["high"])
    )
