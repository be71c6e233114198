"""Fitting models."""

import sys
from pathlib import Path

import click

from forecaster.cli.common import PARTIAL, example, json_option, open_job, recipe_options, tell
from forecaster.settings import Settings


@click.command(epilog=example("quakecast train --recipe niigata-m45 --max-minutes 2"))
@recipe_options
@click.option(
    "--max-minutes", type=click.FloatRange(min=0, min_open=True), help="Minutes per recipe, to an epoch's end (default: its own)."
)
@click.option("--max-epochs", type=click.IntRange(min=0), help="Epochs of each fit; repeats a fit that a budget had cut.")
@click.option("--evaluate-only", is_flag=True, help="Fit and score on the test span, but leave the served model as it is.")
@click.option("--tensorboard", type=click.Path(path_type=Path), help="Folder for TensorBoard logs.")
@json_option
@click.pass_obj
def train(settings: Settings, recipes, everything, max_minutes, max_epochs, evaluate_only, tensorboard, as_json) -> None:
    """Fit the ConvLSTM of each recipe, judge it on days it has not seen, and decide whether it is published."""
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
    if result.skipped:
        sys.exit(PARTIAL)


COMMANDS = (train,)
