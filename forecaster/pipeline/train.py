"""Fit every kind of model of each recipe: once to be judged on days it never saw, once to serve; then decide what is published."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from forecaster.clock import Clock
from forecaster.errors import BadInput, ModelError, NotScoreable, NotTrainable
from forecaster.models import registry
from forecaster.models.base import FittedModel, History
from forecaster.models.kinds import kind_named
from forecaster.pipeline import champion
from forecaster.pipeline.history import check_admissible, history_of, split_for_validation
from forecaster.pipeline.judge import judge
from forecaster.pipeline.known import Known, load_known
from forecaster.recipe import Recipe
from forecaster.settings import Settings, code_version
from forecaster.store import catalogue, champions
from forecaster.store.database import Store

log = logging.getLogger(__name__)

RETRAIN_AFTER = timedelta(days=7)
FEWEST_MINUTES = 0.1
NEVER_TRAINED = datetime.min.replace(tzinfo=UTC)
NEURAL = "convlstm"

Progress = Callable[[int, int | None, str], None]
Teller = Callable[[str], None]


@dataclass(frozen=True)
class TrainOptions:
    """Limits of a training run. `max_minutes` is per recipe, `total_minutes` for all of them together.

    max_epochs, tensorboard: of the ConvLSTM alone; without `max_minutes`, `max_epochs` lifts the recipe's limit of time.
    """

    max_minutes: float | None = None
    max_epochs: int | None = None
    evaluate_only: bool = False
    tensorboard: Path | None = None
    total_minutes: float | None = None


@dataclass
class TrainResult:
    """Per recipe what came of it: `champion`, `decision`, `models` (rows of the table) by kind; or why there is nothing.

    failed: by recipe and kind, why a kind is missing while others are there.
    """

    trained: dict[str, dict] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)


@dataclass
class _Fits:
    """What the fits of one recipe gave, by kind."""

    said: dict[str, np.ndarray] = field(default_factory=dict)
    details: dict[str, dict] = field(default_factory=dict)
    served: dict[str, FittedModel] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def due(store: Store, recipes: list[Recipe], clock: Clock) -> list[str]:
    """Ids of the recipes without a model of their present recipe, or whose newest is a week old; those to be relied on first, of them the
    one that has waited longest. A kind that could not be fitted waits for the next week with the others."""
    until = data_until(store, clock)
    with store.transaction() as connection:
        models = {recipe.id: champions.newest_models(connection, recipe.id, recipe.recipe_hash, until) for recipe in recipes}
    newest = {name: max((row["data_as_of"] for row in rows.values()), default=None) for name, rows in models.items()}
    wanted = [recipe for recipe in recipes if recipe.models and ((last := newest[recipe.id]) is None or until - last >= RETRAIN_AFTER)]
    wanted.sort(key=lambda recipe: (recipe.comparison_only is not None, newest[recipe.id] or NEVER_TRAINED))
    return [recipe.id for recipe in wanted]


def data_until(store: Store, clock: Clock) -> datetime:
    """What a model trained now may claim to know: the clock's time, or where the last reading ended if that is earlier."""
    with store.transaction() as connection:
        coverage = catalogue.read_coverage(connection)
    return clock.now() if coverage.empty else min(clock.now(), coverage["span_end"].max().to_pydatetime())


def train_recipes(
    store: Store, recipes: list[Recipe], settings: Settings, clock: Clock, options: TrainOptions, on_progress: Progress | None = None
) -> TrainResult:
    """Train these recipes one after the other; one that cannot be trained does not stop the others, nor a kind the other kinds.

    Each model is stored with its evaluation and with how it did against the champion. A failed fit leaves the old model in place.
    """
    known = load_known(store, data_until(store, clock))
    started = time.monotonic()
    result = TrainResult()
    for done, recipe in enumerate(recipes):
        minutes = _minutes(recipe, options, (time.monotonic() - started) / 60)
        if minutes is not None and minutes < FEWEST_MINUTES:
            result.skipped[recipe.id] = f"not trained: the {options.total_minutes:g} minutes of this run were used up; train it by itself"
            continue
        try:
            made, failed = train_recipe(
                store, recipe, settings, known, options, minutes, _teller(on_progress, done, len(recipes), recipe.id)
            )
        except (NotScoreable, NotTrainable) as error:
            result.skipped[recipe.id] = str(error)
        else:
            result.trained[recipe.id] = made
            if failed:
                result.failed[recipe.id] = failed
        if on_progress is not None:
            on_progress(done + 1, len(recipes), recipe.id)
    return result


