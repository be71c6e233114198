"""The sentence at the top of a report, the one below it, and the line of the places that are as usual: clear in ten seconds and true in
every word. Pure."""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from forecaster.reports.content.contract import ModelForecast
from forecaster.reports.content.ranking import RATE, Struck, stands_out
from forecaster.reports.words import NOTABLE, Phrase, model_name, probability_phrase
from forecaster.reports.writing import Writer

NAMED_AS_USUAL = 3  # of the places near their usual rate, the likeliest ones that are named


def notable(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows clearly above their usual rate, in their order."""
    return [row for row in rows if row["ratio_value"] is not None and row["ratio_value"] >= NOTABLE]


def above(row: dict[str, Any]) -> Phrase:
    """ "Niigata: 12 %, 3.1 times the usual 3.9 %", with the large earthquake before it where there is one."""
    rare = "" if row["usual"].key == "number.percent" else "_rare"
    values = {key: row[key] for key in ("name", "probability", "ratio", "usual")}
    if row["struck"] is None:
        return Phrase(f"headline.above{rare}", values)
    return Phrase(f"headline.above_after{rare}", {**values, **_earthquake(row)})


def subject(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """The row that the headline is about: the first one that stands out; None where none does."""
    return next((row for row in rows if stands_out(row)), None)


def headline(rows: Sequence[dict[str, Any]]) -> Phrase:
    """What a reader takes away: the place that stands out most, or that none does and which comes next, or that something is missing."""
    if not rows:
        return Phrase("headline.none")
    said = [row for row in rows if row["ratio_value"] is not None]
    if not said:
        return Phrase("headline.unknown")
    about = subject(rows)
    if about is not None:
        return Phrase("headline.unheard", {"name": about["name"], **_earthquake(about)}) if about["unheard"] else above(about)
    likeliest = max(said, key=lambda row: (row["probability_value"], -row["number"]))
    told = {key: likeliest[key] for key in ("name", "probability")}
    if all(row["degraded"] and row["model_kind"] == RATE for row in said):
        return Phrase("headline.degraded", told)
    if all(row["model_kind"] == RATE for row in said):
        return Phrase("headline.usual_rate", told)
    highest = {key: said[0][key] for key in ("name", "probability", "ratio")}
    return Phrase("headline.usual" if len(said) > 1 else "headline.usual_one", highest)


def lede(rows: Sequence[dict[str, Any]]) -> Phrase | None:
    """What the headline's number means: magnitude, circle, window and zone of its place, or what its figure leaves out."""
    about = subject(rows)
    if about is not None and about["unheard"]:
        told = {key: about[key] for key in ("name", "probability")}
        if about["hearing"] is None:
            return Phrase("lede.unheard", told)
        model, heard = about["hearing"]
        return Phrase("lede.heard", {**told, "model": model, "heard": heard})
    if about is not None:
        keys = ("name", "magnitude", "radius", "starts", "ends", "zone", "offset")
        return Phrase("lede.above", {key: about[key] for key in keys})
    count = sum(row["ratio_value"] is not None for row in rows)
    return Phrase("lede.usual", {"count": count, "bound": f"{NOTABLE:g}"}) if count else None


def usual_line(rows: Sequence[dict[str, Any]], others: bool, named: int = NAMED_AS_USUAL) -> Phrase | None:
    """One line for all places near or below their usual rate: how many, and the likeliest `named`. `others`: other rows stand above it."""
    if not rows:
        return None
    likeliest = sorted(rows, key=lambda row: (-row["probability_value"], row["number"]))[:named]
    places = tuple(Phrase("table.usual_item", {key: row[key] for key in ("name", "probability")}) for row in likeliest)
    key = "all" if named >= len(rows) else "rest" if others else "line"
    return Phrase(f"table.usual_{key}", {"count": len(rows), "places": places})


def struck_flag(struck: Struck, zone: ZoneInfo, hearing: ModelForecast | None, kind: str | None, writer: Writer) -> Phrase:
    """What is said beside a row that a large earthquake struck: that it did, and what a figure that does not count it lacks."""
    told = {"magnitude": f"{struck.magnitude:.1f}", "day": writer.short(struck.at.astimezone(zone).date())}
    if kind != RATE:
        return Phrase("flag.struck", told)
    if hearing is None:
        return Phrase("flag.unheard", told)
    return Phrase("flag.heard", {**told, "model": model_name(hearing.kind), "probability": probability_phrase(hearing.probability)})


def _earthquake(row: dict[str, Any]) -> dict[str, Any]:
    return {"magnitude": f"{row['struck'].magnitude:.1f}", "day": row["struck_day"]}
