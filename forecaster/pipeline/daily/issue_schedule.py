"""When forecasts are due: the alarms of every time zone, the day that is due now, and the days that a run has missed."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from forecaster.recipe import Recipe
from forecaster.store import ledger
from forecaster.store.database import Connection, Store
from forecaster.timewindow import day_exists, day_of_window, days_between, issue_time, local_day

CATCH_UP_DAYS = 7
EARLY_AT_MOST = timedelta(minutes=1)
LATE_AFTER = timedelta(hours=1)  # a run takes a while


@dataclass(frozen=True, order=True)
class Alarm:
    """A local time at which the forecasts of some recipes are issued, every day."""

    time_zone: str
    local_time: time
    recipe_ids: tuple[str, ...] = ()

    @property
    def cron(self) -> str:
        return f"{self.local_time.minute} {self.local_time.hour} * * *"

    @property
    def slug(self) -> str:
        """The alarm's name: asia-tokyo-2330."""
        return f"{self.time_zone.lower().replace('/', '-').replace('_', '-')}-{self.local_time:%H%M}"


@dataclass(frozen=True)
class Issue:
    """A local day to be forecast, and for which recipes."""

    day: date
    recipes: tuple[Recipe, ...]


def issue_alarms(recipes: Sequence[Recipe]) -> list[Alarm]:
    """One alarm for every time zone and issue time of these recipes, by zone."""
    groups: dict[tuple[str, time], list[str]] = defaultdict(list)
    for recipe in recipes:
        groups[recipe.time_zone, recipe.issue_local_time].append(recipe.id)
    return [Alarm(zone, at, tuple(ids)) for (zone, at), ids in sorted(groups.items())]


def due_day(recipe: Recipe, now: datetime) -> date:
    """The last local day whose issue time has come at `now` (aware UTC).

    Mostly today or tomorrow; where clocks skip the issue time at midnight, it comes before the day whose evening it belongs to.
    """
    day = local_day(now, recipe.zone) + timedelta(days=2)
    while not is_due(recipe, day, now):
        day -= timedelta(days=1)
    return day


def is_due(recipe: Recipe, day: date, now: datetime) -> bool:
    """Whether there is such a local day, and its issue time has come at `now`."""
    return issue_time(day, recipe.zone, recipe.issue_local_time) <= now and day_exists(day, recipe.zone)


def moment_of_alarm(now: datetime, alarm: datetime) -> datetime:
    """The moment for which a run that was called by `alarm` works: that of the alarm, where the run begins a little before it.

    A server lets a run begin up to half a second early, and its clock need not be this machine's; by `now` nothing would be due then.
    `alarm` may be of Prefect's own kind of datetime.
    """
    return datetime.fromtimestamp(alarm.timestamp(), UTC) if timedelta(0) < alarm - now <= EARLY_AT_MOST else now


def next_issue_time(recipe: Recipe, now: datetime) -> datetime:
    """When the recipe's next forecast is issued (aware UTC)."""
    day = due_day(recipe, now) + timedelta(days=1)
    while not day_exists(day, recipe.zone):
        day += timedelta(days=1)
    return issue_time(day, recipe.zone, recipe.issue_local_time)


def missing_issues(store: Store, recipes: Sequence[Recipe], now: datetime, *, replay: bool = False) -> list[Issue]:
    """Every day that is due and has no forecast yet, oldest first: what a run must catch up.

    That is the day due now, and before it the days since the recipe's first forecast that were missed, CATCH_UP_DAYS at most (older gaps
    are for a backfill). A recipe that was never forecast begins with the day due now. `replay`: count replayed forecasts, and only those.
    """
    since = now - timedelta(days=CATCH_UP_DAYS + 2)
    with store.transaction() as connection:
        starts = ledger.forecast_days(connection, [recipe.target_hash for recipe in recipes], since, replay=replay)
        began = ledger.first_forecasts(connection, [recipe.target_hash for recipe in recipes], replay=replay)
    wanted: dict[date, list[Recipe]] = defaultdict(list)
    for recipe in recipes:
        key = (recipe.id, recipe.target_hash)
        stored = days_made(recipe, starts)
        last = due_day(recipe, now)
        first = last if key not in began else max(last - timedelta(days=CATCH_UP_DAYS), day_of_window(began[key], recipe.zone))
        for day in days_between(first, last):
            if day not in stored and day_exists(day, recipe.zone):
                wanted[day].append(recipe)
    return [Issue(day, tuple(wanted[day])) for day in sorted(wanted)]


def late_forecasts(connection: Connection, recipes: Sequence[Recipe], now: datetime) -> list[tuple[Recipe, date, datetime]]:
    """Of each recipe whose last forecast that was due is not there LATE_AFTER its issue time: the day, and when it was due. One that never
    had any is not late."""
    hashes = [recipe.target_hash for recipe in recipes]
    there = ledger.forecast_days(connection, hashes, now - timedelta(days=3), replay=False)
    began = ledger.first_forecasts(connection, hashes, replay=False)
    found = []
    for recipe in recipes:
        day, key = due_day(recipe, now - LATE_AFTER), (recipe.id, recipe.target_hash)
        if key in began and day_of_window(began[key], recipe.zone) <= day and day not in days_made(recipe, there):
            found.append((recipe, day, issue_time(day, recipe.zone, recipe.issue_local_time)))
    return found


def days_made(recipe: Recipe, starts: Iterable[tuple[str, str, datetime]]) -> set[date]:
    """The recipe's days among these windows (`ledger.forecast_days`), by name: a window whose zone has got other rules since is still the
    window of its day."""
    mine = [start for recipe_id, target, start in starts if (recipe_id, target) == (recipe.id, recipe.target_hash)]
    return {day_of_window(start, recipe.zone) for start in mine}
