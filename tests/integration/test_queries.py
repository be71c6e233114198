"""The views of the published copy, the ten questions of docs/QUERIES.md, the notebook, and reading while a run writes.

Figures of the toy store (tests/support/queried_store) are worked by hand: u is the usual rate, 0.0125 for niigata and 0.075 for tokyo;
etas says 4 u on the two days after a shaken one, u / 2 else. At the last reading, 2024-01-26 09:00 UTC, the 21 days to 2023-12-11 are
final, the 44 to 2024-01-24 provisional; the 25th is preliminary, and the 26th is not over.
"""

import json
import math
import re
import shutil
from datetime import UTC, date, datetime
from importlib import resources
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from forecaster import cli
from forecaster.clock import Clock
from forecaster.errors import StoreBusy
from forecaster.features.geometry import in_circle
from forecaster.pipeline.run_context import Job, publish_copy
from forecaster.recipe import Recipe
from forecaster.registry.recipe_fields import DisplayName
from forecaster.settings import load_settings
from forecaster.store.database import Store, query
from forecaster.store.sharing.parquet import export_tables
from forecaster.store.sharing.publish import publish
from forecaster.store.sharing.read_only_store import PublishedCopy, open_source
from forecaster.store.targets import note_targets
from forecaster.verification.scores import information_gain
from tests.support import queried_store
from tests.support.processes import ended, started
from tests.support.scripts import load_script
from tests.support.steps import verify
from tests.support.toys import dump, table

ROOT = Path(__file__).resolve().parents[2]
VIEWS = (
    "v_forecast",
    "v_scored",
    "v_skill",
    "v_calibration",
    "v_ladder",
    "v_event",
    "v_event_in_target",
    "v_revision_impact",
    "v_world",
    "v_run",
)
QUESTION = re.compile(r"^## (\d+)\. ([^\n]+)\n(?:(?!^## ).)*?```sql\n(.*?)```\n\n```text\n(.*?)```", re.MULTILINE | re.DOTALL)
DOCUMENT = (ROOT / "docs" / "QUERIES.md").read_text(encoding="utf-8")
QUESTIONS = {int(number): (title, sql, answer) for number, title, sql, answer in QUESTION.findall(DOCUMENT)}


@pytest.fixture(scope="module")
def home(tmp_path_factory, recipes) -> Path:
    """A home with the toy store and its published copy. Not written to."""
    settings = load_settings(home=tmp_path_factory.mktemp("queried"))
    publish(queried_store.fill(settings, recipes), settings.published)
    return settings.home


@pytest.fixture(scope="module")
def published(home) -> Path:
    return load_settings(home=home).published


@pytest.fixture(scope="module")
def exported(published, tmp_path_factory) -> Store:
    """The published copy as Parquet files, as workers read them."""
    folder = tmp_path_factory.mktemp("exported")
    export_tables(PublishedCopy(published), folder)
    return open_source(load_settings(read_from=str(folder)))


def one(published: Path, sql: str) -> dict:
    rows = query(published, sql).to_dict("records")
    assert len(rows) == 1, rows
    return rows[0]


# What everything means


def test_every_table_view_column_and_macro_has_a_comment_in_the_published_copy(published):
    silent = query(
        published,
        "SELECT table_name || '.' || column_name AS name FROM duckdb_columns() WHERE NOT internal AND coalesce(comment, '') = '' UNION ALL "
        "SELECT table_name FROM duckdb_tables() WHERE NOT internal AND coalesce(comment, '') = '' UNION ALL "
        "SELECT view_name FROM duckdb_views() WHERE NOT internal AND coalesce(comment, '') = '' UNION ALL "
        "SELECT function_name FROM duckdb_functions() WHERE NOT internal AND coalesce(comment, '') = ''",
    )
    assert [name for name in silent["name"] if name.split(".")[0] != "migration"] == []


def test_the_document_tells_of_every_view_and_no_other(published):
    told = set(re.findall(r"^\| `(v_\w+)`", DOCUMENT, re.MULTILINE))
    assert (
        told == set(VIEWS) == set(query(published, "SELECT view_name FROM duckdb_views() WHERE starts_with(view_name, 'v_')")["view_name"])
    )


