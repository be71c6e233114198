"""Names of flow runs, which people read in the list."""

from datetime import datetime

from prefect.runtime import flow_run


def dated_name() -> str:
    """Return `daily 2024-01-02 14:30Z`: the flow and the moment for which it was scheduled."""
    return name_for(str(flow_run.flow_name), flow_run.scheduled_start_time)


def name_for(flow: str, scheduled: datetime) -> str:
    """Return the name of the run of a flow that is scheduled for a moment in UTC."""
    return f"{flow} {scheduled:%Y-%m-%d %H:%M}Z"
