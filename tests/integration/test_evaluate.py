"""`quakecast evaluate`: what is stored, what a second run does, what is refused, and figures that were worked out by hand.

The world: M5 earthquakes near Tokyo on every tenth day of 2018-2021, known 20 minutes later; none near Athens.
"""

import json
import math
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from forecaster.cli import main
from forecaster.errors import BadInput, NotScoreable, NotWritable
from forecaster.pipeline.as_of.catalogue_history import load_known
from forecaster.pipeline.evaluation import evaluate_circles
from forecaster.pipeline.evaluation.evaluate import evaluate
from forecaster.pipeline.evaluation.evaluate_forecasts import forecasts_by_arm, pool_of
from forecaster.pipeline.evaluation.evaluate_plan import Arm, EvaluateOptions
from forecaster.pipeline.evaluation.evaluate_results import Part, ResultFolder
from forecaster.pipeline.evaluation.evaluate_scores import block_draws, score_rows, with_mean
from forecaster.pipeline.evaluation.evaluate_tables import write_tables
from forecaster.recipe import load_recipes
from forecaster.registry.model_kinds import KINDS, Kind
from forecaster.settings import bundled_folder, load_settings
from forecaster.store.database import open_store
from forecaster.store.engine.parquet_files import read_parquets, write_parquet
from tests.support import toy_kind
from tests.support.folders import content_of
from tests.support.toys import cover, own_copy, quake, write

START = datetime(2018, 1, 1, tzinfo=UTC)
END = datetime(2022, 1, 1, tzinfo=UTC)
NOW = datetime(2022, 6, 1, tzinfo=UTC)
NOON_IN_TOKYO = timedelta(hours=3)
UNTIL = date(2019, 12, 31)
A = Arm("A", "final", "final", UNTIL)
B = Arm("B", "known", "final", UNTIL)
C = Arm("C", "known", "final", UNTIL, refit=True)
OPTIONS = EvaluateOptions((A,), ("climatology", "toy"), date(2020, 3, 1), date(2021, 12, 30))
RECIPES = load_recipes(bundled_folder("recipes"))
TOKYO, ATHENS = RECIPES["tokyo-m45"], RECIPES["athens"]


@pytest.fixture(autouse=True)
def toy(monkeypatch):
    """The toy kind, with an empty log."""
    monkeypatch.setitem(KINDS, "toy", Kind("toy", toy_kind.__name__))
    monkeypatch.setattr(toy_kind, "LOG", [])
    monkeypatch.setattr(toy_kind, "LAST_DATA_DAY", None)
    monkeypatch.setattr(toy_kind, "BREAK_AT", None)
    return toy_kind


def quakes(days=range(0, 1461, 10), **more):
    return [quake(f"q{day}", START + timedelta(days=day) + NOON_IN_TOKYO, **more) for day in days]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    store = open_store(tmp_path_factory.mktemp("world") / "quakecast.duckdb")
    write(store, *quakes())
    cover(store, END, start=START, read_at=NOW)
    return store


@pytest.fixture
def world(filled, settings):
    """A store of its own with the world."""
    return own_copy(filled.path, settings)


def run(store, out, options=OPTIONS, recipes=(TOKYO, ATHENS), **more):
    return evaluate(load_known(store, NOW), list(recipes), options, ResultFolder(out), **more)


def content(folder):
    """Every file with its bytes, but for how long fits took."""
    return {name: data for name, data in content_of(folder).items() if not name.endswith("fit.json")}


def changed(options, **changes):
    return EvaluateOptions(**(vars(options) | changes))


def tables(out, **changes):
    return write_tables(ResultFolder(out), load_settings(home=out, **changes), "# Preface\n\nBy hand.")


def test_a_fit_serves_all_its_years_and_a_second_run_does_nothing(world, tmp_path, toy):
    out = tmp_path / "out"
    first = run(world, out)
    assert (first.written, first.reused, first.failed) == (8, 0, {})
    assert toy.LOG == ["fit tokyo-m45 2019-12-31", "forecast tokyo-m45 670", "fit athens 2019-12-31", "forecast athens 670"]
    tables(out)
    before = content(out)
    again = run(world, out)
    assert (again.written, again.reused) == (0, 8) and len(toy.LOG) == 4
    tables(out)
    assert content(out) == before
    assert {"daily.parquet", "scores.parquet", "skill.json", "SKILL.md", "skill.html"} < set(before)
    note = json.loads(next(out.glob("fits/toy_tokyo-m45_*/fit.json")).read_text())
    assert (note["fit_until"], note["inputs"], note["target_days"]) == ("2019-12-31", "final", 71)  # 2018-01-21 is the first of 71 tens