def test_new_names_say_the_same_as_those_that_stay(published):
    for view, names in {
        "v_forecast": {"kind": "model_kind", "usual_probability": "reference_probability"},
        "v_scored": {"kind": "model_kind", "usual_probability": "reference_probability"},
        "v_skill": {"kind": "model_kind"},
        "v_calibration": {"kind": "model_kind"},
    }.items():
        differing = " OR ".join(f"{new} IS DISTINCT FROM {old}" for new, old in names.items())
        assert one(published, f"SELECT count(*) AS rows, count(*) FILTER ({differing}) AS other FROM {view}") | {"rows": 0} == {
            "rows": 0,
            "other": 0,
        }
    assert one(published, "SELECT bool_and(published) AS shown, count(latitude_deg) = count(*) AS placed FROM v_forecast")


def test_a_recipe_has_one_row_with_its_place_radius_and_threshold(published, recipes):
    rows = query(published, "SELECT * FROM recipe ORDER BY recipe_id").set_index("recipe_id")
    assert list(rows.index) == ["niigata-m45", "tokyo-m45"]
    for name, row in rows.iterrows():
        recipe = recipes[name]
        told = (row["latitude_deg"], row["longitude_deg"], row["radius_km"], row["threshold_mag"], row["time_zone"], row["target_hash"])
        centre = (recipe.predict_center_lat, recipe.predict_center_lng)
        assert told == (*centre, recipe.radius_km, recipe.threshold_mag, recipe.time_zone, recipe.target_hash)


def test_of_two_targets_of_a_recipe_the_one_that_was_never_forecast_is_the_newer(home, recipes, tmp_path):
    store = Store(Path(shutil.copyfile(load_settings(home=home).database, tmp_path / "copy.duckdb")))
    wider = Recipe(**(recipes["tokyo-m45"].model_dump() | {"predict_radius_meters": 300_000}))
    with store.transaction() as connection:
        note_targets(connection, [wider])
    assert one(store.path, "SELECT radius_km FROM recipe WHERE recipe_id = 'tokyo-m45'") == {"radius_km": 300}


def test_the_events_in_a_target_are_those_that_the_outcomes_count(published, recipes):
    """Of each recipe: by the circle of `features.geometry`, and day by day as `verify` counted them."""
    told = query(published, "SELECT * FROM v_event_in_target")
    every = query(published, "SELECT * FROM v_event WHERE event_type = 'earthquake'")
    for name in ("niigata-m45", "tokyo-m45"):
        recipe = recipes[name]
        near = in_circle(recipe, every["latitude_deg"].to_numpy(), every["longitude_deg"].to_numpy())
        inside = every[near & (every["magnitude"] >= recipe.threshold_mag)]
        assert set(inside["event_id"]) == set(told.loc[told["recipe_id"] == name, "event_id"]) != set()
    counted = query(
        published,
        "SELECT f.recipe_id, f.local_day, any_value(f.event_count) AS counted, count(e.event_id) AS found FROM v_forecast f "
        "LEFT JOIN v_event_in_target e USING (recipe_id, local_day) "
        "WHERE f.counts AND f.mode = 'replay' AND f.happened IS NOT NULL GROUP BY ALL",
    )
    assert (counted["counted"] == counted["found"]).all() and counted["counted"].sum() > 5


def test_the_views_say_the_same_in_every_sessions_time_zone(published):
    texts = []
    for zone in ("UTC", "Pacific/Kiritimati", "America/Los_Angeles"):
        with duckdb.connect(str(published), read_only=True) as connection:
            connection.execute(f"SET TimeZone = '{zone}'")
            frames = [connection.execute(f"SELECT * FROM {view} ORDER BY ALL").df() for view in VIEWS]
        utc = [
            frame.apply(lambda column: column.dt.tz_convert("UTC") if hasattr(column, "dt") and column.dt.tz else column)
            for frame in frames
        ]
        texts.append([frame.to_csv(float_format="%.6g") for frame in utc])
    assert texts[0] == texts[1] == texts[2]


# v_forecast


def test_a_forecast_comes_with_its_day_its_ratio_and_its_outcome(published):
    """2 January in Japan: etas is published, says 4 u after the shaken 1st, and three of the sequence come (03:00, 08:00 and 13:00)."""
    row = one(published, "SELECT * FROM v_forecast WHERE recipe_id = 'niigata-m45' AND local_day = '2024-01-02'")
    assert (row["place"], row["time_zone"], row["model_kind"], row["mode"]) == ("Niigata", "Asia/Tokyo", "etas", "replay")
    assert row["target_start"] == datetime(2024, 1, 1, 15, tzinfo=UTC) and row["lead_hours"] == 6
    assert (row["probability"], row["reference_probability"], row["ratio"]) == (0.05, 0.0125, pytest.approx(4))
    assert (row["happened"], row["event_count"], row["max_magnitude"], row["outcome_status"]) == (True, 3, 5.6, "provisional")
    assert row["information_gain"] == pytest.approx(math.log(4)) and row["counts"] and not row["outcome_changed"]
    assert (row["brier"], row["reference_brier"]) == (pytest.approx(0.95**2), pytest.approx(0.9875**2))


