"""Requests for an immediate retraining: when a recipe is new or has changed, its training does not wait for the weekly run."""

import hashlib
import logging

from prefect.deployments import run_deployment
from prefect.exceptions import ObjectNotFound
from prefect.runtime import deployment

from forecaster.pipeline.run_context import Job
from forecaster.pipeline.training import due

DEPLOYMENT = "retrain/retrain"
log = logging.getLogger(__name__)


def request_retraining(work: Job) -> list[str]:
    """Make the deployment of `retrain` train the recipes that have no model of their present version; returns these recipes. It does so
    once a week for each change.

    A run outside a deployment requests nothing. An error of the server here does not fail the day.
    """
    changed = due.changed_recipes(work.store, work.recipes, work.clock)
    if not changed or deployment.id is None:
        return []
    hashes = {recipe.id: recipe.recipe_hash for recipe in work.recipes}
    year, week, _ = work.clock.now().isocalendar()
    parts = [f"{year} {week}", *(f"{name} {hashes[name]}" for name in sorted(changed))]
    key = hashlib.sha256("|".join(parts).encode()).hexdigest()
    try:
        run_deployment(DEPLOYMENT, parameters={"recipes": changed}, timeout=0, as_subflow=False, idempotency_key=f"changed {key}")
    except ObjectNotFound:
        log.warning("%s is not deployed: %s have no model of their present recipe; run `quakecast deploy`", DEPLOYMENT, ", ".join(changed))
        return []
    except Exception as error:  # noqa: BLE001 - the day is done; the weekly run trains them
        log.warning("the server did not take a run of %s: %s", DEPLOYMENT, type(error).__name__)
        return []
    return changed
