"""Bundled recipes with some fields changed, validated as a file would be."""

from collections.abc import Iterable

from forecaster.recipe import Recipe


def changed_recipe(recipe: Recipe, **fields: object) -> Recipe:
    """The recipe with other values in these fields."""
    return Recipe.model_validate(recipe.model_dump() | fields)


def without_models(recipe: Recipe) -> Recipe:
    """The recipe without models of its own: of an issue there are the usual rate, the recent rate and their combination."""
    return changed_recipe(recipe, models=())


def numbered(recipes: Iterable[Recipe], count: int) -> list[Recipe]:
    """As many recipes as that: those that lean on the world stream, again and again under other names."""
    whole = [recipe for recipe in recipes if recipe.comparison_only is None]
    return [whole[i % len(whole)].model_copy(update={"id": f"{whole[i % len(whole)].id}-{i}"}) for i in range(count)]