def test_tables_without_the_first_system_leave_out_its_results_and_keep_them(world, tmp_path):
    """With the switch on again the tables are the same, to the byte, without a new forecast."""
    out = tmp_path / "out"
    run(world, out, recipes=(TOKYO, RECIPES["tokyo"]))
    tables(out)
    before, stored = content(out), sorted(path.name for path in (out / "results").iterdir())
    assert json.loads((out / "skill.json").read_text())["arms"][0]["recipes"] == 2
    tables(out, first_system=False)
    arm = json.loads((out / "skill.json").read_text())["arms"][0]
    assert arm["recipes"] == 1 and set(read_parquets([out / "daily.parquet"], "recipe_id")["recipe_id"]) == {"tokyo-m45"}
    assert sorted(path.name for path in (out / "results").iterdir()) == stored
    tables(out)
    assert content(out) == before
    alone = tmp_path / "alone"
    run(world, alone, recipes=(RECIPES["tokyo"],))
    with pytest.raises(NotScoreable, match="but of the first system: QUAKECAST_FIRST_SYSTEM=false leaves it out"):
        tables(alone, first_system=False)


def test_rows_say_what_was_said_and_what_came(world, tmp_path):
    run(world, tmp_path)
    daily = ResultFolder(tmp_path).daily()
    assert list(daily.columns) == [
        "arm", "recipe_id", "model", "local_day", "target_start", "probability", "reference", "happened", "status", "mode", "inputs",
    ]  # fmt: skip
    tokyo = daily[(daily["recipe_id"] == "tokyo-m45") & (daily["model"] == "toy")].set_index("local_day")
    tens = pd.date_range("2018-01-01", periods=147, freq="10D")
    assert set(tokyo.index[tokyo["happened"]]) == set(tens[(tens >= "2020-03-01") & (tens <= "2021-12-30")])
    first = tokyo.loc["2020-03-01"]
    assert first["target_start"] == pd.Timestamp("2020-02-29 15:00", tz="UTC") and first["mode"] == "hindcast"
    share = (71 + 1) / (714 + 10)  # 714 days from 2018-01-17, the first with a whole window, to 2019-12-31
    after = tokyo.index[tokyo["probability"] > 1.5 * share]
    assert tokyo["probability"].min() == pytest.approx(share) and {day - timedelta(days=1) for day in after} < set(tens)
    base = daily[daily["model"] == "climatology"]
    assert (base["probability"] == base["reference"]).all() and set(daily["status"]) == {"quiet"}


def test_killed_halfway_and_resumed_gives_the_same_bytes(world, tmp_path, toy, monkeypatch):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    run(world, whole)
    monkeypatch.setattr(toy, "LOG", [])
    monkeypatch.setattr(toy, "BREAK_AT", 2)
    with pytest.raises(KeyboardInterrupt):
        run(world, cut)
    assert 0 < len(content(cut)) < len(content(whole))
    monkeypatch.setattr(toy, "BREAK_AT", None)
    resumed = run(world, cut)
    assert (resumed.written, resumed.reused) == (2, 6)
    assert toy.LOG.count("fit athens 2019-12-31") == 1, "a fit that was saved is not made again"
    assert content(cut) == content(whole)


