"""The forecasts of a day with many recipes, computed in batches on workers."""

import pickle
from collections.abc import Iterator, Sequence

from prefect import task

from flows.support import workers
from flows.support.error_text import words
from flows.support.task_kinds import ON_A_WORKER
from forecaster.pipeline import run_context
from forecaster.pipeline.daily import predict
from forecaster.pipeline.issuing.compute_issues import ComputedIssue, Doubts, IssueRequest
from forecaster.pipeline.issuing.issue_batches import batches_of, compute_batch
from forecaster.settings import load_settings


@task(name="forecast", task_run_name="forecast {name}", **ON_A_WORKER)
def forecast_task(name: str, packed: bytes) -> list[ComputedIssue]:
    """Compute the forecasts of an `IssueBatch` on a worker. The worker reads what its own settings name, and writes nothing.

    packed: the batch, pickled; Prefect and Dask would walk through all that is in it, several times.
    """
    settings, batch = load_settings(), pickle.loads(packed)
    return compute_batch(run_context.open_reader(settings), settings, batch)


def compute_anywhere(job: run_context.Job, requests: Sequence[IssueRequest], doubts: Doubts) -> Iterator[ComputedIssue]:
    """Compute the forecasts of a day in this process or, where there are many recipes, in batches on the workers of the settings.

    A batch that fails does not stop the others; its recipes are returned as failed. The caller holds the write lock.

    Raises:
        Exception: the error of the first batch that failed, where all did.
    """
    if not job.settings.forecasts_on_workers(len(requests)):
        yield from predict.compute_here(job, requests, doubts)
        return
    run_context.publish_copy(job)  # the copy that workers read
    batches = {batch.text: batch for batch in batches_of(job.store, job.settings, requests, doubts)}
    calls = {name: {"name": name, "packed": pickle.dumps(batch)} for name, batch in batches.items()}
    errors = []
    with workers.pool(job.settings) as run:
        for name, issues, error in run(forecast_task, calls):
            if error is None:
                yield from issues
                continue
            errors.append(error)
            if len(errors) == len(batches):
                raise errors[0]
            failed = f"the forecasts of {name}: {words(error)}"
            yield from (ComputedIssue(one.asked.recipe.id, [], failed=failed) for one in batches[name].requests)