def test_one_row_a_published_forecast_and_one_a_day_and_mode_counts(published):
    stored = query(published, "SELECT * FROM forecast WHERE published")
    rows = query(published, "SELECT * FROM v_forecast")
    assert sorted(rows["forecast_id"]) == sorted(stored["forecast_id"]) and len(rows) == 2 * 67 + 5
    several = rows[rows["recipe_id"] == "tokyo-m45"].set_index("forecast_id")["counts"]
    assert several[["official", "late", "again"]].all() and not several[["reissue", "seen", "tokyo-m45-climatology-2023-11-21"]].any()
    assert not rows[rows["counts"]].duplicated(["recipe_id", "target_start", "mode", "method"]).any()


def test_what_is_not_known_is_null_and_not_no(published):
    rows = query(published, "SELECT * FROM v_forecast WHERE recipe_id = 'tokyo-m45' AND local_day >= '2024-01-25' ORDER BY local_day")
    over, open_still = rows.iloc[0], rows.iloc[1]
    assert (over["outcome_status"], over["happened"]) == ("preliminary", False) and pd.isna(over["information_gain"])
    assert open_still["local_day"].date() == queried_store.LAST_DAY and open_still[["happened", "outcome_status", "brier"]].isna().all()
    assert open_still["probability"] == 0.075 and open_still["counts"]


# v_skill and v_calibration


def test_skill_by_hand(published):
    """niigata, etas: 21 final days without the target at u / 2. Of the 44 others the 1st (a hit at u / 2), the 2nd (a hit at 4 u), two
    days of 4 u without, 40 of u / 2 without."""
    rows = query(published, "SELECT * FROM v_skill WHERE recipe_id = 'niigata-m45' AND model_kind = 'etas'").set_index("outcome_status")
    assert len(rows) == 2 and set(rows["mode"]) == {"replay"}
    quiet, no, false_alarm = math.log(0.99375 / 0.9875), math.log(0.5), math.log(0.95 / 0.9875)
    final, provisional = rows.loc["final"], rows.loc["provisional"]
    assert (final["days"], final["target_days"], provisional["days"], provisional["target_days"]) == (21, 0, 44, 2)
    assert final["log_likelihood_gain"] == pytest.approx(21 * quiet) and pd.isna(final["information_gain"])
    assert provisional["information_gain"] == pytest.approx((40 * quiet + no + math.log(4) + 2 * false_alarm) / 2)
    brier = (40 * 0.00625**2 + 0.99375**2 + 0.95**2 + 2 * 0.05**2) / 44
    reference = (42 * 0.0125**2 + 2 * 0.9875**2) / 44
    assert (provisional["brier"], provisional["brier_skill"]) == (pytest.approx(brier), pytest.approx(1 - brier / reference))
    assert provisional["expected_target_days"] == pytest.approx(41 * 0.00625 + 3 * 0.05)
    assert (final["first_day"].date(), final["last_day"].date()) == (date(2023, 11, 21), date(2023, 12, 11))


def test_skill_is_that_of_the_scores_module(published):
    scored = query(published, "SELECT * FROM v_scored WHERE model_kind = 'published' AND mode = 'replay' AND recipe_id = 'tokyo-m45'")
    for status, rows in scored.groupby("outcome_status"):
        told = one(
            published,
            f"SELECT * FROM v_skill WHERE model_kind = 'published' AND mode = 'replay' AND recipe_id = 'tokyo-m45' "
            f"AND outcome_status = '{status}'",
        )
        happened = rows["happened"].to_numpy(dtype=bool)
        gain = information_gain(happened, rows["probability"].to_numpy(), rows["reference_probability"].to_numpy())
        assert told["information_gain"] == pytest.approx(gain)


