"""Why a forecast is degraded or missing, in the reader's language. Pure.

The pipeline's reasons are English sentences for the operator, with commands. Readers get their meaning instead.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from forecaster.reports.words import Phrase, age_phrase, model_name
from forecaster.reports.writing import Writer

ENGLISH = "en"
UNITS = {"minute": 1 / 60, "hour": 1.0, "day": 24.0, "month": 24 * 365.25 / 12, "year": 24 * 365.25}
MEANT_ALREADY = (
    "the usual rate is published",
    "never scored",
    "load an older part of the catalogue",
)  # the remainder of a sentence whose beginning already has a text

Make = Callable[[re.Match[str], Writer], Phrase]


def _plain(key: str) -> Make:
    return lambda found, writer: Phrase(f"reason.{key}")


def _age(found: re.Match[str], writer: Writer) -> Phrase:
    hours = float(found["count"]) * UNITS[found["unit"]]
    return Phrase("reason.old", {"age": age_phrase(timedelta(hours=hours))})


def _not_read_since(found: re.Match[str], writer: Writer) -> Phrase:
    at = datetime.strptime(found["at"], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
    return Phrase("reason.not_read_since", {"moment": writer.moment(at)})


def _of_model(key: str) -> Make:
    return lambda found, writer: Phrase(f"reason.{key}", {"model": model_name(found["kind"])})


KNOWN: tuple[tuple[re.Pattern[str], Make], ...] = tuple(
    (re.compile(pattern), make)
    for pattern, make in (
        (r"USGS could not be read$", _plain("unread")),
        (r"the forecast is made from what was stored before", _plain("unread")),
        (r"the service's answer (?:looks incomplete|is not believed to be whole)", _plain("doubted")),
        (r"\d+ events? (changed since |of M >= )", _plain("doubted")),
        (r"rows of the catalogue (?:failed validation|could not be believed)", _plain("set_aside")),
        (r"the catalogue is (?P<count>\d+) (?P<unit>minute|hour|day|month|year)s? old", _age),
        (r"the catalogue has never been read", _plain("never_read")),
        (r"the catalogue has not been read since (?P<at>\d{4}-\d\d-\d\d \d\d:\d\d)Z", _not_read_since),
        (r"this machine's clock is ", _plain("clock")),
        (r"so this is no official forecast", _plain("unofficial")),
        (r"without (?P<kind>\w+): ", _of_model("without")),
        (r"(?P<kind>\w+) without its fit: ", _of_model("generic")),
        (r"in-sample: ", _plain("seen")),
        (r"catalogue starts at M (?P<magnitude>[\d.]+)", lambda found, writer: Phrase("reason.starts", {"magnitude": found["magnitude"]})),
        (r"no catalogue has been read for this place", _plain("no_data")),
        (r"no target day since ", _plain("short")),
        (r"no forecast has been issued yet", _plain("not_made")),
        (r"no reference rate", _plain("short")),
        (r"the forecast was made by a version of quakecast that had no ladder", _plain("before_ladder")),
        (r"the ladder has version ", _plain("newer_ladder")),
    )
)


def reasons(text: str, language: str, writer: Writer) -> tuple[Phrase | str, ...]:
    """Return the meaning of the pipeline's `text`, as parts of a list.

    A part that matches no pattern of KNOWN stays as it is on an English page. In another language a text refers to the log.
    """
    said: list[Phrase | str] = []
    for part in re.split(r"; ", text.removeprefix("not scoreable: ")):
        if not part.startswith(MEANT_ALREADY):
            said.append(_said(part, language, writer))
    return tuple(one for index, one in enumerate(said) if one not in said[:index])


def _said(part: str, language: str, writer: Writer) -> Phrase | str:
    for pattern, make in KNOWN:
        if (found := pattern.match(part)) is not None:
            return make(found, writer)
    return part if language == ENGLISH else Phrase("reason.other")