def test_a_write_that_is_cut_leaves_no_half_file(world, tmp_path, monkeypatch):
    path = tmp_path / "rows.parquet"
    write_parquet(path, pd.DataFrame({"a": [1]}))
    monkeypatch.setattr(type(path), "replace", lambda self, target: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_parquet(path, pd.DataFrame({"a": [2]}))
    assert [file.name for file in tmp_path.glob("*.parquet")] == ["rows.parquet"] and read_parquets([path], "a")["a"].tolist() == [1]


def test_only_what_changed_is_made_anew(world, tmp_path, toy):
    run(world, tmp_path)
    write(world, quake("late", datetime(2021, 12, 31, 18, tzinfo=UTC), known=datetime(2021, 12, 31, 19, tzinfo=UTC)))
    assert run(world, tmp_path).written == 0, "what comes after the last day plays no part"
    write(world, quake("new", datetime(2021, 6, 4, 3, tzinfo=UTC)))
    again = run(world, tmp_path)
    assert (again.written, again.reused) == (4, 4), "the year 2021 of both models and recipes, which share the inputs"
    assert [line for line in toy.LOG if line.startswith("fit")] == ["fit tokyo-m45 2019-12-31", "fit athens 2019-12-31"]
    assert len(list(tmp_path.glob("results/A_tokyo-m45_2021_toy_*"))) == 1, "the superseded file is gone"


def test_the_future_changes_no_probability(world, tmp_path):
    kinds = ("climatology", "best_rate", "persistence", "toy")
    options = changed(OPTIONS, models=kinds, arms=(B,))
    run(world, tmp_path / "before", options)
    write(world, *[quake(f"f{day}", datetime(2021, 3, 1, 3, tzinfo=UTC) + timedelta(days=day), 6.0) for day in range(90)])
    run(world, tmp_path / "after", options)
    before, after = (ResultFolder(tmp_path / name).daily() for name in ("before", "after"))
    early = before["local_day"] <= "2021-03-01"
    for column in ("probability", "reference", "status"):
        pd.testing.assert_series_equal(before.loc[early, column], after.loc[early, column])
    assert not before["probability"].equals(after["probability"])


def test_a_model_that_knows_too_much_is_refused(world, tmp_path, toy, monkeypatch):
    monkeypatch.setattr(toy, "LAST_DATA_DAY", date(2020, 2, 13))  # 2020-03-01 less 16 days of purge is 2020-02-14
    assert not run(world, tmp_path / "allowed", recipes=(TOKYO,)).failed
    monkeypatch.setattr(toy, "LAST_DATA_DAY", date(2020, 2, 14))
    refused = run(world, tmp_path / "out", recipes=(TOKYO,))
    reason = refused.failed["A", "tokyo-m45", "toy"]
    assert "2020-02-14" in reason and "2020-03-01" in reason and "--fit-until" in reason
    assert not list(tmp_path.glob("out/results/*_toy_*.parquet"))
    again = run(world, tmp_path / "out", recipes=(TOKYO,))
    assert (again.written, again.reused) == (0, 4) and again.failed == refused.failed
    assert {row["reason"] for row in ResultFolder(tmp_path / "out").failures()} == {reason}


def test_an_untrained_network_has_no_figures_but_a_reason(world, tmp_path, monkeypatch):
    monkeypatch.setattr(toy_kind.Toy, "training", {"best_epoch": 0, "epochs": 2}, raising=False)
    failed = run(world, tmp_path / "out", recipes=(TOKYO,)).failed["A", "tokyo-m45", "toy"]
    assert failed == "untrained: its best state is its start, after 2 epochs; allow more time (quakecast train --max-minutes)"
    assert not list(tmp_path.glob("out/results/*_toy_*.parquet"))


def test_arms_share_a_fit_and_differ_in_inputs(filled, settings, tmp_path, toy):
    settings.home.mkdir()
    store = open_store(settings.database)
    write(store, *quakes(range(0, 1100, 10)), *[quake(f"slow{day}", START + timedelta(days=day) + NOON_IN_TOKYO,
          known=START + timedelta(days=day + 30)) for day in range(1100, 1461, 10)])  # fmt: skip
    cover(store, END, start=START, read_at=NOW)
    run(store, tmp_path, changed(OPTIONS, arms=(A, B, C), models=("toy", "persistence")), recipes=(TOKYO,))
    assert [line for line in toy.LOG if line.startswith("fit")] == ["fit tokyo-m45 2019-12-31"], "one fit for three arms"
    fits = sorted(path.name.rsplit("_", 1)[0] for path in tmp_path.glob("fits/*"))
    refitted = ["persistence_tokyo-m45_2019-11-16", "persistence_tokyo-m45_2019-12-31", "persistence_tokyo-m45_2020-11-16"]
    assert fits == [*refitted, "toy_tokyo-m45_2019-12-31"], "arm C refits references on days to the year before less 45 days"
    daily = ResultFolder(tmp_path).daily()
    said = daily[daily["model"] == "toy"].pivot(index="local_day", columns="arm", values="probability")
    assert (said.loc[:"2021-01-04", "A"] == said.loc[:"2021-01-04", "B"]).all()
    late = said.loc["2021-01-16":]
    assert (
        set(late["B"].unique()) == {said["A"].min()} and (late["A"] > said["A"].min()).sum() == 35
    )  # the tens 2021-01-15 to 2021-12-21 of A
    assert said["B"].equals(said["C"])


def test_hand_worked_scores(tmp_path):
    """Reference 1/2 on four days, one of them a target day. The model says 3/4 on it and 1/4 on the others: every day gains ln(3/2), so
    4 ln(3/2) nats per target day; Brier 1/16 against 1/4; expected 3/4 + 3/4 = 1.5 target days of 1. The other recipe gains nothing on
    one target day: pooled 4 ln(3/2) / 2."""
    days = pd.date_range("2020-01-01", periods=4)
    happened = [True, False, False, False]
    head = {"arm": "A", "local_day": days, "reference": 0.5, "happened": happened, "status": "quiet", "inputs": "final"}
    said = [0.75, 0.25, 0.25, 0.25]
    frames = [pd.DataFrame(head | {"recipe_id": "one", "model": "m", "probability": said})]
    frames.append(pd.DataFrame(head | {"recipe_id": "two", "model": "m", "probability": 0.5}))
    daily = pd.concat(frames)
    draws = block_draws(daily["local_day"].to_numpy())
    table = pd.DataFrame([row for said in forecasts_by_arm(daily, {"one": "japan", "two": "japan"}) for row in score_rows(said, draws)])
    one = table[(table["name"] == "one") & (table["days_of"] == "all")].iloc[0]
    pool = table[(table["name"] == "japan") & (table["days_of"] == "all")].iloc[0]
    assert one["gain_over_climatology"] == pytest.approx(4 * math.log(1.5))
    assert one["brier"] == pytest.approx(1 / 16) and one["brier_skill"] == pytest.approx(3 / 4) and one["auc"] == 1
    assert one["calibration_ratio"] == pytest.approx(1.5) and one["target_days"] == 1 and math.isnan(one["gain_over_etas"])
    assert pool["gain_over_climatology"] == pytest.approx(2 * math.log(1.5)) and pool["recipes"] == 2
    assert pool["auc"] == pytest.approx(0.75)  # both recipes have 3 pairs: 1 and 1/2


def test_the_mean_averages_logits_where_both_have_spoken():
    """Odds 1/9 and 9 average to even odds; odds 1/4 and 1/4 stay."""
    days = pd.date_range("2020-01-01", periods=2)
    head = {"arm": "A", "recipe_id": "one", "local_day": days}
    both = pd.concat(
        [
            pd.DataFrame(head | {"model": "etas", "probability": [0.1, 0.2]}),
            pd.DataFrame(head | {"model": "pooled", "probability": [0.9, 0.2]}),
        ]
    )
    mean = with_mean(both)
    np.testing.assert_allclose(mean[mean["model"] == "mean"]["probability"], [0.5, 0.2])
    alone = both[both["model"] == "etas"]
    assert with_mean(alone) is alone


def test_tables_of_a_region_without_events_and_of_one_that_fails(world, tmp_path):
    niigata = RECIPES["niigata"]
    result = run(world, tmp_path, recipes=(TOKYO, ATHENS, niigata))
    assert "M 3.5" in result.failed["A", "niigata", "toy"]
    written = tables(tmp_path)
    document = json.loads((tmp_path / "skill.json").read_text())
    rows = {(row["name"], row["model"]): row for row in document["scores"] if row["days_of"] == "all"}
    assert rows["athens", "toy"]["target_days"] == 0 and rows["athens", "toy"]["information_gain"]["climatology"] is None
    assert rows["japan", "toy"]["target_days"] == 67 and rows["tokyo-m45", "toy"]["information_gain"]["climatology"]["target_days"] == 67
    assert {row["recipe_id"] for row in document["failures"]} == {"niigata"} and document["failures"][0]["years"] == [2020, 2021]
    text, page = written[3].read_text(), written[4].read_text()
    assert text.startswith("# Preface\n\nBy hand.\n") and "| niigata | usual rate, toy | A | 2020 to 2021 |" in text
    assert "Arm A" in page and "<script" not in page and "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_days_that_are_not_settled_yet_are_not_left_out_unseen(world, tmp_path):
    """45 days before 2022-01-20 is 2021-12-06. The first day with a whole window is 2018-01-17; 365 days, 45 days and the day of the issue
    later, on 2019-03-04, there is a usual rate."""
    early = load_known(world, datetime(2022, 1, 20, tzinfo=UTC))
    result = evaluate(early, [TOKYO], OPTIONS, ResultFolder(tmp_path))
    assert "2021-12-05" in result.failed["A", "tokyo-m45", "toy"] and not list(tmp_path.glob("results/*.parquet"))
    first_days = changed(OPTIONS, first_day=date(2018, 1, 20), arms=(Arm("x", "final", "final", date(2018, 1, 1)),))
    assert "2019-03-04" in run(world, tmp_path, first_days, (TOKYO,)).failed["x", "tokyo-m45", "toy"]


def test_pools_are_the_twins_and_the_rest():
    pools = {name: pool_of(recipe) for name, recipe in RECIPES.items()}
    assert sorted(name for name, pool in pools.items() if pool == "japan") == sorted(name for name in RECIPES if name.endswith("-m45"))
    assert sum(pool == "abroad" for pool in pools.values()) == 13 and sum(pool is None for pool in pools.values()) == 8


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"first_day": date(2021, 5, 1), "last_day": date(2021, 4, 1)}, ("2021-05-01", "2021-04-01", "exchange")),
        ({"first_day": date(2020, 1, 5)}, ("2020-01-05", "2019-12-31", "2020-01-17", "--fit-until")),
        ({"last_day": date(2022, 1, 1)}, ("2022-01-01", "2018-01-01", "tokyo-m45")),
        ({"first_day": date(2017, 6, 1), "arms": (Arm("old", "final", "final", date(2017, 1, 1)),)}, ("2017-06-01", "2018-01-01")),
        ({"models": ("tarot",)}, ("tarot", "climatology")),
        ({"arms": (Arm("none", "final", "final", None),)}, ("--fit-until", "--refit")),
    ],
)
def test_bad_plans_are_one_clear_line_and_do_nothing(world, tmp_path, changes, words):
    with pytest.raises(BadInput) as caught:
        run(world, tmp_path, changed(OPTIONS, **changes))
    assert "\n" not in str(caught.value) and all(word in str(caught.value) for word in words)
    assert not list(tmp_path.glob("results/*"))


