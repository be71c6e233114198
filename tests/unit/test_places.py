"""Recipes of places of one's own: what is written, and what is refused without writing anything.

Mutations that were seen to fail: a file opened with "w", the check of `beside` left out, cells as wide as the radius.
"""

import json
import math
import os
from pathlib import Path
from zoneinfo import available_timezones

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from forecaster import places, zones
from forecaster.cli import main
from forecaster.errors import BadInput, NotWritable
from forecaster.recipe import load_recipes, parse_recipe

ROOT = Path(__file__).resolve().parents[2]
SENDAI = (38.268375, 140.872535, 150, 4.5, "Asia/Tokyo", "sendai-m45", "Sendai")


def test_a_recipe_of_ours_is_written_as_we_wrote_it() -> None:
    """The bundled sendai-m45.toml but for the Japanese name, which is not made up, and the alert rule; the zone is found, too."""
    ours = (ROOT / "recipes" / "sendai-m45.toml").read_text(encoding="utf-8").replace(', ja = "仙台"', "")
    ours = ours.replace("learning_rate = 3e-4", "learning_rate = 0.0003").partition("\n# The alert rule that ships")[0]
    assert places.recipe_text(places.recipe_at(*SENDAI)) == ours
    assert zones.zone_at(*SENDAI[:2]) == "Asia/Tokyo"


@pytest.mark.parametrize("name", ["los-angeles", "acapulco", "tonga", "kermadec", "wellington", "nankai-m45"])
def test_other_recipes_of_ours_are_the_same_target_and_fit(recipes, name) -> None:
    """Their hashes, but for the name."""
    ours = recipes[name]
    place = (ours.predict_center_lat, ours.predict_center_lng, ours.radius_km, ours.threshold_mag, ours.time_zone, name)
    made = places.recipe_at(*place).model_copy(update={"display_name": ours.display_name})
    assert (made.recipe_hash, made.target_hash, made.models) == (ours.recipe_hash, ours.target_hash, ours.models)


@given(
    st.floats(-90, 90),
    st.floats(-180, 180),
    st.floats(1, 2000),
    st.floats(2.0, 9.5),
    st.text(st.characters(exclude_categories=["C", "Z"]), max_size=80),
)
def test_every_file_says_its_recipe(latitude, longitude, radius_km, magnitude, name) -> None:
    recipe_id = places.default_id(latitude, longitude)
    recipe = places.recipe_at(latitude, longitude, radius_km, magnitude, "UTC", recipe_id, name)
    assert parse_recipe(places.recipe_text(recipe), f"{recipe_id}.toml") == recipe
    expected = name or places.place_name(latitude, longitude)
    assert recipe.display_name.model_dump() == {"en": expected}


@pytest.mark.parametrize("name", ['The "old" town \\ of Ω', "東京", "x" * 80, " padded "])
def test_names_with_quotes_and_other_scripts(name) -> None:
    recipe = places.recipe_at(*SENDAI[:6], name)
    assert parse_recipe(places.recipe_text(recipe), "sendai-m45.toml").display_name.en == name.strip()


def test_ids_and_names_by_hand() -> None:
    assert places.default_id(38.3, 142.4) == "at-38-30n-142-40e"
    assert places.default_id(-0.004, -178.0) == "at-0-00n-178-00w"
    assert places.place_name(-30.0, -178.456) == "30.00° S, 178.46° W"


@pytest.mark.parametrize(
    ("latitude", "longitude", "zone"),
    [
        (35.68, 139.77, "Asia/Tokyo"),
        (37.98, 23.73, "Europe/Athens"),
        (19.43, -99.13, "America/Mexico_City"),
        (-21.14, -175.2, "Pacific/Tongatapu"),
        (38.3, 146.4, "Etc/GMT-10"),  # at sea: 146.4 / 15 = 9.8 hours ahead of UTC
        (-30.0, -178.0, "Etc/GMT+12"),
        (0.0, -30.0, "Etc/GMT+2"),
        (-90.0, 0.0, "Antarctica/McMurdo"),
    ],
)
def test_zones_on_land_and_at_sea(latitude, longitude, zone) -> None:
    assert zones.zone_at(latitude, longitude) == zone
    assert zone in available_timezones()


