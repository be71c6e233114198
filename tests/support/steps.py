"""The steps of the day on a context that is put together from its parts, which most tests have at hand."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime

from forecaster.clock import Clock
from forecaster.pipeline.daily import build_report
from forecaster.pipeline.daily import predict as prediction
from forecaster.pipeline.daily import verify as verification
from forecaster.pipeline.run_context import Job
from forecaster.pipeline.training import train
from forecaster.pipeline.training.fit_recipe import TrainOptions
from forecaster.recipe import Recipe
from forecaster.registry.reasons import Reason
from forecaster.reports.content.contract import ReportData
from forecaster.settings import Settings
from forecaster.store.database import Store
from tests.support.toys import cover, quake, write


def machine(moment: datetime) -> Clock:
    """The machine's clock, which stands at `moment`: forecasts that are made by it are official."""
    return Clock(lambda: moment, simulated=False)


def job_of(store: Store, recipes: Sequence[Recipe], clock: Clock, settings: Settings | None = None, run_id: str = "") -> Job:
    """A job on this store. Where no settings are given, its home is the store's folder."""
    return Job(settings or Settings(home=store.path.parent), store, list(recipes), clock, run_id)


def predict(
    store: Store,
    recipes: Sequence[Recipe],
    settings: Settings,
    clock: Clock,
    *,
    target_day: date | None = None,
    run_id: str = "",
    reissue: bool = False,
    problems: tuple[Reason, ...] = (),
    on_progress: Callable[[str], None] | None = None,
) -> prediction.PredictResult:
    options = prediction.PredictOptions(target_day, reissue, problems)
    return prediction.predict(job_of(store, recipes, clock, settings, run_id), options, on_progress)


def issued(store: Store, recipe: Recipe, settings: Settings, moment: datetime) -> Store:
    """The store with an earthquake of long ago, read until `moment`, and the official forecasts of that moment."""
    write(store, quake("us1", datetime(2022, 3, 5, tzinfo=UTC)))
    cover(store, moment)
    predict(store, [recipe], settings, machine(moment))
    return store


def verify(store: Store, recipes: Sequence[Recipe], clock: Clock) -> verification.VerifyResult:
    return verification.verify(job_of(store, recipes, clock))


def report_data(store: Store, recipes: Sequence[Recipe], clock: Clock) -> ReportData:
    return build_report.report_data(job_of(store, recipes, clock))


def train_recipes(
    store: Store,
    recipes: Sequence[Recipe],
    settings: Settings,
    clock: Clock,
    options: TrainOptions,
    on_progress: train.Progress | None = None,
) -> train.TrainResult:
    return train.train_recipes(job_of(store, recipes, clock, settings), options, on_progress)
