"""What the page claims: order, headline, caution, skill. The rules are SCIENCE.md's (Models, Words)."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from forecaster.registry.weights_origin import WeightsFrom
from forecaster.reports.content.context import map_targets, report_context
from forecaster.reports.content.contract import (
    DayOutcome,
    Evaluation,
    ModelForecast,
    PooledSkill,
    RecentEvent,
    RecipeForecast,
    ReportData,
    ResolvedOutcome,
    TrackRecord,
)
from forecaster.reports.texts import day_writer
from tests.support.sample_report import sample_report

START = datetime(2024, 1, 2, 15, tzinfo=UTC)  # midnight of 3 January in Japan
EMPTY = ReportData("r", datetime(2024, 1, 2, 12, tzinfo=UTC))


def forecast(recipe_id: str, probability: float | None, usual: float | None, **fields: object) -> RecipeForecast:
    base = RecipeForecast(
        recipe_id,
        {"en": recipe_id.title(), "ja": "都市"},
        35.0,
        139.0,
        150.0,
        4.5,
        "Asia/Tokyo",
        START,
        START + timedelta(days=1),
        probability,
        usual,
        "prospective",
    )
    return replace(base, official=True, **fields)  # type: ignore[arg-type]


def context_of(*recipes: RecipeForecast, language: str = "en", **fields: object) -> dict:
    return report_context(replace(EMPTY, recipes=recipes, **fields), language, day_writer(language))  # type: ignore[arg-type]


def test_rows_go_by_ratio_and_unknown_ones_come_last() -> None:
    context = context_of(forecast("low", 0.3, 0.3), forecast("none", None, 0.3), forecast("high", 0.06, 0.02), forecast("middle", 0.2, 0.1))
    assert [row["id"] for row in context["rows"]] == ["high", "middle", "low", "none"]
    assert [row["number"] for row in context["rows"]] == [1, 2, 3, 4]


def test_the_headline_is_the_highest_ratio_not_the_highest_probability() -> None:
    headline = context_of(forecast("big", 0.40, 0.38), forecast("raised", 0.12, 0.039))["headline"]
    assert headline.key == "headline.above"
    assert (headline.values["name"], headline.values["ratio"]) == ("Raised", "3.1")  # 0.12 / 0.039 = 3.08


def test_a_recipe_kept_for_comparison_makes_no_headline() -> None:
    context = context_of(forecast("old", 0.5, 0.01, comparison_only="as it was"), forecast("new", 0.02, 0.02))
    assert context["headline"].key == "headline.usual_one"
    assert [row["id"] for row in context["comparison_rows"]] == ["old"]


@pytest.mark.parametrize(
    ("recipes", "key"), [((), "headline.none"), ((("a", None, 0.1),), "headline.unknown"), ((("a", 0.12, 0.1),), "headline.usual_one")]
)
def test_quiet_and_empty_days_say_so(recipes: tuple, key: str) -> None:
    context = context_of(*[forecast(*item) for item in recipes])
    assert context["headline"].key == key
    assert (context["lede"] is not None) == (key == "headline.usual_one")


def test_the_quiet_days_sentence_counts_only_regions_with_a_figure() -> None:
    lede = context_of(forecast("a", 0.1, 0.1), forecast("b", None, 0.1))["lede"]
    assert (lede.key, lede.values["count"]) == ("lede.usual", 1)


def test_the_window_is_the_recipes_local_day_with_zone_and_offset() -> None:
    row = context_of(forecast("a", 0.1, 0.1))["rows"][0]
    assert (row["day"], row["last_day"], row["starts"], row["ends"]) == ("Wed 3 Jan 2024", None, "3 Jan 2024, 00:00", "4 Jan 2024, 00:00")
    assert (row["zone"], row["offset"]) == ("Japan Time", "UTC+09:00")


COMBINED: dict = {"model_kind": "published", "weights": {"etas": 0.44, "hybrid": 0.56}, "weights_source": "combination-2014-12-31"}
POOLED = PooledSkill(0.112, 0.07, 0.158, 4321)


def judged(evaluation: Evaluation | None, kind: str = "etas", chosen: bool = True) -> dict:
    """Fields of a forecast where a person chose one judged model alone, or nothing but the usual rate counts."""
    models = (ModelForecast("published", 0.1, True), ModelForecast(kind, 0.1, evaluation=evaluation))
    if not chosen:
        return {"model_kind": "climatology", "models": models}
    return {"model_kind": "published", "weights": {kind: 1.0}, "weights_source": "person", "models": models}


def test_a_chosen_model_without_shown_skill_in_the_headline_is_said_to_be_so() -> None:
    proven = Evaluation(information_gain=0.05, low=0.01, high=0.09)
    assert context_of(forecast("a", 0.2, 0.1, model_kind="hybrid"))["cautions"][0].key == "caution.unproven"
    assert context_of(forecast("a", 0.2, 0.1, **judged(replace(proven, low=-0.01))))["cautions"][0].key == "caution.unproven"
    assert context_of(forecast("a", 0.2, 0.1, **judged(proven)))["cautions"] == []
    three = [forecast(name, p, 0.1, **judged(proven if name == "b" else None)) for name, p in (("a", 0.5), ("b", 0.4), ("c", 0.3))]
    assert context_of(*three)["cautions"][0].values == {"name": ("A", "C")}  # each region that the top names, not the first alone


@pytest.mark.parametrize(
    ("skill", "key"),
    [(POOLED, "caution.trust"), (replace(POOLED, low=-0.01), "caution.trust_unproven"), (None, "caution.trust_unmeasured")],
)
def test_the_combination_in_the_headline_says_how_far_it_may_be_trusted(skill: PooledSkill | None, key: str) -> None:
    """Its skill is shown on days of all circles, not by the tests of its members on one place."""
    unproven = ModelForecast("etas", 0.2, evaluation=Evaluation(0.01, -0.1, 0.1))
    cautions = context_of(forecast("a", 0.2, 0.1, **COMBINED, models=(unproven,)), pooled_skill=skill)["cautions"]
    assert [caution.key for caution in cautions] == [key]
    if skill == POOLED:
        assert cautions[0].values == {"gain": "+0.112", "low": "+0.070", "high": "+0.158", "days": 4321}
    assert context_of(forecast("a", 0.1, 0.1, **COMBINED), pooled_skill=skill)["cautions"] == []  # nothing is raised


MODELS = (
    ModelForecast("climatology", 0.1),
    ModelForecast("etas", 0.12, evaluation=Evaluation(0.05, -0.01, 0.1), expected_count=0.131, count_low=0, count_high=2),
    ModelForecast("hybrid", 0.15, evaluation=Evaluation(0.03, -0.01, 0.1)),
    ModelForecast("oracle", None),
    ModelForecast("published", 0.14, True, expected_count=0.151, count_low=0, count_high=3),
)


def test_every_model_is_listed_with_what_it_says_and_how_much_it_counts_the_combination_first() -> None:
    row = context_of(forecast("a", 0.14, 0.1, **COMBINED, models=MODELS))["rows"][0]
    assert [model["kind"] for model in row["models"]] == ["published", "hybrid", "etas", "oracle", "climatology"]
    assert [model["published"] for model in row["models"]] == [True, False, False, False, False]
    assert [model["weight"] for model in row["models"]] == [None, "56", "44", None, None]
    assert (row["models"][2]["count"], row["models"][2]["count_high"], row["models"][3]["name"].key) == ("0.13", 2, "model.other")
    assert row["expected"] == {"count": "0.15", "low": 0, "high": 3}
    assert (row["made_from"].key, row["made_from"].values) == ("combined.count", {"count": 2})
    assert (row["evaluation"]["kind"], row["evaluation"]["weight"]) == ("hybrid", "56")  # it counts most, whatever the others gained


def test_a_region_s_network_that_was_not_moved_has_no_line_of_its_own() -> None:
    """Mutation seen to fail: leaving its weight out of the hybrid's."""
    regional = ModelForecast("regional", 0.15)
    weights = {"weights": {"hybrid": 0.5, "etas": 0.44, "regional": 0.06}}
    row = context_of(forecast("a", 0.14, 0.1, **(COMBINED | weights), models=(*MODELS, regional)))["rows"][0]
    assert [(model["kind"], model["weight"]) for model in row["models"][:3]] == [("published", None), ("hybrid", "56"), ("etas", "44")]
    moved = replace(regional, probability=0.16)
    row = context_of(forecast("a", 0.14, 0.1, **(COMBINED | weights), models=(*MODELS, moved)))["rows"][0]
    assert ("regional", "6") in [(model["kind"], model["weight"]) for model in row["models"]]


