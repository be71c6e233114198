"""What a backfill refuses, what fails in it, and how its parts travel: every refusal is one line, and nothing is half-written."""

import json
import pickle
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from click.testing import CliRunner

from forecaster import cli
from forecaster.clock import Clock
from forecaster.errors import BadDate, BadInput, CorruptModel, RecipeChanged, StoreBusy
from forecaster.pipeline.backfilling.backfill import backfill, forecast_chunk, only_backfill, plan_backfill, store_chunk
from forecaster.pipeline.run_context import publish_copy
from forecaster.pipeline.training.train import TrainOptions
from forecaster.settings import load_settings
from forecaster.store.sharing.read_only_store import PublishedCopy
from tests.support import past_world
from tests.support.changed_recipes import changed_recipe
from tests.support.past_world import DAYS, FIRST, LAST, NOW, TODAY, TRAINED, WALK, open_home
from tests.support.steps import train_recipes
from tests.support.toys import dump, table

pytestmark = pytest.mark.usefixtures("toy_kinds")


@pytest.fixture
def job(past_home, settings):
    """A home without a backfill, on a machine's clock that stands at NOW."""
    return past_world.copied(past_home, settings)


def test_a_recipe_that_fails_does_not_stop_the_others(job):
    recipe = job.recipes[0]
    other = changed_recipe(recipe, id="other")
    both = open_home(job.settings, [other, recipe])
    train_recipes(job.store, [other], job.settings, Clock.standing_at(TRAINED), TrainOptions(max_minutes=5))
    shutil.rmtree(job.settings.models / "other")
    result = backfill(both, TODAY)
    assert result.state == "partial" and list(result.failed) == ["other"] and result.days == DAYS
    line = result.failed["other"]
    assert "\n" not in line and "other-" in line and str(job.settings.models) in line and "QUAKECAST_HOME/models" in line
    assert set(table(job.store, "forecast")["recipe_id"]) == {recipe.id}


def test_a_worker_without_the_models_says_so_and_nothing_is_stored(job, tmp_path):
    (chunk, *_), *_ = plan_backfill(job.store, job.settings, job.recipes, TODAY, job.clock).steps
    before = dump(job.store)
    with pytest.raises(
        CorruptModel, match=r"athens-etas-20231102-\w+ is not in .*bare.models on this machine; share QUAKECAST_HOME/models"
    ):
        forecast_chunk(job.store, load_settings(home=tmp_path / "bare"), job.recipes[0], chunk, TODAY)
    assert dump(job.store) == before


def test_a_chunk_is_forecast_from_the_published_copy_and_stored_once(job):
    recipe = job.recipes[0]
    for options in (TODAY, WALK):
        publish_copy(job)
        (chunk,) = plan_backfill(job.store, job.settings, job.recipes, options, job.clock).steps[0]
        done = forecast_chunk(PublishedCopy(job.settings.published), job.settings, recipe, chunk, options)
        assert store_chunk(job, recipe, done, options) == 5 * len(chunk.days)
        stored = dump(job.store)
        assert store_chunk(job, recipe, done, options) == 0
        assert dump(job.store) == stored
    changed = changed_recipe(recipe, learning_rate=0.02)
    with pytest.raises(RecipeChanged, match="the recipe changed while the backfill ran"):
        store_chunk(job, changed, done, WALK)
    assert dump(job.store) == stored


def test_two_at_once_is_one_line(job):
    with (
        only_backfill(job.settings, NOW),
        pytest.raises(StoreBusy, match=r"^a backfill is running already, as process \d+ on .* since 2024-01-28 12:00:00Z;"),
    ):
        backfill(job, TODAY)
    assert table(job.store, "forecast").empty
    assert backfill(job, TODAY).days == DAYS


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"first_day": LAST, "last_day": FIRST}, BadDate, "reversed: it begins on 2024-01-20 and ends on 2023-12-01"),
        ({"last_day": date(2024, 1, 28)}, BadDate, "2024-01-28 has not ended for athens"),
        ({"first_day": date(1972, 1, 1)}, BadDate, "1972-01-01 lies before the data, which begin on 1973-01-01"),
        ({"first_day": date(2020, 1, 1), "last_day": date(2020, 2, 1)}, BadDate, "nothing can be forecast from 2020-01-01 to 2020-02-01"),
        ({"mode": "best"}, BadInput, "'best' is none of walk-forward, current-model"),
        ({"retrain_every_days": 0}, BadInput, "every 0 days"),
        ({"max_minutes": 0.0}, BadInput, "max_minutes is 0"),
    ],
)  # fmt: skip
def test_a_bad_range_or_option_is_one_line(job, changes, error, message):
    before = dump(job.store)
    with pytest.raises(error, match=message) as caught:
        backfill(job, replace(TODAY, **changes))
    assert "\n" not in str(caught.value) and dump(job.store) == before


