"""Forecasts: modes, the official one, as-of, no look-ahead. Rules are tested on toy catalogues, the rest on the bundled snapshot."""

from datetime import UTC, date, datetime, timedelta

import pandas as pd
import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.clock import Clock
from forecaster.errors import BadDate
from forecaster.pipeline.as_of.catalogue_history import load_known, read_history
from forecaster.pipeline.daily.issue_rows import forecasts_sha256
from forecaster.registry.reasons import Reason, ReasonKey, of_json, other
from forecaster.reports.render import render_report
from forecaster.store.forecasts import shown as stored
from forecaster.store.versions import catalogue
from tests.support import tiny
from tests.support.changed_recipes import without_models
from tests.support.steps import machine, predict, report_data, verify
from tests.support.toys import cover, dump, quake, quiet_years, table, write

NOW = datetime(2024, 1, 2, 12, tzinfo=UTC)  # 21:00 in Tokyo
DAY = date(2024, 1, 3)
START, END = datetime(2024, 1, 2, 15, tzinfo=UTC), datetime(2024, 1, 3, 15, tzinfo=UTC)  # that day in Tokyo
DUE = datetime(2024, 1, 2, 14, 30, tzinfo=UTC)  # 23:30 in Tokyo


@pytest.fixture
def toy(store):
    quiet_years(store, NOW)
    return store


@pytest.fixture(scope="module")
def tokyo(recipes):
    """Without models of its own: the usual rate, the recent rate and their combination are made."""
    return without_models(recipes["tokyo-m45"])


@pytest.fixture(scope="module")
def athens(recipes):
    return without_models(recipes["athens"])


KINDS = ("climatology", "recent_rate", "published")


def one_row(store) -> pd.Series:
    """The published row of the one issue."""
    rows = table(store, "forecast")
    assert sorted(rows["model_kind"]) == sorted(KINDS)
    ((_, row),) = rows[rows["published"]].iterrows()
    return row


@pytest.mark.parametrize(
    ("written_at", "simulated", "mode", "issue_time", "as_of"),
    [
        (NOW, False, "prospective", NOW, NOW),
        (DUE + timedelta(minutes=15), False, "prospective", DUE + timedelta(minutes=15), DUE),
        (START - timedelta(microseconds=1), False, "prospective", START - timedelta(microseconds=1), DUE),
        (START, False, "late", START, DUE),
        (END - timedelta(microseconds=1), False, "late", END - timedelta(microseconds=1), DUE),
        (END, False, "hindcast", DUE, DUE),
        (NOW, True, "replay", NOW, NOW),
        (END, True, "replay", END, DUE),
    ],
)
def test_the_mode_is_told_by_the_clock_at_writing_and_inputs_end_by_the_issue_lead(
    toy, tokyo, settings, written_at, simulated, mode, issue_time, as_of
):
    predict(toy, [tokyo], settings, Clock(lambda: written_at, simulated), target_day=DAY)
    row = one_row(toy)
    assert (row["mode"], row["issue_time"], row["as_of"], row["created_at"]) == (mode, issue_time, as_of, written_at)
    assert row["official"] == (mode == "prospective")
    assert (row["target_start"], row["target_end"]) == (START, END)
    assert (row["recipe_hash"], row["target_hash"]) == (tokyo.recipe_hash, tokyo.target_hash)


def test_a_day_that_begins_while_its_forecast_is_made_gets_a_late_one(toy, tokyo, settings):
    """Begun a second before local midnight, written five seconds after: not the official forecast of a day that had begun."""
    moment = [START - timedelta(seconds=1)]
    made = predict(
        toy, [tokyo], settings, Clock(lambda: moment[0], False), on_progress=lambda _: moment.append(moment.pop() + timedelta(seconds=6))
    )
    row, written_at = one_row(toy), START + timedelta(seconds=5)
    assert (row["mode"], row["official"], row["issue_time"], row["created_at"], row["as_of"]) == (
        "late",
        False,
        written_at,
        written_at,
        DUE,
    )
    assert sorted(made.forecast_ids) == sorted(table(toy, "forecast")["forecast_id"]) and row["model_kind"] == "published"


