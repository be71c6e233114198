"""The files that people write in their first week: the shortest recipe, and what is said of the worst ones.

Mutations that were seen to fail: the zone of the place always UTC; `utf-8-sig` read as `utf-8`; hidden files read; the English name not
filled in; the cell of 5 km at least left out.
"""

from pathlib import Path

import pytest
from click.testing import CliRunner

from forecaster.cli import main
from forecaster.errors import BadInput, BadRecipe
from forecaster.recipe import Recipe, choose, load_recipes, parse_recipe, unread_files
from forecaster.recipe_reference import PARTS, as_markdown, as_text, reference

ROME = """id = "rome"
displayName = "Rome"
predict_center_lat = 41.9
predict_center_lng = 12.5
predict_radius_meters = 200000
threshold_mag = 4.5
"""
DOCS = Path(__file__).resolve().parents[2] / "docs"


def write(folder: Path, name: str, text: str = ROME, encoding: str = "utf-8") -> None:
    (folder / name).write_bytes(text.encode(encoding))


def told(folder: Path) -> str:
    with pytest.raises(BadInput) as error:
        load_recipes(folder)
    return str(error.value)


def test_five_things_are_a_recipe() -> None:
    rome = parse_recipe(ROME, "rome.toml")
    assert (rome.time_zone, rome.predict_range_days, rome.grid, rome.grid_cell_km) == ("Europe/Rome", 1, "regional", 100.0)
    assert rome.models == ("etas", "pooled", "hybrid", "regional", "cells") and rome.alerts == ()


def test_the_shortest_recipe_asks_the_same_as_a_long_one(recipes) -> None:
    """What is left out is what the bundled recipes say; so the outcomes of one are those of the other."""
    for athens in (recipes["athens"], recipes["sendai-m45"]):
        short = {
            name: getattr(athens, name)
            for name in ("id", "predict_center_lat", "predict_center_lng", "predict_radius_meters", "threshold_mag", "display_name")
        }
        assert Recipe.model_validate(short).target_hash == athens.target_hash


def test_the_docs_begin_with_the_shortest_recipe() -> None:
    text = (DOCS / "RECIPES.md").read_text(encoding="utf-8")
    example = text.partition("```toml\n")[2].partition("```")[0]
    assert parse_recipe(example, "rome.toml").time_zone == "Europe/Rome"


@pytest.mark.parametrize(
    ("written", "names"),
    [
        ('"Rome"', {"en": "Rome"}),
        ('{ en = "Rome" }', {"en": "Rome"}),
        ('{ it = "Roma", fr = "Rome" }', {"en": "Roma", "it": "Roma", "fr": "Rome"}),
        ('{ ja = "ローマ", en = "Rome" }', {"en": "Rome", "ja": "ローマ"}),
        ('{ pt-BR = "Roma", en = "Rome" }', {"en": "Rome", "pt-BR": "Roma"}),
    ],
)
def test_names_in_any_language(written, names) -> None:
    rome = parse_recipe(ROME.replace('displayName = "Rome"', f"displayName = {written}"), "rome.toml")
    assert rome.display_name.model_dump() == names
    assert rome.display_name.root.get("ja") == names.get("ja")


@pytest.mark.parametrize(
    ("more", "fields"),
    [
        ("grid = 'world'", {"grid_cell_km": None, "lat_granularity": 20, "lng_granularity": 30}),
        ("grid_cell_km = 20", {"grid_cell_km": 20.0, "lat_granularity": 11}),
        ("time_zone = 'Europe/Paris'", {"time_zone": "Europe/Paris"}),
    ],
)
def test_what_is_written_counts(more, fields) -> None:
    rome = parse_recipe(ROME + more, "rome.toml")
    assert {name: getattr(rome, name) for name in fields} == fields


def test_a_small_circle_has_cells_of_five_km() -> None:
    assert parse_recipe(ROME.replace("200000", "4000"), "rome.toml").grid_cell_km == 5.0


def test_a_bad_place_is_told_alone() -> None:
    """That its zone is not known follows from it."""
    with pytest.raises(BadRecipe) as error:
        parse_recipe(ROME.replace("41.9", "95"), "rome.toml")
    assert error.value.problems == ["predict_center_lat = 95: must be -90 to 90 degrees"]


@pytest.mark.parametrize("text", [ROME.replace(" = ", "\t=\t"), ROME.replace("\n", "\r\n"), "\n\n" + ROME, "\t" + ROME])
def test_tabs_and_the_line_ends_of_windows_are_read(tmp_path, text) -> None:
    write(tmp_path, "rome.toml", text)
    assert load_recipes(tmp_path)["rome"] == parse_recipe(ROME, "rome.toml")


