"""Whether the machine's clock can be believed: it is compared with what the service's own said in the answers of the last reading.

A clock that is behind makes forecasts of a day that has begun look like forecasts, and one that is ahead dates what is known into the
future; neither can be seen from within.
"""

from datetime import datetime, timedelta
from statistics import median, median_low

from forecaster.store.database import Connection
from forecaster.store.moments import Answer, last_answers

MAX_OFF = timedelta(minutes=5)  # far above what a network takes, far below the half hour between a recipe's issue and its day
BELIEVED_FOR = timedelta(hours=36)  # the day's run of yesterday, and some hours; an older comparison says little of today
SECOND = timedelta(seconds=1)  # a Date is cut to whole seconds


def clock_problem(connection: Connection, now: datetime) -> str | None:
    """By how much the machine's clock, which says `now`, is off and what to do, in one line; None where nothing says that it is.

    Answers without a time prove nothing. Of several of one reading the median counts.
    """
    answers = last_answers(connection, now - BELIEVED_FOR)
    if not answers:
        return None
    off = timedelta(seconds=median(_off(answer).total_seconds() for answer in answers))
    since = now - median_low(answer.service_date for answer in answers)
    if since < -MAX_OFF:  # the clock was set back since
        off = min(off, since)
    if abs(off) <= MAX_OFF:
        return None
    return (
        f"this machine's clock is {_amount(abs(off))} {'ahead of' if off > timedelta(0) else 'behind'} that of USGS: set it right "
        "(NTP: timedatectl set-ntp true), then run `quakecast pull`"
    )


def _off(answer: Answer) -> timedelta:
    """By how much our clock is ahead (below 0: behind) for sure, wherever in the request's time the answer was made."""
    ahead = answer.requested_at - answer.service_date - SECOND
    behind = answer.service_date - answer.requested_at - timedelta(seconds=answer.elapsed_s)
    return ahead if ahead > timedelta(0) else -behind if behind > timedelta(0) else timedelta(0)


def _amount(off: timedelta) -> str:
    minutes = round(off / timedelta(minutes=1))
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes / 60:.1f} hours" if minutes < 48 * 60 else f"{minutes / 1440:.0f} days"
