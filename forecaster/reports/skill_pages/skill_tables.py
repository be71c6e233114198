"""SKILL.md: the tables of skill.json's document in Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from forecaster.reports.skill_pages.skill import (
    BASELINES,
    DAYS_OF,
    NOTHING,
    POOLS,
    Row,
    arm_days,
    arm_title,
    failure_lines,
    gain_text,
    name_of,
    number_text,
    place_of,
    pool_cells,
    reading,
    recipe_count,
    rows_of,
)
from forecaster.reports.skill_pages.skill_pools import blocks_table, facts_text, markdown_table, years_table
from forecaster.reports.skill_pages.skill_rungs import rungs_text
from forecaster.reports.skill_pages.skill_world import world_text


def skill_markdown(document: Mapping[str, Any], preface: str = "") -> str:
    """Return SKILL.md: the preface, then for each experiment the pools, the single recipes, and what failed."""
    parts = [preface.strip() or "# Skill on past days", reading(document)]
    for arm in document["arms"]:
        parts += [f"## Arm {arm['arm']}: {arm_title(arm)}", arm_days(arm)]
        for pool in POOLS:
            if rows := rows_of(document, arm["arm"], level="pool", name=pool):
                facts = next((item for item in document.get("pools", ()) if (item["arm"], item["pool"]) == (arm["arm"], pool)), None)
                parts += [f"### {POOLS[pool]}, {recipe_count(rows[0]['recipes'], pool)}", _pool_table(rows), _calibration_table(rows)]
                parts += [text for text in (facts_text(facts) if facts else "", blocks_table(rows)) if text]
        split = [
            row for days_of in ("quiet", "sequence", "outside_2011") for row in rows_of(document, arm["arm"], level="pool", days_of=days_of)
        ]
        if split:
            parts += ["### Quiet days and sequences", _split_table(split)]
        if years := years_table(document, arm["arm"]):
            parts += ["### Year by year", years]
        if rungs := rungs_text(document, arm["arm"]):
            parts += ["### Longer windows and larger magnitudes", rungs]
        for baseline in BASELINES:
            if table := _recipe_table(document, arm["arm"], baseline):
                parts += [f"### Single recipes: information gain over {name_of(baseline)}", table]
        if table := _count_table(document, arm["arm"]):
            parts += ["### Single recipes: target days that came, and that were expected", table]
        if table := _auc_table(document, arm["arm"]):
            parts += ["### Single recipes: AUC and Brier skill", table]
    if world := world_text(document):
        parts += ["## The world map", world]
    if document["failures"]:
        parts += ["## What failed", _failure_table(document["failures"])]
    return "\n\n".join(parts) + "\n"


_GAINS_HEAD = ("over ETAS", "over the best rate", "over the usual rate")
_POOL_HEAD = ("model", *_GAINS_HEAD, "AUC", "Brier", "Brier skill", "calibration", "slope", "target days")


_CALIBRATION_HEAD = (
    "model", "expected target days (N test)", "slope", "calibration error", "miscalibration", "discrimination", "sharpness", "L test",
    "T test p over ETAS, days taken as independent", "W test p, likewise",
)  # fmt: skip


def _pool_table(rows: Sequence[Row]) -> str:
    lines = []
    for row in rows:
        cells = pool_cells(row)
        gains = [gain_text(row, base) for base in BASELINES]
        keys = ("auc", "brier", "brier_skill", "calibration", "slope", "target_days")
        short = f" ({row['recipes']} of them)" if row["recipes"] != rows[0]["recipes"] else ""
        lines.append([cells["name"] + short, *gains, *(cells[key] for key in keys)])
    return markdown_table(_POOL_HEAD, lines)


def _calibration_table(rows: Sequence[Row]) -> str:
    """Return the table of calibration, CORP's parts of the log score, and the tests."""
    lines = []
    for row in rows:
        gain, number, joint = row["information_gain"]["etas"], row["n_test"], row["l_test"]
        lines.append(
            [
                name_of(row["model"]),
                f"{number['expected']:.0f} ({number['low']} to {number['high']}), came {number['observed']}" if number else NOTHING,
                f"{number_text(row['calibration_slope'])} ± {number_text(row['calibration_slope_error'])}",
                number_text(row["calibration_error"], ".4f"),
                *(number_text(row[name], ".4f") for name in ("log_miscalibration", "log_discrimination", "sharpness")),
                number_text(joint["gamma"] if joint else None, ".3f"),
                *(number_text(gain[name] if gain and row["model"] != "etas" else None, ".3f") for name in ("t_test_p", "w_test_p")),
            ]
        )
    return markdown_table(_CALIBRATION_HEAD, lines)


def _split_table(rows: Sequence[Row]) -> str:
    ordered = sorted(rows, key=lambda row: (list(POOLS).index(row["name"]), place_of(row["model"]), row["days_of"]))
    cells = [
        [
            POOLS[row["name"]],
            name_of(row["model"]),
            DAYS_OF[row["days_of"]],
            *(gain_text(row, base) for base in BASELINES),
            number_text(row["calibration_ratio"]),
            f"{row['target_days']:,} of {row['days']:,}",
        ]
        for row in ordered
        if row["model"] != "climatology"
    ]
    return markdown_table(("pool", "model", "days", *_GAINS_HEAD, "calibration", "target days"), cells)


def _by_recipe(document: Mapping[str, Any], arm: str) -> tuple[list[str], dict[str, dict[str, Row]]]:
    """Return (models that exist, recipe -> model -> row)."""
    found: dict[str, dict[str, Row]] = {}
    for row in rows_of(document, arm, level="recipe"):
        found.setdefault(row["name"], {})[row["model"]] = row
    models = sorted({model for rows in found.values() for model in rows}, key=place_of)
    return models, found


def _recipe_table(document: Mapping[str, Any], arm: str, baseline: str) -> str:
    models, found = _by_recipe(document, arm)
    shown = [model for model in models if model not in (baseline, "climatology")]
    if not shown or not any(row["information_gain"][baseline] for rows in found.values() for row in rows.values()):
        return ""
    lines = []
    for name, rows in sorted(found.items()):
        targets = next(iter(rows.values()))["target_days"]
        lines.append([name, f"{targets:,}", *(gain_text(rows[model], baseline) if model in rows else "failed" for model in shown)])
    return markdown_table(("recipe", "target days", *(name_of(model) for model in shown)), lines)


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
    return note + "\n\n" + markdown_table(("recipe", "came", *(name_of(model) for model in models)), lines) if lines else ""


def _auc_table(document: Mapping[str, Any], arm: str) -> str:
    models, found = _by_recipe(document, arm)
    lines = []
    for name, rows in sorted(found.items()):
        cells = [
            f"{number_text(rows[model]['auc'])}, {number_text(rows[model]['brier_skill'], '+.3f')}" if model in rows else "failed"
            for model in models
        ]
        lines.append([name, *cells])
    return markdown_table(("recipe", *(name_of(model) for model in models)), lines) if lines else ""


def _failure_table(failures: Sequence[Row]) -> str:
    cells = [[cell.replace("|", "\\|") for cell in line] for line in failure_lines(failures)]
    return markdown_table(("recipe", "models", "arms", "years", "reason"), cells)
