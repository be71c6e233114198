"""The first system and its switch: what is left out where it is off, that nothing stored is lost, and where its recipes may lie.

Mutations that were seen to fail: the switch not asked; recipes told by their folder instead of `comparison_only`; the kind kept in other
recipes; `status` counting all that is stored; a second recipe of an id taking the place of the first.
"""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from flows.support.deploying import issue_alarms
from forecaster import cli
from forecaster.errors import BadInput, BadRecipe
from forecaster.pipeline.daily.export_map_files import export
from forecaster.pipeline.daily.publish_report import write_report
from forecaster.pipeline.recipes_in_use import choose_kinds, choose_recipes, kinds_in_use, recipes_in_use
from forecaster.pipeline.run_context import look, publish_copy
from forecaster.pipeline.status import status_document
from forecaster.pipeline.training.due import due_reasons
from forecaster.recipe import load_recipes
from forecaster.registry.model_kinds import KINDS
from forecaster.settings import Settings, load_settings
from tests.support import tiny
from tests.support.steps import job_of, machine, predict, verify
from tests.support.toys import quiet_years, table

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "recipes"
EIGHT = {"fukuoka", "iwaki", "nagoya", "nankai", "niigata", "sapporo", "sendai", "tokyo"}
NOW = datetime(2024, 1, 2, 14, 40, tzinfo=UTC)
DAY = timedelta(days=1)


def off(settings: Settings) -> Settings:
    return settings.model_copy(update={"first_system": False})


def test_the_bundled_ones_are_29_or_21(settings) -> None:
    every, ours = recipes_in_use(settings), recipes_in_use(off(settings))
    assert list(every) == sorted(every) and len(every) == 29 and every == load_recipes(BUNDLED)
    assert set(every) - set(ours) == EIGHT and list(ours) == sorted(ours) and len(ours) == 21
    assert {file.stem for file in (BUNDLED / "first_system").iterdir()} == EIGHT
    assert all(ours[name] is every[name] or ours[name] == every[name] for name in ours)
    assert not any("convlstm" in recipe.models for recipe in ours.values())


def test_an_old_flat_folder_is_read_as_it_was(settings, tmp_path) -> None:
    """Whoever copied the bundled recipes before they had a folder of their own has all 29 in one; the switch finds the eight there, too."""
    for file in BUNDLED.rglob("*.toml"):
        shutil.copyfile(file, tmp_path / file.name)
    flat = settings.model_copy(update={"recipes": tmp_path})
    assert recipes_in_use(flat) == recipes_in_use(settings) and list(recipes_in_use(flat)) == list(recipes_in_use(settings))
    assert recipes_in_use(off(flat)) == recipes_in_use(off(settings))


def test_one_id_in_both_folders_is_an_error(tmp_path) -> None:
    tiny.write_recipe(tmp_path, "tokyo")
    tiny.write_recipe(tmp_path / "first_system", "tokyo")
    tiny.write_recipe(tmp_path / "first_system", "sendai")
    with pytest.raises(BadRecipe, match=r"^first_system/tokyo\.toml: id = 'tokyo': .*/tokyo\.toml has this id, too; take one") as told:
        load_recipes(tmp_path)
    assert len(str(told.value).splitlines()) == 1


def test_what_is_wrong_in_the_inner_folder_is_told_with_it(tmp_path) -> None:
    tiny.write_recipe(tmp_path, "athens")
    path = tiny.write_recipe(tmp_path / "first_system", "tokyo")
    path.write_text(path.read_text(encoding="utf-8").replace("threshold_mag = 4.0", "threshold_mag = 99"), encoding="utf-8")
    with pytest.raises(BadRecipe, match=r"^first_system/tokyo\.toml: threshold_mag = 99"):
        load_recipes(tmp_path)


def test_another_recipe_goes_without_the_kind_alone(settings, tmp_path) -> None:
    """It may name the network without being for comparison; its fits and its target stay its own."""
    tiny.write_recipe(tmp_path, "athens", models='["etas", "convlstm"]')
    mine = settings.model_copy(update={"recipes": tmp_path})
    (with_it,), (without,) = recipes_in_use(mine).values(), recipes_in_use(off(mine)).values()
    assert (with_it.models, without.models) == (("etas", "convlstm"), ("etas",))
    assert (with_it.recipe_hash, with_it.target_hash) == (without.recipe_hash, without.target_hash)


def test_kinds(settings) -> None:
    assert kinds_in_use(settings) == tuple(KINDS) == choose_kinds(settings, [])
    assert set(KINDS) - set(kinds_in_use(off(settings))) == {"convlstm"}
    assert choose_kinds(off(settings), ["etas", "etas", "toy"]) == ("etas", "toy")
    with pytest.raises(BadInput, match="kind 'convlstm' is the first system's: QUAKECAST_FIRST_SYSTEM=false leaves it out"):
        choose_kinds(off(settings), ["etas", "convlstm"])


def test_who_asks_for_one_is_told_why_it_is_not_there(settings, tmp_path) -> None:
    assert [recipe.id for recipe in choose_recipes(settings, ["tokyo", "athens"])] == ["tokyo", "athens"]
    with pytest.raises(BadInput, match="recipe 'tokyo' is kept for comparison only: QUAKECAST_FIRST_SYSTEM=false leaves it out"):
        choose_recipes(off(settings), ["tokyo", "athens"])
    with pytest.raises(BadInput, match="unknown recipe 'tokio'"):
        choose_recipes(off(settings), ["tokio"])
    tiny.write_recipe(tmp_path, "tokyo")
    with pytest.raises(BadInput, match=r"every recipe in .* is kept for comparison only"):
        recipes_in_use(off(settings.model_copy(update={"recipes": tmp_path})))