def test_where_nothing_but_the_usual_rate_counts_it_is_what_is_shown() -> None:
    models = tuple(replace(model, probability=0.1) if model.published else model for model in MODELS)
    row = context_of(forecast("a", 0.1, 0.1, model_kind="climatology", models=models))["rows"][0]
    assert (row["models"][0]["kind"], row["models"][0]["published"]) == ("climatology", True)
    assert "published" not in [model["kind"] for model in row["models"]] and row["said"].key == "region.said_usual"
    assert (row["evaluation"]["kind"], row["evaluation"]["weight"]) == ("etas", None)  # the best of those that were tested


def test_where_a_person_chose_one_model_it_is_what_is_shown() -> None:
    chosen = {"model_kind": "published", "weights": {"hybrid": 1.0}, "weights_source": "person"}
    row = context_of(forecast("a", 0.15, 0.1, **chosen, models=MODELS))["rows"][0]
    assert [(model["kind"], model["weight"]) for model in row["models"] if model["published"]] == [("hybrid", None)]
    assert (row["model"].key, row["made_how"].key, row["combined"]) == ("model.hybrid", "combined.chosen", False)


@pytest.mark.parametrize(
    ("fields", "key", "source"),
    [
        ({}, "made", "package"),
        ({"weights_source": "mean"}, "made", "mean"),
        ({"weights_source": "world 3"}, "made", "world"),
        ({"weights_source": "a 2"}, "made", "own"),
        ({"weights_source": None}, "made", "unknown"),
        ({"weights_source": "set 7 of some later version", "weights_from": WeightsFrom("package", date(2014, 12, 31))}, "made", "package"),
        ({"weights_source": "x", "weights_from": WeightsFrom("world")}, "made", "world"),
        ({"model_kind": "climatology", "weights": {}, "weights_source": "x", "weights_from": WeightsFrom("own")}, "rate_learnt", None),
        ({"model_kind": "etas", "weights": {}}, "one", None),
        ({"model_kind": "climatology", "weights": {}, "weights_source": "person"}, "rate_chosen", None),
        ({"model_kind": "climatology", "weights": {}, "weights_source": "a 2"}, "rate_learnt", None),
        (
            {"model_kind": "climatology", "weights": {}, "weights_source": "a 2", "degraded_reason": "without etas: lost"},
            "rate_silent",
            None,
        ),
        ({"model_kind": "climatology", "weights": {}, "weights_source": None}, "rate_alone", None),
    ],
)
def test_it_is_said_what_a_figure_is_combined_from_and_where_the_weights_come_from(fields: dict, key: str, source: str | None) -> None:
    how = context_of(forecast("a", 0.2, 0.1, **{**COMBINED, **fields}))["rows"][0]["made_how"]
    assert how.key == f"combined.{key}"
    if source is not None:
        assert how.values["source"].key == f"combined.source_{source}"
        assert [(part.values["model"].key, part.values["weight"]) for part in how.values["members"]] == [
            ("model.hybrid", "56"),
            ("model.etas", "44"),
        ]
    if source == "package":
        assert how.values["source"].values == {"day": "Wed 31 Dec 2014"}


