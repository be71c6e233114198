"""The 29 bundled recipes, and what is said of a broken one.

The table of the first system's eight is copied from its published recipes (ids, circles, thresholds, learning rates, dropout, resampling);
the circles abroad are those of the measured figures the project aims at.
"""

from datetime import time
from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from forecaster.errors import BadInput, BadRecipe
from forecaster.recipe import Recipe, choose, load_recipes, parse_recipe
from forecaster.registry.message_channels import CHANNELS
from forecaster.registry.model_kinds import KINDS
from forecaster.registry.recipe_fields import Channel, ModelKind, Severity
from forecaster.reports.outgoing import message
from tests.support import alert_world
from tests.support.changed_recipes import changed_recipe

FOLDER = Path(__file__).resolve().parents[2] / "recipes"

UNDER, SMOTE = "RandomUnderSampler", "SMOTE"
SEED = {  # ja, lat, lng, km, M, learning rate, decay, dropout, resampling
    "tokyo": ("東京", 35.680934, 139.767551, 150, 4.0, 5e-6, 0, 0.3, [(UNDER, {})]),
    "niigata": ("新潟", 37.900865, 139.023056, 150, 3.0, 1e-3, 0.1, 0.3, [(UNDER, {"sampling_strategy": 0.25}), (SMOTE, {})]),
    "iwaki": ("いわき", 37.049971, 140.887985, 150, 4.0, 1e-3, 0.05, 0.3, [(UNDER, {})]),
    "sapporo": ("札幌", 43.063871, 141.346664, 400, 4.0, 5e-6, 0, 0.3, [(UNDER, {})]),
    "sendai": ("仙台", 38.268375, 140.872535, 150, 4.0, 5e-6, 0, 0.3, [(UNDER, {"sampling_strategy": 0.3}), (SMOTE, {})]),
    "nagoya": ("名古屋", 35.17942, 136.906471, 250, 4.0, 5e-6, 0, 0.3, [(UNDER, {})]),
    "nankai": ("南海トラフ付近", 32.824211, 135.076904, 350, 4.0, 5e-6, 0.0005, 0.01, [(UNDER, {})]),
    "fukuoka": ("福岡", 33.605755, 130.418357, 350, 4.0, 5e-6, 0, 0.3, [(UNDER, {"sampling_strategy": 0.8})]),
}
ABROAD = {  # lat, lon, km, M, zone
    "santiago": (-33.45, -70.67, 300, 4.5, "America/Santiago"),
    "wellington": (-41.3, 174.8, 300, 4.5, "Pacific/Auckland"),
    "jakarta": (-6.2, 106.8, 300, 4.5, "Asia/Jakarta"),
    "los-angeles": (34.05, -118.25, 250, 4.5, "America/Los_Angeles"),
    "istanbul": (41, 29, 300, 4.5, "Europe/Istanbul"),
    "lima": (-12.05, -77.04, 300, 4.5, "America/Lima"),
    "tonga": (-20, -174.5, 300, 5.0, "Pacific/Tongatapu"),
    "taipei": (24.5, 121.8, 200, 4.5, "Asia/Taipei"),
    "anchorage": (61.2, -149.9, 300, 4.5, "America/Anchorage"),
    "athens": (38, 23.7, 300, 4.5, "Europe/Athens"),
    "kermadec": (-30, -178, 300, 5.0, "Pacific/Auckland"),
    "manila": (14.6, 121, 300, 4.5, "Asia/Manila"),
    "acapulco": (17, -99.5, 300, 4.5, "America/Mexico_City"),
}
CIRCLE = {"predict_center_lat", "predict_center_lng", "predict_radius_meters"}


@pytest.fixture(scope="module")
def recipes() -> dict[str, Recipe]:
    return load_recipes(FOLDER)


@pytest.fixture(scope="module")
def tokyo_text() -> str:
    return (FOLDER / "first_system" / "tokyo.toml").read_text(encoding="utf-8")


def problems(text: str, file: str = "tokyo.toml") -> list[str]:
    with pytest.raises(BadRecipe) as error:
        parse_recipe(text, file)
    assert str(error.value).splitlines() == [f"{file}: {problem}" for problem in error.value.problems]
    return error.value.problems


def changed(text: str, **fields: str) -> str:
    """The TOML text with top-level fields set to other TOML values; unknown ones are put in front."""
    lines = text.splitlines()
    for key, value in fields.items():
        found = [i for i, line in enumerate(lines) if line.startswith(f"{key} =")]
        lines[found[0] if found else 0 : found[0] + 1 if found else 0] = [f"{key} = {value}"]
    return "\n".join(lines)


