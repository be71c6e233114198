"""`quakecast train` and `quakecast models`: fit them, see them, decide which is published."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from forecaster.cli.common import PARTIAL, example, json_option, open_job, plain, recipe_options, tell
from forecaster.errors import BadInput
from forecaster.settings import Settings


@click.command(epilog=example("quakecast train --recipe niigata-m45 --max-minutes 2"))
@recipe_options
@click.option(
    "--max-minutes", type=click.FloatRange(min=0, min_open=True), help="Minutes per recipe, shared by its kinds (default: its own)."
)
@click.option("--max-epochs", type=click.IntRange(min=0), help="Epochs of each ConvLSTM; repeats a fit that a budget had cut.")
@click.option("--evaluate-only", is_flag=True, help="Fit and score on the validation span, but leave the served models as they are.")
@click.option("--tensorboard", type=click.Path(path_type=Path), help="Folder for TensorBoard logs of the ConvLSTM.")
@json_option
@click.pass_obj
def train(settings: Settings, recipes, everything, max_minutes, max_epochs, evaluate_only, tensorboard, as_json) -> None:
    """Fit the models of each recipe, judge them on days they have not seen, and decide which is published."""
    from forecaster.console import progress
    from forecaster.pipeline.job import publish_copy
    from forecaster.pipeline.train import TrainOptions, train_recipes

    job = open_job(settings, recipes)
    options = TrainOptions(max_minutes, max_epochs, evaluate_only, tensorboard)
    with progress("training", len(job.recipes)) as update:
        result = train_recipes(job.store, job.recipes, settings, job.clock, options, on_progress=update)
    publish_copy(job)
    lines = [f"{name}: {row['decision']}" for name, row in result.trained.items()] + [f"{k}: {v}" for k, v in result.skipped.items()]
    tell(as_json, vars(result), "\n".join(lines))
    for recipe_id, failed in result.failed.items():
        for kind, reason in failed.items():
            click.echo(f"quakecast: {recipe_id}, {kind}: {reason}", err=True)
    if result.skipped or result.failed:
        sys.exit(PARTIAL)


@click.group()
def models() -> None:
    """List models, show one, and decide by hand which is published."""


@models.command("list", epilog=example("quakecast models list --recipe tokyo-m45"))
@recipe_options
@click.option("--history", is_flag=True, help="Every model that was ever fitted, not only the newest of each kind.")
@json_option
@click.pass_obj
def models_list(settings: Settings, recipes, everything, history, as_json) -> None:
    """The models of each recipe; * marks the one that is published."""
    from forecaster.pipeline.models import list_models

    rows = list_models(open_job(settings, recipes), history)
    tell(as_json, {"recipes": rows}, "\n".join(line for row in rows for line in _lines(row)))


def _lines(row: dict[str, Any]) -> list[str]:
    office = row["champion"]
    published = office["model_id"] or "climatology (the usual rate)"
    since = f" since {office['since']:%Y-%m-%d}" if office["since"] is not None else ""
    lines = [f"{row['recipe_id']}: {published}{since}, by {office['decided_by']}: {office['reason']}"]
    if office["expired"]:
        lines.append(f"  ! {office['expired']}")
    for model in row["models"]:
        mark = "*" if model["champion"] else " "
        lines.append(f"  {mark} {model['model_id']:40} data to {model['data_as_of']:%Y-%m-%d}  {_figures(model['evaluation'])}")
    return lines


def _figures(evaluation: dict[str, Any] | None) -> str:
    if not evaluation or evaluation.get("information_gain") is None:
        return "not judged"
    low, high = (f"{evaluation[name]:+.3f}" for name in ("low", "high"))
    return f"{evaluation['information_gain']:+.3f} ({low} to {high}) nats per target day over climatology"


@models.command("show", epilog=example("quakecast models show tokyo-m45-etas-20241231-0123abcd"))
@click.argument("model_id")
@json_option
@click.pass_obj
def models_show(settings: Settings, model_id, as_json) -> None:
    """All figures of one model, and when it was published."""
    from forecaster.pipeline.models import show_model

    document = show_model(open_job(settings), model_id)
    names = ("recipe_id", "kind", "data_as_of", "directory", "decision", "code_version")
    lines = [f"{name:14} {document[name]}" for name in names]
    lines.append(f"{'validation':14} {_figures(document['details'].get('evaluation'))}")
    if document["recipe_changed_since"]:
        lines.append("! the recipe has changed since: this model does not forecast any more")
    lines += [f"published from {row['since']:%Y-%m-%d %H:%M}Z, by {row['decided_by']}: {row['reason']}" for row in document["champion"]]
    lines.append(json.dumps(plain(document["details"]), ensure_ascii=False, indent=2))
    tell(as_json, document, "\n".join(lines))


@models.command("promote", epilog=example('quakecast models promote --recipe lima --previous --reason "jumps since the last fit"'))
@click.argument("model_id", required=False)
@click.option("--recipe", "recipe_id", metavar="ID", help="With --previous: the recipe.")
@click.option("--previous", is_flag=True, help="Roll back: the champion before the present one.")
@click.option("--reason", required=True, help="Why; it is kept.")
@json_option
@click.pass_obj
def models_promote(settings: Settings, model_id, recipe_id, previous, reason, as_json) -> None:
    """Publish this model from now on, or with --previous the one before. Data older than 90 days are refused."""
    from forecaster.pipeline import models as step
    from forecaster.pipeline.job import publish_copy

    if previous == (model_id is not None) or previous != (recipe_id is not None):
        raise BadInput("name either a MODEL_ID, or a --recipe with --previous")
    job = open_job(settings, (recipe_id,) if previous else ())
    done = step.go_back(job, job.recipes[0], reason) if previous else step.promote(job, model_id, reason)
    publish_copy(job)
    tell(as_json, done, f"{done['recipe_id']}: {done['model_id'] or done['kind']} is published from now on")


@models.command("retire", epilog=example('quakecast models retire --recipe lima --reason "too sure after the swarm"'))
@click.option("--recipe", "recipe_id", required=True, metavar="ID", help="The recipe.")
@click.option("--reason", required=True, help="Why; it is kept.")
@json_option
@click.pass_obj
def models_retire(settings: Settings, recipe_id, reason, as_json) -> None:
    """Publish the usual rate from now on; the retired kind is left alone until one of it is promoted."""
    from forecaster.pipeline import models as step
    from forecaster.pipeline.job import publish_copy

    job = open_job(settings, (recipe_id,))
    done = step.retire(job, job.recipes[0], reason)
    publish_copy(job)
    tell(as_json, done, f"{done['recipe_id']}: the usual rate is published from now on")


COMMANDS = (train, models)
