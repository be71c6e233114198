"""One line for a monitor such as Nagios: whether forecasts are made and sent, and what is wrong. Reads only, and needs no Prefect.

Levels are exit codes. 0: all is well. 1: look at it in the daytime; forecasts are made, but something is missing. 2: act now; no forecast
is made or can be made, or this cannot be determined.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from forecaster.clock import Clock
from forecaster.errors import QuakecastError
from forecaster.pipeline.alerting.system_alerts import DEAD_SPAN
from forecaster.pipeline.as_of.as_known import STALE_AFTER
from forecaster.pipeline.daily.issue_schedule import late_forecasts
from forecaster.pipeline.recipes_in_use import recipes_in_use
from forecaster.publishing_rule.blend import MAX_AGE_HOURS
from forecaster.quantities import age_text
from forecaster.settings import Settings
from forecaster.store import alert_rows as stored
from forecaster.store import current_state
from forecaster.store.database import Store
from forecaster.store.sharing.one_at_a_time import WRITER_LOCK, holder_of
from forecaster.store.sharing.read_only_store import open_source

WORDS = ("OK", "WARNING", "CRITICAL")
WARNING, CRITICAL = 1, 2
DAILY_WITHIN = timedelta(hours=26)  # a daily run starts at least once a day, an hour later in autumn, and takes some time
HELD_AT_MOST = timedelta(hours=1)  # runs wait for the write lock for 50 minutes, then they fail


@dataclass
class Found:
    """The problems that were found, each with its level, and figures for the monitor's graphs (hours)."""

    problems: list[tuple[int, str]] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def level(self) -> int:
        return max((level for level, _ in self.problems), default=0)

    def line(self) -> str:
        """Format as `CRITICAL: the worst first; then the others | data_age_hours=3.2`, without a line break."""
        worst_first = [text for _, text in sorted(self.problems, key=lambda problem: -problem[0])]
        figures = " ".join(f"{name}={value:.1f}" for name, value in self.figures.items())
        text = "; ".join(worst_first) or "forecasts are made and sent"
        return " ".join(f"{WORDS[self.level]}: {text.replace('|', '/')}{' | ' + figures if figures else ''}".split())

    def document(self) -> dict[str, Any]:
        problems = [{"level": WORDS[level], "text": text} for level, text in self.problems]
        return {"level": WORDS[self.level], "exit_code": self.level, "problems": problems, **self.figures}


def look(settings: Settings, clock: Clock) -> Found:
    """Find what is wrong with the installation now. Our own errors are never raised: what cannot be read is critical."""
    found, now = Found(), clock.now()
    try:
        store = open_source(settings)
        _look_at_runs(found, store, now)
        _look_at_data(found, store, now)
        _look_at_forecasts(found, store, settings, now)
        _look_at_messages(found, store, now)
    except QuakecastError as error:
        found.problems.append((CRITICAL, str(error)))
    _look_at_writer(found, settings, now)
    return found


def _look_at_runs(found: Found, store: Store, now: datetime) -> None:
    with store.transaction() as connection:
        runs = {run["kind"]: run for run in current_state.newest_runs(connection)}
    daily = runs.get("daily")
    if daily is None:
        found.problems.append((CRITICAL, "no daily run yet"))
    else:
        age = now - daily["started_at"]
        found.figures["daily_age_hours"] = age / timedelta(hours=1)
        if age > DAILY_WITHIN:
            ago = f"{age_text(age)} ago"
            found.problems.append((CRITICAL, f"no daily run since {daily['started_at']:%Y-%m-%d %H:%M}Z, {ago}"))
    for kind, run in runs.items():
        ended = run["finished_at"] or run["started_at"]
        if run["state"] in ("failed", "partial"):
            level = CRITICAL if (kind, run["state"]) == ("daily", "failed") else WARNING
            found.problems.append((level, f"the last {kind} run was {run['state']}, at {ended:%Y-%m-%d %H:%M}Z"))


def _look_at_data(found: Found, store: Store, now: datetime) -> None:
    with store.transaction() as connection:
        read_until = current_state.world_read_until(connection)
    if read_until is None:
        found.problems.append((CRITICAL, "the catalogue has not been read"))
        return
    hours = (now - read_until) / timedelta(hours=1)
    found.figures["data_age_hours"] = hours
    if now - read_until > STALE_AFTER:
        found.problems.append((CRITICAL if hours > MAX_AGE_HOURS else WARNING, f"the catalogue is {age_text(now - read_until)} old"))


def _look_at_forecasts(found: Found, store: Store, settings: Settings, now: datetime) -> None:
    recipes = list(recipes_in_use(settings).values())
    with store.transaction() as connection:
        late = late_forecasts(connection, recipes, now)
    if late:
        first = min(due for _, _, due in late)
        names = ", ".join(recipe.id for recipe, _, _ in late[:5]) + (f" and {len(late) - 5} more" if len(late) > 5 else "")
        found.problems.append((CRITICAL, f"no forecast for {names}, due at {first:%Y-%m-%d %H:%M}Z"))


def _look_at_messages(found: Found, store: Store, now: datetime) -> None:
    with store.transaction() as connection:
        dead = stored.dead_letters(connection, now - DEAD_SPAN)
    found.problems += [(WARNING, f"{row['count']} messages by {row['channel']} could not be delivered") for row in dead]


def _look_at_writer(found: Found, settings: Settings, now: datetime) -> None:
    holder = holder_of(settings.database.with_name(WRITER_LOCK))
    if holder is None:
        return
    since = datetime.fromisoformat(holder.get("since", now.isoformat()))
    if now - since > HELD_AT_MOST:
        holder_text = f"{holder.get('what', 'something')}, {holder.get('who', 'a process')}"
        found.problems.append((WARNING, f"the write lock has been held since {since:%Y-%m-%d %H:%M}Z by {holder_text}"))