def test_the_reference_is_the_posterior_mean_worked_by_hand(toy, tokyo, settings):
    """Coverage from 2021-01-01 UTC: the first local day whole is 01-02, and 15 days of inputs make 2021-01-17 the first target day.
    Final by 2024-01-02 12:00Z are days that ended by 2023-11-18 12:00Z: local days to 2023-11-17. That is 1035 days with 2 target days.
    q = 2.5 / 1036, P = (2 + 365.25 q) / (1035 + 365.25)."""
    assert (date(2023, 11, 17) - date(2021, 1, 17)).days + 1 == 1035
    predict(toy, [tokyo], settings, machine(NOW))
    rate = (2 + 365.25 * 2.5 / 1036) / (1035 + 365.25)
    assert one_row(toy)["reference_probability"] == pytest.approx(rate, rel=1e-12)
    rows = table(toy, "forecast").set_index("model_kind")
    assert rows.loc["climatology", "probability"] == pytest.approx(rate, rel=1e-12)


def test_the_first_prospective_issue_is_official_and_stays(toy, tokyo, settings):
    first = predict(toy, [tokyo], settings, machine(NOW))
    before = dump(toy, "event_revision", "event_id_map")
    write(toy, *(quake(f"us9{day}", datetime(2023, 7, day, tzinfo=UTC)) for day in range(1, 20)))
    again = predict(toy, [tokyo], settings, machine(NOW + timedelta(hours=1)))
    assert sorted(again.forecast_ids) == sorted(first.forecast_ids)
    assert (first.kept, again.kept) == ({}, {tokyo.id: NOW})
    assert dump(toy, "event_revision", "event_id_map") == before


def test_a_reissue_is_a_new_row_and_only_the_official_one_is_scored(toy, tokyo, settings):
    official = predict(toy, [tokyo], settings, machine(NOW)).forecast_ids
    first = one_row(toy)["forecast_id"]
    write(toy, *(quake(f"us9{day}", datetime(2023, 7, day, tzinfo=UTC)) for day in range(1, 20)))
    again = predict(toy, [tokyo], settings, machine(NOW + timedelta(hours=1)), reissue=True).forecast_ids
    rows = table(toy, "forecast").set_index("forecast_id")
    assert rows["official"].to_dict() == dict.fromkeys(official, True) | dict.fromkeys(again, False)
    (second,) = [name for name in again if rows.loc[name, "published"]]
    assert rows.loc[second, "supersedes"] == first and pd.isna(rows.loc[first, "supersedes"])
    assert rows.loc[second, "probability"] > rows.loc[first, "probability"]
    later = predict(toy, [tokyo], settings, machine(NOW + timedelta(hours=2)))
    assert sorted(later.forecast_ids) == sorted(again), "what was said last is shown"
    assert later.kept == {tokyo.id: NOW + timedelta(hours=1)} and len(table(toy, "forecast")) == len(rows)
    cover(toy, END + timedelta(days=2))
    verify(toy, [tokyo], machine(END + timedelta(days=2)))
    assert sorted(table(toy, "score")["forecast_id"]) == sorted(official)


def test_two_processes_at_once_make_one_official_forecast(toy, tokyo, settings):
    """The other process writes after ours has looked for an official issue, and before ours writes."""
    other: list[str] = []

    def meanwhile(_recipe_id: str) -> None:
        other.extend(predict(toy, [tokyo], settings, machine(NOW + timedelta(seconds=1))).forecast_ids)

    ours = predict(toy, [tokyo], settings, machine(NOW), on_progress=meanwhile)
    assert sorted(ours.forecast_ids) == sorted(other)
    assert table(toy, "forecast")["official"].tolist() == [True] * len(KINDS)


@pytest.mark.parametrize("simulated", [True, False])
def test_predicting_twice_at_the_same_moment_changes_nothing(toy, tokyo, athens, settings, simulated):
    chosen, clock = [tokyo, athens], Clock(lambda: NOW, simulated)
    first = predict(toy, chosen, settings, clock)
    before = dump(toy)
    assert sorted(predict(toy, chosen, settings, clock).forecast_ids) == sorted(first.forecast_ids)
    assert dump(toy) == before


