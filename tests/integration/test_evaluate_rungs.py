"""Longer windows and larger magnitudes in an evaluation, on the world of `test_evaluate`: M 5.0 near Tokyo every tenth day."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from forecaster.models.ladder.extend_forecast import horizons_of
from forecaster.pipeline.evaluation.evaluate_results import ResultFolder
from forecaster.pipeline.evaluation.evaluate_rungs import NO_COUNT
from forecaster.pipeline.evaluation.rung_scores import scored_year
from tests.integration.test_evaluate import OPTIONS, RECIPES, TOKYO, changed, content, filled, run, tables, world
from tests.support.changed_recipes import changed_recipe

__all__ = ["filled", "world"]
GENERIC = changed(OPTIONS, models=("climatology", "etas_generic", "etas"))


@pytest.fixture(scope="module")
def out(filled, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rungs")
    run(filled, folder, GENERIC)
    tables(folder)
    return folder


def test_windows_are_counted_from_the_start_of_each_day(out):
    """A window of h days holds the quake where it begins on its day or up to h - 1 days before. The record ends with 2021: what reaches
    beyond the last day with a final outcome has no count."""
    rows = ResultFolder(out).all_rungs()
    rows = rows[rows["recipe_id"] == "tokyo-m45"].set_index("local_day")
    tens = pd.date_range("2018-01-01", periods=147, freq="10D")
    for horizon in (1, 3, 7):
        whole = rows[rows[f"count_{horizon}_0"] != NO_COUNT]
        begins = {ten - pd.Timedelta(days=back) for ten in tens for back in range(horizon)}
        assert set(whole.index[whole[f"count_{horizon}_0"] > 0]) == {day for day in whole.index if day in begins}
        assert (whole[f"count_{horizon}_1"] == whole[f"count_{horizon}_0"]).all() and (whole[f"count_{horizon}_2"] == 0).all()
    month = rows.loc[rows["count_30_0"] != NO_COUNT, "count_30_0"]
    assert set(month) == {3} and len(rows) - len(month) == 29 - (pd.Timestamp("2021-12-31") - rows.index.max()).days
    assert rows["recent_observed"].iloc[3:].max() == 1 and rows["recent_expected"].iloc[3:].min() > 0


def test_the_table_says_gains_coverage_and_few_cases(out):
    document = json.loads((out / "skill.json").read_text())
    rows = {(row["horizon_days"], row["step"]): row for row in document["rungs"] if row["pool"] == "japan"}
    assert set(rows) == {(horizon, step) for horizon in (1, 3, 7, 30) for step in (0, 0.5, 1, 1.5, 2)}
    day, none = rows[1, 0], rows[7, 1.5]
    assert day["hits"] == day["cases"] == 67 and not day["few"] and day["block_days"] == 30 and rows[30, 0]["block_days"] == 90
    assert none["gain_over_etas"] is None and none["few"] and none["hits"] == 0 and none["coverage"]["estimate"] == 1
    assert day["active_windows"] == 0 and day["active_coverage"] is None
    assert day["active_windows"] == 0 and day["active_coverage"] is None
    assert day["gain_over_climatology"]["low"] <= day["gain_over_climatology"]["estimate"] <= day["gain_over_climatology"]["high"]
    assert rows[3, 0]["hits"] == pytest.approx(3 * day["hits"], abs=3)
    text = (out / "SKILL.md").read_text()
    assert "### Longer windows and larger magnitudes" in text and "| 30 | threshold + 1.5 |" in text and "few" in text


def test_a_second_run_does_nothing(world, out):
    before = content(out)
    run(world, out, GENERIC)
    assert content(out) == before


@pytest.mark.parametrize("reach", [5, 7])
def test_recipes_of_several_days_have_rungs_with_their_own_window(world, tmp_path, reach):
    """Quakes come every tenth day: so many in ten windows of `reach` days hold one. Beside one of single days, the table has both."""
    several = changed_recipe(TOKYO, predict_range_days=reach)
    options = changed(GENERIC, models=("climatology", "etas_generic"), last_day=date(2021, 11, 20))
    result = run(world, tmp_path, options, [several, RECIPES["nagoya-m45"]])
    tables(tmp_path)
    rows = ResultFolder(tmp_path).all_rungs()
    own = rows[rows["recipe_id"] == several.id]
    assert result.failed == {} and set(own["range_days"]) == {reach} and set(rows["range_days"]) == {1, reach}
    assert (own[f"count_{reach}_0"] > 0).mean() == pytest.approx(reach / 10, abs=0.03)
    usual = np.minimum(-np.log1p(-own["reference"]), own[f"usual_number_{reach}"])
    assert own[f"usual_hit_{reach}"].to_numpy() == pytest.approx(usual.to_numpy(), rel=1e-6)
    scored = scored_year(own.assign(probability=0.37)[own["local_day"].dt.year == 2021])
    at = horizons_of(reach).index(reach)
    assert (scored["published"][:, at, 0] == 0.37).all() and (np.diff(scored["published"], axis=1) >= -1e-12).all()
    japan = {row["horizon_days"]: row for row in json.loads((tmp_path / "skill.json").read_text())["rungs"] if not row["step"]}
    assert set(japan) == {1, 3, reach, 7, 30} and {row["pool"] for row in japan.values()} == {"japan"}
    assert japan[reach]["windows"] == len(own) * (1 if reach == 5 else 2) and japan[reach]["block_days"] == 30
