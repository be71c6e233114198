"""The recipes and kinds of models that this installation uses: those of its folder of recipes, with or without the first system.

The first system is kept to be compared with: recipes that say `comparison_only`, wherever their files lie, and the kind `convlstm`.
`Settings.first_system` is its switch, and it is asked here alone. What is stored of it is neither changed nor deleted where it is off.
"""

from collections.abc import Collection, Sequence

from forecaster.errors import BadInput
from forecaster.recipe import Recipe, choose, load_recipes
from forecaster.registry.model_kinds import KINDS, kinds_where
from forecaster.settings import Settings

OFF = "QUAKECAST_FIRST_SYSTEM=false leaves it out"


def recipes_in_use(settings: Settings) -> dict[str, Recipe]:
    """Return the recipes by id, in the order of their ids. Without the first system they name none of its kinds of models.

    Raises:
        BadInput: no such folder, or no recipe in it that is in use. BadRecipe: with the problems of all files together.
    """
    return recipes_and_left_out(settings)[0]


def recipes_left_out(settings: Settings) -> set[str]:
    """Return the ids of the recipes in the folder that are not in use. Raises as `load_recipes`."""
    return _read(settings)[1]


def recipes_and_left_out(settings: Settings) -> tuple[dict[str, Recipe], set[str]]:
    """Return `recipes_in_use` and `recipes_left_out` of one reading of the folder. Raises as `recipes_in_use`."""
    used, left_out = _read(settings)
    return _some(used, settings), left_out


def choose_recipes(settings: Settings, ids: Sequence[str]) -> list[Recipe]:
    """Return the recipes in use with these ids; all of them where `ids` is empty. Raises as `recipes_in_use` and `recipe.choose`."""
    used, left_out = _read(settings)
    if left := sorted(left_out & set(ids)):
        raise BadInput(f"recipe {', '.join(map(repr, left))} is kept for comparison only: {OFF}")
    return choose(_some(used, settings), list(ids))


def kinds_in_use(settings: Settings) -> tuple[str, ...]:
    """Return the names of the kinds of models that are in use, in their order."""
    return kinds_where(lambda kind: settings.first_system or not kind.first_system)


def choose_kinds(settings: Settings, names: Sequence[str]) -> tuple[str, ...]:
    """Return the kinds with these names, each once; all in use where `names` is empty. A name that no kind has is left as it is.

    Raises:
        BadInput: a kind is not in use.
    """
    used = kinds_in_use(settings)
    if left := [name for name in names if name in KINDS and name not in used]:
        raise BadInput(f"kind {', '.join(map(repr, left))} is the first system's: {OFF}")
    return tuple(dict.fromkeys(names)) or used


def _read(settings: Settings) -> tuple[dict[str, Recipe], set[str]]:
    """Return the recipes in use, which may be none, and the ids of the others."""
    found = load_recipes(settings.recipe_folder)
    if settings.first_system:
        return found, set()
    kinds = kinds_in_use(settings)
    used = {name: _of_kinds(recipe, kinds) for name, recipe in found.items() if recipe.comparison_only is None}
    return used, set(found) - set(used)


def _some(used: dict[str, Recipe], settings: Settings) -> dict[str, Recipe]:
    if not used:
        raise BadInput(f"every recipe in {settings.recipe_folder} is kept for comparison only, and {OFF}; add one, or set it to true")
    return used


def _of_kinds(recipe: Recipe, kinds: Collection[str]) -> Recipe:
    """Return the recipe as it is, or with these kinds only. `models` is in no hash, so its fits and outcomes stay its own."""
    models = tuple(name for name in recipe.models if name in kinds)
    return recipe if models == recipe.models else recipe.model_copy(update={"models": models})
