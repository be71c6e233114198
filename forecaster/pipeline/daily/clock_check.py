"""Check the machine's clock against the service's clock, taken from the answers of the last reading.

A slow clock makes forecasts look prospective although their day has begun. A fast clock dates known information into the future. The
machine alone can detect neither.
"""

from datetime import datetime, timedelta
from statistics import median, median_low

from forecaster.registry.reasons import Reason, ReasonKey
from forecaster.store.current_state import Answer, last_answers
from forecaster.store.database import Connection

MAX_OFF = timedelta(minutes=5)  # far above network delays, far below the half hour between a recipe's issue and its day
BELIEVED_FOR = timedelta(hours=36)  # covers yesterday's daily run and some hours; an older comparison says little about today
SECOND = timedelta(seconds=1)  # the service's Date header is cut to whole seconds


def clock_problem(connection: Connection, now: datetime) -> Reason | None:
    """Return as a reason by how much the machine's clock (`now`) is off, and what to do. None where there is no evidence of an error.

    Answers without a time are ignored. The median of the answers of the last reading counts.
    """
    answers = last_answers(connection, now - BELIEVED_FOR)
    if not answers:
        return None
    off = timedelta(seconds=median(_off(answer).total_seconds() for answer in answers))
    since = now - median_low(answer.service_date for answer in answers)
    if since < -MAX_OFF:  # the clock was set back after the last answers
        off = min(off, since)
    if abs(off) <= MAX_OFF:
        return None
    return Reason(ReasonKey.CLOCK, {"off_minutes": round(off / timedelta(minutes=1), 2)})


def _off(answer: Answer) -> timedelta:
    """Return a bound on how far our clock is ahead (negative: behind). It holds whenever during the request the answer was made."""
    ahead = answer.requested_at - answer.service_date - SECOND
    behind = answer.service_date - answer.requested_at - timedelta(seconds=answer.elapsed_s)
    return ahead if ahead > timedelta(0) else -behind if behind > timedelta(0) else timedelta(0)
