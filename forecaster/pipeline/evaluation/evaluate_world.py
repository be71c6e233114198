"""The evaluation data set of one recipe: days, outcomes, references, the two kinds of inputs, and the training data derived from them."""

from dataclasses import replace
from datetime import date
from functools import cached_property

import numpy as np

from forecaster.errors import NotScoreable, NotTrainable
from forecaster.features.events import Events
from forecaster.models.interface import History
from forecaster.pipeline.as_of.as_known import Known
from forecaster.pipeline.as_of.training_history import history_of
from forecaster.pipeline.evaluation.evaluate_plan import EvaluateOptions
from forecaster.pipeline.evaluation.evaluate_results import events_sha256
from forecaster.recipe import Recipe
from forecaster.timewindow import to_us
from forecaster.verification.sequences import in_sequence


class World:
    """The evaluation data set of one recipe: its days with outcomes and references, and its two kinds of inputs."""

    def __init__(self, recipe: Recipe, known: Known, options: EvaluateOptions) -> None:
        """Raises NotScoreable where the catalogue does not cover the days, or gives no reference for them."""
        self.recipe, self.known = recipe, known
        self.history = history_of(recipe, known)
        local, reference = self.history.days.local_days, self.history.reference
        self.chosen = (local >= np.datetime64(options.first_day)) & (local <= np.datetime64(options.last_day))
        beyond = (
            np.datetime64(options.first_day) < local[0] or np.datetime64(options.last_day) > local[-1] + 1
        )  # the largest difference between time zones is a day
        if beyond or not self.chosen.any() or np.isnan(reference[self.chosen]).any():
            usable = local[np.isfinite(reference)]
            raise NotScoreable(
                f"{recipe.id}: days {options.first_day} to {options.last_day} cannot all be judged, final outcomes with a usual rate lie "
                f"between {usable[0] if len(usable) else 'no day'} and {local[-1]}; choose --from and --to between them"
            )
        self.years = local.astype("datetime64[Y]").astype(int) + 1970
        self._sha256: dict[tuple[str, int], str] = {}

    @cached_property
    def final_inputs(self) -> Events:
        """The final catalogue, as if it had been known at once."""
        return self.known.inputs.visible(to_us(self.known.as_of)).known_at_once()

    def inputs(self, name: str) -> Events:
        """Return the events of "final" or "known" inputs."""
        return self.final_inputs if name == "final" else self.known.inputs

    def inputs_sha256(self, name: str, moment_us: int) -> str:
        """Return the SHA-256 of what these inputs hold at this moment; cached."""
        if (name, moment_us) not in self._sha256:
            self._sha256[name, moment_us] = events_sha256(self.inputs(name).known_before(moment_us))
        return self._sha256[name, moment_us]

    @cached_property
    def status(self) -> np.ndarray:
        """(n,) "sequence" or "quiet" for every day of the history, by the final catalogue up to its issue; the same in every arm."""
        return np.where(in_sequence(self.recipe, self.final_inputs, self.history.days.cut_us), "sequence", "quiet")

    def training(self, inputs: str, until: date) -> History:
        """Return the training data of a model: the days up to `until`, the events before the last day's issue, outcomes to its end.

        Raises:
            NotTrainable: there is no such day.
        """
        days = self.history.until(np.datetime64(until))
        if not len(days.days):
            raise NotTrainable(f"{self.recipe.id}: no day up to {until} to fit on, outcomes begin on {self.history.days.first_day}")
        inputs_then = self.inputs(inputs).known_before(int(days.days.cut_us[-1]))
        return replace(days, inputs=inputs_then, catalogue=self.training_catalogue(days))

    def training_catalogue(self, history: History) -> Events:
        """Return the events behind the outcomes of these days, up to the end of the last day; none where there is no day."""
        ends = history.days.target_ends_us
        return self.known.events.take(self.known.events.origin_time_us < (ends[-1] if len(ends) else 0))
