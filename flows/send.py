"""The morning's messages as a Prefect flow: a report on the active forecasts, sent to every channel. It makes no forecast."""

from typing import Annotated, Any

from prefect import flow
from pydantic import Field

from flows.support import steps
from flows.support.final_state import ended
from flows.support.hooks import report_failure
from flows.support.names import dated_name
from flows.support.write_lock import one_writer


@flow(
    name="send",
    flow_run_name=dated_name,
    description=__doc__,
    timeout_seconds=3600,
    on_failure=[report_failure],
    on_crashed=[report_failure],
)
def send(languages: Annotated[tuple[str, ...], Field(min_length=1)] | None = None) -> Any:
    """Write the report of the newest forecast of every recipe, and send it with all other messages that are due.

    Args:
        languages: Languages of the report's pages, for example ["en", "ja"]. Empty: all there are.
    """
    work = steps.open_work(None)
    with steps.noted_run(work, "send") as done:
        with one_writer(work):
            written = steps.write_report(work, languages, done)
        steps.notify(work, done, report=written is not None)
    return ended(done, "; ".join(done.get("sent", [])) or "nothing was due")