def test_the_last_days_of_the_headlines_place_show_the_rise_and_what_came() -> None:
    days = [(0.03, False), (0.02, True), (0.4, None)]
    outcomes = tuple(DayOutcome(date(2024, 1, day), p, came, "provisional", 0.02, 7.5) for day, (p, came) in enumerate(days, 1))
    last = context_of(forecast("a", 0.4, 0.02, **COMBINED, recent_outcomes=outcomes[:2], open_outcomes=outcomes[2:]))["headline_days"]
    assert [(day["day"], day["ratio"], day["result"].key) for day in last] == [
        ("Mon 1 Jan 2024", "1.5", "check.no"),
        ("Tue 2 Jan 2024", "1.0", "check.yes_magnitude"),
        ("Wed 3 Jan 2024", "20", "history.key_open"),
    ]
    assert context_of(forecast("a", 0.02, 0.02, **COMBINED, recent_outcomes=outcomes))["headline_days"] == []


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(0.01, 0.2, "better"), (-0.01, 0.2, "no_difference"), (-0.2, -0.01, "worse"), (None, 0.2, "unknown"), (0.0, 0.2, "no_difference")],
)
def test_skill_is_claimed_only_with_the_whole_interval_above_zero(low: float | None, high: float, verdict: str) -> None:
    row = context_of(forecast("a", 0.1, 0.1, **judged(Evaluation(0.1, low, high))))["rows"][0]
    assert row["evaluation"]["verdict"].key == f"verdict.{verdict}"


def test_when_nothing_beats_the_usual_rate_the_page_says_it() -> None:
    nothing, good = Evaluation(0.01, -0.1, 0.1), Evaluation(0.2, 0.1, 0.3)
    assert context_of(forecast("a", 0.1, 0.1, **judged(nothing, chosen=False)))["evaluation_verdict"].key == "evaluation.nothing"
    some = context_of(forecast("a", 0.1, 0.1, **judged(nothing, chosen=False)), forecast("b", 0.1, 0.1, **judged(good)))[
        "evaluation_verdict"
    ]
    assert (some.key, some.values) == ("evaluation.some", {"better": 1, "count": 2})
    assert context_of(forecast("a", 0.1, 0.1))["evaluation_verdict"].key == "evaluation.untested"


