"""`quakecast evaluate`: evaluate models on past days, and write the tables of their skill."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from forecaster.cli.common import PARTIAL, complain, day_option, example, json_option, open_job, print_result, recipe_options
from forecaster.errors import BadInput

if TYPE_CHECKING:
    from forecaster.pipeline.evaluation.evaluate_plan import Arm
    from forecaster.settings import Settings

_DETAILS = """
Experiments: A inputs of the final catalogue, one fit on days to 2014-12-31; B inputs as known at issue, the same fit; C as B, references
refitted each year. Without --experiment: --inputs, --fit-until and --refit say it. Every (experiment, recipe, year, model) is stored
under --out: the same command again does only what is missing, and writes the tables anew (skill.json, SKILL.md, skill.html,
scores.parquet, daily.parquet).

--circles N evaluates N random circles of the world, drawn from the catalogue up to 2014, as a pool of their own: none shares more than a
tenth of its area with another or with a recipe. Kinds that are trained on a region's own days (etas, regional, convlstm) are left out
there: the ETAS of circles is etas_generic. With --all or --recipe, recipes are evaluated, too. Intervals are given by blocks of 30, 90
and 365 days.
"""


@click.command(
    "evaluate",
    help=f"Evaluate models on past days, against the usual rate and ETAS.\n{_DETAILS}",
    epilog=example("quakecast evaluate --all --arm A --out skill"),
)
@recipe_options
@click.option("--model", "models", multiple=True, metavar="KIND", help="A kind of model; may be repeated (default: all kinds).")
@click.option("--models", "model_list", metavar="KIND,KIND", help="The same, as one list.")
@click.option("--from", "first", default="2018-01-01", show_default=True, help="First target day, YYYY-MM-DD.")
@click.option("--to", "last", default="2024-12-31", show_default=True, help="Last target day, included.")
@click.option(
    "--experiment",
    "--arm",
    "arms",
    multiple=True,
    type=click.Choice(["A", "B", "C"]),
    help="Shorthand for inputs and fits; may be repeated.",
)
@click.option("--inputs", type=click.Choice(["final", "known"]), help="Forecast from the final catalogue, or from what was known at issue.")
@click.option("--fit-inputs", type=click.Choice(["final", "known"]), help="The same for what is fitted on (default: as --inputs).")
@click.option("--fit-until", metavar="DAY", help="Last day that a fit may use.")
@click.option("--refit", type=click.Choice(["yearly"]), help="Fit again for each year: references, or all models without --fit-until.")
@click.option("--max-minutes", type=click.FloatRange(min=0, min_open=True), default=5.0, show_default=True, help="Minutes of each fit.")
@click.option("--seed", type=click.IntRange(min=0), default=20110311, show_default=True, help="Seed of every fit.")
@click.option("--circles", type=click.IntRange(min=1), metavar="N", help="Judge N random circles; alone, no recipe.")
@click.option("--circles-seed", type=click.IntRange(0, 2**32 - 1), default=20110311, show_default=True, help="Seed of the circles' draw.")
@click.option("--preface", type=click.Path(path_type=Path), help="Markdown file that SKILL.md begins with.")
@click.option("--out", type=click.Path(path_type=Path), help="Folder of the results (default: HOME/evaluation).")
@json_option
@click.pass_obj
def evaluate(
    settings: "Settings",
    /,
    recipes: tuple[str, ...],
    everything: bool,
    models: tuple[str, ...],
    model_list: str | None,
    first: str,
    last: str,
    max_minutes: float,
    seed: int,
    circles: int | None,
    circles_seed: int,
    preface: Path | None,
    out: Path | None,
    as_json: bool,
    **how: Any,
) -> None:
    from forecaster.console import progress
    from forecaster.pipeline.as_of.catalogue_history import load_known
    from forecaster.pipeline.evaluation import evaluate as step
    from forecaster.pipeline.evaluation import evaluate_circles as pool
    from forecaster.pipeline.evaluation.evaluate_plan import EvaluateOptions
    from forecaster.pipeline.evaluation.evaluate_results import ResultFolder
    from forecaster.pipeline.evaluation.evaluate_tables import write_tables
    from forecaster.pipeline.recipes_in_use import choose_kinds, recipes_in_use

    named = [*models, *(name.strip() for name in (model_list or "").split(",") if name.strip())]
    options = EvaluateOptions(
        _arms(**how), choose_kinds(settings, named), day_option("--from", first), day_option("--to", last), max_minutes, seed
    )
    of_circles = pool.circle_options(options) if circles else None
    opening = _text(preface)
    folder = ResultFolder(out or settings.home / "evaluation")
    job = open_job(settings, recipes)
    with progress("evaluating") as update:
        known = load_known(job.store, job.clock.now())
        result = step.EvaluateResult()
        if circles is None or recipes or everything:
            result = step.evaluate(known, job.recipes, options, folder, update)
        if circles and of_circles:
            drawn = pool.draw_circles(known, circles, circles_seed, list(recipes_in_use(settings).values()))
            result = result.with_those_of(step.evaluate(known, drawn.recipes, of_circles, folder, update))
            pool.write_circles(folder, drawn)
            found = f"{len(drawn.recipes)} of {circles} circles found, largest overlap {drawn.largest_overlap:.1%} of the smaller one"
    written = write_tables(folder, settings, opening)
    failed = [{"arm": arm, "recipe_id": recipe, "model": model, "reason": reason} for (arm, recipe, model), reason in result.failed.items()]
    circle_lines = [found] if circles else []
    text = "\n".join([f"{result.written} parts made, {result.reused} were there", *circle_lines, *map(str, written)])
    print_result(
        as_json, {"written": result.written, "reused": result.reused, "failed": failed, "files": [str(path) for path in written]}, text
    )
    failures: dict[tuple[str, str], list[str]] = {}
    for row in failed:
        failures.setdefault((row["recipe_id"], row["reason"]), []).append(f"{row['arm']} {row['model']}")
    for (recipe_id, reason), which in failures.items():
        complain(f"{recipe_id} ({', '.join(which)}): {reason}")
    if failed:
        sys.exit(PARTIAL)


def _arms(arms: tuple[str, ...], inputs: str | None, fit_inputs: str | None, fit_until: str | None, refit: str | None) -> tuple["Arm", ...]:
    from forecaster.pipeline.evaluation.evaluate_plan import ARMS, Arm

    if arms:
        options = {"--inputs": inputs, "--fit-inputs": fit_inputs, "--fit-until": fit_until, "--refit": refit}
        if given := [name for name, value in options.items() if value]:
            raise BadInput(f"--arm {arms[0]} already says what {', '.join(given)} would; give one or the other")
        return tuple(ARMS[name] for name in dict.fromkeys(arms))
    if not (fit_until or refit):
        raise BadInput("what may be fitted on? Give --arm A, B or C, or --fit-until DAY, or --refit yearly")
    until = day_option("--fit-until", fit_until) if fit_until else None
    chosen = inputs or "final"
    fitted = fit_inputs or chosen
    name = "-".join(
        [chosen, *([f"fit-{fitted}"] if fitted != chosen else []), *([f"{until:%Y%m%d}"] if until else []), *([refit] if refit else [])]
    )
    return (Arm(name, chosen, fitted, until, refit is not None),)


def _text(path: Path | None) -> str:
    try:
        return path.read_text(encoding="utf-8") if path else ""
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"--preface {path} cannot be read ({error}); give a UTF-8 Markdown file") from None


COMMANDS = (evaluate,)
