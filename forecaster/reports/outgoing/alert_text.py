"""Title and paragraphs of alerts, their ends, their corrections and system alerts, from templates/alert*.txt.j2.

The first line of a template is the title. An empty line ends a paragraph.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from forecaster.registry.reasons import Reason
from forecaster.reports import templates
from forecaster.reports.content.combined import COMBINED
from forecaster.reports.content.reason_phrases import reason_phrases
from forecaster.reports.dates_as_text import Writer
from forecaster.reports.numbers_as_text import Phrase, model_name, offset_text, probability_pair, probability_phrase, ratio_text, signed
from forecaster.reports.render import environment
from forecaster.reports.texts import day_writer, translator
from forecaster.timewindow import day_of_window


@dataclass(frozen=True)
class AlertTexts:
    """The settings of alert texts: the language, and a folder of the user's own templates."""

    language: str
    user_folder: Path | None = None

    def fill(self, name: str, context: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
        """Return (title, paragraphs) from the template `name`: alert, alert_end, alert_outcome, alert_withdrawn or alert_operations."""
        text = templates.fill(environment(self.language, self.user_folder), f"{name}.txt.j2", context, self.user_folder)
        title, _, body = text.strip().partition("\n")
        paragraphs = (" ".join(paragraph.split()).replace("。 ", "。") for paragraph in body.split("\n\n"))
        return " ".join(title.split()), tuple(paragraph for paragraph in paragraphs if paragraph)

    @property
    def writer(self) -> Writer:
        return day_writer(self.language, self.user_folder)

    def day(self, day: date) -> str:
        return self.writer(day)

    def degraded(self, reasons: Sequence[Reason], text: str | None) -> str:
        """Return why a forecast is degraded as a sentence; arguments as for `reason_phrases`."""
        phrases = reason_phrases(reasons, text, self.writer)
        return translator(self.language, self.user_folder)(Phrase("operations.degraded_run", {"reason": phrases}))

    def reasons(self, reasons: Sequence[Reason]) -> str:
        """Return reasons as a list in the reader's language."""
        return translator(self.language, self.user_folder)(
            Phrase("reason.several", {"reasons": reason_phrases(reasons, None, self.writer)})
        )

    def place(self, display_name: Mapping[str, str], recipe_id: str) -> str:
        return display_name.get(self.language) or display_name.get("en") or recipe_id


def window_words(texts: AlertTexts, start: datetime, end: datetime, zone: ZoneInfo) -> dict[str, str]:
    """Return starts, ends, zone, offset and day of a window, under the names that the templates use."""
    return {
        "starts": texts.writer.local(start, zone),
        "ends": texts.writer.local(end, zone),
        "zone": texts.writer.zone(zone),
        "offset": offset_text(start, zone),
        "day": texts.day(day_of_window(start, zone)),
    }


def figure_words(probability: float, usual: float) -> dict[str, Any]:
    """Return probability and usual rate as phrases, and the ratio; the three are always shown together."""
    shown, beside = probability_pair(probability, usual)
    return {"probability": shown, "usual": beside, "ratio": ratio_text(probability / usual)}


def bounds_words(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rule's name and bounds; where the rule has no clearing bound, the raising bound also ends the alert."""
    ends_at = {name: rule.get(f"{name}_off") or rule[name] for name in ("probability", "ratio")}
    return {
        "rule": rule["name"],
        "from_probability": probability_phrase(rule["probability"]),
        "from_ratio": ratio_text(rule["ratio"]),
        "off_probability": probability_phrase(ends_at["probability"]),
        "off_ratio": ratio_text(ends_at["ratio"]),
    }


def skill_phrase(kind: str, gain: Mapping[str, Any] | None, source: str) -> Phrase:
    """Return the model's skill against the usual rate, with its interval; `source`: record, pooled or evaluation."""
    if gain is None:
        return Phrase("alert.skill_unknown", {"model": model_name(kind)})
    source = "both" if kind == COMBINED and source == "record" else source
    figures = {name: signed(gain[name]) for name in ("information_gain", "low", "high")}
    return Phrase(
        "alert.skill",
        {"model": model_name(kind), **figures, "target_days": gain["target_days"], "source": Phrase(f"alert.source_{source}")},
    )


def rates_phrases(
    texts: AlertTexts, rates: Mapping[str, Any], whose: Literal["kind", "combination", "published", "measured"] = "kind"
) -> list[Phrase]:
    """Return what to expect of the rule: false alarms with their interval and count, how often it raises an alert, what it misses.

    whose: which forecasts the rates are from. kind: those of the model kind that issued the forecast. combination: those of the
    combination. published: what was and would have been published. measured: those of the combination in the evaluation that is shown with
    them.
    """
    source = {"whose": Phrase(f"alert.whose_{whose}")}
    if not rates["days"]:
        return [Phrase("alert.rates_none", source)]
    span = {name: texts.day(date.fromisoformat(rates[name])) for name in ("first_day", "last_day")}
    counts = {name: rates[name] for name in ("days", "alert_days", "alert_blocks", "false_alarm_days", "hit_days", "target_days", "alerts")}
    share, yearly = rates["false_alarm_share"], rates["alerts_a_year"]
    if not rates["alert_days"]:
        phrases = [Phrase("alert.rates_never", {**counts, **span, **source})]
    elif share is None:
        phrases = [Phrase("alert.rates_few", {**counts, **span, **source})]
    else:
        bounds = {name: whole_percent(share[name]) for name in ("estimate", "low", "high")}
        phrases = [Phrase("alert.rates", {**counts, **span, **source, **bounds, "base": whole_percent(rates["days_without_target_share"])})]
    often = {name: f"{yearly[name]:.2g}" if yearly[name] < 10 else f"{yearly[name]:.0f}" for name in ("estimate", "low", "high")}
    phrases.append(Phrase("alert.rates_yearly", {**counts, **often}))
    return phrases


def whole_percent(share: float) -> str:
    """Return a share in whole percent: 0.837 -> "84"; "> 99" and "< 1" where rounding would claim certainty."""
    rounded = round(100 * share)
    if rounded >= 100 and share < 1:
        return "> 99"
    if rounded <= 0 and share > 0:
        return "< 1"
    return f"{rounded}"
