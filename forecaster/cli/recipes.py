"""`quakecast recipes`: list, show and check them."""

import json

import click

from forecaster.cli.common import example, json_option, open_job, recipe_options, tell
from forecaster.settings import Settings


@click.group()
def recipes() -> None:
    """List, show and check recipes."""


@recipes.command("list", epilog=example("quakecast recipes list"))
@json_option
@click.pass_obj
def recipes_list(settings: Settings, as_json) -> None:
    """Every recipe, one line each."""
    from forecaster.recipe import load_recipes

    found = load_recipes(settings.recipe_folder)
    lines = [
        f"{r.id:16} M >= {r.threshold_mag:.1f} within {r.radius_km:4.0f} km of {r.display_name.en} ({r.time_zone})"
        + (" [comparison only]" if r.comparison_only else "")
        for r in found.values()
    ]
    tell(as_json, {"recipes": [r.model_dump(mode="json", by_alias=True) for r in found.values()]}, "\n".join(lines))


@recipes.command("show", epilog=example("quakecast recipes show tokyo"))
@click.argument("recipe_id")
@click.pass_obj
def recipes_show(settings: Settings, recipe_id) -> None:
    """All fields of one recipe."""
    from forecaster.recipe import choose, load_recipes

    recipe = choose(load_recipes(settings.recipe_folder), [recipe_id])[0]
    click.echo(json.dumps(recipe.model_dump(mode="json", by_alias=True), ensure_ascii=False, indent=2))


@recipes.command("check", epilog=example("quakecast recipes check"))
@recipe_options
@json_option
@click.pass_obj
def recipes_check(settings: Settings, recipes, everything, as_json) -> None:
    """Check every file, and say what the catalogue can tell at each place: completeness, past target days, coverage."""
    from forecaster.pipeline.check import check_recipes

    rows = check_recipes(open_job(settings, recipes))
    tell(as_json, {"recipes": rows}, "\n".join(row["text"] for row in rows))


COMMANDS = (recipes,)