def train_recipe(
    store: Store, recipe: Recipe, settings: Settings, known: Known, options: TrainOptions, minutes: float | None, tell: Teller
) -> tuple[dict, dict[str, str]]:
    """Fit, judge, store and decide for one recipe: ({champion, decision, models}, {kind: why it failed}).

    Raises:
        NotScoreable: the catalogue has not been read for this recipe.
        NotTrainable: too few target days to judge by, or every kind failed.
    """
    history = history_of(recipe, known)
    fitting, validation = split_for_validation(history)
    fits = _fit_all(fitting, validation, history, options, minutes, tell)
    if recipe.models and not (fits.said or fits.served):
        raise NotTrainable("; ".join(f"{kind}: {reason}" for kind, reason in fits.failed.items()))
    with store.transaction() as connection:
        incumbent = champion.champion_at(connection, recipe, known.as_of)
        aside = champion.barred(connection, recipe, set(fits.served))
        aside |= {kind for kind in fits.served if champion.fails(champion.record(connection, recipe, kind, known.as_of))}
    kind = incumbent.kind if incumbent.kind in set(recipe.models) - aside else champion.CLIMATOLOGY
    eligible = set(fits.served) - aside
    usable = np.isfinite(validation.reference)
    decision = champion.compare(
        recipe,
        kind,
        validation.days.local_days[usable],
        validation.happened[usable],
        validation.reference[usable],
        {name: said[usable] for name, said in fits.said.items()},
        eligible,
    )
    if options.evaluate_only:
        return {"champion": incumbent.kind, "decision": decision.reason, "models": fits.details}, fits.failed
    rows = {name: _stored(recipe, settings, known, model, fits, decision) for name, model in fits.served.items()}
    with store.transaction() as connection:
        for row in rows.values():
            champions.add_model(connection, row)
        _appoint(connection, recipe, incumbent, decision, rows, known.as_of)
        published = champion.champion_at(connection, recipe, known.as_of)
    return {"champion": published.kind, "decision": decision.reason, "models": rows}, fits.failed


def _fit_all(fitting: History, validation: History, history: History, options: TrainOptions, minutes: float | None, tell: Teller) -> _Fits:
    """Both fits of every kind of the recipe, in its order; each has its share of what is left of the minutes."""
    recipe, fits = history.recipe, _Fits()
    for kind in recipe.models:
        with suppress(BadInput):  # told when it is to be fitted
            import_module(kind_named(kind).module)  # seconds that are no training
    deadline = None if minutes is None else time.monotonic() + 60 * minutes
    turns = 1 if options.evaluate_only else 2
    for done, kind in enumerate(recipe.models):
        if deadline is not None and time.monotonic() >= deadline:
            fits.failed[kind] = f"not fitted: the {minutes:g} minutes of {recipe.id} were used up; allow more (--max-minutes)"
            continue
        turns_left = turns * (len(recipe.models) - done)
        judged: FittedModel | None = None
        try:
            judged = _fit(kind, "evaluation", fitting, _share(deadline, turns_left), options, tell, options.max_epochs)
            check_admissible(judged, recipe, validation.days.local_days[0])
            fits.said[kind], fits.details[kind] = judge(judged, history.inputs, validation, fitting.days.first_day)
        except (ModelError, NotScoreable, BadInput) as error:
            fits.failed[kind] = f"not judged: {error}"
        if options.evaluate_only:
            continue
        try:
            fits.served[kind] = _fit(kind, "served", history, _share(deadline, turns_left - 1), options, tell, _epochs(options, judged))
        except (ModelError, NotScoreable, BadInput) as error:
            fits.failed[kind] = f"not fitted: {error}"
    return fits


