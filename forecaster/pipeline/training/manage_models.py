"""Show and manage models: list, show, pin one, publish the usual rate, return to the combination."""

from datetime import datetime
from typing import Any

from forecaster.errors import BadInput, ModelError, NotInstalled
from forecaster.installed import code_version
from forecaster.models import model_files
from forecaster.pipeline.issuing.blends import blend_of
from forecaster.pipeline.issuing.members import generic_member, kinds_of, load_member, untrained
from forecaster.pipeline.run_context import Job
from forecaster.publishing_rule.blend import How
from forecaster.recipe import Recipe
from forecaster.store import fits as stored_fits
from forecaster.store import publications
from forecaster.store.database import Connection
from forecaster.store.typed_rows.model_types import ModelRow, PublicationRow
from forecaster.timewindow import FIRST_DAY, next_local_day

MAX_REASON = 500


def list_models(job: Job, everything: bool = False) -> list[dict[str, Any]]:
    """Return one dict per recipe: recipe_id, published (how, weights by kind, reason, source, model_id), models.

    The models are the newest fit of each kind of the present recipe, and one that a person pinned; with `everything`, all that were ever
    fitted. Each has its weight in what is published, or 0. `problem` is why a newest fit does not forecast. `told` is the result of its
    training, where its kind reports one.
    """
    now = job.clock.now()
    rows = []
    with job.store.transaction() as connection:
        for recipe in job.recipes:
            published = _published(connection, recipe, now)
            newest = {row["model_id"] for row in stored_fits.newest_models(connection, recipe.id, recipe.recipe_hash, now).values()}
            models = [
                _short(row, published, newest, _unusable(job, recipe, row) if row["model_id"] in newest else None)
                for row in stored_fits.models_of(connection, [recipe.id])
                if everything or row["model_id"] in newest | {published["model_id"]}
            ]
            rows.append({"recipe_id": recipe.id, "published": published, "models": models})
    return rows


def show_model(job: Job, model_id: str) -> dict[str, Any]:
    """Return all that is stored about a model: its row, its figures, and decisions that persons made about it.

    Raises:
        BadInput: there is no such model.
    """
    with job.store.transaction() as connection:
        model = _known(connection, model_id)
        recipe = next((recipe for recipe in job.recipes if recipe.id == model["recipe_id"]), None)
        made = [] if recipe is None else publications.decisions(connection, recipe.id, recipe.target_hash)
    named = [
        {"how": row["how"], "kind": row["kind"], "model_id": row["model_id"], "since": row["since"], "reason": row["reason"]}
        for row in made
        if row["model_id"] == model_id
    ]
    changed = recipe is None or recipe.recipe_hash != model["recipe_hash"]
    return {**model, "recipe_changed_since": changed, "decisions": named}


def pin(job: Job, model_id: str, reason: str) -> dict[str, Any]:
    """Publish this model alone from now on, whatever its track record; return what is published.

    Raises:
        BadInput: there is no such model, or no reason is given.
        CorruptModel: it cannot be loaded, or was fitted for another recipe.
    """
    with job.store.transaction() as connection:
        model = _known(connection, model_id)
    recipe = next((recipe for recipe in job.recipes if recipe.id == model["recipe_id"]), None)
    if recipe is None:
        raise BadInput(f"{model_id} is of recipe {model['recipe_id']!r}, which is not among the recipes of this installation")
    model_files.load_model(job.settings.models / model["directory"], recipe)
    return _decide(job, recipe, "kind", model["kind"], model_id, reason)


def pin_kind(job: Job, recipe: Recipe, kind: str, reason: str) -> dict[str, Any]:
    """Publish the newest model of this kind alone from now on.

    Raises:
        BadInput: the recipe has no such kind, or no reason is given.
    """
    if kind not in kinds_of(recipe):
        raise BadInput(f"{recipe.id} has no kind {kind!r}; its kinds are: {', '.join(kinds_of(recipe))}")
    day = next_local_day(job.clock.now(), recipe.zone)
    with job.store.transaction() as connection:
        fitted = stored_fits.newest_models(connection, recipe.id, recipe.recipe_hash, job.clock.now())
    if kind not in fitted and generic_member(recipe, kind, day, FIRST_DAY) is None:
        raise BadInput(
            f"{recipe.id} has no model of kind {kind!r} that may forecast {day}; train one (quakecast train --recipe {recipe.id})"
        )
    return _decide(job, recipe, "kind", kind, None, reason)