def test_a_short_record_is_no_judgement() -> None:
    """29 days are one too few, and so are 4 hits, however good the interval looks."""
    for track in (TrackRecord(29, 20, 0.3, 0.1, 0.5), TrackRecord(300, 4, 0.3, 0.1, 0.5)):
        assert context_of(forecast("a", 0.1, 0.1, track_record=track))["rows"][0]["track"]["verdict"].key == "verdict.few"
    enough = context_of(forecast("a", 0.1, 0.1, track_record=TrackRecord(30, 5, 0.3, 0.1, 0.5)))["rows"][0]["track"]
    assert enough["verdict"].key == "verdict.better"


def test_the_loudest_mode_names_the_page() -> None:
    modes = [forecast("a", 0.1, 0.1), forecast("b", 0.1, 0.1, mode="late"), forecast("c", 0.1, 0.1, mode="replay")]
    assert (context_of(*modes)["mode"], context_of(*modes)["modes_differ"]) == ("replay", True)
    assert context_of(*modes[:2])["mode"] == "late"
    assert context_of(modes[0])["modes_differ"] is False


def test_checks_count_hits_beside_what_was_expected() -> None:
    """0.5 + 0.25 + 0.125 = 0.875 expected; the unknown one counts in neither."""
    outcomes = [(0.5, True), (0.25, False), (0.125, False), (0.9, None)]
    checks = tuple(ResolvedOutcome("a", DayOutcome(START.date(), p, happened, "provisional")) for p, happened in outcomes)
    counted = context_of(forecast("a", 0.1, 0.1), checks=checks)["checks_count"]
    assert counted.values == {"count": 3, "hits": 1, "expected": "0.9"}


def test_old_or_unknown_data_are_called_stale() -> None:
    assert context_of(data_age_hours=36.5)["operations"]["stale"] is True
    assert context_of(data_age_hours=None)["operations"]["stale"] is True
    assert context_of(data_age_hours=3.0)["operations"]["stale"] is False


def test_an_unofficial_prospective_forecast_is_flagged_a_replay_is_not() -> None:
    flags = context_of(replace(forecast("a", 0.1, 0.1), official=False))["rows"][0]["flags"]
    assert [flag.key for flag in flags] == ["flag.not_official"]
    assert context_of(replace(forecast("a", 0.1, 0.1, mode="replay"), official=False))["rows"][0]["flags"] == []


def test_names_fall_back_to_english_then_to_the_id() -> None:
    assert context_of(replace(forecast("a", 0.1, 0.1), display_name={"en": "Apia"}), language="ja")["rows"][0]["name"] == "Apia"
    assert context_of(replace(forecast("a", 0.1, 0.1), display_name={}), language="ja")["rows"][0]["name"] == "a"


def test_map_labels_by_name_or_by_number() -> None:
    rows = report_context(sample_report(), "ja")["rows"]
    assert map_targets(rows, numbered=False)[0].lines == ("新潟", "×4.6")
    assert map_targets(rows, numbered=True)[0].lines == ("1: ×4.6",)


def test_a_usual_rate_near_a_recent_large_earthquake_says_that_it_does_not_know_of_it() -> None:
    """Noto, 2024-01-01, M7.5 at 37.4976 N 137.2416 E (USGS): 1.6 degrees of longitude west of Niigata's centre, about 165 km away."""
    noto = RecentEvent(datetime(2024, 1, 1, 7, 10, tzinfo=UTC), 37.4976, 137.2416, 10.0, 7.5)
    niigata = replace(forecast("niigata", 0.0096, 0.0096), lat=37.900865, lng=139.023056, radius_km=150.0, threshold_mag=4.5)
    told = [replace(niigata, model_kind="climatology"), replace(niigata, recipe_id="net", model_kind="etas")]
    rows = context_of(*told, events=(noto,))
    assert {row["id"]: row["unheard"] and row["unheard"][:2] for row in rows["rows"]} == {
        "niigata": (7.5, pytest.approx(163, abs=2)),
        "net": None,
    }
    assert rows["cautions"] == []  # the headline says it
    both = [replace(row, model_kind="climatology") for row in told]
    assert [caution.key for caution in context_of(*both, events=(noto,))["cautions"]] == ["caution.unheard"]
    assert (rows["headline"].key, rows["headline"].values["name"]) == ("headline.unheard", "Niigata")
    far = replace(noto, latitude_deg=37.4976 - 5.0)
    for other in (far, replace(noto, magnitude=5.9)):
        quiet = context_of(*told, events=(other,))
        assert quiet["cautions"] == []


def test_a_threshold_below_completeness_is_flagged_with_the_magnitude() -> None:
    rows = context_of(forecast("a", 0.1, 0.1, incomplete_below=4.64), forecast("b", 0.1, 0.1))["rows"]
    flags = {row["id"]: [(flag.key, flag.values) for flag in row["flags"]] for row in rows}
    assert flags == {"a": [("flag.incomplete", {"magnitude": "4.6"})], "b": []}
