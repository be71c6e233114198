"""`quakecast pretrain`: retrain the pre-trained world sets from this installation's own catalogue."""

import sys
from typing import TYPE_CHECKING

import click

from forecaster.cli.common import PARTIAL, complain, example, json_option, look, open_job, print_result

if TYPE_CHECKING:
    from forecaster.settings import Settings


@click.command(epilog=example("quakecast pretrain --dry-run"))
@click.option("--dry-run", is_flag=True, help="Only print whether it is due and why, and on which days it would be evaluated.")
@click.option("--force", is_flag=True, help="Train also where it is not due.")
@click.option(
    "--workers", type=click.IntRange(1, 3), show_default="2, or 1 with less than 3 GB of memory available", help="Kinds trained at once."
)
@json_option
@click.pass_obj
def pretrain(settings: "Settings", dry_run: bool, force: bool, workers: int | None, as_json: bool) -> None:
    """Retrain, where due, the models that all regions share: ETAS parameters, pooled trees, hybrid, network of cells, and the weights of
    the combination.

    Each is trained on circles around the world, from the catalogue of this installation, and judged against the one that serves on the last
    two settled years, which neither has seen. One that is not worse serves from the next day (UTC) on; `quakecast models list` shows them,
    `quakecast models retire --set` goes back.
    """
    from forecaster.console import progress
    from forecaster.pipeline.as_of.as_known_by_day import known_at
    from forecaster.pipeline.pretraining import pretrain as step
    from forecaster.pipeline.pretraining.fit_set import Size
    from forecaster.pipeline.pretraining.free_memory import available_bytes, default_workers
    from forecaster.pipeline.pretraining.roll_back import roll_back
    from forecaster.pipeline.run_context import publish_copy

    job = look(settings) if dry_run else open_job(settings)
    size = Size()
    plan = step.plan_pretraining(job, size)
    if dry_run:
        return print_result(as_json, {"due": bool(plan.reasons), "reasons": plan.reasons, "problem": plan.problem}, plan.text)
    result = step.PretrainResult(plan.reasons, rolled_back=roll_back(job, known_at(job.store, plan.as_of)))
    if plan.span is None:
        result.failed["world"] = plan.text
    elif plan.reasons or force:
        with progress("pre-training") as update:
            step.pretrain(job, plan, size, result, workers or default_workers(available_bytes()), update)
    publish_copy(job)
    lines = [f"{name}: {decision}" for name, decision in (result.rolled_back | result.decided).items()]
    print_result(as_json, vars(result) | {"state": result.state}, "\n".join(lines or ([] if result.failed else [plan.text])))
    for kind, why in result.failed.items():
        complain(f"{kind}: {why}")
    if result.failed:
        sys.exit(PARTIAL)


COMMANDS = (pretrain,)
