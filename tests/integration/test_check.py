"""`recipes check` on drawn catalogues whose completeness is known."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
from click.testing import CliRunner

from forecaster.cli import main
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.as_of.recipe_check import circle_completeness
from forecaster.recipe import Recipe
from forecaster.store.database import Store
from tests.support.toys import cover, quake, write

END = datetime(2025, 1, 1, tzinfo=UTC)


def fill(store: Store, recipe: Recipe, lowest: float, later_lowest: float) -> None:
    """20 years of b = 1 at the recipe's centre: 4,000 events from `lowest` on, complete from `later_lowest` on in the second ten years."""
    rng = np.random.default_rng(4)
    start = END - timedelta(days=7305)
    magnitudes = np.round(lowest - 0.05 + rng.exponential(np.log10(np.e), 4000), 1)
    ages = np.sort(rng.uniform(0, 7305, 4000))
    kept = (ages < 3652) | (magnitudes >= later_lowest)
    place = (recipe.predict_center_lat, recipe.predict_center_lng)
    rows = zip(ages[kept].tolist(), magnitudes[kept].tolist(), strict=True)
    write(store, *[quake(f"us{row}", start + timedelta(days=age), size, place=place) for row, (age, size) in enumerate(rows)])
    cover(store, END, start=start)


def test_spans_of_years_find_when_the_network_changed(store, recipes):
    """Complete from 3.5 (the cut) in 2005-2014, from 4.3 in 2015-2024: curvature says 4.3 + 0.2, stable b 4.3."""
    recipe = recipes["tokyo-m45"]
    fill(store, recipe, 3.5, 4.3)
    found = circle_completeness(recipe, load_known(store, END))
    assert [(span.first_year, span.last_year, str(span.found)) for span in found.spans] == [(2005, 2014, "<= 3.5"), (2015, 2024, "4.5")]
    assert (str(found.curvature), str(found.stable)) == ("4.5", "4.3")
    assert found.missing_below(4.0) == 4.5 and found.missing_below(4.3) is None, "both estimates must lie above the threshold"
    few = replace(found, curvature=replace(found.curvature, n=99), stable=replace(found.stable, n=99))
    assert few.missing_below(4.0) is None, "99 events are too few to warn by"


def test_a_threshold_below_both_estimates_is_a_warning_in_text_and_json(store, recipes, settings):
    """Every event from 4.6 on and none below, read from 3.5 on: both estimates are at 4.6 or above; tokyo asks for M 4.0, tonga for M 5."""
    recipe = recipes["tokyo"]
    fill(store, recipe, 4.6, 4.6)
    found = circle_completeness(recipe, load_known(store, END))
    assert found.lower is not None and found.mc is not None and found.lower >= 4.6 and found.events > 400
    assert found.missing_below(4.0) == found.mc.mc and found.missing_below(5.0) is None
    assert found.b_value is not None and abs(found.b_value.b_value - 1) < 4 * found.b_value.sigma
    assert found.b_positive is not None and abs(found.b_positive.b_value - 1) < 4 * found.b_positive.sigma
    shown = CliRunner().invoke(main, ["recipes", "check", "--recipe", "tokyo", "--json"], env={"QUAKECAST_HOME": str(settings.home)})
    assert shown.exit_code == 0, shown.output
    row = json.loads(shown.output)["recipes"][0]
    assert row["completeness_magnitude"] == found.mc.mc and row["at_most"] is False
    assert {"by_curvature", "by_stability", "b_value", "b_positive", "completeness_by_years"} <= set(row)
    assert any("below the completeness magnitude" in warning for warning in row["warnings"])
    assert "Mc by years" in row["text"] and "b+" in row["text"]