def test_modes_stay_apart_and_of_a_day_one_issue_counts(published):
    rows = query(published, "SELECT * FROM v_skill WHERE recipe_id = 'tokyo-m45' AND model_kind = 'published'").set_index("mode")
    assert set(rows.index) == {"replay", "prospective", "late"}, "the hindcast in sample is nowhere"
    assert rows.loc["prospective", "days"] == rows.loc["late", "days"] == 1 and rows.loc["late", "degraded_days"] == 1
    assert rows.loc["prospective", "log_likelihood_gain"] == pytest.approx(math.log(0.93 / 0.925)), "the official issue, not the later one"
    first = one(published, "SELECT * FROM v_scored WHERE model_kind = 'published' AND recipe_id = 'tokyo-m45' AND local_day = '2023-11-21'")
    assert first["forecast_id"] == "again" and first["probability"] == 0.08, "of replays the last issue"


def test_every_scored_day_is_in_one_bin_and_the_bins_add_up_to_the_skill(published):
    keys = ["recipe_id", "model_kind", "mode", "method", "outcome_status"]
    sums = ["days", "target_days", "expected_target_days"]
    bins = query(published, "SELECT * FROM v_calibration")
    skill = query(published, "SELECT * FROM v_skill")
    pd.testing.assert_frame_equal(bins.groupby(keys)[sums].sum(), skill.set_index(keys)[sums].sort_index(), check_dtype=False)
    assert ((bins["bin_low"] <= bins["mean_probability"] + 1e-9) & (bins["mean_probability"] < bins["bin_high"])).all()
    row = bins.query("recipe_id == 'niigata-m45' and model_kind == 'etas' and bin_low == 0.05").iloc[0]
    assert (row["days"], row["target_days"], row["observed_frequency"]) == (3, 1, pytest.approx(1 / 3))
    assert (row["mean_probability"], row["expected_variance"]) == (pytest.approx(0.05), pytest.approx(3 * 0.05 * 0.95))


# v_event, v_revision_impact, v_run


def test_an_event_is_its_last_version_with_its_history(published):
    rows = query(published, "SELECT * FROM v_event").set_index("event_id")
    assert not rows.index.duplicated().any() and "gone" not in rows.index
    assert (rows.loc["weaker", "magnitude"], rows.loc["weaker", "first_magnitude"], rows.loc["weaker", "versions"]) == (4.3, 4.5, 2)
    assert rows.loc["weaker", "magnitude_change"] == pytest.approx(-0.2)
    assert rows.loc["late", "delay_hours"] == pytest.approx(480) and rows.loc["noto0", "delay_hours"] == pytest.approx(1 / 3)
    assert "twin1" not in rows.index and (rows.loc["twin2", "versions"], rows.loc["twin2", "first_magnitude"]) == (3, 4.4)


def test_a_turned_outcome_is_told_with_the_revision_that_turned_it(published):
    rows = query(published, "SELECT * FROM v_revision_impact").assign(day=lambda frame: frame["local_day"].dt.strftime("%m-%d"))
    told = [
        tuple(row) for row in rows.sort_values("day")[["day", "happened_before", "event_id", "what_changed", "status_before"]].to_numpy()
    ]
    assert told == [
        ("11-28", False, "late", "became known", "provisional"),
        ("11-30", True, "weaker", "magnitude", "provisional"),
        ("12-02", True, "moved", "place", "provisional"),
        ("12-04", True, "gone", "deleted", "provisional"),
        ("12-07", True, "shifted", "time", "provisional"),
        ("12-08", False, "shifted", "time", "preliminary"),
    ]
    assert (rows["happened_after"] == ~rows["happened_before"].astype(bool)).all() and set(rows["place"]) == {"Tokyo"}
    weaker, moved = rows.set_index("event_id").loc["weaker"], rows.set_index("event_id").loc["moved"]
    assert (weaker["magnitude_before"], weaker["magnitude_after"], weaker["counted_before"], weaker["counted_after"]) == (
        4.5,
        4.3,
        True,
        False,
    )
    assert moved["distance_km_before"] < 1 and moved["distance_km_after"] == pytest.approx(631.7, abs=0.1)


