"""Rate limiting: how long to wait between requests, after a refusal, and before the next try. Pure but for the injected clocks.

Full jitter: a wait drawn uniformly from [least, min(cap, base x 2^tries)), so that clients which failed together do not retry together (M.
Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
"""

from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import numpy as np

LEAST_S = 0.25
BASE_S = 1.0
CAP_S = 60.0
_MINUTE_S = 60.0


class Pace:
    """A rate limiter: at most `max_per_minute` calls of `wait` return in any 60 seconds; the others sleep first."""

    def __init__(self, max_per_minute: int, monotonic: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._times: deque[float] = deque(maxlen=max_per_minute)
        self._monotonic = monotonic
        self._sleep = sleep

    def wait(self) -> None:
        if len(self._times) == self._times.maxlen:
            rest = self._times[0] + _MINUTE_S - self._monotonic()
            if rest > 0:
                self._sleep(rest)
        self._times.append(self._monotonic())


def pause_s(tries: int, wish: float | None, rng: np.random.Generator) -> float:
    """Return the seconds to wait after `tries` failures (1, 2, ...): what the service asks for, or by our own rule where that is under a
    second."""
    if wish is not None and wish >= BASE_S:
        return wish
    return float(rng.uniform(LEAST_S, min(CAP_S, BASE_S * 2.0**tries)))


def wished_wait_s(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds that the service asks us to wait: Retry-After (a number or an HTTP date), else Expires; None where it asks for
    nothing.

    Dates are compared with the answer's own Date where it has one, else with `now` (aware UTC): two clocks that disagree must not cause a
    wait. A date that has passed, or an invalid number, is ignored.
    """
    asked = headers.get("Retry-After", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    sent = _http_date(headers.get("Date")) or now
    for text in (asked, headers.get("Expires")):
        moment = _http_date(text)
        if moment is not None and moment > sent:
            return (moment - sent).total_seconds()
    return None


def in_words(seconds: float) -> str:
    """Return a length of time for people: 90 s, 3 h, 365 days."""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.0f} {unit}" if seconds < 1e10 else "over 300 years"
    return f"{seconds:.0f} s"


def service_date(headers: Mapping[str, str]) -> datetime | None:
    """Return the service's clock at the answer: its Date, and the Age of a stored copy; None where it has none."""
    sent = _http_date(headers.get("Date"))
    age = headers.get("Age", "").strip()
    if sent is None or not (age.isascii() and age.isdigit() and len(age) <= 6):
        return sent
    return sent + timedelta(seconds=int(age))


def _http_date(text: str | None) -> datetime | None:
    """Parse an aware UTC time of this or a neighbouring century; None for everything else."""
    try:
        moment = parsedate_to_datetime(text or "")
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return moment if 1900 <= moment.year < 2200 else None