def test_bad_stores_and_folders(world, tmp_path):
    empty = open_store(tmp_path / "empty.duckdb")
    with pytest.raises(BadInput, match="no catalogue"):
        run(empty, tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(NotWritable, match="--out"):
        ResultFolder(tmp_path / "file" / "below")
    with pytest.raises(NotScoreable, match="no result"):
        tables(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], ("--arm", "--fit-until", "--refit")),
        (["--arm", "A", "--inputs", "known"], ("--arm A", "--inputs")),
        (["--arm", "A", "--from", "2018-13-01"], ("--from", "2018-13-01", "YYYY-MM-DD")),
        (["--arm", "A", "--models", "best_rate,tarot", "--to", "2021-12-30"], ("tarot",)),
        (["--arm", "A", "--from", "2024-01-01", "--to", "2023-01-01"], ("2024-01-01", "2023-01-01")),
        (["--arm", "A", "--preface", "nowhere.md"], ("nowhere.md",)),
        (["--arm", "A", "--out", "/proc/nowhere"], ("/proc/nowhere", "--out")),
    ],
)
def test_bad_input_on_the_command_line(world, settings, arguments, words):
    answer = CliRunner().invoke(main, ["--home", str(settings.home), "evaluate", "--recipe", "tokyo-m45", *arguments])
    assert answer.exit_code == 2 and "Traceback" not in answer.output
    lines = [line for line in answer.output.splitlines() if line.startswith("quakecast: ")]
    assert len(lines) == 1 and all(word in lines[0] for word in words)