@pytest.mark.parametrize("clock", [Clock.standing_at(NOW), machine(END), machine(NOW)])
def test_a_changed_recipe_gets_a_forecast_of_its_own(toy, tokyo, settings, clock):
    """Hindcasts and replays have the same issue time each time: the old recipe's row must not be handed out as the new one's."""
    old = predict(toy, [tokyo], settings, clock, target_day=DAY).forecast_ids
    wider = tokyo.model_copy(update={"predict_radius_meters": 300_000.0})
    wider = type(tokyo).model_validate(wider.model_dump())
    new = predict(toy, [wider], settings, clock, target_day=DAY).forecast_ids
    rows = table(toy, "forecast").set_index("forecast_id")
    assert set(old).isdisjoint(new) and len(rows) == 2 * len(KINDS)
    assert set(rows.loc[new, "target_hash"]) == {wider.target_hash}
    assert rows["supersedes"].isna().all(), "another target supersedes nothing"


def test_a_simulated_clock_never_makes_an_official_forecast(toy, tokyo, settings):
    predict(toy, [tokyo], settings, Clock.standing_at(NOW))
    predict(toy, [tokyo], settings, machine(NOW + timedelta(minutes=1)))
    found = table(toy, "forecast").groupby("mode")["official"].agg(["sum", "count"])
    assert found.T.to_dict("list") == {"prospective": [len(KINDS)] * 2, "replay": [0, len(KINDS)]}


def test_old_data_and_a_failed_pull_mark_the_forecast(store, tokyo, settings):
    cover(store, NOW - timedelta(hours=25))
    result = predict(store, [tokyo], settings, machine(NOW), problems=(other("USGS could not be read"),))
    row = one_row(store)
    assert row["degraded"] and row["data_age_hours"] == 25
    assert row["degraded_reason"] == result.degraded["tokyo-m45"] == "USGS could not be read; the catalogue is 25 hours old"
    reasons = (other("USGS could not be read"), Reason(ReasonKey.OLD, {"age_hours": 25.0}))
    assert of_json(row["degraded_reasons"]) == reasons
    assert report_data(store, [tokyo], machine(NOW)).recipes[0].degraded_reasons == reasons


def test_a_row_of_an_older_schema_keeps_its_english_text_and_is_told_in_japanese(store, tokyo, settings):
    cover(store, NOW - timedelta(hours=25))
    predict(store, [tokyo], settings, machine(NOW))
    new = report_data(store, [tokyo], machine(NOW))
    sha256 = forecasts_sha256(table(store, "forecast").drop(columns="degraded_reasons").to_dict("records"))
    with store.transaction() as connection:
        connection.execute("UPDATE forecast SET degraded_reasons = NULL")
    old = report_data(store, [tokyo], machine(NOW))
    (before,), (after,) = new.recipes, old.recipes
    assert (after.degraded_reason, after.degraded_reasons) == (before.degraded_reason, ()) and before.degraded_reasons != ()
    for report in (new, old):
        assert "地震データが25時間前のものです" in render_report(report, "ja")
    assert forecasts_sha256(table(store, "forecast").to_dict("records")) == sha256, "an older row has the hash that it had"


def test_data_of_today_are_not_degraded(toy, tokyo, settings):
    assert predict(toy, [tokyo], settings, machine(NOW + timedelta(hours=2))).degraded == {}
    assert not one_row(toy)["degraded"]


@pytest.mark.parametrize("day", [date(1972, 12, 31), date(2024, 1, 10), date.max, date.min])
def test_a_day_before_the_data_or_too_far_ahead_stores_nothing(toy, tokyo, athens, settings, day):
    before = dump(toy)
    with pytest.raises(BadDate) as error:
        predict(toy, [athens, tokyo], settings, machine(NOW), target_day=day)
    assert "\n" not in str(error.value) and str(day) in str(error.value)
    assert dump(toy) == before


def test_no_forecast_without_a_year_of_final_outcomes(store, tokyo, settings):
    cover(store, NOW, start=NOW - timedelta(days=400))
    result = predict(store, [tokyo], settings, machine(NOW))
    assert result.forecast_ids == [] and "at least 365" in result.not_scoreable["tokyo-m45"]


def test_the_checksum_changes_with_every_field_but_the_run(toy, tokyo, athens, settings):
    predict(toy, [tokyo, athens], settings, machine(NOW))
    rows = table(toy, "forecast").to_dict("records")
    told = forecasts_sha256(rows)
    assert forecasts_sha256(rows[::-1]) == told, "the order in which they were read plays no part"
    for name, value in rows[0].items():
        if name == "run_id":
            continue
        other = value + timedelta(seconds=1) if isinstance(value, datetime) else not value if isinstance(value, bool) else f"{value}x"
        other = value + 1e-15 if isinstance(value, float) and value == value else other
        assert forecasts_sha256([{**rows[0], name: other}, *rows[1:]]) != told, name
    assert forecasts_sha256(rows[:1]) != told