def test_small_circles_have_cells_of_five_km() -> None:
    assert places.recipe_at(0, 0, 4, 4.5, "UTC", "a").grid_cell_km == 5.0
    assert places.recipe_at(0, 0, 2000, 4.5, "UTC", "a").grid_cell_km == 1000.0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"latitude_deg": 91.0}, "look swapped"),
        ({"latitude_deg": 91.0, "longitude_deg": 140.0}, "latitude 91: must be -90 to 90"),
        ({"longitude_deg": -180.5}, "longitude -180.5: must be -180 to 180"),
        ({"latitude_deg": math.nan}, "latitude nan"),
        ({"longitude_deg": math.inf}, "longitude inf"),
        ({"radius_km": 0.0}, "radius 0 km: must be 1 to 2000 km"),
        ({"radius_km": math.nan}, "radius nan km"),
        ({"radius_km": 3000.0}, "radius 3000 km: must be 1 to 2000 km"),
        ({"magnitude": 9.6}, "magnitude 9.6: must be 2 to 9.5"),
        ({"magnitude": 1.0}, "magnitude 1: must be 2 to 9.5"),
        ({"zone": "Asia/Edo"}, "time zone 'Asia/Edo'"),
        ({"zone": ""}, "time zone ''"),
        ({"recipe_id": "My Place"}, "id 'My Place'"),
        ({"recipe_id": ""}, "id ''"),
        ({"recipe_id": "../up"}, "id '../up'"),
        ({"recipe_id": "a\n"}, "id 'a"),
        ({"name": "two\nlines"}, "one line"),
        ({"name": "x" * 81}, "at most 80"),
    ],
)
def test_what_is_no_recipe_is_refused_in_one_line(change, told) -> None:
    values = {
        "latitude_deg": 38.3,
        "longitude_deg": 42.4,
        "radius_km": 150.0,
        "magnitude": 4.5,
        "zone": "UTC",
        "recipe_id": "a",
        "name": "A",
    }
    with pytest.raises(BadInput, match=told.replace("(", r"\(")) as error:
        places.recipe_at(**(values | change))
    assert "\n" not in str(error.value)


# --- the command ---


@pytest.fixture
def new(tmp_path):
    """Runs `quakecast recipes new` with a home and a folder of recipes of their own; both are made by the first recipe."""

    def invoke(*arguments: str):
        environment = {"QUAKECAST_HOME": str(tmp_path / "home"), "QUAKECAST_RECIPES": str(tmp_path / "recipes")}
        return CliRunner().invoke(main, ["recipes", "new", *arguments], env=environment)

    return invoke


CIRCLE = ("--radius-km", "150", "--magnitude", "4.5")


def test_a_place_becomes_a_file_that_is_read(new, tmp_path) -> None:
    done = new("--at", "-30.0, -178.0", *CIRCLE, "--name", "Raoul")
    assert done.exit_code == 0, done.output
    path = tmp_path / "recipes" / "at-30-00s-178-00w.toml"
    recipe = load_recipes(path.parent)["at-30-00s-178-00w"]
    assert (recipe.time_zone, recipe.display_name.en, recipe.radius_km) == ("Etc/GMT+12", "Raoul", 150.0)
    assert str(path) in done.output and "  quakecast train --recipe at-30-00s-178-00w" in done.output.splitlines()
    assert not (tmp_path / "home").exists()


def test_what_the_common_streams_lack_is_to_be_pulled_first(new) -> None:
    """They hold M >= 4.5 everywhere and M >= 3.5 about Japan."""
    for place, magnitude, first in (("35.7,139.8", "3.5", "recipes"), ("38.0,23.7", "4.5", "recipes"), ("38.0,23.7", "4.4", "pull")):
        done = new("--at", place, "--radius-km", "150", "--magnitude", magnitude, "--id", f"m{magnitude[2]}-{place[:2]}", "--json")
        assert json.loads(done.stdout)["next"][0].split()[1] == first


