"""`quakecast train` and `quakecast models`: fit models, list them, decide what is published."""

import json
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecaster.cli.common import (
    PARTIAL,
    complain,
    example,
    json_option,
    look,
    open_job,
    plain,
    print_result,
    problem_lines,
    recipe_options,
)
from forecaster.errors import BadInput
from forecaster.quantities import age_text

if TYPE_CHECKING:
    from forecaster.pipeline.run_context import Job
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
def train(
    settings: "Settings",
    recipes: tuple[str, ...],
    everything: bool,
    max_minutes: float | None,
    max_epochs: int | None,
    evaluate_only: bool,
    tensorboard: Path | None,
    as_json: bool,
) -> None:
    """Fit the models of each recipe and judge them on days they have not seen; from then on they are members of what is published."""
    from forecaster.console import progress
    from forecaster.pipeline.run_context import publish_copy
    from forecaster.pipeline.training.fit_recipe import TrainOptions
    from forecaster.pipeline.training.train import train_recipes

    job = open_job(settings, recipes)
    options = TrainOptions(max_minutes, max_epochs, evaluate_only, tensorboard)
    with progress("training", len(job.recipes)) as update:
        result = train_recipes(job, options, on_progress=update)
    publish_copy(job)
    lines = [f"{name}: {row['judged']}" for name, row in result.trained.items()] + [f"{k}: {v}" for k, v in result.skipped.items()]
    print_result(as_json, vars(result), "\n".join(lines))
    kinds = dict.fromkeys(kind for failed in result.failed.values() for kind in failed)
    for kind in kinds:
        for line in problem_lines({name: f"{kind}: {failed[kind]}" for name, failed in result.failed.items() if kind in failed}):
            complain(line)
    if result.skipped or result.failed:
        sys.exit(PARTIAL)


@click.group()
def models() -> None:
    """List models, show one, and decide by hand what is published."""


@models.command("list", epilog=example("quakecast models list --recipe tokyo-m45"))
@recipe_options
@click.option("--history", is_flag=True, help="Every model that was ever fitted, not only the newest of each kind.")
@json_option
@click.pass_obj
def models_list(settings: "Settings", recipes: tuple[str, ...], everything: bool, history: bool, as_json: bool) -> None:
    """The models of each recipe and how much each weighs in what is published; then the sets of the world, and which of them serve."""
    from forecaster.pipeline.issuing.members import unusable_kinds
    from forecaster.pipeline.pretraining.set_decisions import list_sets
    from forecaster.pipeline.training.manage_models import list_models

    job = look(settings, recipes)
    rows, lacking, sets = list_models(job, history), unusable_kinds(job.recipes), list_sets(job, history)
    lines = [line for row in rows for line in _lines(row)] + [f"without {kind}: {reason}" for kind, reason in lacking.items()]
    lines += ["sets of the world:", *(line for row in sets for line in _set_lines(row))]
    print_result(as_json, {"recipes": rows, "lacking": lacking, "world": sets}, "\n".join(lines))


def _set_lines(row: dict[str, Any]) -> list[str]:
    age = "" if row["age_days"] is None else f", data to {row['data_until']}, {age_text(timedelta(days=row['age_days']))} old"
    lines = [f"  {row['kind']}: {row['serves']}{age} ({row['why']})"]
    lines += [f"    ! {row['problem']}"] if row["problem"] else []
    for one in row["sets"]:
        lines.append(f"    {one['decision']:>7} {one['name']:24} {one['since']:%Y-%m-%d} by {one['decided_by']}: {one['reason']}")
    return lines


def _lines(row: dict[str, Any]) -> list[str]:
    published = row["published"]
    weights = ", ".join(f"{kind} {weight:.2f}" for kind, weight in published["weights"].items()) or "the usual rate alone"
    lines = [f"{row['recipe_id']}: {weights} ({published['source']}: {published['reason']})"]
    if published["problem"]:
        lines.append(f"  ! {published['problem']}")
    for model in row["models"]:
        weight = f"{model['weight']:.2f}" if model["weight"] else "-"
        lines.append(f"  {weight:>5} {model['model_id']:40} data to {model['data_as_of']:%Y-%m-%d}  {_figures(model['evaluation'])}")
        if model["told"]:
            lines.append(f"        {model['told']}")
        if model["problem"]:
            lines.append(f"        ! {model['problem']}")
    return lines


def _figures(evaluation: dict[str, Any] | None) -> str:
    if not evaluation or evaluation.get("information_gain") is None:
        return "not judged"
    low, high = (f"{evaluation[name]:+.3f}" for name in ("low", "high"))
    return f"{evaluation['information_gain']:+.3f} ({low} to {high}) nats per target day over the usual rate"


