"""How many days lie between two spans of days, of which one is fitted on and the next is evaluated on."""

from forecaster.recipe import Recipe


def purge_days(recipe: Recipe) -> int:
    """Number of days left out between two spans: no input or outcome of a span then overlaps the span before."""
    return recipe.window_days + recipe.predict_range_days
