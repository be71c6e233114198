"""The map of the world, from a small catalogue to the store, the view, the command and its files."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from forecaster.cli import main
from forecaster.clock import Clock
from forecaster.errors import BadInput
from forecaster.pipeline import run_context, tidy
from forecaster.pipeline.anywhere import Place, forecast_at
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.world_map import map_export, map_page
from forecaster.pipeline.world_map.map_backtest import Backtest, read_backtest, run_backtest
from forecaster.pipeline.world_map.map_day import make_earth
from forecaster.pipeline.world_map.map_forecast import forecast_earth
from forecaster.pipeline.world_map.map_grid import cells_of, names_of, seismic_cells, whole_grid
from forecaster.pipeline.world_map.map_outlines import rings_of
from forecaster.pipeline.world_map.map_record import record_of_maps, verify_maps
from forecaster.recipe import load_recipes
from forecaster.reports.skill_pages.skill_world import world_text
from forecaster.store import world_map_rows
from forecaster.store.database import Store
from forecaster.verification.pools import cell_probability
from tests.support.steps import machine
from tests.support.toys import cover, quake, write

NOW = datetime(2024, 1, 3, 12, tzinfo=UTC)
DATE_LINE, SENDAI = (0.2, 179.9), (38.3, 142.4)


def fill(store: Store) -> None:
    """Three years of earthquakes off Sendai and at the date line, ten of them of M 5.2 or more each; the last ones off Sendai today."""
    rng = np.random.default_rng(1)
    rows = []
    for name, (latitude, longitude) in {"s": SENDAI, "d": DATE_LINE}.items():
        for number in range(60):
            time = NOW - timedelta(days=float(rng.uniform(100, 1090)))
            place = latitude + rng.normal(0, 0.3), (longitude + rng.normal(0, 0.3) + 180) % 360 - 180
            rows.append(quake(f"{name}{number}", time, 5.2 if number < 12 else 4.6, place=place) | {"place": f"near {name}"})
    rows.append(quake("main", NOW - timedelta(hours=5), 7.0, place=SENDAI) | {"place": "near s"})
    write(store, *rows)
    cover(store, NOW)


@pytest.fixture
def job(settings, store) -> run_context.Job:
    fill(store)
    return run_context.Job(settings, store, list(load_recipes(settings.recipe_folder).values())[:1], Clock.standing_at(NOW), "run-1")


def rows_of(job: run_context.Job) -> pd.DataFrame:
    with job.store.transaction() as connection:
        return connection.execute("SELECT * FROM v_world ORDER BY ALL").df()


def test_each_cell_says_what_forecast_at_says_of_the_same_circle(job):
    made = make_earth(job)
    rows = rows_of(job)
    assert made.issue == 1 and made.rows == len(rows) > 30 and rows["newest"].all()
    assert (rows["longitude_deg"] < -179).any() and (rows["longitude_deg"] > 179).any(), "both sides of the date line"
    day = rows[rows["horizon_days"] == 1]
    for row in (day.loc[day["ratio"].idxmax()], day.iloc[0], day.iloc[-1]):
        place = Place(row["latitude_deg"], row["longitude_deg"], row["radius_km"], row["magnitude"], "UTC")
        alone = forecast_at(job.store, job.settings, place, made.day, job.clock)
        assert row["probability"] == pytest.approx(alone["probability"], rel=1e-6)
        assert row["usual_probability"] == pytest.approx(alone["usual_rate"], rel=1e-6)


def test_a_week_is_never_less_likely_than_its_first_day_and_a_larger_earthquake_never_likelier(job):
    make_earth(job)
    wide = rows_of(job).pivot(index="cell", columns=["magnitude", "horizon_days"], values="probability")
    assert (wide[(4.5, 7)] > wide[(4.5, 1)]).all() and (wide[(5.0, 7)] > wide[(5.0, 1)]).all()
    assert (wide[(4.5, 1)] > wide[(5.0, 1)]).all() and (wide[(4.5, 7)] > wide[(5.0, 7)]).all()


def test_a_day_is_made_once(job):
    first = make_earth(job)
    before = rows_of(job)
    again = make_earth(job)
    assert (again.issue, again.kept, first.kept) == (first.issue, True, False)
    pd.testing.assert_frame_equal(rows_of(job), before)


def test_a_map_that_is_stored_when_its_day_has_begun_is_late(job):
    moments = iter([NOW + timedelta(hours=11, minutes=59)] * 2)
    clock = Clock(lambda: next(moments, NOW + timedelta(hours=12, minutes=1)), simulated=False)
    made = make_earth(run_context.Job(job.settings, job.store, [], clock, "run-1"))
    assert made.issue == 1 and set(rows_of(job)["mode"]) == {"late"}


def test_an_empty_catalogue_gives_no_map_and_says_why(settings, store):
    job = run_context.Job(settings, store, [], Clock.standing_at(NOW), "run-1")
    made = make_earth(job)
    assert made.issue is None and "no circle of 150 km with ten earthquakes of M 5" in made.reason
    assert rows_of(job).empty


def test_cells_that_were_not_read_are_left_out_and_said(settings, store):
    fill(store)
    with store.transaction() as connection:
        connection.execute("DELETE FROM coverage WHERE stream = 'world'; DELETE FROM coverage_read WHERE stream = 'world'")
    job = run_context.Job(settings, store, [], Clock.standing_at(NOW), "run-1")
    make_earth(job)
    rows = rows_of(job)
    assert (rows["latitude_deg"] > 30).all() and len(rows)
    with store.transaction() as connection:
        (told,) = connection.execute("SELECT left_out FROM world_map").fetchone()
    assert any("has not been read there" in line for line in json.loads(told))


def test_an_unknown_resolution_is_refused(job):
    with pytest.raises(BadInput, match="resolution 5: the world map is made at H3 resolution 2 or 3"):
        make_earth(job, 5)


def test_seismic_cells_hold_ten_strong_earthquakes_in_their_circle(job):
    grid = seismic_cells(whole_grid(), load_known(job.store, NOW).events)
    assert cells_of(np.array([SENDAI[0]]), np.array([SENDAI[1]]), 3)[0] in grid.cell
    assert 4 < len(grid) < 60 and np.all(np.diff(grid.cell.astype(np.int64)) > 0)


def test_old_cells_leave_and_the_issue_stays(job):
    make_earth(job)
    live = run_context.Job(job.settings, job.store, [], machine(NOW + timedelta(days=101)), "run-2")
    with job.store.transaction() as connection:
        connection.execute("UPDATE world_map SET mode = 'prospective'")
    gone = tidy.tidy(live)
    assert gone.rows["cells of old maps of the world"] > 0 and rows_of(job).empty
    with job.store.transaction() as connection:
        assert connection.execute("SELECT count(*) FROM world_map").fetchone() == (1,)


def test_the_command_lists_places_and_writes_files(job, tmp_path):
    make_earth(job)
    run_context.publish_copy(job)
    env = {"QUAKECAST_HOME": str(job.settings.home)}
    told = CliRunner().invoke(main, ["world", "--export", str(tmp_path / "out"), "--json", "--top", "3"], env=env)
    assert told.exit_code == 0, told.output
    document = json.loads(told.stdout)
    ratios = [place["ratio"] for place in document["places"]]
    assert ratios == sorted(ratios, reverse=True) and document["places"][0]["place"] == "near s" and len(ratios) == 3
    rows = duckdb.sql(f"SELECT * FROM '{tmp_path}/out/world.parquet'").df()
    assert len(rows) == len(rows_of(job))
    shapes = json.loads((tmp_path / "out" / "world.geojson").read_text(encoding="utf-8"))
    assert len(shapes["features"]) == rows["cell"].nunique()
    assert {shape["geometry"]["type"] for shape in shapes["features"]} == {"Polygon", "MultiPolygon"}, "cells at the date line are cut"
    assert shapes["features"][0]["properties"]["m5_1d"].keys() == {"probability", "usual_probability", "ratio"}


@pytest.mark.parametrize(
    ("arguments", "told"), [((), "no map of the world is stored"), (("--magnitude", "6"), "it has M 4.5 and 1 day, M 4.5 and 7 days")]
)
def test_the_command_says_what_there_is_not(job, arguments, told):
    if arguments:
        make_earth(job)
    run_context.publish_copy(job)
    result = CliRunner().invoke(main, ["world", *arguments], env={"QUAKECAST_HOME": str(job.settings.home)})
    assert result.exit_code == 2 and told in result.output


def test_of_neighbours_the_highest_is_told(job):
    make_earth(job)
    _, cells = map_export.newest_map(job.store)
    top = map_export.most_above(cells, 5.0, 1, 10)
    assert 1 < len(top) < 10 and top["ratio"].is_monotonic_decreasing


def test_each_map_is_scored_when_its_windows_have_ended_and_again_when_they_are_final(job):
    make_earth(job)
    week_later = run_context.Job(job.settings, job.store, [], Clock.standing_at(NOW + timedelta(days=8)), "run-2")
    write(
        job.store,
        quake("hit", datetime(2024, 1, 4, 3, tzinfo=UTC), 5.4, place=SENDAI),
        quake("again", datetime(2024, 1, 4, 4, tzinfo=UTC), 5.1, place=SENDAI),
        quake("small", datetime(2024, 1, 5, 4, tzinfo=UTC), 4.6, place=DATE_LINE),
        quake("elsewhere", datetime(2024, 1, 4, 9, tzinfo=UTC), 6.0, place=(-60.0, 20.0)),
    )
    assert verify_maps(week_later) == 0, "nothing has been read since"
    cover(job.store, week_later.clock.now())
    assert verify_maps(week_later) == 2, "the days; the weeks have not ended"
    assert verify_maps(week_later) == 0
    with job.store.transaction() as connection:
        scores = world_map_rows.scores(connection, "replay")
    assert (
        scores["active_cells"].tolist() == [1, 1] and scores["events"].tolist() == [2, 2] and scores["events_elsewhere"].tolist() == [1, 1]
    )
    assert (scores["status"] == "provisional").all() and (scores["log_likelihood"] > scores["usual_log_likelihood"]).all()
    cells = rows_of(job).query("magnitude == 5 and horizon_days == 1")
    chance = cell_probability(cells["probability"].to_numpy(), cells["area_km2"].to_numpy(), 150.0)
    assert scores["expected_cells"].iloc[1] == pytest.approx(chance.sum())
    much_later = run_context.Job(job.settings, job.store, [], Clock.standing_at(NOW + timedelta(days=60)), "run-3")
    cover(job.store, much_later.clock.now())
    assert verify_maps(much_later) == 4
    record = record_of_maps(job.store, "replay")
    assert [(row["magnitude"], row["days"], row["windows"], row["active"]) for row in record] == [
        ("4.5", 1, 1, 1),
        ("5", 1, 1, 1),
        ("4.5", 7, 1, 2),
        ("5", 7, 1, 1),
    ]
    (path,) = map_page.write_pages(job, ["en"])
    page = path.read_text(encoding="utf-8")
    shapes = json.loads((path.parent / "world.geojson").read_text(encoding="utf-8"))
    assert len(shapes["features"]) == rows_of(job)["cell"].nunique()  # for other maps, beside the page
    assert "No window has ended yet" not in page and page.count("N 1/1, S 1/1") >= 1
    assert record_of_maps(job.store, "prospective") == [], "modes never mix"


def test_outlines_stay_within_the_map_and_run_counterclockwise():
    for name in [*names_of(whole_grid(2).cell[::7]), *names_of(cells_of(np.array([90.0, -90.0, 0.0]), np.array([0.0, 0.0, 180.0]), 3))]:
        for ring in rings_of(name):
            assert all(-180 <= x <= 180 and -90 <= y <= 90 for x, y in ring)
            assert sum((x1 - x0) * (y1 + y0) for (x0, y0), (x1, y1) in zip(ring, [*ring[1:], ring[0]], strict=True)) < 0


def backtest_of(job: run_context.Job, folder: Path, first: date, last: date) -> dict[str, Any]:
    return run_backtest(job.store, Backtest(first, last), folder, job.clock.now(), lambda *told: None)


def test_maps_of_past_days_are_those_of_the_day_and_are_scored_once(job, tmp_path):
    """Two maps, 37 days apart; of the week of the first one a single earthquake off Sendai, and one where no cell has a forecast."""
    first, second = date(2023, 10, 1), date(2023, 11, 7)
    write(job.store, quake("hit", datetime(2023, 10, 3, tzinfo=UTC), 5.1, place=SENDAI))
    write(job.store, quake("elsewhere", datetime(2023, 10, 4, tzinfo=UTC), 5.1, place=(-50.0, 10.0)))
    told = backtest_of(job, tmp_path / "bt", first, date(2023, 11, 9))
    by_pool = {(row["magnitude"], row["horizon_days"]): row for row in told["pools"]}
    assert sorted(by_pool) == [(4.5, 1), (4.5, 7), (5.0, 1), (5.0, 7)] and {row["maps"] for row in told["pools"]} == {2}
    week = by_pool[5.0, 7]
    assert (week["active_cells"], week["events"], week["events_elsewhere"], week["s_tested"]) == (1, 1, 1, 1)
    expected = 0.0
    for day in (first, second):
        as_of = datetime.combine(day, datetime.min.time(), UTC) - timedelta(minutes=30)
        made = forecast_earth(load_known(job.store, as_of), day, as_of, 3)
        rows = (made.magnitude == 5.0) & (made.horizon_days == 7)
        expected += cell_probability(made.probability[rows], made.grid.areas_km2()[made.index[rows]], 150.0).sum()
    assert week["expected_cells"] == pytest.approx(expected, abs=1e-4)
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "bt" / "maps").iterdir()}
    assert len(files) == 2 and backtest_of(job, tmp_path / "bt", first, date(2023, 11, 9)) == told == read_backtest(tmp_path / "bt")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "bt" / "maps").iterdir()} == files
    text = world_text({"world": told})
    assert "2 maps, of 2023-10-01 and every 37 days" in text and "1 of 2" in text


def test_a_backtest_of_days_that_are_not_final_is_refused(job, tmp_path):
    with pytest.raises(BadInput, match="the week from that day is not final; the last day that can be judged is 2023-11-12"):
        backtest_of(job, tmp_path / "bt", date(2023, 11, 13), date(2023, 11, 13))
    with pytest.raises(BadInput, match="lies after"):
        backtest_of(job, tmp_path / "bt", date(2023, 11, 2), date(2023, 11, 1))
    assert not (tmp_path / "bt").exists() and read_backtest(tmp_path / "bt") is None