def retire(job: Job, recipe: Recipe, reason: str) -> dict[str, Any]:
    """Publish the usual rate from now on.

    Raises:
        BadInput: a person's decision publishes it already, or no reason is given.
    """
    return _decide(job, recipe, "rate", None, None, reason)


def combine(job: Job, recipe: Recipe, reason: str) -> dict[str, Any]:
    """Publish the combination again; errors as for `retire`."""
    return _decide(job, recipe, "combination", None, None, reason)


def go_back(job: Job, recipe: Recipe, reason: str) -> dict[str, Any]:
    """Publish what was published before the last decision; errors as for `retire`, and BadInput where there is no earlier decision."""
    with job.store.transaction() as connection:
        made = publications.decisions(connection, recipe.id, recipe.target_hash)
    if not made:
        raise BadInput(f"{recipe.id} has always published the combination: there is nothing to go back to")
    if len(made) == 1:
        return _decide(job, recipe, "combination", None, None, reason)
    before = made[-2]
    return _decide(job, recipe, before["how"], before["kind"], before["model_id"], reason)


def checked_reason(reason: str) -> str:
    """Return a person's reason in one line.

    Raises:
        BadInput: it is too short or too long.
    """
    reason = " ".join(reason.split())
    if not 3 <= len(reason) <= MAX_REASON:
        raise BadInput(f"--reason has {len(reason)} characters: write why, in 3 to {MAX_REASON}; it is kept")
    return reason


def _decide(job: Job, recipe: Recipe, how: How, kind: str | None, model_id: str | None, reason: str) -> dict[str, Any]:
    now, reason = job.clock.now(), checked_reason(reason)
    with job.store.transaction() as connection:
        made = publications.decisions(connection, recipe.id, recipe.target_hash, now)
        present = (made[-1]["how"], made[-1]["kind"], made[-1]["model_id"]) if made else ("combination", None, None)
        if present == (how, kind, model_id):
            raise BadInput(f"{recipe.id} publishes that already: {_words(how, kind, model_id)}")
        row: PublicationRow = {
            "recipe_id": recipe.id,
            "target_hash": recipe.target_hash,
            "how": how,
            "kind": kind,
            "model_id": model_id,
            "since": now,
            "reason": reason,
            "code_version": code_version(),
        }
        publications.add_decision(connection, row)
        return {"recipe_id": recipe.id, **_published(connection, recipe, now), "text": _words(how, kind, model_id)}


def _words(how: str, kind: str | None, model_id: str | None) -> str:
    if how == "kind":
        return f"{model_id or kind} alone"
    return "the usual rate" if how == "rate" else "the combination of all members"


def _published(connection: Connection, recipe: Recipe, now: datetime) -> dict[str, Any]:
    found = blend_of(connection, recipe, now, next_local_day(now, recipe.zone))
    return {
        "how": found.how,
        "weights": dict(found.weights),
        "reason": found.reason,
        "source": found.source,
        "model_id": found.model_id,
        "problem": found.problem,
    }


def _known(connection: Connection, model_id: str) -> ModelRow:
    model = stored_fits.model_named(connection, model_id)
    if model is None:
        raise BadInput(f"there is no model {model_id!r}; `quakecast models list` names those there are")
    return model


def _unusable(job: Job, recipe: Recipe, row: ModelRow) -> str | None:
    """Explain why a fit cannot forecast; None where it can."""
    try:
        member = load_member(job.settings.models, recipe, row)
    except NotInstalled:
        return f"this installation cannot run models of kind {row['kind']}"
    except ModelError as error:
        return str(error)
    why = untrained(member.model)
    return str(why) if why is not None else "it has not learnt to tell days apart" if member.level_only else None


def _short(model: ModelRow, published: dict[str, Any], newest: set[str], problem: str | None) -> dict[str, Any]:
    serves = model["model_id"] == published["model_id"] or (published["model_id"] is None and model["model_id"] in newest)
    weight = published["weights"].get(model["kind"], 0.0) if serves and problem is None else 0.0
    return {
        "model_id": model["model_id"],
        "kind": model["kind"],
        "data_as_of": model["data_as_of"],
        "decision": model["decision"],
        "code_version": model["code_version"],
        "weight": weight,
        "problem": problem,
        "told": model["details"].get("told"),
        "evaluation": model["details"].get("evaluation"),
    }