def test_there_are_29(recipes):
    assert sorted(recipes) == sorted([*SEED, *(f"{name}-m45" for name in SEED), *ABROAD])


@pytest.mark.parametrize("name", SEED)
def test_the_eight_are_as_the_first_system_had_them(recipes, name):
    recipe, (ja, lat, lng, km, magnitude, rate, decay, dropout, resampling) = recipes[name], SEED[name]
    assert (recipe.display_name.root["ja"], recipe.predict_center_lat, recipe.predict_center_lng) == (ja, lat, lng)
    assert (recipe.predict_radius_meters, recipe.radius_km, recipe.threshold_mag) == (km * 1000, km, magnitude)
    assert (recipe.learning_rate, recipe.decay, recipe.dropout) == (rate, decay, dropout)
    assert [(step.name, step.args) for step in recipe.resampling_methods] == resampling
    assert (recipe.window_days, recipe.predict_range_days, recipe.test_ratio, recipe.epochs) == (15, 1, 0.25, 50)
    assert (recipe.grid, recipe.lat_granularity, recipe.lng_granularity, recipe.time_zone) == ("world", 20, 30, "Asia/Tokyo")
    assert not recipe.balanced_batch and not recipe.use_class_weight and recipe.comparison_only


@pytest.mark.parametrize("name", SEED)
def test_each_of_them_has_a_twin_at_4_5_with_the_same_circle(recipes, name):
    twin = recipes[f"{name}-m45"]
    assert twin.model_dump(include=CIRCLE) == recipes[name].model_dump(include=CIRCLE)
    assert (twin.threshold_mag, twin.time_zone, twin.display_name.root["ja"]) == (
        4.5,
        "Asia/Tokyo",
        recipes[name].display_name.root["ja"],
    )
    assert twin.comparison_only is None


@pytest.mark.parametrize("name", ABROAD)
def test_the_circles_abroad(recipes, name):
    recipe = recipes[name]
    circle = (recipe.predict_center_lat, recipe.predict_center_lng, recipe.radius_km, recipe.threshold_mag, recipe.time_zone)
    assert circle == ABROAD[name]


def test_every_recipe_is_issued_half_an_hour_before_its_day(recipes):
    assert {recipe.issue_local_time for recipe in recipes.values()} == {time(23, 30)}


def test_every_problem_of_a_file_is_told_at_once_with_key_value_and_limit(tokyo_text):
    broken = changed(
        tokyo_text,
        predict_radius_meters="0",
        predict_center_lat="95",
        time_zone='"Asia/Edo"',
        threshold_mag='"strong"',
        colour='"red"',
        id='"kyoto"',
        grid_cell_km="20",
        balanced_batch="true",
        use_class_weight="true",
    )
    broken = broken.replace('"RandomUnderSampler"', '"RandomOverSampler"')
    told = problems(broken)
    for key, *said in (
        ("predict_radius_meters", "0", "1000"),
        ("predict_center_lat", "95", "90"),
        ("time_zone", "Asia/Edo", "IANA"),
        ("threshold_mag", "strong", "number"),
        ("colour", "not a field"),
        ("id", "kyoto", "tokyo"),
        ("grid_cell_km", "20", "world grid"),
        ("balanced_batch", "use_class_weight"),
        ("resampling_methods, number 1.name", "RandomOverSampler", "NearMiss"),
    ):
        lines = [line for line in told if line.startswith(key)]
        assert len(lines) == 1 and all(word in lines[0] for word in said), (key, told)
    assert len(told) == 9


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"grid": '"regional"'}, ["lat_granularity = 20: must be odd", "lng_granularity = 30: must be odd"]),
        ({"predict_radius_meters": "150"}, ["predict_radius_meters = 150: must be 1000 to 2000000 metres; for 150 km write 150000"]),
        ({"epocs": "3"}, ["epocs: is not a field of a recipe; did you mean 'epochs'?"]),
        ({"grid": '"regional"', "lat_granularity": "21", "lng_granularity": "31", "grid_cell_km": "2"}, ["grid_cell_km = 2"]),
        ({"predict_center_lat": "nan"}, ["predict_center_lat = nan"]),
        ({"learning_rate": "inf"}, ["learning_rate = inf"]),
        ({"learning_rate": "0"}, ["learning_rate = 0"]),
        ({"test_ratio": "0.9"}, ["test_ratio = 0.9"]),
        ({"predict_center_lng": "-180.1"}, ["predict_center_lng = -180.1"]),
        ({"window_days": "1.5"}, ["window_days = 1.5"]),
        ({"issue_local_time": '"23:30:00+09:00"'}, ["issue_local_time = "]),
        ({"issue_local_time": '"25:00"'}, ["issue_local_time = '25:00'"]),
        ({"issue_local_time": '"23:30:45"'}, ["issue_local_time = '23:30:45': must be a whole minute"]),
        ({"displayName": '{ en = "Tokyo", ja = "" }'}, ["displayName.ja = ''"]),
        ({"displayName": '""'}, ["displayName.en = ''"]),
        ({"displayName": "3"}, ['displayName = 3: write "Rome", or one name a language']),
        ({"displayName": "{}"}, ['displayName: write "Rome", or one name a language']),
        ({"displayName": '{ English = "Tokyo" }'}, ["displayName.English = 'English'"]),
        ({"id": '"../etc"'}, ["id = '../etc'", "id = '../etc'"]),
        ({"resampling_methods": "[{ args = {} }]"}, ["resampling_methods, number 1.name: is missing"]),
    ],
)
def test_one_bad_field_gives_its_own_lines(tokyo_text, fields, said):
    text = tokyo_text.split("[[resampling_methods]]")[0] if "resampling_methods" in fields else tokyo_text
    told = problems(changed(text, **fields))
    assert len(told) == len(said) and all(line.startswith(start) for line, start in zip(told, said, strict=True)), told


