"""Reasons as phrases in the reader's language: templates/i18n has a text `reason.<key>` for each. Pure."""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from forecaster.registry.reasons import Reason
from forecaster.reports.content import older_reasons
from forecaster.reports.dates_as_text import Writer
from forecaster.reports.numbers_as_text import Phrase, age_phrase, model_name
from forecaster.reports.texts import FALLBACK, read_texts


def reason_phrases(reasons: Sequence[Reason], text: str | None, writer: Writer) -> tuple[Phrase, ...]:
    """Return each reason once, as a phrase. text: the same in English; it is read where an older version stored no reasons."""
    found = reasons or (older_reasons.read(text) if text else ())
    phrases = [reason_phrase(reason, writer) for reason in found]
    return tuple(one for index, one in enumerate(phrases) if one not in phrases[:index])


def reason_phrase(reason: Reason, writer: Writer) -> Phrase:
    """Return a reason as a phrase."""
    because = tuple(reason_phrase(one, writer) for one in reason.because)
    return Phrase(f"reason.{reason.key.value}", reason.shown(_forms(writer), because or ""))


def _forms(writer: Writer) -> Mapping[str, Callable[[Any], Any]]:
    """Return how values are written, by placeholder."""

    def day(text: str) -> str:
        return writer(date.fromisoformat(text))

    return {
        "age": lambda hours: age_phrase(timedelta(hours=hours)),
        "moment": lambda text: writer.moment(datetime.fromisoformat(text)),
        "model": model_name,
        "magnitude": lambda magnitude: f"{magnitude:.1f}",
        "expected": lambda expected: f"{expected:.0f}",
        "radius": lambda km: f"{km:g}",
        "day": day,
        "first_day": day,
        "until": day,
        "step": step_phrase,
    }


def step_phrase(name: str) -> Phrase | str:
    """Return the name of a step of a run as a phrase; a step that has no text is named as it is."""
    key = f"step.{re.sub('[^a-z]+', '_', name)}"
    return Phrase(key) if key in read_texts(FALLBACK) else name


def one_of(reason: Reason | None) -> tuple[Reason, ...]:
    """Return a reason as a sequence of at most one."""
    return () if reason is None else (reason,)
