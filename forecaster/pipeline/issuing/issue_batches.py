"""Batches of a day's requests for workers, which read a copy of the store and write nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from forecaster.errors import BadInput, CorruptModel
from forecaster.pipeline.as_of.catalogue_history import read_history, state_of
from forecaster.pipeline.issuing.compute_issues import ComputedIssue, Doubts, IssueRequest, compute_issues
from forecaster.quantities import counted
from forecaster.settings import Settings
from forecaster.store.database import Store

MOST_RECIPES, LEAST_RECIPES = 250, 25  # of a batch: each costs a run of a task, and its recipes fail together


@dataclass(frozen=True)
class IssueBatch:
    """Requests for one worker; plain values that can be sent to another process.

    reading: the state of the catalogue of the store that is written. directories: of the models that are there, below the models folder.
    """

    requests: tuple[IssueRequest, ...]
    doubts: Doubts
    reading: tuple[int, int, int]
    directories: frozenset[str]

    @property
    def text(self) -> str:
        """The batch in words: its first recipe, and how many."""
        first = self.requests[0].asked.recipe.id
        return first if len(self.requests) == 1 else f"{first} and {counted(len(self.requests) - 1, 'more recipe')}"


def batches_of(store: Store, settings: Settings, requests: Sequence[IssueRequest], doubts: Doubts) -> list[IssueBatch]:
    """Divide the requests into batches, those of one time zone together. The last batches are small, so that all workers end together."""
    reading, models = state_of(store), settings.models
    ordered = sorted(requests, key=lambda request: request.asked.recipe.time_zone)
    batches: list[IssueBatch] = []
    begin = 0
    while left := len(ordered) - begin:
        size = min(left, MOST_RECIPES, max(LEAST_RECIPES, left // (2 * settings.workers)))
        part = tuple(ordered[begin : begin + size])
        named = {fit["directory"] for request in part for fit in request.fits.values() if "directory" in fit}
        batches.append(IssueBatch(part, doubts, reading, frozenset(name for name in named if (models / name).is_dir())))
        begin += size
    return batches


def compute_batch(source: Store, settings: Settings, batch: IssueBatch) -> list[ComputedIssue]:
    """Compute a batch from the catalogue of `source`, a copy of the store.

    Raises:
        BadInput: the copy's catalogue is not that of the store.
        CorruptModel: a model is not on this machine.
    """
    if state_of(source) != batch.reading:
        raise BadInput(
            f"the copy that the workers read ({source.path}) has another catalogue than the database; let QUAKECAST_READ_FROM name the "
            "published copy, or export it again before each run; these recipes have no forecast"
        )
    for name in sorted(batch.directories):
        if not (settings.models / name).is_dir():
            raise CorruptModel(
                f"{name} is not in {settings.models} on this machine; share QUAKECAST_HOME/models with it or copy the folder there; these "
                "recipes have no forecast"
            )
    return list(compute_issues(read_history(source, batch.reading), settings.models, batch.requests, batch.doubts))