FEW = ("niigata", "niigata-m45", "tokyo", "wellington")


@pytest.mark.timeout(900)  # all of them: about a minute of work, on cores that others use, too
@pytest.mark.parametrize("names", [FEW, pytest.param((), marks=pytest.mark.slow)], ids=["few", "all"])
def test_every_recipe_but_niigata_is_forecast_from_the_snapshot_without_seeing_the_future(snapshot_store, recipes, settings, names):
    """The full snapshot holds rows to 2024-12-31. Without all rows of later origin, and without all rows that became known later, the
    catalogue as known and the forecasts at 2024-01-02 12:00Z are the same to the last bit: those of every member, and what is published.

    Nothing has been trained: each of them needs no fit."""
    assert len(recipes) == 29
    chosen = [recipes[name] for name in names or recipes]
    result = predict(snapshot_store, chosen, settings, Clock.standing_at(NOW))
    assert result.not_scoreable == {"niigata": "not scoreable: catalogue starts at M 3.5"}
    told = table(snapshot_store, "forecast").drop(columns="created_at")
    said = told[told["published"]]
    asked = {recipe.id for recipe in chosen}
    assert sorted(said["recipe_id"]) == sorted(asked - {"niigata"}) and set(said["model_kind"]) == {"published"}
    assert set(told["model_kind"]) == {"climatology", "recent_rate", "etas", "pooled", "hybrid", "regional", "cells", "published"}
    large = {recipe.id for recipe in chosen if recipe.threshold_mag >= 4.5}
    for kind, speakers in (*((kind, asked) for kind in ("etas", "pooled", "hybrid", "regional")), ("cells", large)):
        assert set(told.loc[told["model_kind"] == kind, "recipe_id"]) == speakers - {"niigata"}, kind
    assert set(told["mode"]) == {"replay"} and not told["official"].any() and not told["degraded"].any()
    rates = told[told["model_kind"] == "climatology"]
    assert rates["probability"].between(0.001, 0.5).all(), "rates of SCIENCE.md's circles: 25 to 1000 target days in seven years"
    assert told["probability"].between(1e-7, 1 - 1e-7).all()
    noto = said.set_index("recipe_id").loc["niigata-m45"]  # M7.5 of 2024-01-01 07:10Z, within its circle
    assert noto["probability"] > 5 * noto["reference_probability"]
    everything = load_known(snapshot_store, NOW)
    assert everything.frame["origin_time"].max() > NOW - timedelta(hours=12), "new events known by then are in"
    with snapshot_store.transaction() as connection:
        connection.execute("DELETE FROM forecast")
        for cut, least in (("origin_time >= $now", 7000), ("known_at > $now", 50)):
            assert len(connection.execute(f"DELETE FROM event_revision WHERE {cut} RETURNING 1", {"now": NOW}).df()) > least
    pd.testing.assert_frame_equal(load_known(snapshot_store, NOW).frame, everything.frame, check_exact=True)
    predict(snapshot_store, [recipes[recipe_id] for recipe_id in FEW], settings, Clock.standing_at(NOW))
    again = table(snapshot_store, "forecast").drop(columns="created_at")
    pd.testing.assert_frame_equal(again, told[told["recipe_id"].isin(FEW)].reset_index(drop=True), check_exact=True)


def test_an_event_enters_when_it_became_known_not_when_it_happened(toy):
    write(toy, quake("us3", NOW - timedelta(days=3), known=NOW + timedelta(days=20)), quake("us4", NOW - timedelta(days=3), known=NOW))
    assert len(load_known(toy, NOW).events) == 3
    assert len(load_known(toy, NOW + timedelta(days=20)).events) == 4


