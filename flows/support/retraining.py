"""Asking for a retraining at once: when a recipe is new or has changed, the next run of any kind does not wait for the weekly one."""

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
    """Have the deployment of `retrain` train what has no model of its present recipe; returns these recipes. Once a week for each change.

    A run outside a deployment asks for nothing, and what the server says to it fails no day.
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
