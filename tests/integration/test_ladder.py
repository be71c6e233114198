"""The ladder of a forecast in the store: written with it, settled window by window, told in the report."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from forecaster.cli import main
from forecaster.pipeline.issuing.members import kinds_of
from forecaster.pipeline.rungs import report_ladder
from forecaster.registry.reasons import Reason, ReasonKey
from forecaster.reports import map_files
from forecaster.reports.content import document
from forecaster.reports.content.contract import Ladder, ReportData
from tests.support.changed_recipes import changed_recipe
from tests.support.steps import machine, predict, report_data, verify
from tests.support.toys import cover, dump, quake, quiet_years, table, write

ISSUED = datetime(2024, 1, 2, 12, tzinfo=UTC)
START = datetime(2024, 1, 2, 15, tzinfo=UTC)  # 2024-01-03 in Tokyo
DAY = timedelta(days=1)


@pytest.fixture(params=[(), ("etas",)], ids=["rate", "etas"])
def tokyo(request, recipes):
    return changed_recipe(recipes["tokyo-m45"], models=request.param)


@pytest.fixture
def issued(store, tokyo, settings):
    quiet_years(store, ISSUED, magnitude=5.6)
    predict(store, [tokyo], settings, machine(ISSUED))
    return store


def test_every_published_forecast_has_its_ladder_and_keeps_it(issued, tokyo, settings):
    rungs, forecasts = table(issued, "rung"), table(issued, "forecast")
    published = forecasts[forecasts["published"]].iloc[0]
    assert set(rungs["forecast_id"]) == {published["forecast_id"]} and len(rungs) == 4 * 5
    corner = rungs[(rungs["horizon_days"] == 1) & (rungs["magnitude"] == 4.5)].iloc[0]
    assert corner["probability"] == published["probability"]
    assert corner["reference_probability"] == pytest.approx(published["reference_probability"], rel=1e-9)
    assert (corner["window_end"], set(rungs["basis"])) == (published["target_end"], {"etas"})
    details = json.loads(published["details"])
    numbers = ("expected_count", "count_low", "count_high")
    if details["weights"]:
        assert [details[name] for name in numbers] == [corner[name] for name in numbers]
    assert bool(details["weights"]) == all(name in details for name in numbers)
    assert sorted(rungs.loc[rungs["beyond_record"], "magnitude"].unique()) == [6.0, 6.5], "the largest seen is M 5.6"
    before = dump(issued)
    predict(issued, [tokyo], settings, machine(ISSUED + timedelta(hours=1)))
    assert dump(issued) == before


def test_each_rung_is_settled_when_its_own_window_has_ended(issued, tokyo):
    for name, after, magnitude in (("in1", 0, 4.6), ("in3", 2.5, 5.0), ("out3", 3.0, 6.0), ("in7", 6.999, 4.5)):
        write(issued, quake(name, START + after * DAY, magnitude))
    cover(issued, START + 3 * DAY, source="usgs changes")
    verify(issued, [tokyo], machine(START + 3 * DAY))
    told = table(issued, "rung_outcome").set_index(["horizon_days", "magnitude"])
    assert sorted(set(told.index.get_level_values(0))) == [1, 3]
    assert told.loc[3, "event_count"].tolist() == [2, 1, 0, 0, 0] and told.loc[1, "event_count"].tolist() == [1, 0, 0, 0, 0]
    assert set(told.loc[1, "status"]) == {"provisional"} and set(told.loc[3, "status"]) == {"preliminary"}
    cover(issued, START + 60 * DAY, source="usgs changes")
    done = verify(issued, [tokyo], machine(START + 60 * DAY))
    assert done.rungs == 20 and verify(issued, [tokyo], machine(START + 60 * DAY)).rungs == 0
    rows = table(issued, "v_ladder").set_index(["horizon_days", "magnitude"])
    assert rows.loc[(7, 4.5), "event_count"] == 4 and bool(rows.loc[(7, 6.0), "happened"]) and rows.loc[(3, 6.0), "event_count"] == 0
    assert set(rows.loc[1, "outcome_status"]) == {"final"} and set(rows.loc[30, "outcome_status"]) == {"provisional"}
    assert rows["log_score"].notna().all() and rows["gain_over_etas"].notna().all() and (rows["log_score"] < 0).all()


def test_a_window_that_has_not_been_read_to_its_end_waits(issued, tokyo):
    """Two days and a half were read, ten are over: only the first day is settled, not-read is never no."""
    cover(issued, START + 2.5 * DAY, source="usgs changes", read_at=START + 10 * DAY)
    verify(issued, [tokyo], machine(START + 10 * DAY))
    assert set(table(issued, "rung_outcome")["horizon_days"]) == {1}


def test_the_report_tells_the_ladder_with_its_record_and_old_documents_load_without(issued, tokyo):
    cover(issued, START + 5 * DAY, source="usgs changes")
    verify(issued, [tokyo], machine(START + 5 * DAY))
    data = report_data(issued, [tokyo], machine(START + 5 * DAY))
    ladder = data.recipes[0].ladder
    assert isinstance(ladder, Ladder) and data.recipes[0].no_ladder is None
    assert (ladder.horizons, ladder.magnitudes) == ((1, 3, 7, 30), (4.5, 5.0, 5.5, 6.0, 6.5))
    rung = ladder.rung(3, 4.5)
    record = rung.record if rung is not None else None
    assert record is not None and (record.verified, record.hits, record.in_range, record.cases) == (1, 0, 1, 0)
    assert (record.expected_hits, record.usual_hits) == (round(rung.probability, 4), round(rung.reference_probability, 4))
    assert ladder.rung(7, 4.5).record is None and {one.horizon_days for one in data.pooled_rungs} == {1, 3}
    assert ladder.rung(1, 4.5).probability == data.recipes[0].probability
    assert (ladder.rung(2, 4.5), ladder.rung(3, 7.0)) == (None, None)
    kept = document.pack(data)
    assert document.unpack(kept.content, kept.sha256) == data
    old = document._adapter().dump_python(data, mode="json")
    for recipe in old["recipes"]:
        del recipe["ladder"], recipe["no_ladder"]
    without: ReportData = document._adapter().validate_python(old)
    assert without.recipes[0].ladder is None and without.recipes[0].probability == data.recipes[0].probability


def test_a_ladder_that_cannot_be_told_says_why(issued, tokyo):
    row = table(issued, "rung").iloc[0].to_dict()
    assert report_ladder.report_ladder([], {}, {}) == (None, report_ladder.NONE_STORED)
    assert report_ladder.report_ladder([], {"no_ladder": "no reference rate"}, {}) == (None, "no reference rate")
    none, reason = report_ladder.report_ladder([row | {"version": 99}], {}, {})
    assert none is None and "version 99" in str(reason) and "upgrade" in str(reason)


def test_a_record_too_short_for_a_month_gives_a_forecast_without_a_ladder(store, tokyo, settings):
    """Of 2021-01-17 to the issue of 2022-03-10 less 45 days, some 365 days and a few are final, but not 365 spans of 30 days."""
    issued = datetime(2022, 3, 10, 12, tzinfo=UTC)
    write(store, quake("us1", datetime(2021, 3, 5, tzinfo=UTC)))
    cover(store, issued)
    predict(store, [tokyo], settings, machine(issued))
    assert table(store, "rung").empty and len(table(store, "forecast")) > 0
    details = json.loads(table(store, "forecast").set_index("model_kind").loc["published", "details"])
    assert not details["weights"] or details["expected_count"] > 0
    told = report_data(store, [tokyo], machine(issued)).recipes[0]
    assert told.ladder is None and "no reference rate" in told.no_ladder


def test_the_webhook_and_the_map_ui_carry_the_ladder_and_all_that_they_had(issued, tokyo):
    data = report_data(issued, [tokyo], machine(ISSUED))
    sent = map_files.webhook_document(data)
    map_files.check_document("webhook.json", sent)
    (forecast,) = sent["forecasts"]
    assert sent["version"] == "quakecast.report/3" and {"probability", "usual_probability", "expected_count"} < set(forecast)
    rungs = forecast["ladder"]["rungs"]
    assert (rungs[0]["verified"], rungs[0]["cases"], rungs[0]["usual_hits"], rungs[0]["information_gain"]) == (0, 0, 0.0, None)
    assert len(rungs) == 20 and rungs[0]["probability"] == forecast["probability"] and forecast["no_ladder"] is None
    why = Reason(ReasonKey.CELLS_SHORT, {"magnitude": 4.5, "cells": 3}, (Reason(ReasonKey.NO_DATA),))
    bare = replace(data.recipes[0], ladder=None, no_ladder="why", no_ladder_reason=why, degraded_reason="why", degraded_reasons=(why,))
    silent = map_files.webhook_document(replace(data, recipes=(bare,)))
    map_files.check_document("webhook.json", silent)
    told = silent["forecasts"][0]
    assert (told["ladder"], told["no_ladder"], told["degraded_reason"]) == (None, "why", "why")
    stored = {"key": "cells_short", "values": {"magnitude": 4.5, "cells": 3}, "because": [{"key": "no_data"}]}
    assert told["no_ladder_reason"] == stored and told["degraded_reasons"] == [stored]


def test_forecast_at_a_place_prints_its_ladder_and_marks_what_was_never_seen(issued, settings):
    write(issued, *(quake(f"more{month}", datetime(2022, month, 9, tzinfo=UTC), 4.7) for month in range(1, 13)))
    at = ["--home", str(settings.home), "forecast", "--at", "35.68,139.77", "--date", "2024-01-03"]
    told = CliRunner().invoke(main, at)
    lines = [line.split("  ") for line in told.output.splitlines()]
    heads = [cells[1] for cells in lines if len(cells) > 1 and cells[1].startswith("M >= ")]
    assert heads == ["M >= 4.5", "M >= 5", "M >= 5.5", "M >= 6*", "M >= 6.5*"], told.output
    assert "* larger than any earthquake in the record there" in told.output
    document = json.loads(CliRunner().invoke(main, [*at, "--json"]).stdout)
    assert document["ladder"]["rungs"][0]["probability"] == pytest.approx(document["probability"], rel=1e-3)


@pytest.mark.parametrize("reach", [3, 5, 7, 30])
def test_a_recipe_of_several_days_is_forecast_by_all_members_and_has_its_corner(store, recipes, settings, reach):
    weekly = changed_recipe(recipes["tokyo-m45"], predict_range_days=reach)
    write(store, *(quake(f"us{month}", datetime(2022, month, 5, tzinfo=UTC)) for month in range(1, 13)))
    write(store, quake("main", ISSUED - timedelta(hours=5), 7.0), quake("after", ISSUED - timedelta(hours=4), 5.5))
    cover(store, ISSUED)
    predict(store, [weekly], settings, machine(ISSUED))
    forecasts = table(store, "forecast")
    assert set(forecasts["model_kind"]) == {"climatology", "published", *kinds_of(weekly)}
    published = forecasts[forecasts["published"]].iloc[0]
    (driver, *_) = json.loads(published["details"])["drivers"]
    assert driver["magnitude"] == 7.0 and driver["without"] < published["probability"]
    assert not published["degraded"] and published["target_end"] - published["target_start"] == reach * DAY
    rungs = table(store, "rung").set_index(["horizon_days", "magnitude"])
    assert sorted(set(rungs.index.get_level_values(0))) == sorted({1, 3, 7, 30, reach})
    assert rungs.loc[(reach, 4.5), "probability"] == published["probability"]
    assert rungs.loc[(reach, 4.5), "window_end"] == published["target_end"]
    by_horizon = rungs["probability"].unstack()
    assert (by_horizon.diff().dropna() >= 0).all(axis=None) and (by_horizon.diff(axis=1).iloc[:, 1:] <= 0).all(axis=None)