def test_the_command_line_follows(tmp_path) -> None:
    def run(*arguments: str, switch: str | None = None):
        environment = {"QUAKECAST_HOME": str(tmp_path / "home"), "QUAKECAST_FIRST_SYSTEM": switch}
        return CliRunner().invoke(cli.main, list(arguments), env=environment)

    assert len(run("recipes", "list").stdout.splitlines()) == 29
    assert len(run("recipes", "list", switch="true").stdout.splitlines()) == 29
    shown = run("recipes", "list", "--json", switch="false")
    assert len(json.loads(shown.stdout)["recipes"]) == 21 and "comparison only" not in run("recipes", "list", switch="false").stdout
    assert "leaves it out" in run("recipes", "show", "tokyo", switch="false").stderr
    taken = run("recipes", "new", "--at", "35.7,139.8", "--radius-km", "150", "--magnitude", "4.5", "--id", "tokyo", switch="false")
    assert taken.exit_code == 2 and "there is a recipe of this id" in taken.stderr, "the id would be there twice once it is on again"


def test_schedules_are_those_of_the_recipes_in_use(settings, tmp_path) -> None:
    tiny.write_recipe(tmp_path, "athens")
    tiny.write_recipe(tmp_path / "first_system", "tokyo")
    mine = settings.model_copy(update={"recipes": tmp_path})
    zones = [{alarm.time_zone for alarm in issue_alarms(list(recipes_in_use(each).values()))} for each in (mine, off(mine))]
    assert zones == [{"Asia/Tokyo", "Europe/Athens"}, {"Europe/Athens"}]


@pytest.mark.parametrize("inner", ["first_system", "."])
def test_off_and_on_again(store, tmp_path, inner) -> None:
    """Two days on, one off, one on: no row of the first system is lost or made meanwhile, and its section of the page comes back."""
    tiny.write_recipe(tmp_path / "recipes", "tokyo-m45", models='["best_rate"]')
    tiny.write_recipe(tmp_path / "recipes" / inner, "tokyo", models='["convlstm"]')
    settings = load_settings(home=store.path.parent, recipes=tmp_path / "recipes")
    quiet_years(store, NOW + 3 * DAY)

    def day(number: int, chosen: Settings) -> tuple[list[str], dict, set[str]]:
        """(pages in English and Japanese, status, ids of the exported predictions) of that day."""
        now = machine(NOW + number * DAY)
        work = job_of(store, list(recipes_in_use(chosen).values()), now, chosen, run_id=f"run-{number}")
        predict(store, work.recipes, chosen, now)
        verify(store, work.recipes, now)
        pages = [page.read_text(encoding="utf-8") for page in write_report(work, ["en", "ja"]).pages]
        export(work, tmp_path / f"out-{number}")
        publish_copy(work)
        predictions = json.loads((tmp_path / f"out-{number}" / "predictions.json").read_text(encoding="utf-8"))
        return pages, status_document(chosen, now), set(re.findall(r'"id": ?"([a-z0-9-]+)"', json.dumps(predictions)))

    def rows(until: int) -> str:
        """The forecasts of the first system that were made before that day."""
        found = table(store, "forecast")
        mine = found[(found["recipe_id"] == "tokyo") & (found["created_at"] < NOW + until * DAY)]
        return mine.sort_values("forecast_id").to_json(orient="records")

    def scored() -> int:
        forecasts = table(store, "forecast").set_index("forecast_id")["recipe_id"]
        return int((table(store, "score")["forecast_id"].map(forecasts) == "tokyo").sum())

    headings = ("Kept for comparison only (1)", "比較のためだけに残しているもの(1)")
    day(0, settings)
    pages, status, exported = day(1, settings)
    assert all(heading in page for heading, page in zip(headings, pages, strict=True))
    assert status["recipes_forecast"] == 2 and set(status["due"]) == {"tokyo", "tokyo-m45"} and exported == {"tokyo", "tokyo-m45"}
    before = rows(2)
    assert len(json.loads(before)) == 4 and scored() == 0, "the usual rate and what is published, of two days"

    pages, status, exported = day(2, off(settings))
    for heading, page in zip(headings, pages, strict=True):
        assert heading.partition("(")[0] not in page and "about-tokyo-m45" in page and 'about-tokyo"' not in page
    assert status["recipes_forecast"] == 1 and set(status["due"]) == {"tokyo-m45"} and exported == {"tokyo-m45"}
    assert sum(status["published"].values()) == 1
    assert list(due_reasons(store, look(off(settings), machine(NOW)).recipes, machine(NOW))) == ["tokyo-m45"]
    assert rows(3) == before and scored() == 0

    pages, status, _ = day(3, settings)
    assert all(heading in page for heading, page in zip(headings, pages, strict=True))
    assert status["recipes_forecast"] == 2 and set(status["due"]) == {"tokyo", "tokyo-m45"}
    assert rows(2) == before and len(json.loads(rows(4))) > 4
    assert scored() > 0, "what had waited is verified"


def test_the_switch_has_one_place() -> None:
    """Everything that runs reads its recipes through `recipes_in_use`, and nobody else asks the setting."""
    users = {"load_recipes(": set(), ".first_system": set()}
    for path in [*(ROOT / "forecaster").rglob("*.py"), *(ROOT / "flows").rglob("*.py")]:
        text = re.sub(r"^\s*(from|import) .*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
        for word, found in users.items():
            if word in text.replace("forecaster.models.first_system", ""):
                found.add(path.relative_to(ROOT).as_posix())
    assert users["load_recipes("] == {"forecaster/recipe.py", "forecaster/pipeline/recipes_in_use.py"}
    assert users[".first_system"] == {"forecaster/pipeline/recipes_in_use.py"}