def test_verifying_again_tells_no_turn_twice_and_one_without_a_note_is_told_without_an_event(home, tmp_path, recipes):
    copy = Store(Path(shutil.copyfile(load_settings(home=home).database, tmp_path / "copy.duckdb")))
    before = dump(copy)
    verify(copy, [recipes["niigata-m45"], recipes["tokyo-m45"]], Clock.standing_at(queried_store.SETTLED[-1]))
    assert dump(copy) == before
    with copy.transaction() as connection:
        connection.execute("DELETE FROM outcome_revision WHERE NOT happened")
    rows = query(copy.path, "SELECT * FROM v_revision_impact")
    unknown = rows[rows["as_of_before"].isna()]
    assert len(rows) == 6 and len(unknown) == 4 and unknown["event_id"].isna().all() and unknown["happened_before"].isna().all()


def test_a_run_is_told_with_what_it_read_and_wrote(published):
    rows = query(published, "SELECT * FROM v_run").set_index("run_id")
    assert len(rows) == 67 and not rows.index.duplicated().any()
    good, bad, last = rows.loc["2023-11-22"], rows.loc["2023-11-24"], rows.loc["2024-01-26"]
    assert (good["state"], good["minutes"], good["forecasts"], good["recipes"], good["requests"], good["bytes_read"]) == (
        "success",
        4,
        2,
        2,
        2,
        200,
    )
    assert list(good["problems"]) == [] and (bad["state"], list(bad["problems"])) == ("partial", ["pull: a test"])
    assert (rows.loc["2023-11-21", "failed_requests"], good["failed_requests"]) == (1, 0), "a 404 is an answer, a 503 is none"
    assert last["state"] == "running" and pd.isna(last["minutes"]) and list(last["problems"]) == []


# What the recipes ask


def test_targets_are_noted_once_and_a_changed_one_is_another(store, recipes):
    recipe = recipes["tokyo-m45"]
    with store.transaction() as connection:
        assert note_targets(connection, recipes.values()) == len(recipes) and note_targets(connection, recipes.values()) == 0
        renamed = recipe.model_copy(update={"display_name": DisplayName({"en": "Edo"})})
        assert note_targets(connection, [renamed]) == 1
        wider = recipes["athens"].model_copy(update={"predict_radius_meters": 123_000.0})
        assert note_targets(connection, [wider.model_validate(wider.model_dump())]) == 1
    rows = table(store, "target")
    assert rows.query("recipe_id == 'tokyo-m45'")["display_name"].map(json.loads).map(lambda names: names["en"]).tolist() == ["Edo"]
    assert sorted(rows.query("recipe_id == 'athens'")["radius_km"]) == [123, 300]


def test_every_published_copy_holds_what_the_recipes_ask(store, settings, recipes):
    publish_copy(Job(settings, store, [recipes["athens"]], Clock.standing_at(datetime(2024, 1, 1, tzinfo=UTC)), "run"))
    row = one(settings.published, "SELECT * FROM target")
    assert (row["recipe_id"], row["time_zone"], row["threshold_mag"], row["radius_km"]) == ("athens", "Europe/Athens", 4.5, 300)
    assert (row["latitude_deg"], row["longitude_deg"], row["range_days"]) == (38, 23.7, 1)


# docs/QUERIES.md


def test_the_document_asks_ten_questions():
    assert list(QUESTIONS) == list(range(1, 11))


@pytest.mark.parametrize("number", range(1, 11))
def test_a_question_of_the_document_has_an_answer_of_the_shape_that_is_shown(published, number):
    _, sql, shown = QUESTIONS[number]
    frame = query(published, sql)
    assert re.split(r"\s{2,}", shown.splitlines()[0].strip()) == list(frame.columns) and len(frame) > 0
    assert len(shown.splitlines()) > 1, "the document shows rows"


