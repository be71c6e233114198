"""Names of flow runs: what a person reads in the list."""

from prefect.runtime import flow_run


def dated_name() -> str:
    """`daily 2024-01-02 14:30Z`: the flow and the moment for which it was scheduled."""
    return f"{flow_run.flow_name} {flow_run.scheduled_start_time:%Y-%m-%d %H:%M}Z"