def test_a_catalogue_that_ends_before_the_range_is_no_base_for_a_hindcast(job):
    late = open_home(job.settings, job.recipes, datetime(2024, 4, 1, tzinfo=UTC))
    with pytest.raises(BadInput, match="has been read to 2024-01-28 12:00Z only, the days to 2024-03-01 were issued by"):
        backfill(late, replace(TODAY, last_day=date(2024, 3, 1)))


def test_nothing_trained_is_forecast_by_what_needs_no_fit_and_told(job):
    with job.store.transaction() as connection:
        connection.execute("DELETE FROM model")
    plan = plan_backfill(job.store, job.settings, job.recipes, TODAY, job.clock)
    assert "without a fit of their own, by the generic models: athens" in plan.text
    backfill(job, replace(TODAY, last_day=FIRST))
    assert sorted(table(job.store, "forecast")["model_kind"]) == ["climatology", "published", "recent_rate"]


def test_days_before_a_usual_rate_are_left_out_and_named(job):
    plan = plan_backfill(job.store, job.settings, job.recipes, replace(WALK, first_day=date(2021, 6, 1)), job.clock)
    assert "no usual rate before 2022-" in plan.left_out["athens"] and plan.left_out["athens"] in plan.text
    first = plan.steps[0][0].days[0]
    assert f"{first}" in plan.left_out["athens"]
    assert backfill(job, replace(WALK, first_day=first, last_day=first)).days == 1


def test_under_a_simulated_clock_the_rows_are_replays(job):
    replayed = replace(job, clock=Clock.standing_at(NOW))
    backfill(replayed, replace(TODAY, last_day=FIRST))
    assert set(table(job.store, "forecast")["mode"]) == {"replay"}
    assert backfill(job, replace(TODAY, last_day=FIRST)).days == 1, "a replay stands for no hindcast"


def test_what_a_step_needs_can_be_sent_to_another_process(job):
    for options in (TODAY, WALK):
        (chunk,) = plan_backfill(job.store, job.settings, job.recipes, options, job.clock).steps[0]
        done = forecast_chunk(job.store, job.settings, job.recipes[0], chunk, options)
        assert pickle.loads(pickle.dumps((options, chunk, done.rows))) == (options, chunk, done.rows)
        assert pickle.loads(pickle.dumps(done)).chunk == chunk


@pytest.fixture
def run(job, monkeypatch):
    """Runs `quakecast backfill ARGUMENTS` in that home."""
    monkeypatch.setattr(cli.common, "machine_clock", lambda: job.clock)
    environment = {"QUAKECAST_HOME": str(job.settings.home), "QUAKECAST_RECIPES": str(job.settings.home / "recipes")}

    def invoke(*arguments):
        return CliRunner().invoke(cli.main, ["backfill", *arguments], env=environment)

    return invoke


def test_the_command_tells_the_plan_first_then_does_it_once(job, run):
    asked = ("--from", "2023-12-01", "--to", "2023-12-03", "--mode", "walk-forward", "--retrain-every", "20", "--max-minutes", "5")
    planned = run(*asked, "--dry-run")
    assert planned.exit_code == 0, planned.output
    assert "walk-forward, 2023-12-01 to 2023-12-03: 1 recipes, 3 days" in planned.stdout and "1 trainings, about less" in planned.stdout
    assert table(job.store, "forecast").empty
    done = run(*asked, "--yes", "--json")
    told = json.loads(done.stdout)
    assert (done.exit_code, told["state"], told["days"], told["rows"], told["fits"]) == (0, "success", 3, 15, 1), done.output
    assert told["verified"] == told["settled"] == 3 == len(table(job.store, "outcome")) and told["scored"] == 15, (
        "a backtest of alerts counts verified days alone"
    )
    assert "3 recipe days to forecast" in done.stderr, "the plan is told, but not among the JSON"
    again = run(*asked)
    assert again.exit_code == 0 and "nothing to do: all 3 recipe days are there" in again.stdout
    assert len(table(job.store, "forecast")) == 15


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (("--from", "2023-12-03", "--to", "2023-12-01"), 2, "quakecast: the range is reversed"),
        (("--from", "yesterday", "--to", "2023-12-01"), 2, "quakecast: --from 'yesterday' is not a day; write it as YYYY-MM-DD"),
        (("--from", "2023-12-01", "--to", "2023-12-03", "--recipe", "atlantis"), 2, "quakecast: "),
    ],
)
def test_a_refusal_of_the_command_is_one_line(run, arguments, code, line):
    done = run(*arguments, "--mode", "current-model")
    assert (done.exit_code, done.stdout) == (code, "") and done.stderr.startswith(line) and done.stderr.count("\n") == 1


def test_the_command_is_partial_where_a_recipe_fails(job, run):
    shutil.rmtree(job.settings.models / "athens")
    done = run("--from", "2023-12-01", "--to", "2023-12-03", "--mode", "current-model")
    assert done.exit_code == 1 and "quakecast: athens: athens-" in done.stderr and "is not in" in done.stderr
