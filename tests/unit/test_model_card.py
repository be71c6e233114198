"""docs/MODEL_CARD.md shows the figures of docs/skill.json and of the packaged sets, and speaks of every kind of model."""

import json
import re
from pathlib import Path

import pytest

from forecaster.models import pretrained
from forecaster.registry.model_kinds import KINDS

ROOT = Path(__file__).resolve().parents[2]
CARD = (ROOT / "docs" / "MODEL_CARD.md").read_text(encoding="utf-8")
SCORES = [score for score in json.loads((ROOT / "docs" / "skill.json").read_text(encoding="utf-8"))["scores"] if score["arm"] == "B"]
MODELS = {
    "published combination": "published", "hybrid": "hybrid", "pooled trees": "pooled", "ETAS": "etas", "ETAS, generic": "etas_generic",
    "three-year rate": "recent_rate", "best rate": "best_rate", "persistence": "persistence",
}  # fmt: skip
POOLS = {"Japan": "japan", "abroad": "abroad", "circles": "circles"}
DAYS = {None: "all", "quiet days": "quiet", "sequences": "sequence"}
OWN_ETAS = {"japan": "etas", "abroad": "etas", "circles": "etas_generic"}


def table_after(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    rows = [line for line in CARD.split(f"## {heading}")[1].split("\n## ")[0].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows[2:]]


def gain(score: dict, over: str) -> str:
    found = score["information_gain"][over]
    return f"{found['estimate']:+.3f} ({found['low']:+.3f} to {found['high']:+.3f})"


def test_every_figure_of_the_table_is_that_of_the_evaluation():
    scores = {(score["model"], score["pool"], score["days_of"]): score for score in SCORES if score["level"] == "pool"}
    rows = table_after("How good, 2018 to 2024")
    for name, where, over_rate, over_etas, auc, calibration, target_days in rows:
        pool, _, days = where.partition(", ")
        kind = MODELS[name]
        score = scores[kind, POOLS[pool], DAYS[days or None]]
        assert over_rate == gain(score, "climatology"), (name, where)
        assert over_etas == ("–" if kind == OWN_ETAS[POOLS[pool]] else gain(score, "etas")), (name, where)
        told = f"{score['auc']:.3f}", f"{score['calibration_ratio']:.2f}", f"{score['target_days']:,}"
        assert (auc, calibration, target_days) == told, (name, where)
    assert {(row[0], row[1].partition(", ")[0]) for row in rows} == {
        (name, pool) for name, kind in MODELS.items() for pool in POOLS if (kind, POOLS[pool], "all") in scores
    }


def test_what_is_said_of_single_recipes():
    own = {s["name"]: s for s in SCORES if s["level"] == "recipe" and s["model"] == "published" and s["days_of"] == "all"}
    target_days = [score["target_days"] for score in own.values()]
    gains = [score["information_gain"]["climatology"] for score in own.values()]
    unsure = sum(found["low"] <= 0 <= found["high"] for found in gains)
    assert f"a recipe has {min(target_days)} to {max(target_days)} target days" in CARD
    assert f"for {unsure} of {len(own)}\nrecipes the interval over the usual rate holds 0" in CARD
    place = own["los-angeles"]
    assert f"({place['target_days']} target days) had {place['calibration_ratio']:.2f} times as many" in CARD


def test_the_sets_are_those_of_the_package():
    told = {row[0]: row[1:] for row in table_after("The sets of the package")}
    folders = sorted(path.parent for path in pretrained.packaged().glob("*/pretrained.json"))
    assert set(told) == {folder.name for folder in folders}
    for folder in folders:
        found = pretrained.load_pretrained(folder)
        days = found.record.get("days") or found.record["settings"]["days"]
        numbers = str(found.record["circles"]), f"{days:,}", f"{found.record['target_days']:,}"
        assert told[folder.name] == [str(found.data_until), *numbers, str(found.first_day)]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_of(kind):
    assert re.search(rf"`{kind}`", "\n".join("|".join(row) for row in table_after("The members"))), kind
