"""A further forecast of a day, kept beside its official one, as a Prefect flow: pull, forecast, and write the report, which shows both.

No deployment is made by default; docs/EXTENDING.md shows the one entry in deployments/prefect.yaml. The daily job makes the official
forecast in the same way whether there is a reforecast or not.
"""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from flows import tasks
from flows.parameters import Day
from flows.support import artifacts, steps
from flows.support.final_state import NO_FORECAST, ended
from flows.support.hooks import report_failure
from flows.support.names import dated_name
from flows.support.write_lock import one_writer
from forecaster.quantities import counted


@flow(
    name="reforecast",
    flow_run_name=dated_name,
    description=__doc__,
    timeout_seconds=2 * 3600,
    on_failure=[report_failure],
    on_crashed=[report_failure],
)
def reforecast(
    recipes: Annotated[list[str], Field(min_length=1)] | None = None,
    target_date: Day | None = None,
    languages: Annotated[tuple[str, ...], Field(min_length=1)] | None = None,
) -> Any:
    """Forecast the next local day of every recipe from what is known now, at its issue time at the latest.

    It is never official, never scored, and no reason for an alert.

    Args:
        recipes: Recipes by id, for example ["tokyo-m45"]. Empty: all of them.
        target_date: Day to forecast, of every recipe in its own time zone; it must not have begun. Empty: the next one.
        languages: Languages of the report's pages, for example ["en", "ja"]. Empty: all there are.
    """
    work = steps.open_work(recipes)
    with steps.noted_run(work, "reforecast") as done:
        with one_writer(work):
            problems = steps.pull(work, done)
            made = tasks.predict_task(work, list(work.recipes), target_date, problems, reforecast=True)
            steps.note_failed_parts(made, done)
            steps.note_forecasts(made, done)
            steps.write_report(work, languages, done)
        steps.alone("artifacts", lambda: artifacts.show_forecasts(work, made.forecast_ids, reforecast=True), done)
    return ended(done, counted(done["forecasts"], "forecast"), name=None if made.forecast_ids else NO_FORECAST)
