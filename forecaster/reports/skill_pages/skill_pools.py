"""Parts of SKILL.md about pools: intervals by longer blocks, the amount of independent data, and single years."""

from collections.abc import Mapping, Sequence
from typing import Any

from forecaster.reports.skill_pages.skill import BASELINES, NOTHING, POOLS, Row, gain_text, name_of, number_text, place_of, recipe_count

TOLD = ("published", "hybrid", "etas")
YEARS_OF = ("published", "etas", "etas_generic", "best_rate")


def blocks_table(rows: Sequence[Row]) -> str:
    """Return the gains of the published combination, the hybrid and ETAS, with intervals by every block length; "" where there are none."""
    lines, lengths = [], list[str]()
    for row in rows:
        for base in BASELINES:
            gain = row["information_gain"][base]
            if row["model"] not in TOLD and not (row["model"] == "etas_generic" and row["name"] == "circles"):
                continue
            if gain is None or "blocks" not in gain or gain_text(row, base) == NOTHING:
                continue
            lengths = lengths or list(gain["blocks"])
            cells = [bounds_text(gain["blocks"].get(length)) for length in lengths]
            lines.append([name_of(row["model"]), name_of(base), f"{gain['estimate']:+.3f}", *cells])
    if not lines:
        return ""
    note = (
        "95 % intervals by blocks of several lengths. Dependence longer than a block is not seen; a year's blocks are few, so their "
        "intervals are rough and rather too narrow."
    )
    return note + "\n\n" + markdown_table(("model", "over", "gain", *(f"blocks of {length} days" for length in lengths)), lines)


def facts_text(facts: Mapping[str, Any]) -> str:
    """Return the amount of data behind the figures.

    It lists target days and shared ones, the overlap of circles, and a table of gains added to ETAS and of weighted gains.
    """
    days, shared = facts["target_days"], facts["shared_days"]
    text = (
        f"{days:,} target days on {facts['distinct_days']:,} different UTC days; "
        f"{shared:,} of them{f' ({shared / days:.0%})' if days else ''} are shared: the target of an overlapping circle "
        f"came on the same day. "
        f"Two circles overlap by at most {facts['largest_overlap']:.0%} of the smaller one. Weighted gains count each square kilometre "
        f"once, however many circles hold it (a circle weighs {facts['mean_weight']:.2f} on average; weights are known before the days). "
        f"The share of ETAS's own gain is the gain over ETAS / that of ETAS over the usual rate."
    )
    lines = []
    for gain in sorted(facts["gains"], key=lambda item: place_of(item["model"])):
        if gain["model"] in ("etas", "persistence") or (gain["model"] == "etas_generic" and facts["pool"] == "circles"):
            continue
        weighted = [estimate_text(gain["weighted"][base]) for base in BASELINES]
        lines.append(
            [name_of(gain["model"]), percent_text(gain["of_etas"]), *weighted, *(_signs(gain["singles"][b]) for b in BASELINES[:2])]
        )
    single = recipe_count(2, facts["pool"])[2:]
    head = (
        "model", "share of ETAS's own gain that is added", "weighted, over ETAS", "weighted, over the best rate",
        "weighted, over the usual rate", f"{single} above / below ETAS", f"{single} above / below the best rate",
    )  # fmt: skip
    return text + ("\n\n" + markdown_table(head, lines) if lines else "")


def years_table(document: Mapping[str, Any], arm: str) -> str:
    """Return the gains of every year and pool; "" where the document has no years."""
    rows = [row for row in document["scores"] if row["arm"] == arm and row["level"] == "pool" and row["days_of"].isdigit()]
    lines = [
        [
            POOLS[row["name"]],
            row["days_of"],
            name_of(row["model"]),
            *(gain_text(row, base) for base in BASELINES),
            number_text(row["calibration_ratio"]),
            f"{row['target_days']:,}",
        ]
        for row in sorted(rows, key=lambda row: (list(POOLS).index(row["name"]), row["days_of"], place_of(row["model"])))
        if row["model"] in YEARS_OF and (row["model"] != "etas_generic" or row["name"] == "circles")
    ]
    head = ("pool", "year", "model", "over ETAS", "over the best rate", "over the usual rate", "calibration", "target days")
    return markdown_table(head, lines) if lines else ""


def estimate_text(estimate: Mapping[str, Any] | None) -> str:
    """Return "+0.012 (+0.008 to +0.015)"; a dash where there is none, or for a model against itself."""
    if estimate is None or estimate["estimate"] == estimate["low"] == 0:
        return NOTHING
    return f"{estimate['estimate']:+.3f}" + ("" if estimate["low"] is None else f" ({estimate['low']:+.3f} to {estimate['high']:+.3f})")


def percent_text(estimate: Mapping[str, Any] | None) -> str:
    """Return "12 % (8 % to 16 %; by 365-day blocks 5 % to 20 %)"."""
    if estimate is None:
        return NOTHING
    text = f"{estimate['estimate']:.0%}".replace("%", " %")
    if estimate["low"] is None:
        return text
    length, longest = list(estimate["blocks"].items())[-1]
    more = "" if longest is None else f"; by {length}-day blocks {longest[0]:.0%} to {longest[1]:.0%}"
    return text + f" ({estimate['low']:.0%} to {estimate['high']:.0%}{more})".replace("%", " %")


def bounds_text(bounds: Sequence[float] | None) -> str:
    """Return "+0.008 to +0.015"; a dash where there is none."""
    return NOTHING if bounds is None else f"{bounds[0]:+.3f} to {bounds[1]:+.3f}"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    return "\n".join(lines + ["| " + " | ".join(cells) + " |" for cells in rows])


def _signs(counts: Mapping[str, int] | None) -> str:
    return NOTHING if counts is None else f"{counts['above']} / {counts['below']} of {counts['of']}"