def _fit(
    kind: str, name: str, history: History, minutes: float | None, options: TrainOptions, tell: Teller, max_epochs: int | None
) -> FittedModel:
    """One fit, the "evaluation" or the "served" one."""
    tell(f"{kind}, {name} fit")
    if kind != NEURAL:
        return kind_named(kind).fit(history, max_minutes=minutes)
    return import_module(kind_named(kind).module).fit(
        history,
        max_minutes=minutes,
        max_epochs=max_epochs,
        on_epoch=lambda epoch: tell(f"{kind}, {name} fit, epoch {epoch.epoch}: validation loss {epoch.validation_loss:.4f}"),
        tensorboard_dir=options.tensorboard / history.recipe.id / name if options.tensorboard else None,
    )


def _epochs(options: TrainOptions, judged: Any) -> int | None:
    """The network that serves is trained for no more epochs than the one that was judged, where a limit had cut that."""
    if judged is None or judged.kind != NEURAL:
        return options.max_epochs
    return judged.training["epochs"] if judged.training["reason"] in ("budget", "max_epochs") else options.max_epochs


def _share(deadline: float | None, turns_left: int) -> float | None:
    """Minutes for the next of `turns_left` fits: about twice an equal part of what is left, since most fits take less than theirs; the last
    kind shares evenly between its two. None where there is no limit."""
    if deadline is None:
        return None
    part = 1 / turns_left if turns_left <= 2 else 2 / (turns_left + 1)
    return max((deadline - time.monotonic()) / 60 * part, FEWEST_MINUTES)


def _stored(recipe: Recipe, settings: Settings, known: Known, fitted: FittedModel, fits: _Fits, decision: champion.Decision) -> dict:
    """Write the directory of a served fit; returns its row of the table `model`."""
    details = {**fits.details.get(fitted.kind, {}), "compared": decision.numbers.get("gains", {}).get(fitted.kind)}
    stored = registry.save_model(
        settings.models, recipe, fitted, data_as_of=known.as_of, seed=recipe.seed, code_version=code_version(), scores=details
    )
    said = decision.said.get(fitted.kind)
    return {
        "model_id": stored.model_id,
        "recipe_id": recipe.id,
        "kind": fitted.kind,
        "recipe_hash": recipe.recipe_hash,
        "directory": stored.directory.relative_to(settings.models).as_posix(),
        "data_as_of": known.as_of,
        "decision": said or fits.failed.get(fitted.kind, "the champion's kind"),
        "details": stored.record["scores"],
        "created_at": known.as_of,
        "code_version": code_version(),
    }


def _appoint(
    connection: Any, recipe: Recipe, incumbent: champion.Champion, decision: champion.Decision, rows: dict[str, dict], as_of: datetime
) -> None:
    """Put the decision in force: a new kind, a fresh fit of the old one, or the climatology where the champion has expired."""
    if decision.kind in rows:
        chosen = champion.Champion(decision.kind, rows[decision.kind]["model_id"])
    elif decision.kind == champion.CLIMATOLOGY:
        chosen = champion.Champion(champion.CLIMATOLOGY, None)
    else:
        chosen, expired = champion.standing(connection, recipe, as_of)
        if expired is not None:
            champion.appoint(connection, recipe, chosen, as_of, "rule", expired, {})
        return
    fresh = decision.kind == incumbent.kind and chosen != incumbent
    reason = f"fresh fit of the champion's kind; {decision.reason}" if fresh else decision.reason
    champion.appoint(connection, recipe, chosen, as_of, "rule", reason, decision.numbers)


def _minutes(recipe: Recipe, options: TrainOptions, used: float) -> float | None:
    """Minutes for one recipe; None where `max_epochs` alone is to decide."""
    own = options.max_minutes if options.max_minutes is not None else recipe.max_minutes
    if options.max_epochs is not None and options.max_minutes is None:
        return None
    return own if options.total_minutes is None else min(own, options.total_minutes - used)


def _teller(on_progress: Progress | None, done: int, total: int, recipe_id: str) -> Teller:
    def tell(what: str) -> None:
        log.info("%s, %s", recipe_id, what)
        if on_progress is not None:
            on_progress(done, total, f"{recipe_id}, {what}")

    return tell