def test_a_folder_elsewhere_is_named_in_the_next_commands(new, tmp_path) -> None:
    folder = tmp_path / "my own"
    done = new("--at", "35.68,139.77", *CIRCLE, "--id", "mine", "--zone", "Europe/Paris", "--out", str(folder), "--json")
    told = json.loads(done.stdout)
    assert told["path"] == str(folder / "mine.toml") and told["recipe"]["time_zone"] == "Europe/Paris"
    assert told["next"][0] == f"QUAKECAST_RECIPES='{folder}' quakecast recipes check --recipe mine"
    assert not (tmp_path / "recipes").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--at", "38.3", *CIRCLE], "must be LAT,LON"),
        (["--at", "38.3,142.4,10", *CIRCLE], "must be LAT,LON"),
        (["--at", "38.3N,142.4E", *CIRCLE], "must be LAT,LON"),
        (["--at", "", *CIRCLE], "must be LAT,LON"),
        (["--at", "142.4,38.3", *CIRCLE], "did you mean 38.3,142.4?"),
        (["--at", "nan,38.3", *CIRCLE], "latitude nan"),
        (["--at", "38.3,200", *CIRCLE], "longitude 200: must be -180 to 180"),
        (["--at", "38.3,142.4", "--radius-km", "0", "--magnitude", "4.5"], "radius 0 km"),
        (["--at", "38.3,142.4", "--radius-km", "3000", "--magnitude", "4.5"], "radius 3000 km"),
        (["--at", "38.3,142.4", "--radius-km", "150", "--magnitude", "9.6"], "magnitude 9.6"),
        (["--at", "38.3,142.4", "--radius-km", "150", "--magnitude", "1"], "magnitude 1:"),
        (["--at", "38.3,142.4", *CIRCLE, "--zone", "Asia/Edo"], "time zone 'Asia/Edo'"),
        (["--at", "38.3,142.4", *CIRCLE, "--id", "Édo"], "id 'Édo'"),
    ],
)
def test_bad_values_are_refused_and_nothing_is_written(new, tmp_path, arguments, told) -> None:
    done = new(*arguments)
    assert done.exit_code == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and told in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_no_file_is_ever_overwritten(new, tmp_path) -> None:
    """Nor is an id of the recipes in use given to another file elsewhere."""
    assert new("--at", "38.3,142.4", *CIRCLE, "--id", "mine").exit_code == 0
    before = (tmp_path / "recipes" / "mine.toml").read_bytes()
    for elsewhere in ([], ["--out", str(tmp_path / "other")]):
        done = new("--at", "1.0,2.0", *CIRCLE, "--id", "mine", *elsewhere)
        assert done.exit_code == 2 and "there is a recipe of this id" in done.stderr and done.stderr.count("\n") == 1
    assert (tmp_path / "recipes" / "mine.toml").read_bytes() == before and not (tmp_path / "other").exists()


def test_a_file_that_appears_meanwhile_stays(tmp_path, monkeypatch) -> None:
    """Between the look and the writing another process may write the same id."""
    path = tmp_path / "sendai-m45.toml"
    path.write_text("theirs")
    monkeypatch.setattr(Path, "exists", lambda self: False)
    with pytest.raises(NotWritable, match="File exists"):
        places.write_recipe(places.recipe_at(*SENDAI), tmp_path)
    monkeypatch.undo()
    assert path.read_text() == "theirs"


def test_a_folder_that_cannot_be_written(new, tmp_path) -> None:
    """A file stands where the folder should be; and, where we are not root, a folder without the right to write."""
    (tmp_path / "file").write_text("")
    done = new("--at", "38.3,142.4", *CIRCLE, "--out", str(tmp_path / "file" / "recipes"))
    assert done.exit_code == 2 and done.stderr.count("\n") == 1 and "with --out" in done.stderr
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        assert new("--at", "38.3,142.4", *CIRCLE, "--out", str(tmp_path / "locked")).exit_code == 2


def test_a_full_disk_leaves_no_half_file(tmp_path, monkeypatch) -> None:
    def full(recipe):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(places, "recipe_text", full)
    with pytest.raises(NotWritable, match="No space left"):
        places.write_recipe(places.recipe_at(*SENDAI), tmp_path)
    assert list(tmp_path.iterdir()) == []