def test_broken_toml_and_a_wrong_file_name(tokyo_text):
    assert problems(tokyo_text.replace("=", ":", 1))[0].startswith("is not valid TOML")
    assert problems(tokyo_text, "osaka.toml") == ["id = 'tokyo': must be the file's name, 'osaka'; rename the file to tokyo.toml"]
    assert all("is missing" in line for line in problems(""))


@pytest.mark.parametrize("value", ["[" * 3_000, "{a=" * 3_000, "9" * 5_000, "0x" + "f" * 5_000, '"' + "x" * 100_000 + '"'])
def test_a_value_too_deep_or_too_long_is_told_in_one_short_line(tokyo_text, value):
    (line,) = problems(changed(tokyo_text, epochs=value))
    assert line.startswith(("is not valid TOML", "epochs = ")) and len(line) < 250


def test_a_folder_tells_the_problems_of_all_its_files(tmp_path, tokyo_text):
    (tmp_path / "tokyo.toml").write_text(changed(tokyo_text, epochs="0", dropout="1"), encoding="utf-8")
    (tmp_path / "kyoto.toml").write_bytes(tokyo_text.encode("shift-jis"))
    (tmp_path / "nara.toml").mkdir()
    (tmp_path / "good.toml").write_text(changed(tokyo_text, id='"good"'), encoding="utf-8")
    with pytest.raises(BadRecipe) as error:
        load_recipes(tmp_path)
    lines = str(error.value).splitlines()
    assert [line.split(": ")[1].split(" ")[0] for line in lines] == ["kyoto.toml", "nara.toml", "tokyo.toml", "tokyo.toml"]
    assert "is not UTF-8 text" in lines[0] and "cannot be read" in lines[1] and "epochs = 0" in lines[2]


