"""The sentence at the top of a report, and the one below it: clear in ten seconds and true in every word. Pure."""

from collections.abc import Sequence
from typing import Any

from forecaster.reports.words import NOTABLE, Phrase


def notable(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows clearly above their usual rate, in their order."""
    return [row for row in rows if row["ratio_value"] is not None and row["ratio_value"] >= NOTABLE]


def above(row: dict[str, Any]) -> Phrase:
    """ "Niigata: 12 %, 3.1 times the usual 3.9 %"."""
    rare = "" if row["usual"].key == "number.percent" else "_rare"
    return Phrase(f"headline.above{rare}", {key: row[key] for key in ("name", "probability", "ratio", "usual")})


def subject(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The row that the headline is about; None where it is about none."""
    if raised := notable(rows):
        return raised[0]
    unheard = [row for row in rows if row["unheard"] is not None]
    return min(unheard, key=lambda row: (-row["unheard"][0], row["unheard"][1])) if unheard else None


def headline(rows: Sequence[dict[str, Any]]) -> Phrase:
    """What a reader takes away: the highest ratio, that there is none, or that something is missing."""
    if not rows:
        return Phrase("headline.none")
    said = [row for row in rows if row["ratio_value"] is not None]
    if not said:
        return Phrase("headline.unknown")
    about = subject(rows)
    if about is not None and about["ratio_value"] is not None and about["ratio_value"] >= NOTABLE:
        return above(about)
    if about is not None:
        return Phrase("headline.unheard", {"magnitude": f"{about['unheard'][0]:.1f}", "name": about["name"]})
    if all(row["degraded"] and row["model_kind"] == "climatology" for row in said):
        return Phrase("headline.degraded")
    return Phrase("headline.usual")


def lede(rows: Sequence[dict[str, Any]]) -> Phrase | None:
    """What the headline's number means: magnitude, circle, window and zone of its place."""
    raised = notable(rows)
    if raised:
        keys = ("name", "magnitude", "radius", "starts", "ends", "zone", "offset")
        return Phrase("lede.above", {key: raised[0][key] for key in keys})
    count = sum(row["ratio_value"] is not None for row in rows)
    return Phrase("lede.usual", {"count": count, "bound": NOTABLE}) if count else None
