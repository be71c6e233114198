"""Numbers as people read them. A probability is never shown as 0 or as certain; an unknown value is shown as unknown.

Texts that depend on the language are `Phrase`s: a key of templates/i18n/<language>.toml with its values. The renderer translates them.
"""

import math
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from forecaster.quantities import age_of
from forecaster.registry.model_kinds import label_of, title_of

SMALL = 0.01  # at or below this, "about 1 in N"
SURE = 0.99  # above this, "> 99 %"
RAREST = 1e-6
JOINERS = "\u200c\u200d"  # they join characters and do not change the text direction
LEVEL_BOUNDS = (0.8, 1.25, 2.0, 4.0)
NOTABLE = LEVEL_BOUNDS[1]


@dataclass(frozen=True)
class Phrase:
    """A text to be translated into the report's language; values may be phrases themselves."""

    key: str
    values: Mapping[str, Any] = field(default_factory=dict)


def plain(text: str) -> str:
    """Return a name from outside on one line, without control characters and characters that change the direction of the text around them.

    Right-to-left text is wrapped in isolates, so that the figures beside it keep their places.
    """
    kept = "".join(char for char in " ".join(text.split()) if unicodedata.category(char) not in ("Cc", "Cf", "Cs") or char in JOINERS)
    return f"\u2068{kept}\u2069" if any(unicodedata.bidirectional(char) in ("R", "AL") for char in kept) else kept


def known(value: float | None) -> float | None:
    """Return `value`, or None where it is missing, NaN or infinite."""
    return None if value is None or not math.isfinite(value) else float(value)


def known_probability(value: float | None) -> float | None:
    """Return `value` where it is a probability (0..1), else None: showing nothing is better than showing a wrong number."""
    value = known(value)
    return value if value is not None and 0.0 <= value <= 1.0 else None


def one_significant(value: float) -> float:
    """Round to one significant figure: 163 -> 200, 0.034 -> 0.03."""
    scale = 10.0 ** math.floor(math.log10(value))
    return round(value / scale) * scale


def probability_phrase(probability: float | None) -> Phrase:
    """Return a probability as a phrase.

    It has two significant figures and a space before the sign ("3.1 %", "12 %"). At or below 1 % it is "about 1 in N", above 99 % "> 99 %".
    """
    p = known_probability(probability)
    if p is None:
        return Phrase("number.unknown")
    if p <= SMALL:
        if p < RAREST:
            return _rarest()
        return Phrase("number.one_in", {"n": round(one_significant(1 / p))})
    return Phrase("number.percent", {"percent": percent(p)})


def probability_pair(probability: float | None, usual: float | None) -> tuple[Phrase, Phrase]:
    """Return a probability and the one it is compared with, in the same notation.

    Both are "about 1 in N"; where either is above 1 %, both are in percent.
    """
    pair = known_probability(probability), known_probability(usual)
    if any(p is not None and p > SMALL for p in pair):
        return _in_percent(pair[0]), _in_percent(pair[1])
    return probability_phrase(probability), probability_phrase(usual)


def _in_percent(p: float | None) -> Phrase:
    """Return a percentage like `probability_phrase`, but also at or below 1 %, with one significant figure: "0.7 %", "0.0004 %"."""
    if p is None or p > SMALL:
        return probability_phrase(p)
    if p < RAREST:
        return _rarest()
    return Phrase("number.percent", {"percent": f"{100 * one_significant(p):.4f}".rstrip("0").rstrip(".")})


def _rarest() -> Phrase:
    return Phrase("number.rarer_than", {"n": round(1 / RAREST)})


def age_phrase(span: timedelta) -> Phrase:
    """Return a time span as a phrase: "23 months"."""
    count, unit = age_of(span)
    return Phrase(f"age.{unit}", {"count": count})


def model_name(kind: str | None) -> Phrase:
    """Return the name of a model kind; its title or its identifier where no language has a text for it."""
    if kind is None:
        return Phrase("number.unknown")
    return Phrase(f"model.{label}") if (label := label_of(kind)) else Phrase("model.other", {"kind": title_of(kind)})


def short_name(kind: str | None) -> Phrase:
    """Return the short name of a model kind, in a word or two."""
    if kind is None:
        return Phrase("number.unknown")
    return Phrase(f"short.{label}") if (label := label_of(kind)) else Phrase("short.other", {"kind": title_of(kind)})


def percent(p: float) -> str:
    """Return the number of percent, without the sign and never 100: 0.031 -> "3.1", 0.124 -> "12", 0.9999 -> "> 99"."""
    if p > SURE:
        return "> 99"
    return f"{100.0 * p:.1f}" if p < 0.0995 else f"{100.0 * p:.0f}"


def count_text(count: float) -> str:
    """Return an expected number of earthquakes: 0.131 -> "0.13", 3.14 -> "3.1", 41.2 -> "41"; "< 0.01" below that."""
    if count < 0.0095:
        return "< 0.01"
    if count < 0.995:
        return f"{count:.2f}"
    return f"{count:.1f}" if count < 9.95 else f"{count:,.0f}"


def percent_or_zero(share: float) -> str:
    """Return a share of days or windows in percent; unlike a probability it may be 0 or 1."""
    return f"{100 * share:.1f} %" if share < 0.0995 else f"{100 * share:.0f} %"


def ratio_to_usual(probability: float | None, reference: float | None) -> float | None:
    """Return the ratio of a probability to the usual rate; None where either is unknown or the usual rate is 0."""
    p, usual = known_probability(probability), known_probability(reference)
    return None if p is None or not usual else p / usual


def ratio_text(ratio: float | None) -> str:
    """Return a ratio with two significant figures from 1 on and one below 0.1: "3.1", "12", "0.8", "0.04"."""
    if ratio is None:
        return "–"
    if ratio >= 9.95:
        return f"{ratio:.0f}"
    if ratio >= 0.095:
        return f"{ratio:.1f}"
    return f"{one_significant(max(ratio, 0.01)):.2f}"


def level_of(ratio: float | None) -> int | None:
    """Return the level of a ratio: 0 below the usual rate, 1 about usual, 2 above, 3 well above (2 to 4 times), 4 far above."""
    return None if ratio is None else sum(ratio >= bound for bound in LEVEL_BOUNDS)


def signed(value: float | None, digits: int = 3) -> str | None:
    """Return a number with its sign: "+0.041" or "−0.012" (with a true minus); None where it is unknown."""
    value = known(value)
    return None if value is None else f"{value:+.{digits}f}".replace("-", "−")


def utc_text(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def local_text(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M}"


def offset_text(moment: datetime, zone: ZoneInfo) -> str:
    """Return the offset of a zone from UTC at a moment: "UTC+09:00"."""
    offset = f"{moment.astimezone(zone):%z}"
    return f"UTC{offset[:3]}:{offset[3:5]}"
