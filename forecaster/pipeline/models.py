"""What people ask about models, and decide: list, show, promote, retire."""

from typing import Any

from forecaster.errors import BadInput
from forecaster.models import registry
from forecaster.pipeline import champion
from forecaster.pipeline.champion import CLIMATOLOGY, Champion
from forecaster.pipeline.job import Job
from forecaster.recipe import Recipe
from forecaster.store import champions
from forecaster.store.database import Connection

MOST_REASON = 500
_CHANGE = ("kind", "model_id", "since", "decided_by", "reason", "numbers")


def list_models(job: Job, everything: bool = False) -> list[dict[str, Any]]:
    """One dict a recipe: recipe_id, champion (kind, model_id, since, decided_by, reason), expired (why, or None), models.

    Models are the newest of each kind of the present recipe and the champion's; with `everything`, all that were ever fitted.
    """
    now = job.clock.now()
    rows = []
    with job.store.transaction() as connection:
        for recipe in job.recipes:
            office = _office(connection, recipe, job)
            newest = {row["model_id"] for row in champions.newest_models(connection, recipe.id, recipe.recipe_hash, now).values()}
            models = [
                _short(row, office)
                for row in champions.models_of(connection, [recipe.id])
                if everything or row["model_id"] in newest | {office["model_id"]}
            ]
            rows.append({"recipe_id": recipe.id, "champion": office, "models": models})
    return rows


def show_model(job: Job, model_id: str) -> dict[str, Any]:
    """All that is stored about a model: its row, its figures, and when it was champion.

    Raises:
        BadInput: there is no such model.
    """
    with job.store.transaction() as connection:
        model = _known(connection, model_id)
        recipe = next((recipe for recipe in job.recipes if recipe.id == model["recipe_id"]), None)
        changes = [] if recipe is None else champions.champions_of(connection, recipe.id, recipe.target_hash)
    office = [{name: row[name] for name in _CHANGE} for row in changes if row["model_id"] == model_id]
    changed = recipe is None or recipe.recipe_hash != model["recipe_hash"]
    return {**model, "recipe_changed_since": changed, "champion": office}


def promote(job: Job, model_id: str, reason: str) -> dict[str, Any]:
    """Publish this model from now on, whatever the rule says of it; returns the champion.

    Raises:
        BadInput: there is no such model, its data are too old, or no reason is given.
        CorruptModel: it cannot be loaded, or was fitted for another recipe.
    """
    with job.store.transaction() as connection:
        model = _known(connection, model_id)
    recipe = next((recipe for recipe in job.recipes if recipe.id == model["recipe_id"]), None)
    if recipe is None:
        raise BadInput(f"{model_id} is of recipe {model['recipe_id']!r}, which is not among the recipes of this installation")
    return _appoint(job, recipe, Champion(model["kind"], model_id), reason)


def go_back(job: Job, recipe: Recipe, reason: str) -> dict[str, Any]:
    """Publish the champion before the present one again; errors as for `promote`, and BadInput where there was none."""
    with job.store.transaction() as connection:
        before = champion.previous(connection, recipe)
    return _appoint(job, recipe, before, reason)


def retire(job: Job, recipe: Recipe, reason: str) -> dict[str, Any]:
    """Publish the climatology; the rule leaves the retired kind alone until a person promotes one of it.

    Raises:
        BadInput: the climatology is published already, or no reason is given.
    """
    return _appoint(job, recipe, Champion(CLIMATOLOGY, None), reason)


def _appoint(job: Job, recipe: Recipe, chosen: Champion, reason: str) -> dict[str, Any]:
    now = job.clock.now()
    reason = " ".join(reason.split())
    if not 3 <= len(reason) <= MOST_REASON:
        raise BadInput(f"--reason has {len(reason)} characters: write why, in 3 to {MOST_REASON}; it is kept")
    with job.store.transaction() as connection:
        if champion.champion_at(connection, recipe, now) == chosen:
            raise BadInput(f"{chosen.model_id or CLIMATOLOGY} is what {recipe.id} publishes already")
        if chosen.model_id is not None:
            model = _known(connection, chosen.model_id)
            age = now - model["data_as_of"].to_pydatetime()
            if age > champion.EXPIRES_AFTER:
                limit = champion.EXPIRES_AFTER.days
                raise BadInput(f"the data of {chosen.model_id} are {age.days} days old, {limit} are the limit; train {recipe.id} again")
            registry.load_model(job.settings.models / model["directory"], recipe)
        champion.appoint(connection, recipe, chosen, now, "person", reason, {})
        return {"recipe_id": recipe.id, **_office(connection, recipe, job)}


def _office(connection: Connection, recipe: Recipe, job: Job) -> dict[str, Any]:
    now = job.clock.now()
    rows = champions.champions_of(connection, recipe.id, recipe.target_hash, now)
    if not rows:
        first = "nothing has beaten the climatology yet"
        return {"kind": CLIMATOLOGY, "model_id": None, "since": None, "decided_by": "rule", "reason": first, "numbers": {}, "expired": None}
    return {**{name: rows[-1][name] for name in _CHANGE}, "expired": champion.standing(connection, recipe, now)[1]}


def _known(connection: Connection, model_id: str) -> dict[str, Any]:
    model = champions.model_named(connection, model_id)
    if model is None:
        raise BadInput(f"there is no model {model_id!r}; `quakecast models list` names those there are")
    return model


def _short(model: dict[str, Any], office: dict[str, Any]) -> dict[str, Any]:
    names = ("model_id", "kind", "data_as_of", "decision", "code_version")
    evaluation = (model["details"] or {}).get("evaluation")
    return {**{name: model[name] for name in names}, "champion": model["model_id"] == office["model_id"], "evaluation": evaluation}