def test_a_folder_without_recipes(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(BadInput, match="QUAKECAST_RECIPES"):
            load_recipes(folder)


def test_any_field_changes_the_recipe_and_only_the_target_changes_the_target(recipes):
    tokyo = recipes["tokyo"]
    other = {
        "id": "other",
        "display_name": {"en": "T", "ja": "東"},
        "time_zone": "Asia/Seoul",
        "issue_local_time": "23:29",
        "comparison_only": None,
        "predict_center_lat": 35.7,
        "predict_center_lng": 139.8,
        "predict_radius_meters": 150_001,
        "threshold_mag": 4.1,
        "window_days": 14,
        "predict_range_days": 2,
        "test_ratio": 0.24,
        "learning_rate": 5.1e-6,
        "decay": 0.01,
        "epochs": 49,
        "dropout": 0.31,
        "recurrent_activation": "hard_sigmoid",
        "filters": 29,
        "hidden_units": 99,
        "resampling_methods": [{"name": "RandomUnderSampler", "args": {"sampling_strategy": 0.9}}],
        "balanced_batch": True,
        "use_class_weight": True,
        "batch_size": 31,
        "patience": 6,
        "max_minutes": 29.0,
        "seed": 1,
        "lat_granularity": 21,
        "lng_granularity": 31,
        "grid": ("regional", {"grid_cell_km": 20.0, "lat_granularity": 21, "lng_granularity": 31}),
        "grid_cell_km": (
            "also changes with the grid",
            {"grid": "regional", "grid_cell_km": 30.0, "lat_granularity": 21, "lng_granularity": 31},
        ),
    }
    no_part = {"models", "publishing_rule", "alerts", "group"}
    assert set(other) | no_part == set(Recipe.model_fields), "a new field must change the hash, too"
    hashes = {tokyo.recipe_hash}
    for name, value in other.items():
        fields = {name: value} if not isinstance(value, tuple) else {**({name: value[0]} if name == "grid" else {}), **value[1]}
        recipe = Recipe.model_validate(tokyo.model_dump() | fields)
        hashes.add(recipe.recipe_hash)
        target = name in CIRCLE | {"threshold_mag", "time_zone", "predict_range_days"}
        assert (recipe.target_hash != tokyo.target_hash) == target, name
    assert len(hashes) == len(other) + 1
    assert len({recipe.recipe_hash for recipe in recipes.values()}) == 29


def test_which_kinds_are_fitted_voids_no_fit(recipes):
    """A kind more or less must not make the other kinds' models those of another recipe."""
    fewer = changed_recipe(recipes["tokyo"], models=["etas"])
    assert fewer.models == ("etas",) and fewer.recipe_hash == recipes["tokyo"].recipe_hash


def test_where_a_report_lists_a_recipe_voids_no_fit(recipes):
    listed = Recipe.model_validate(recipes["tokyo"].model_dump() | {"group": "Kanto"})
    assert listed.group.root == {"en": "Kanto"}
    assert (listed.recipe_hash, listed.target_hash) == (recipes["tokyo"].recipe_hash, recipes["tokyo"].target_hash)


RULE = """
[[alerts]]
name = "raised"
probability = 0.05
ratio = 3
quiet_hours = { from = 22:00:00, until = "07:00" }
"""


@pytest.fixture(scope="module")
def athens_text() -> str:
    return alert_world.bare()


def test_an_alert_rule_changes_neither_the_recipe_nor_the_target(recipes, athens_text):
    """Adding a rule must void no fit and orphan no forecast."""
    athens = parse_recipe(athens_text + RULE, "athens.toml")
    (rule,) = athens.alerts
    assert (rule.name, rule.probability, rule.ratio, rule.min_gain, rule.channels, rule.severity) == ("raised", 0.05, 3.0, 0.0, (), "info")
    assert rule.quiet_hours is not None and (rule.quiet_hours.begins, rule.quiet_hours.ends) == (time(22), time(7))
    assert (athens.recipe_hash, athens.target_hash) == (recipes["athens"].recipe_hash, recipes["athens"].target_hash)


def test_channels_and_severities_are_those_that_messages_know():
    assert get_args(Channel) == tuple(CHANNELS) and get_args(Severity) == get_args(message.Severity)


def test_each_recipe_to_be_relied_on_ships_one_rule_and_no_other_does(recipes):
    """Sending needs only a channel: the rule names none, waits for no hour and asks for no more skill than any."""
    relied = [recipe for recipe in recipes.values() if recipe.comparison_only is None]
    assert len(relied) == 21 and all(recipe.alerts == () for recipe in recipes.values() if recipe not in relied)
    for recipe in relied:
        (rule,) = recipe.alerts
        assert (rule.name, rule.channels, rule.quiet_hours, rule.min_gain) == ("raised", (), None, 0.0), recipe.id
        bare = changed_recipe(recipe, alerts=())
        assert (bare.recipe_hash, bare.target_hash) == (recipe.recipe_hash, recipe.target_hash), recipe.id


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("probability = 0", ["alert rule 'raised': probability = 0"]),
        ("probability = 1.0", ["alert rule 'raised': probability = 1.0"]),
        ("probability = nan", ["alert rule 'raised': probability = nan"]),
        ("ratio = 0.9", ["alert rule 'raised': ratio = 0.9"]),
        ('ratio = "high"', ["alert rule 'raised': ratio = 'high'"]),
        ("ratio_off = 0", ["alert rule 'raised': ratio_off = 0"]),
        ("probability_off = 0.06", ["alert rule 'raised': probability_off = 0.06: must not lie above probability = 0.05"]),
        ("ratio_off = 3.1", ["alert rule 'raised': ratio_off = 3.1: must not lie above ratio = 3"]),
        ("cooldown_days = -1", ["alert rule 'raised': cooldown_days = -1"]),
        ("cooldown_days = 1.5", ["alert rule 'raised': cooldown_days = 1.5"]),
        ("quiet_hours = { from = 22:00:00 }", ["alert rule 'raised': quiet_hours.until: is missing"]),
        ("quiet_hours = { from = 22:00:00, until = 22:00:00 }", ["alert rule 'raised': quiet_hours: from and until must differ"]),
        (
            'quiet_hours = { from = "22:00+09:00", until = 07:00:00 }',
            ["alert rule 'raised': quiet_hours.from = '22:00+09:00': must be a local time"],
        ),
        ("min_gain = inf", ["alert rule 'raised': min_gain = inf"]),
        (
            'channels = ["pager"]',
            ["alert rule 'raised': channels, number 1 = 'pager': input should be 'email', 'webhook', 'slack' or 'apprise'"],
        ),
        ('channels = ["email", "email"]', ["alert rule 'raised': channels = ['email', 'email']: must name each channel once"]),
        ('severity = "red"', ["alert rule 'raised': severity = 'red'"]),
        ('name = "Big One"', ["alert rule 'Big One': name = 'Big One'"]),
        ('colour = "red"', ["alert rule 'raised': colour: is not a field of an alert rule (see docs/ALERTS.md"]),
        ("probability = 2\nratio = 0", ["alert rule 'raised': probability = 2", "alert rule 'raised': ratio = 0"]),
    ],
)
def test_every_problem_of_a_rule_is_told(athens_text, more, said):
    fields = dict(line.split(" = ", 1) for line in RULE.strip().splitlines()[1:]) | dict(line.split(" = ", 1) for line in more.splitlines())
    told = problems(athens_text + "\n[[alerts]]\n" + "\n".join(f"{key} = {value}" for key, value in fields.items()), "athens.toml")
    assert len(told) == len(said) and all(line.startswith(start) for line, start in zip(told, said, strict=True)), told


