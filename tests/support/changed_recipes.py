"""Bundled recipes with some fields changed, validated as a file would be."""

from forecaster.recipe import Recipe


def changed_recipe(recipe: Recipe, **fields: object) -> Recipe:
    """The recipe with other values in these fields."""
    return Recipe.model_validate(recipe.model_dump() | fields)


def without_models(recipe: Recipe) -> Recipe:
    """The recipe without models of its own: of an issue there are the usual rate, the recent rate and their combination."""
    return changed_recipe(recipe, models=())