@models.command("show", epilog=example("quakecast models show tokyo-m45-etas-20241231-0123abcd"))
@click.argument("model_id")
@json_option
@click.pass_obj
def models_show(settings: "Settings", model_id: str, as_json: bool) -> None:
    """Show all figures of one model, and what was decided about it."""
    from forecaster.pipeline.training.manage_models import show_model

    document = show_model(look(settings), model_id)
    names = ("recipe_id", "kind", "data_as_of", "directory", "decision", "code_version")
    lines = [f"{name:14} {document[name]}" for name in names]
    lines.append(f"{'validation':14} {_figures(document['details'].get('evaluation'))}")
    if document["recipe_changed_since"]:
        lines.append("! the recipe has changed since: this model does not forecast any more")
    lines += [f"pinned from {row['since']:%Y-%m-%d %H:%M}Z: {row['reason']}" for row in document["decisions"]]
    lines.append(json.dumps(plain(document["details"]), ensure_ascii=False, indent=2))
    print_result(as_json, document, "\n".join(lines))


@models.command("promote", epilog=example('quakecast models promote --recipe lima --kind etas --reason "the others lag since the swarm"'))
@click.argument("model_id", required=False)
@click.option("--recipe", "recipe_id", metavar="ID", help="With --kind, --combination or --previous: the recipe.")
@click.option("--kind", help="Publish the newest model of this kind alone.")
@click.option("--combination", is_flag=True, help="Publish the combination again.")
@click.option("--previous", is_flag=True, help="Go back: what was published before the last decision.")
@click.option("--set", "set_name", metavar="NAME", help="Let a set of the world that was retired serve again.")
@click.option("--reason", required=True, help="Why; it is kept.")
@json_option
@click.pass_obj
def models_promote(
    settings: "Settings",
    model_id: str | None,
    recipe_id: str | None,
    kind: str | None,
    combination: bool,
    previous: bool,
    set_name: str | None,
    reason: str,
    as_json: bool,
) -> None:
    """Decide what is published from now on: one model alone, the combination again, or what was before."""
    from forecaster.pipeline.run_context import publish_copy
    from forecaster.pipeline.training import manage_models as step

    if set_name is not None:
        if model_id or recipe_id or kind or combination or previous:
            raise BadInput("--set is of no recipe; leave the others out")
        from forecaster.pipeline.pretraining.set_decisions import bring_back

        return _decided_on_set(settings, bring_back, set_name, reason, as_json)
    wanted = [model_id is not None, kind is not None, combination, previous]
    if sum(wanted) != 1 or (model_id is None) != (recipe_id is not None):
        raise BadInput("name either a MODEL_ID, or a --recipe with one of --kind, --combination and --previous")
    job = open_job(settings, () if recipe_id is None else (recipe_id,))
    if model_id is not None:
        done = step.pin(job, model_id, reason)
    elif kind is not None:
        done = step.pin_kind(job, job.recipes[0], kind, reason)
    else:
        done = (step.combine if combination else step.go_back)(job, job.recipes[0], reason)
    publish_copy(job)
    print_result(as_json, done, f"{done['recipe_id']}: published from now on: {done['text']}")


def _decided_on_set(
    settings: "Settings", decide: Callable[["Job", str, str], dict[str, str]], name: str, reason: str, as_json: bool
) -> None:
    from forecaster.pipeline.run_context import publish_copy

    job = open_job(settings)
    done = decide(job, name, reason)
    publish_copy(job)
    print_result(as_json, done, "\n".join(f"{one}: {decision}" for one, decision in done.items()))


@models.command("retire", epilog=example('quakecast models retire --recipe lima --reason "too sure after the swarm"'))
@click.option("--recipe", "recipe_id", metavar="ID", help="The recipe.")
@click.option("--set", "set_name", metavar="NAME", help="A set of the world that was trained here, as `models list` names it.")
@click.option("--reason", required=True, help="Why; it is kept.")
@json_option
@click.pass_obj
def models_retire(settings: "Settings", recipe_id: str | None, set_name: str | None, reason: str, as_json: bool) -> None:
    """Publish a recipe's usual rate from now on (until models promote --combination), or go back from a set to the one before it."""
    from forecaster.pipeline.run_context import publish_copy
    from forecaster.pipeline.training import manage_models as step

    if set_name is not None and recipe_id is None:
        from forecaster.pipeline.pretraining.set_decisions import retire_named

        return _decided_on_set(settings, retire_named, set_name, reason, as_json)
    if recipe_id is None or set_name is not None:
        raise BadInput("name either a --recipe or a --set")
    job = open_job(settings, (recipe_id,))
    done = step.retire(job, job.recipes[0], reason)
    publish_copy(job)
    print_result(as_json, done, f"{done['recipe_id']}: published from now on: {done['text']}")


COMMANDS = (train, models)