def test_rules_need_names_of_their_own_and_a_recipe_to_rely_on(athens_text, tokyo_text):
    assert problems(athens_text + RULE + RULE, "athens.toml") == ["alerts: 2 rules are called 'raised'; give each its own name"]
    (problem,) = problems(tokyo_text + RULE)
    assert problem.startswith("alerts: a recipe that is kept for comparison_only is not to be relied on")
    assert "valid tuple" in problems(changed(athens_text, alerts="3"), "athens.toml")[0]
    (problem,) = problems(athens_text + '[[alerts]]\nname = "raised"\n' + RULE, "athens.toml")[:1]
    assert problem == "alert rule 'raised': probability: is missing"


def test_the_kinds_that_can_be_named_are_those_that_can_be_fitted(recipes, tokyo_text):
    assert set(get_args(ModelKind)) == set(KINDS) - {"climatology", "recent_rate", "etas_generic"}
    assert all(
        recipe.models == ("etas", "pooled", "hybrid", "regional", "convlstm" if name in SEED else "cells")
        for name, recipe in recipes.items()
    )
    (problem,) = problems(changed(tokyo_text, models='["etas", "oracle"]'))
    assert problem.startswith("models, number 2 = 'oracle': input should be 'best_rate', 'persistence', 'etas'")
    (problem,) = problems(changed(tokyo_text, models='["etas", "etas"]'))
    assert "must name each kind once" in problem
    assert parse_recipe(changed(tokyo_text, models="[]"), "tokyo.toml").models == ()


def test_how_a_number_is_written_plays_no_part(tokyo_text):
    same = changed(tokyo_text, predict_radius_meters="150_000.0", learning_rate="0.000005") + "\n# a comment\n"
    assert parse_recipe(same, "tokyo.toml").recipe_hash == parse_recipe(tokyo_text, "tokyo.toml").recipe_hash


def test_a_recipe_is_frozen(recipes):
    with pytest.raises(ValidationError):
        recipes["tokyo"].threshold_mag = 5.0


def test_choosing(recipes):
    assert [recipe.id for recipe in choose(recipes, ["tokyo", "athens"])] == ["tokyo", "athens"]
    assert len(choose(recipes, [])) == 29
    with pytest.raises(BadInput, match="unknown recipe 'tokio'; did you mean 'tokyo'"):
        choose(recipes, ["tokyo", "tokio"])
