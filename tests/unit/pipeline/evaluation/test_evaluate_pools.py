"""What a pool's figures rest on, worked out by hand on toys."""

import math

import numpy as np
import pandas as pd
import pytest

from forecaster.features.circles import circle_recipe
from forecaster.pipeline.evaluation.evaluate_forecasts import forecasts_by_arm
from forecaster.pipeline.evaluation.evaluate_pools import pool_facts, share_of, shared_days
from forecaster.pipeline.evaluation.evaluate_scores import block_draws, score_rows

DAYS = pd.date_range("2020-01-01", periods=300)
CIRCLES = {  # a and b are the same place, c is far away
    name: circle_recipe(number, 0.0, longitude, 100.0, 4.5)
    for number, (name, longitude) in enumerate([("a", 0.0), ("b", 0.0), ("c", 90.0)])
}


def frame(recipe_id, model, target, other, hit=slice(0, None, 3)):
    """Every third day is a target day, which is given `target`; the others are given `other`. The reference says 1/3."""
    happened = np.zeros(300, dtype=bool)
    happened[hit] = True
    head = {"arm": "A", "recipe_id": recipe_id, "model": model, "local_day": DAYS, "reference": 1 / 3, "happened": happened}
    return pd.DataFrame(head | {"status": "quiet", "inputs": "final", "probability": np.where(happened, target, other)})


def said(*frames, pool="abroad"):
    daily = pd.concat(frames, ignore_index=True)
    (found,) = forecasts_by_arm(daily, dict.fromkeys(CIRCLES, pool))
    return found, block_draws(daily["local_day"].to_numpy())


def test_shared_days_are_those_of_circles_that_overlap():
    """a and b overlap, c overlaps none. a on days 1 and 2, b on 2, c on 2: of a and b the target days of day 2 are shared."""
    overlap = np.array([[1, 0.3, 0], [0.3, 1, 0], [0, 0, 1]])
    days = np.array(["2020-01-01", "2020-01-02", "2020-01-02", "2020-01-02"], dtype="datetime64[D]")
    assert shared_days(np.array([0, 0, 1, 2]), days, overlap) == (2, 2)


def test_overlapping_circles_count_less_in_weighted_gains():
    """On target days the model says 2/3 where 1/3 was usual, and 1/3 on others: ln 2 a target day in a and b, nothing in c, where it says
    1/3 always. Plain: 2/3 ln 2. a and b are one place and weigh 1/2: 1/2 ln 2."""
    found, draws = said(*(frame(name, "m", 2 / 3, 1 / 3) for name in "ab"), frame("c", "m", 1 / 3, 1 / 3))
    (facts,) = pool_facts(found, CIRCLES, draws)
    row = next(row for row in score_rows(found, draws) if row["level"] == "pool" and row["days_of"] == "all")
    (gains,) = facts["gains"]
    assert row["gain_over_climatology"] == pytest.approx(2 / 3 * math.log(2))
    assert gains["weighted"]["climatology"]["estimate"] == pytest.approx(math.log(2) / 2, abs=0.01)
    assert (facts["target_days"], facts["distinct_days"], facts["shared_days"], facts["largest_overlap"]) == (300, 100, 200, 1.0)
    assert gains["singles"]["climatology"] == {"above": 2, "below": 0, "of": 3} and gains["singles"]["etas"] is None
    assert gains["of_etas"] is None, "no ETAS has spoken"


def test_what_share_of_etas_gain_is_added():
    """ETAS gains ln(3/2) a target day by saying 1/2 for 1/3, the model ln(4/3) more by saying 2/3 for 1/2; every block has as many."""
    found, draws = said(frame("a", "etas", 1 / 2, 1 / 3), frame("a", "m", 2 / 3, 1 / 3))
    (facts,) = pool_facts(found, CIRCLES, draws)
    shares = {gain["model"]: gain["of_etas"] for gain in facts["gains"]}
    wanted = math.log(4 / 3) / math.log(3 / 2)
    assert shares["m"]["estimate"] == pytest.approx(wanted) and shares["m"]["blocks"]["30"] == pytest.approx([wanted, wanted])
    assert shares["m"]["blocks"]["365"] is None, "300 days lie in one or two years"
    assert shares["etas"]["estimate"] == 0
    days = DAYS.to_numpy().astype("datetime64[D]")
    assert share_of(days, np.ones(300), np.zeros(300), draws) is None, "of nothing there is no share"


def test_the_generic_etas_stands_for_etas_in_circles_only():
    """Single circles have no rows; published has years."""
    found, draws = said(frame("a", "etas_generic", 1 / 2, 1 / 3), frame("a", "published", 2 / 3, 1 / 3), pool="circles")
    rows = {(row["level"], row["name"], row["model"], row["days_of"]): row for row in score_rows(found, draws)}
    assert {key[0] for key in rows} == {"pool"} and {key[3] for key in rows} == {"all", "quiet", "2020"}
    published = rows["pool", "circles", "published", "all"]
    assert published["gain_over_etas"] == pytest.approx(math.log(4 / 3)) and "l_gamma" not in published
    assert math.isfinite(published["gain_over_etas_low_30"]) and math.isnan(published["gain_over_etas_low_365"]), "two blocks"
    elsewhere, draws = said(frame("a", "etas_generic", 1 / 2, 1 / 3), frame("a", "published", 2 / 3, 1 / 3))
    assert all(math.isnan(row["gain_over_etas"]) for row in score_rows(elsewhere, draws))