def test_the_command(world, settings, tmp_path):
    span = ["--from", "2020-03-01", "--to", "2021-12-30", "--fit-until", "2019-12-31"]
    arguments = ["--home", str(settings.home), "evaluate", "--recipe", "tokyo-m45", "--models", "persistence,best_rate", *span]
    answer = CliRunner().invoke(main, [*arguments, "--out", str(tmp_path / "out"), "--json"])
    assert answer.exit_code == 0, answer.output
    said = json.loads(answer.stdout)
    assert (said["written"], said["reused"], said["failed"]) == (4, 0, [])
    document = json.loads((tmp_path / "out" / "skill.json").read_text())
    assert [arm["arm"] for arm in document["arms"]] == ["final-20191231"]


def test_a_kind_whose_name_goes_on_keeps_its_results(tmp_path):
    """A new result of "etas" replaces the old one of "etas", not that of "etas_generic"."""
    folder, rows = ResultFolder(tmp_path), pd.DataFrame({"a": [1]})
    for model, key in (("etas_generic", "b" * 64), ("etas", "c" * 64), ("etas", "d" * 64)):
        folder.write_rows(Part("A", "athens", 2020, model, key), rows)
    assert [path.stem for path in sorted(tmp_path.glob("results/*"))] == [
        f"A_athens_2020_etas_{'d' * 16}",
        f"A_athens_2020_etas_generic_{'b' * 16}",
    ]


