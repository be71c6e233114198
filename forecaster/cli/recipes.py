"""`quakecast recipes`: list, show, check and write recipes, and describe their fields."""

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from forecaster.cli.common import complain, example, json_option, machine_clock, print_result, recipe_options

if TYPE_CHECKING:
    from forecaster.settings import Settings


@click.group()
def recipes() -> None:
    """List, show, check and write recipes."""


@recipes.command("list", epilog=example("quakecast recipes list"))
@json_option
@click.pass_obj
def recipes_list(settings: "Settings", as_json: bool) -> None:
    """List the recipes, one line each."""
    from forecaster.pipeline.recipes_in_use import recipes_in_use

    found = recipes_in_use(settings)
    lines = [
        f"{r.id:16} M >= {r.threshold_mag:.1f} within {r.radius_km:4.0f} km of {r.display_name.en} ({r.time_zone})"
        + (" [comparison only]" if r.comparison_only else "")
        for r in found.values()
    ]
    print_result(as_json, {"recipes": [r.model_dump(mode="json", by_alias=True) for r in found.values()]}, "\n".join(lines))


@recipes.command("show", epilog=example("quakecast recipes show tokyo"))
@click.argument("recipe_id")
@click.pass_obj
def recipes_show(settings: "Settings", recipe_id: str) -> None:
    """Show all fields of one recipe."""
    from forecaster.pipeline.recipes_in_use import choose_recipes

    recipe = choose_recipes(settings, [recipe_id])[0]
    click.echo(json.dumps(recipe.model_dump(mode="json", by_alias=True), ensure_ascii=False, indent=2))


@recipes.command("check", epilog=example("quakecast recipes check"))
@recipe_options
@json_option
@click.pass_obj
def recipes_check(settings: "Settings", recipes: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Check every file; show where each circle lies and what the catalogue holds there: completeness, past target days, coverage."""
    from forecaster.pipeline.as_of.recipe_check import check_recipes
    from forecaster.pipeline.recipes_in_use import choose_recipes
    from forecaster.pipeline.run_context import catalogue_to_look_at, look_at
    from forecaster.recipe import unread_files

    chosen = choose_recipes(settings, recipes)  # before the ten seconds that a catalogue may take
    with catalogue_to_look_at(settings) as home:
        rows = check_recipes(look_at(home, machine_clock(), chosen))
    print_result(as_json, {"recipes": rows}, "\n".join(row["text"] for row in rows))
    for name in unread_files(settings.recipe_folder):
        complain(f"{settings.recipe_folder / name} is not read: the name of a recipe must end in .toml")


@recipes.command("fields", epilog=example("quakecast recipes fields"))
@click.option("--markdown", is_flag=True, help="As the tables of docs/RECIPES.md.")
@json_option
def recipes_fields(markdown: bool, as_json: bool) -> None:
    """List every field of a recipe: its values, its default, and what it does."""
    from forecaster.recipe_reference import as_markdown, as_text, reference

    print_result(as_json, {"fields": [row for part in reference() for row in part.document()]}, as_markdown() if markdown else as_text())


@recipes.command("new", epilog=example("quakecast recipes new --at 38.30,142.40 --radius-km 150 --magnitude 4.5 --id my-place"))
@click.option("--at", "place", required=True, metavar="LAT,LON", help="Centre in decimal degrees; north and east are positive.")
@click.option("--radius-km", type=float, required=True, metavar="KM", help="Radius of the circle, 1 to 2000.")
@click.option("--magnitude", type=float, required=True, metavar="M", help="Smallest magnitude that counts, 2 to 9.5.")
@click.option("--id", "recipe_id", metavar="ID", help="Id of the recipe and name of its file (default: from the place).")
@click.option("--name", default="", metavar="TEXT", help="The place's name for people (default: its coordinates).")
@click.option("--zone", metavar="AREA/CITY", help="Time zone of its days (default: that of the place).")
@click.option("--out", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write it (default: where recipes are read).")
@json_option
@click.pass_obj
def recipes_new(
    settings: "Settings",
    place: str,
    radius_km: float,
    magnitude: float,
    recipe_id: str | None,
    name: str,
    zone: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Write the recipe of a place of your own; an existing file is never overwritten."""
    from forecaster import places, zones
    from forecaster.catalog.coverage import STREAMS

    latitude, longitude = places.parse_place(place)
    chosen = places.default_id(latitude, longitude) if recipe_id is None else recipe_id
    whole = places.recipe_at(latitude, longitude, radius_km, magnitude, zone or zones.zone_at(latitude, longitude), chosen, name)
    folder = out or _folder_for_new(settings)
    path = places.write_recipe(whole, folder, settings.recipe_folder)
    prefix = "" if folder.resolve() == settings.recipe_folder.resolve() else f"QUAKECAST_RECIPES={shlex.quote(str(folder))} "
    read = any(stream.holds(whole) for stream in STREAMS)
    commands = [*([] if read else ["pull"]), *(f"{command} --recipe {chosen}" for command in ("recipes check", "train", "predict"))]
    following = [f"{prefix}quakecast {command}" for command in commands]
    text = [
        f"wrote {path}: M >= {magnitude:g} within {radius_km:g} km of {whole.display_name.en} ({whole.time_zone})",
        *(["only the recipes of that folder are read where QUAKECAST_RECIPES names it"] if prefix else []),
        "next:",
        *(f"  {line}" for line in following),
    ]
    document = {"path": str(path.resolve()), "recipe": whole.model_dump(mode="json", by_alias=True), "next": following}
    print_result(as_json, document, "\n".join(text))


def _folder_for_new(settings: "Settings") -> Path:
    """Return the folder for new recipes: the one that recipes are read from. Where that is inside the installed package, which an upgrade
    replaces, it is a folder beside the data."""
    from forecaster.settings import bundled_folder

    installed = settings.recipes is None and bundled_folder("recipes").parent.name == "_bundled"
    return settings.home / "recipes" if installed else settings.recipe_folder


COMMANDS = (recipes,)