def test_the_answers_are_those_of_the_toy_store(published):
    def answer(number: int) -> pd.DataFrame:
        return query(published, QUESTIONS[number][1])

    assert answer(1)["recipe_id"].tolist() == ["tokyo-m45", "niigata-m45"] and answer(1)["ratio"].tolist() == [1, 0.5]
    noto = answer(2).set_index(answer(2)["local_day"].dt.strftime("%m-%d"))
    assert len(noto) == 12 and noto["happened"].sum() == 2 and (noto.loc["01-02", "etas"], noto.loc["01-02", "published"]) == (5, 5)
    assert noto["hybrid"].isna().all() and noto.loc["01-01", "usual_percent"] == 1.25
    pooled = answer(3).query("mode == 'replay'").set_index("outcome_status")
    assert (pooled.loc["final", "days"], pooled.loc["final", "target_days"], pooled.loc["provisional", "days"]) == (42, 5, 88)
    kinds = answer(4)
    assert set(kinds["kind"]) == {"climatology", "etas"} and kinds["days"].nunique() == 1 and kinds["target_days"].tolist() == [9, 9]
    own = 42 + 88 + 1  # the last is the official one of 24 January
    assert answer(5)["days"].sum() == answer(6)["days"].sum() == own and answer(5)["observed"].sum() == 9
    assert answer(6).set_index("forecast").loc["3 twice and more", "target_days"] == 1
    assert answer(7).set_index("outcome_status").loc["final", "changed"] > 0
    turned = query(published, re.findall(r"^## 7\..*?```sql.*?```sql\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL)[0])
    assert turned["event_id"].tolist().count("shifted") == 1 and len(turned) == 5
    assert answer(8)["magnitude"].is_monotonic_decreasing and set(answer(8)["recipe_id"]) == {"niigata-m45", "tokyo-m45"}
    assert (answer(8)["km"] <= 150).all()
    assert answer(9)[["magnitude_from", "known_now", "known_then"]].to_numpy().tolist() == [[5.5, 1, 1]]
    assert answer(10)["runs"].sum() == 67 and answer(10)["partial"].sum() == 3 and answer(10)["failed_requests"].sum() == 34


def test_the_questions_have_answers_in_a_home_with_official_forecasts_too(home, tmp_path):
    store = Store(Path(shutil.copyfile(load_settings(home=home).database, tmp_path / "copy.duckdb")))
    with store.transaction() as connection:
        connection.execute("DELETE FROM forecast WHERE mode <> 'replay'")
        connection.execute("UPDATE forecast SET mode = 'prospective'; UPDATE score SET mode = 'prospective'")
    assert [number for number, (_, sql, _) in QUESTIONS.items() if query(store.path, sql).empty] == []


def test_the_weights_of_a_published_forecast_are_read_as_the_document_says(home, published, tmp_path):
    (sql,) = re.findall(r"How much each member counted.*?```sql\n(.*?)```", DOCUMENT, re.DOTALL)
    store = Store(Path(shutil.copyfile(load_settings(home=home).database, tmp_path / "copy.duckdb")))
    details = json.dumps({"how": "combination", "weights": {"etas": 0.25, "hybrid": 0.5}, "members": {"etas": "e-1", "hybrid": "h-1"}})
    with store.transaction() as connection:
        connection.execute("UPDATE forecast SET details = $1 WHERE forecast_id = 'niigata-m45-etas-2024-01-02'", [details])
    told = query(store.path, sql)
    assert told.to_numpy().tolist() == [["hybrid", 0.5, "h-1"], ["etas", 0.25, "e-1"]]
    assert query(published, sql).empty, "no weights, no rows"


def test_the_parquet_files_are_read_as_the_document_says(home, published, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli.main, ["export", "--parquet", "exported"], env={"QUAKECAST_HOME": str(home)})
    assert result.exit_code == 0, result.output
    (sql,) = re.findall(r"^## Parquet\n.*?```sql\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL)
    (copied,) = re.findall(r'published/quakecast.duckdb "(COPY .*)"', DOCUMENT)
    told = duckdb.connect().execute(sql).fetchall()
    assert {row[:2] for row in told} == {("replay", 2 * 2 * 67 + 1), ("prospective", 2), ("late", 1), ("hindcast", 1)}
    with duckdb.connect(str(published), read_only=True) as connection:
        connection.execute(copied)
    assert len(duckdb.sql("FROM 'v_forecast.parquet'").fetchall()) == 2 * 67 + 5


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_says_the_same_over_the_parquet_files(exported, published, view):
    with exported.transaction() as connection:
        over_files = connection.execute(f"SELECT * FROM {view} ORDER BY ALL").df()
    assert over_files.to_csv(float_format="%.6g") == query(published, f"SELECT * FROM {view} ORDER BY ALL").to_csv(float_format="%.6g")


# The notebook


def test_the_notebook_answers_three_questions_with_charts(home, published, monkeypatch):
    monkeypatch.setenv("QUAKECAST_HOME", str(home))
    _, made = load_script("docs/notebook.py").app.run()
    assert (made["mode"], made["method"], made["recipe"]) == ("replay", "daily", "niigata-m45")
    for name in ("gain_chart", "calibration_chart", "history_chart"):
        assert len(made[name].to_json()) > 1000
    total = query(published, "SELECT sum(information_gain) AS nats FROM v_scored WHERE mode = 'replay' AND model_kind = 'etas'")["nats"][0]
    assert made["gained"].query("model_kind == 'etas'")["nats"].iloc[-1] == pytest.approx(total)
    assert made["bins"]["days"].sum() == 42 + 88 and made["bins"]["observed"].sum() == 9
    assert len(made["said"]) == 67 and made["said"]["happened"].sum() == 2


@pytest.mark.parametrize("state", ["no copy", "nothing scored"])
def test_the_notebook_says_what_is_missing(store, settings, monkeypatch, state):
    monkeypatch.setenv("QUAKECAST_HOME", str(settings.home))
    if state == "nothing scored":
        publish(store, settings.published)
    outputs, made = load_script("docs/notebook.py").app.run()
    told = " ".join(output.text for output in outputs if output is not None and hasattr(output, "text"))
    assert ("There is no published copy at" if state == "no copy" else "No forecast has been scored yet") in told
    assert "gain_chart" not in made


# Reading while a run writes

WRITER = """
import sys
from pathlib import Path
from forecaster.store.database import Store
from forecaster.store.sharing.publish import publish

store, copy = Store(Path(sys.argv[1])), Path(sys.argv[2])
new = ("SELECT * REPLACE (forecast_id || $n AS forecast_id, target_start - to_days($n) AS target_start) FROM {} "
       "WHERE forecast_id = 'tokyo-m45-etas-2023-11-21'")
for n in range(1, 8):
    with store.transaction() as connection:
        connection.execute("INSERT INTO forecast " + new.format("forecast"), {"n": n})
        if n == 1:
            print("half written", flush=True)
            sys.stdin.readline()  # until the test has looked
        connection.execute("INSERT INTO score " + new.format("score"), {"n": n})
    publish(store, copy)
print("done")
"""
READER = """
import sys, time
from pathlib import Path
from forecaster.store.database import query

sql = '''SELECT (SELECT count(*) FROM forecast WHERE model_kind = 'etas' AND NOT in_sample AND target_start < '2023-11-20') AS forecasts,
    (SELECT count(*) FROM score JOIN forecast USING (forecast_id) WHERE model_kind = 'etas' AND NOT in_sample
        AND score.target_start < '2023-11-20') AS scores,
    (SELECT days FROM v_skill WHERE recipe_id = 'tokyo-m45' AND model_kind = 'etas' AND outcome_status = 'final') AS days'''
reads, seen, states, end = 0, 0, set(), time.monotonic() + 600
print("reading", flush=True)
while seen < 7 and time.monotonic() < end:
    row = query(Path(sys.argv[1]), sql).iloc[0]
    assert row["forecasts"] == row["scores"] == row["days"] - 21, row
    assert row["forecasts"] >= seen, "a reader never goes back in time"
    reads, seen = reads + 1, int(row["forecasts"])
    states.add(seen)
print(reads, len(states), seen)
"""


@pytest.mark.closed_files
def test_a_reader_meets_no_error_and_no_half_run_while_another_process_writes_and_publishes(home, tmp_path):
    store = Store(Path(shutil.copyfile(load_settings(home=home).database, tmp_path / "quakecast.duckdb")))
    copy = tmp_path / "published" / "quakecast.duckdb"
    publish(store, copy)
    reader = started(READER, copy)
    assert reader.stdout is not None and reader.stdout.readline() == "reading\n"
    writer = started(WRITER, store.path, copy)
    assert writer.stdout is not None and writer.stdout.readline() == "half written\n"
    with pytest.raises(StoreBusy), store.transaction(wait_s=0):
        pass
    for _ in range(3):
        assert (
            one(copy, "SELECT days FROM v_skill WHERE recipe_id = 'tokyo-m45' AND model_kind = 'etas' AND outcome_status = 'final'")["days"]
            == 21
        )
    ended(writer, "go on\n")
    out = ended(reader)
    reads, states, last = map(int, out.split())
    assert last == 7 and states >= 2 and reads >= states


# The JSON files of other programs


def test_every_schema_is_a_schema_and_is_named_in_the_document():
    folder = resources.files("forecaster.reports").joinpath("schemas")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".schema.json"))
    for name in names:
        schema = json.loads(folder.joinpath(name).read_text("utf-8"))
        Draft202012Validator.check_schema(schema)
        assert schema["$id"] and schema["title"] and schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert names == sorted(re.findall(r"`(\w+\.schema\.json)`", DOCUMENT))