def test_circles_know_nothing_of_the_days_that_they_are_judged_on(world, settings, tmp_path, monkeypatch):
    """The world begins in 2018, so here circles are drawn up to 2019. All its earthquakes lie near Tokyo but those added far off."""
    monkeypatch.setattr(evaluate_circles, "DRAWN_UNTIL", UNTIL)
    write(world, *quakes(range(1, 1461, 20), place=(-20.0, -70.0)))
    drawn = evaluate_circles.draw_circles(load_known(world, NOW), 5, 1, list(RECIPES.values()))
    write(world, *[quake(f"later{day}", START + timedelta(days=day), place=(10.0, 100.0)) for day in range(800, 1200, 9)])
    assert evaluate_circles.draw_circles(load_known(world, NOW), 5, 1, list(RECIPES.values())) == drawn
    assert [recipe.id for recipe in drawn.recipes] == ["circle-1-0000"] and drawn.recipes[0].predict_center_lat == -20.0
    evaluate_circles.write_circles(folder := ResultFolder(tmp_path), drawn)
    assert evaluate_circles.read_circles(folder) == drawn


def test_the_command_with_circles(world, settings, tmp_path, monkeypatch):
    monkeypatch.setattr(evaluate_circles, "DRAWN_UNTIL", UNTIL)
    write(world, *quakes(range(1, 1461, 20), place=(-20.0, -70.0)))
    span = ["--from", "2020-03-01", "--to", "2021-12-30", "--fit-until", "2019-12-31"]
    base = ["--home", str(settings.home), "evaluate", "--circles", "3", "--models", "etas,best_rate,toy", *span, "--out", str(tmp_path)]
    answer = CliRunner().invoke(main, [*base, "--circles-seed", "1"])
    assert answer.exit_code == 0, answer.output
    assert "1 of 3 circles found" in answer.output
    document = json.loads((tmp_path / "skill.json").read_text())
    assert {(row["level"], row["name"], row["model"]) for row in document["scores"]} == {
        ("pool", "circles", "best_rate"), ("pool", "circles", "toy")}, "ETAS is trained by region"  # fmt: skip
    assert (document["arms"][0]["recipes"], document["arms"][0]["circles"]) == (0, 1)
    assert document["pools"][0]["recipes"] == 1 and document["pools"][0]["shared_days"] == 0
    CliRunner().invoke(main, [*base, "--circles-seed", "2"])
    assert json.loads((tmp_path / "skill.json").read_text())["arms"][0]["circles"] == 1, "those of the other seed are left out"
    early = CliRunner().invoke(main, [*base[:-6], "--from", "2019-12-31", "--arm", "A"])
    assert early.exit_code == 2 and "begin on 2020-01-01" in early.output
