"""Verification as a Prefect flow: read the changes at USGS, verify every window that has ended, score forecasts and correct alerts."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from flows.support import artifacts, steps
from flows.support.final_state import ended
from flows.support.hooks import report_failure
from flows.support.names import dated_name
from flows.support.write_lock import one_writer
from forecaster.quantities import counted


@flow(
    name="verify",
    flow_run_name=dated_name,
    description=__doc__,
    timeout_seconds=2 * 3600,
    on_failure=[report_failure],
    on_crashed=[report_failure],
)
def verify(recipes: Annotated[list[str], Field(min_length=1)] | None = None, pull: bool = True) -> Any:
    """Verify outcomes until they are final, 45 days after their window: late reviews change them until then.

    Args:
        recipes: Recipes by id, for example ["tokyo-m45"]. Empty: all of them.
        pull: Read USGS first: without it no outcome becomes final.
    """
    work = steps.open_work(recipes)
    with steps.noted_run(work, "verify") as done:
        with one_writer(work):
            if pull:
                steps.pull(work, done)
            steps.verify(work, done)
            steps.raise_alerts(work, done)
        steps.notify(work, done, report=False)  # after the write lock is released: a mail server may take long to answer
        steps.alone("artifacts", lambda: artifacts.show_skill(work), done)
    summary = f"{counted(done.get('verified', 0), 'outcome')} written, {done.get('revised', 0)} revised, {done.get('waiting', 0)} waiting"
    return ended(done, summary)
