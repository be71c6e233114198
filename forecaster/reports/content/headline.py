"""The headline of a report, the sentence below it, and the line of places near their usual rate. Pure.

The aim: a reader understands them in ten seconds, and every word is true.
"""

from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from forecaster.reports.content.contract import ModelForecast
from forecaster.reports.content.ranking import RATE, Struck, is_notable
from forecaster.reports.dates_as_text import Writer
from forecaster.reports.numbers_as_text import NOTABLE, Phrase, model_name, probability_phrase

NAMED_AS_USUAL = 3  # how many of the places near their usual rate are named, the likeliest first


def notable(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows clearly above their usual rate, in their order."""
    return [row for row in rows if row["ratio_value"] is not None and row["ratio_value"] >= NOTABLE]


def above(row: dict[str, Any]) -> Phrase:
    """Return "Niigata: 12 %, 3.1 times the usual 3.9 %", preceded by the large earthquake where there is one."""
    rare = "" if row["usual"].key == "number.percent" else "_rare"
    values = {key: row[key] for key in ("name", "probability", "ratio", "usual")}
    if row["struck"] is None:
        return Phrase(f"headline.above{rare}", values)
    return Phrase(f"headline.above_after{rare}", {**values, **_earthquake(row)})


def subject(rows: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the row that the headline is about: the first one that stands out; None where none does."""
    return next((row for row in rows if is_notable(row)), None)


def headline(rows: Sequence[dict[str, Any]]) -> Phrase:
    """Return the headline.

    It names the place that stands out most, or states that none does and which comes next, or that something is missing.
    """
    if not rows:
        return Phrase("headline.none")
    forecast_rows = [row for row in rows if row["ratio_value"] is not None]
    if not forecast_rows:
        return Phrase("headline.unknown")
    about = subject(rows)
    if about is not None:
        return Phrase("headline.unheard", {"name": about["name"], **_earthquake(about)}) if about["unheard"] else above(about)
    likeliest = max(forecast_rows, key=lambda row: (row["probability_value"], -row["number"]))
    values = {key: likeliest[key] for key in ("name", "probability")}
    if all(row["degraded"] and row["model_kind"] == RATE for row in forecast_rows):
        return Phrase("headline.degraded", values)
    if all(row["model_kind"] == RATE for row in forecast_rows):
        return Phrase("headline.usual_rate", values)
    highest = {key: forecast_rows[0][key] for key in ("name", "probability", "ratio")}
    return Phrase("headline.usual" if len(forecast_rows) > 1 else "headline.usual_one", highest)


def lede(rows: Sequence[dict[str, Any]]) -> Phrase | None:
    """Return the explanation of the headline's number.

    It gives magnitude, circle, window and zone of the place, or what the number does not account for.
    """
    about = subject(rows)
    if about is not None and about["unheard"]:
        values = {key: about[key] for key in ("name", "probability")}
        if about["hearing"] is None:
            return Phrase("lede.unheard", values)
        model, heard = about["hearing"]
        return Phrase("lede.heard", {**values, "model": model, "heard": heard})
    if about is not None:
        keys = ("name", "magnitude", "radius", "starts", "ends", "zone", "offset")
        return Phrase("lede.above", {key: about[key] for key in keys})
    count = sum(row["ratio_value"] is not None for row in rows)
    return Phrase("lede.usual", {"count": count, "bound": f"{NOTABLE:g}"}) if count else None


def usual_line(rows: Sequence[dict[str, Any]], others: bool, named: int = NAMED_AS_USUAL) -> Phrase | None:
    """Return one line for all places near or below their usual rate: how many there are, and the `named` likeliest ones.

    `others`: other rows are listed above this line.
    """
    if not rows:
        return None
    likeliest = sorted(rows, key=lambda row: (-row["probability_value"], row["number"]))[:named]
    places = tuple(Phrase("table.usual_item", {key: row[key] for key in ("name", "probability")}) for row in likeliest)
    key = "all" if named >= len(rows) else "rest" if others else "line"
    return Phrase(f"table.usual_{key}", {"count": len(rows), "places": places})


def struck_flag(struck: Struck, zone: ZoneInfo, hearing: ModelForecast | None, kind: str | None, writer: Writer) -> Phrase:
    """Return the note on a row that a large earthquake struck.

    It names the earthquake and, where the published probability does not account for it, what is missing.
    """
    values = {"magnitude": f"{struck.magnitude:.1f}", "day": writer.short(struck.at.astimezone(zone).date())}
    if kind != RATE:
        return Phrase("flag.struck", values)
    if hearing is None:
        return Phrase("flag.unheard", values)
    return Phrase("flag.heard", {**values, "model": model_name(hearing.kind), "probability": probability_phrase(hearing.probability)})


def _earthquake(row: dict[str, Any]) -> dict[str, Any]:
    return {"magnitude": f"{row['struck'].magnitude:.1f}", "day": row["struck_day"]}
