"""When forecasts are due: the schedule of every time zone, the day that is due now, and the days that were missed."""

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
LATE_AFTER = timedelta(hours=1)  # a run takes some time


@dataclass(frozen=True, order=True)
class Alarm:
    """A daily local time at which the forecasts of some recipes are issued."""

    time_zone: str
    local_time: time
    recipe_ids: tuple[str, ...] = ()

    @property
    def cron(self) -> str:
        return f"{self.local_time.minute} {self.local_time.hour} * * *"

    @property
    def slug(self) -> str:
        """The name of the schedule, e.g. asia-tokyo-2330."""
        return f"{self.time_zone.lower().replace('/', '-').replace('_', '-')}-{self.local_time:%H%M}"


@dataclass(frozen=True)
class Issue:
    """A local day to forecast, and the recipes to forecast it for."""

    day: date
    recipes: tuple[Recipe, ...]


def issue_alarms(recipes: Sequence[Recipe]) -> list[Alarm]:
    """Return one schedule per time zone and issue time of these recipes, ordered by zone."""
    groups: dict[tuple[str, time], list[str]] = defaultdict(list)
    for recipe in recipes:
        groups[recipe.time_zone, recipe.issue_local_time].append(recipe.id)
    return [Alarm(zone, at, tuple(ids)) for (zone, at), ids in sorted(groups.items())]


def due_day(recipe: Recipe, now: datetime) -> date:
    """Return the last local day whose issue time has been reached at `now` (aware UTC).

    This is usually today or tomorrow. Where a clock change skips an issue time at midnight, the issue comes before the day whose evening
    it belongs to.
    """
    day = local_day(now, recipe.zone) + timedelta(days=2)
    while not is_due(recipe, day, now):
        day -= timedelta(days=1)
    return day


def is_due(recipe: Recipe, day: date, now: datetime) -> bool:
    """Whether this local day exists and its issue time has been reached at `now`."""
    return issue_time(day, recipe.zone, recipe.issue_local_time) <= now and day_exists(day, recipe.zone)


def moment_of_alarm(now: datetime, alarm: datetime) -> datetime:
    """Return the moment that a scheduled run works for: that of the schedule, `alarm`, where the run begins slightly before it.

    A server may start a run up to half a second early, and its clock may differ from this machine's; at `now` nothing would be due yet.
    `alarm` may be Prefect's own datetime type.
    """
    return datetime.fromtimestamp(alarm.timestamp(), UTC) if timedelta(0) < alarm - now <= EARLY_AT_MOST else now


def next_issue_time(recipe: Recipe, now: datetime) -> datetime:
    """Return the issue time of the recipe's next forecast (aware UTC)."""
    day = due_day(recipe, now) + timedelta(days=1)
    while not day_exists(day, recipe.zone):
        day += timedelta(days=1)
    return issue_time(day, recipe.zone, recipe.issue_local_time)


def missing_issues(store: Store, recipes: Sequence[Recipe], now: datetime, *, replay: bool = False) -> list[Issue]:
    """Return every day that is due and has no forecast yet, oldest first: what a run must catch up on.

    This is the day due now and the days missed since the recipe's first forecast, CATCH_UP_DAYS at most (older gaps need a backfill). A
    recipe that has never been forecast starts with the day due now. `replay`: count replayed forecasts, and only those.
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
    """Return overdue forecasts: for each recipe whose last due forecast is missing LATE_AFTER its issue time, the day and its due time.

    A recipe that has never been forecast is not late.
    """
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
    """Return the recipe's days among these windows (`ledger.forecast_days`), by local date.

    A window keeps its date if the rules of its time zone have changed since.
    """
    mine = [start for recipe_id, target, start in starts if (recipe_id, target) == (recipe.id, recipe.target_hash)]
    return {day_of_window(start, recipe.zone) for start in mine}
