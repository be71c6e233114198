"""When forecasts are due: the alarms of every time zone, the day that is due now, and the days that a run has missed."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from forecaster.recipe import Recipe
from forecaster.store import ledger
from forecaster.store.database import Store
from forecaster.timewindow import issue_time, local_day

CATCH_UP_DAYS = 7
EARLY_AT_MOST = timedelta(minutes=1)


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
    """The last local day whose issue time has come at `now` (aware UTC)."""
    tomorrow = local_day(now, recipe.zone) + timedelta(days=1)
    return tomorrow if issue_time(tomorrow, recipe.zone, recipe.issue_local_time) <= now else tomorrow - timedelta(days=1)


def moment_of_alarm(now: datetime, alarm: datetime) -> datetime:
    """The moment for which a run that was called by `alarm` works: that of the alarm, where the run begins a little before it.

    A server lets a run begin up to half a second early, and its clock need not be this machine's; by `now` nothing would be due then.
    """
    return alarm if timedelta(0) < alarm - now <= EARLY_AT_MOST else now


def next_issue_time(recipe: Recipe, now: datetime) -> datetime:
    """When the recipe's next forecast is issued (aware UTC)."""
    return issue_time(due_day(recipe, now) + timedelta(days=1), recipe.zone, recipe.issue_local_time)


def missing_issues(store: Store, recipes: Sequence[Recipe], now: datetime, *, replay: bool = False) -> list[Issue]:
    """Every day that is due and has no forecast yet, oldest first: what a run must catch up.

    That is the day due now, and before it the days since the recipe's first forecast that were missed, CATCH_UP_DAYS at most (older gaps
    are for a backfill). A recipe that was never forecast begins with the day due now. `replay`: count replayed forecasts, and only those.
    """
    since = now - timedelta(days=CATCH_UP_DAYS + 2)
    with store.transaction() as connection:
        stored = ledger.forecast_days(connection, [recipe.target_hash for recipe in recipes], since, replay=replay)
        began = ledger.first_forecasts(connection, [recipe.target_hash for recipe in recipes], replay=replay)
    wanted: dict[date, list[Recipe]] = defaultdict(list)
    for recipe in recipes:
        key = (recipe.id, recipe.target_hash)
        last = due_day(recipe, now)
        first = last if key not in began else max(last - timedelta(days=CATCH_UP_DAYS), local_day(began[key], recipe.zone))
        for back in range((last - first).days, -1, -1):
            day = last - timedelta(days=back)
            if (*key, recipe.target_window(day).start) not in stored:
                wanted[day].append(recipe)
    return [Issue(day, tuple(wanted[day])) for day in sorted(wanted)]