def test_an_official_issue_that_comes_in_between_is_all_that_there_is(toy, tokyo, settings, monkeypatch):
    """Another process writes after ours has looked what stands, and before it makes anything: ours adds no row beside the official ones."""
    other: list[str] = []

    def meanwhile(store):
        monkeypatch.undo()
        other.extend(predict(toy, [tokyo], settings, machine(NOW + timedelta(seconds=1))).forecast_ids)
        return read_history(store)

    monkeypatch.setattr("forecaster.pipeline.daily.predict.read_history", meanwhile)
    ours = predict(toy, [tokyo], settings, machine(NOW))
    rows = table(toy, "forecast")
    assert sorted(ours.forecast_ids) == sorted(other) == sorted(rows["forecast_id"])
    assert rows["official"].all() and rows["published"].sum() == 1


@pytest.mark.parametrize("first", [NOW, START])
def test_a_day_that_has_begun_keeps_the_forecast_it_has(toy, tokyo, settings, first):
    """Official or late: all inputs of a later one would end at the same moment, the issue lead before the day."""
    made = predict(toy, [tokyo], settings, machine(first), target_day=DAY)
    again = predict(toy, [tokyo], settings, machine(START + timedelta(hours=3)), target_day=DAY)
    assert sorted(again.forecast_ids) == sorted(made.forecast_ids) == sorted(table(toy, "forecast")["forecast_id"])
    anew = predict(toy, [tokyo], settings, machine(START + timedelta(hours=3)), target_day=DAY, reissue=True)
    assert set(anew.forecast_ids).isdisjoint(made.forecast_ids) and table(toy, "forecast")["published"].sum() == 2


def test_the_official_forecast_stands_where_ours_has_become_late_meanwhile(toy, tokyo, settings):
    moment, official = [START - timedelta(seconds=1)], []

    def meanwhile(_recipe_id: str) -> None:
        official.extend(predict(toy, [tokyo], settings, machine(START - timedelta(seconds=1))).forecast_ids)
        moment[0] = START + timedelta(seconds=5)

    ours = predict(toy, [tokyo], settings, Clock(lambda: moment[0], False), on_progress=meanwhile)
    assert sorted(ours.forecast_ids) == sorted(official) == sorted(table(toy, "forecast")["forecast_id"])
    assert set(table(toy, "forecast")["mode"]) == {"prospective"}


@pytest.mark.parametrize(
    ("age", "official"), [(timedelta(days=7), True), (timedelta(days=7, hours=1), False), (timedelta(days=200), False)]
)
def test_from_a_catalogue_of_more_than_a_week_nothing_is_official(store, tokyo, settings, age, official):
    cover(store, NOW - age)
    result = predict(store, [tokyo], settings, machine(NOW))
    row = one_row(store)
    assert table(store, "forecast")["official"].eq(official).all() and row["degraded"]
    assert result.degraded["tokyo-m45"].endswith("; so this is no official forecast") is not official
    assert official or row["probability"] == pytest.approx(row["reference_probability"], rel=1e-9), "the usual rate"


def answered(store, run_id: str, *answers: tuple[datetime, float, datetime | None], status: int = 200) -> None:
    """Requests of a reading: (asked at by our clock, seconds that it took, the service's Date)."""
    rows = [{"requested_at": asked, "url": "x", "status": status, "elapsed_s": took, "service_date": said} for asked, took, said in answers]
    with store.transaction() as connection:
        catalogue.write_fetch_log(connection, rows, run_id)


HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([(NOW, 1, NOW)], None),
        ([], None),
        ([(NOW, 1, None)], None),
        ([(NOW, 1, NOW + 5 * MINUTE)], None),
        ([(NOW, 1, NOW + 6 * HOUR)], "6.0 hours behind that of USGS"),
        ([(NOW, 1, NOW - 6 * HOUR)], "6.0 hours ahead of that of USGS"),
        ([(NOW, 1, NOW + 6 * MINUTE)], "6 minutes behind"),
        ([(NOW, 1, NOW - 7 * MINUTE)], "7 minutes ahead of"),
        ([(NOW - HOUR, 20 * 60, NOW - HOUR + 20 * MINUTE)], None),
        ([(NOW - HOUR, 20 * 60, NOW - HOUR)], None),
        ([(NOW - 37 * HOUR, 1, NOW)], None),
        ([(NOW - 20 * HOUR, 1, NOW - 14 * HOUR)], "6.0 hours behind"),
        ([(NOW, 1, NOW), (NOW, 1, NOW + 900 * HOUR), (NOW, 1, NOW)], None),
        ([(NOW + HOUR, 1, NOW + HOUR)], "60 minutes behind"),
        ([(NOW, 1, NOW + 100 * 24 * HOUR)], "100 days behind"),
    ],
    ids=[
        "right",
        "never asked",
        "a Date is missing",
        "within the limit",
        "behind by hours",
        "ahead by hours",
        "behind by minutes",
        "ahead by minutes",
        "answered at the end of a long request",
        "answered at its beginning",
        "long ago",
        "yesterday",
        "one wrong answer of three",
        "set back since",
        "behind by months",
    ],
)
def test_a_clock_that_the_service_contradicts_makes_nothing_official(toy, tokyo, settings, answers, told):
    """Also in a later process: what is compared is the last reading in the log of requests."""
    answered(toy, "reading", *answers)
    result = predict(toy, [tokyo], settings, machine(NOW))
    rows = table(toy, "forecast")
    assert rows["official"].eq(told is None).all() and rows["degraded"].eq(told is not None).all()
    if told is not None:
        reason = result.degraded["tokyo-m45"]
        assert told in reason and "NTP" in reason and "quakecast pull" in reason and reason.endswith("; so this is no official forecast")
        assert "\n" not in reason


def test_the_last_reading_counts_whatever_our_clock_said_of_it(toy, tokyo, settings):
    """Six hours ahead at first; then the clock is set right, and read again. A refusal, or a failed answer, proves nothing."""
    answered(toy, "first", (NOW + 6 * HOUR, 1, NOW))
    assert predict(toy, [tokyo], settings, machine(NOW)).degraded
    answered(toy, "second", (NOW + MINUTE, 1, NOW + MINUTE))
    answered(toy, "third", (NOW + 2 * MINUTE, 1, NOW + 9 * HOUR), status=503)
    made = predict(toy, [tokyo], settings, machine(NOW + 3 * MINUTE))
    rows = table(toy, "forecast").set_index("forecast_id")
    assert made.degraded == {} and rows.loc[made.forecast_ids, "official"].all() and rows["official"].sum() == len(KINDS)
    with toy.transaction() as connection:
        (shown,) = [row["forecast_id"] for row in stored.latest_published(connection, NOW + 7 * HOUR, [tokyo.target_hash])]
    assert shown in made.forecast_ids, "not the one that calls itself later"


def test_an_unofficial_forecast_of_the_next_day_is_shown_with_its_reason_and_a_look_ahead_is_not(toy, tokyo, settings):
    answered(toy, "reading", (NOW, 1, NOW + 6 * HOUR))
    predict(toy, [tokyo], settings, machine(NOW), target_day=DAY + timedelta(days=2))
    predict(toy, [tokyo], settings, machine(NOW))
    with toy.transaction() as connection:
        (shown,) = stored.latest_published(connection, NOW, [tokyo.target_hash])
        connection.execute("DELETE FROM forecast WHERE target_start = $start", {"start": START})
        assert stored.latest_published(connection, NOW, [tokyo.target_hash]) == []
    assert shown["target_start"] == START and "behind that of USGS" in shown["degraded_reason"] and not shown["official"]


def test_a_replay_is_not_measured_by_the_service_s_clock(toy, tokyo, settings):
    answered(toy, "reading", (NOW, 1, NOW + 6 * HOUR))
    assert predict(toy, [tokyo], settings, Clock.standing_at(NOW)).degraded == {}


def test_predict_on_the_snapshot_alone_says_in_a_line_that_nothing_is_official(snapshot_store, recipes, settings):
    """By the machine's own clock, with all recipes but two left out: the catalogue ended long ago."""
    some = settings.home / "recipes"
    some.mkdir()
    for name in ("tokyo-m45", "athens"):
        tiny.write_recipe(some, name, models="[]")
    found = CliRunner().invoke(
        cli.main, ["--home", str(settings.home), "predict"], env={"QUAKECAST_RECIPES": str(some)}, catch_exceptions=False
    )
    assert found.exit_code == 3
    (line,) = found.stderr.splitlines()
    assert line.startswith("quakecast: ") and line.endswith("the usual rate is published; so this is no official forecast")
    assert "athens, tokyo-m45: the catalogue is " in line and "has not been read since 2025-01-01 00:00Z" in line
    rows = table(snapshot_store, "forecast")
    assert not rows["official"].any() and rows["published"].sum() == 2