def test_a_byte_order_mark_is_read(tmp_path) -> None:
    write(tmp_path, "rome.toml", encoding="utf-8-sig")
    assert list(load_recipes(tmp_path)) == ["rome"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named(tmp_path, encoding) -> None:
    write(tmp_path, "rome.toml", encoding=encoding)
    assert told(tmp_path).startswith("rome.toml: is saved as UTF-16; save it again as UTF-8")


def test_another_encoding_is_told_with_its_line(tmp_path) -> None:
    write(tmp_path, "rome.toml", ROME.replace('"Rome"', '"Università"'), "latin-1")
    assert told(tmp_path) == "rome.toml: is not UTF-8 text (byte 0xe0 in line 2); save it again as UTF-8"


def test_typographic_quotation_marks_are_named(tmp_path) -> None:
    write(tmp_path, "rome.toml", ROME.replace('"Rome"', "“Rome”"))
    assert 'line 2 has the typographic quotation mark “: write a plain "' in told(tmp_path)


def test_two_files_of_one_id(tmp_path) -> None:
    write(tmp_path, "rome.toml")
    write(tmp_path, "rome-copy.toml")
    assert told(tmp_path) == (
        "rome-copy.toml: id = 'rome': must be the file's name, 'rome-copy'; rome.toml has this id already: change it, or take one of them "
        "away"
    )


def test_a_file_of_another_name(tmp_path) -> None:
    write(tmp_path, "Rome.toml")
    assert told(tmp_path) == "Rome.toml: id = 'rome': must be the file's name, 'Rome'; rename the file to rome.toml"


def test_files_of_systems_and_editors_are_no_recipes(tmp_path) -> None:
    """macOS leaves `._rome.toml`, Emacs `.#rome.toml`, others `rome.toml~`."""
    write(tmp_path, "rome.toml")
    for name in ("._rome.toml", ".#rome.toml", "rome.toml~", "README.txt"):
        write(tmp_path, name, "\0no recipe")
    assert list(load_recipes(tmp_path)) == ["rome"]


def test_folders_without_a_recipe_say_why(tmp_path) -> None:
    assert told(tmp_path) == f"no recipe (*.toml) in {tmp_path}; set QUAKECAST_RECIPES to a folder that has some"
    assert "there is no folder" in told(tmp_path / "absent") and "quotation marks" in told(Path(f'"{tmp_path}"'))
    write(tmp_path, "rome.toml.txt")
    assert "there is rome.toml.txt: the name of a recipe must end in .toml" in told(tmp_path)
    assert "is a file" in told(tmp_path / "rome.toml.txt")
    assert unread_files(tmp_path) == ["rome.toml.txt"]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("toky", "; did you mean 'tokyo' or 'tokyo-m45'?"),
        ("Tokyo", "; did you mean 'tokyo'"),
        ("tokyo_m45", "; did you mean 'tokyo-m45'"),
        ("los angeles", "; did you mean 'los-angeles'?"),
        ("ta", "; did you mean 'taipei'?"),
        ("xyzzy", "; there are: acapulco, anchorage"),
    ],
)
def test_a_typo_of_an_id_is_answered(recipes, typed, said) -> None:
    with pytest.raises(BadInput) as error:
        choose(recipes, [typed])
    assert str(error.value).startswith(f"unknown recipe {typed!r}{said}")


@pytest.mark.parametrize("command", ["recipes check", "predict", "train", "verify"])
def test_a_typo_is_told_before_any_catalogue_is_loaded(tmp_path, monkeypatch, command) -> None:
    monkeypatch.setattr("forecaster.pipeline.as_of.bundled_catalogue.load_snapshot", lambda *_: pytest.fail("a catalogue was loaded"))
    home = tmp_path / "home"
    done = CliRunner().invoke(main, [*command.split(), "--recipe", "toky"], env={"QUAKECAST_HOME": str(home)})
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1) and "did you mean 'tokyo'" in done.stderr
    assert not home.exists()


def test_the_reference_has_every_field_once_and_the_docs_have_it() -> None:
    names = [name for part in PARTS.values() for name in part]
    assert sorted(names) == sorted((field.alias or name) for name, field in Recipe.model_fields.items())
    assert [row.name for part in reference() for row in part.rows if row.default is None] == list(PARTS["Needed"])
    text = (DOCS / "RECIPES.md").read_text(encoding="utf-8")
    assert as_markdown() in text, "run `quakecast recipes fields --markdown` and put its tables into docs/RECIPES.md"
    assert "predict_radius_meters: a number from 1000 to 2000000, in metres (needed)" in as_text()


def test_a_contradiction_with_a_default_is_told_like_any_other():
    """The grid is regional where nothing is said: an even number of cells was an UnboundLocalError then."""
    with pytest.raises(BadRecipe, match="lat_granularity = 20: must be odd on a regional grid"):
        parse_recipe(ROME + "lat_granularity = 20\n", "rome.toml")
