"""A place on the map as a recipe: from coordinates, a radius and a magnitude to a complete recipe and its file.

Nothing is looked up outside this machine.
"""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from forecaster.errors import BadInput, NotWritable
from forecaster.recipe import Recipe, default_cell_km, recipe_folders
from forecaster.registry.recipe_fields import DisplayName, ResamplingMethod

GRID_CELLS = 11
_TRAINING: dict[str, Any] = {
    "models": ("etas", "pooled", "hybrid", "regional", "cells"),
    "test_ratio": 0.25,
    "learning_rate": 3e-4,
    "epochs": 50,
    "dropout": 0.3,
    "filters": 8,
    "hidden_units": 32,
    "max_minutes": 30,
    "resampling_methods": (ResamplingMethod(name="RandomUnderSampler", args={"sampling_strategy": 0.25}),),
}
"""What the bundled recipes on regional grids have in common."""

_FIELDS = {"latitude": "predict_center_lat", "longitude": "predict_center_lng", "magnitude": "threshold_mag"}


def parse_place(text: str) -> tuple[float, float]:
    """Parse a text such as `38.30,142.40` into (latitude, longitude) in degrees; north and east are positive.

    Raises:
        BadInput: it is not such a text, it is out of range, or the two look swapped.
    """
    parts = text.split(",")
    try:
        latitude, longitude = (float(part) for part in parts)
    except ValueError:
        raise BadInput(
            f"place {text[:60]!r}: must be LAT,LON in decimal degrees, north and east positive, such as 38.30,142.40 or -30.0,-178.0"
        ) from None
    _check_place(latitude, longitude)
    return latitude, longitude


def recipe_at(
    latitude_deg: float, longitude_deg: float, radius_km: float, magnitude: float, zone: str, recipe_id: str, name: str = ""
) -> Recipe:
    """Return the recipe of "M >= magnitude within the circle on a day of `zone`", one day ahead, with the fields of the bundled recipes.

    zone: an IANA time zone (`zone_at`). recipe_id: `default_id`, for instance. name: in English; where it is empty, the coordinates are
    used. Pages in another language show it, too, until the recipe has a name in that language. The cells of its grid are half the radius
    wide, 5 km at least.

    Raises:
        BadInput: a value is not allowed in a recipe; the message names it and its limits.
    """
    _check_place(latitude_deg, longitude_deg)
    smallest, largest = limits("predict_radius_meters")
    if not smallest <= radius_km * 1000.0 <= largest:
        raise BadInput(f"radius {radius_km:g} km: must be {smallest / 1000:g} to {largest / 1000:g} km")
    _check("magnitude", magnitude, "the smallest that counts as a target")
    name = name.strip() or place_name(latitude_deg, longitude_deg)
    if len(name) > 80 or not name.isprintable():
        raise BadInput(f"name {name[:80]!r}: must be one line of at most 80 characters")
    try:
        return Recipe(
            id=recipe_id,
            displayName=DisplayName({"en": name}),
            time_zone=zone,
            predict_center_lat=latitude_deg,
            predict_center_lng=longitude_deg,
            predict_radius_meters=radius_km * 1000.0,
            threshold_mag=magnitude,
            window_days=15,
            predict_range_days=1,
            grid="regional",
            grid_cell_km=default_cell_km(radius_km),
            lat_granularity=GRID_CELLS,
            lng_granularity=GRID_CELLS,
            **_TRAINING,
        )
    except ValidationError as error:
        wrong = {str(item["loc"][0]): item["msg"].removeprefix("Value error, ") for item in error.errors() if item["loc"]}
        if "id" in wrong:
            raise BadInput(f"id {recipe_id!r}: must be 1 to 40 of a-z, 0-9 and -, and not begin with -; such as my-place") from None
        if "time_zone" in wrong:
            raise BadInput(f"time zone {zone!r}: {wrong['time_zone']}") from None
        raise


def limits(field: str) -> tuple[float, float]:
    """Return the (smallest, largest) value that a recipe's `field` may have."""
    bounds = Recipe.model_fields[field].metadata
    return next(item.ge for item in bounds if hasattr(item, "ge")), next(item.le for item in bounds if hasattr(item, "le"))


def default_id(latitude_deg: float, longitude_deg: float) -> str:
    """Return the place to a hundredth of a degree as the id of a recipe: `at-38-30n-142-40e`."""
    north, east = _hundredths(latitude_deg, "n", "s"), _hundredths(longitude_deg, "e", "w")
    return f"at-{north}-{east}".replace(".", "-")


def place_name(latitude_deg: float, longitude_deg: float) -> str:
    """Return the place to a hundredth of a degree for people: `38.30° N, 142.40° E`."""
    return f"{_hundredths(latitude_deg, '° N', '° S')}, {_hundredths(longitude_deg, '° E', '° W')}"


def recipe_text(recipe: Recipe) -> str:
    """Return the text of the file of a recipe that `recipe_at` made, laid out and commented as the bundled ones."""
    method = recipe.resampling_methods[0]
    arguments = ", ".join(f"{name} = {value}" for name, value in method.args.items())
    return f"""id = {_quoted(recipe.id)}
displayName = {{ en = {_quoted(recipe.display_name.en)} }}
time_zone = {_quoted(recipe.time_zone)}
issue_local_time = {recipe.issue_local_time} # of the day before the target day

# The target: an earthquake of M >= threshold_mag within predict_radius_meters of the centre.
predict_center_lat = {recipe.predict_center_lat}
predict_center_lng = {recipe.predict_center_lng}
predict_radius_meters = {_short(recipe.predict_radius_meters)}
threshold_mag = {recipe.threshold_mag}
window_days = {recipe.window_days}
predict_range_days = {recipe.predict_range_days}

# A grid around the target, which lies in the middle cell.
grid = {_quoted(recipe.grid)}
grid_cell_km = {_short(recipe.grid_cell_km or 0.0)}
lat_granularity = {recipe.lat_granularity}
lng_granularity = {recipe.lng_granularity}

# Training.
models = [{", ".join(map(_quoted, recipe.models))}]
test_ratio = {recipe.test_ratio}
learning_rate = {_short(recipe.learning_rate)}
epochs = {recipe.epochs}
dropout = {recipe.dropout}
filters = {recipe.filters}
hidden_units = {recipe.hidden_units}
balanced_batch = {_quoted(recipe.balanced_batch)}
use_class_weight = {_quoted(recipe.use_class_weight)}
max_minutes = {_short(recipe.max_minutes)}

[[resampling_methods]]
name = {_quoted(method.name)}
args = {{ {arguments} }}
"""


def write_recipe(recipe: Recipe, folder: Path, beside: Path | None = None) -> Path:
    """Write the file of a recipe that `recipe_at` made into `folder`, which is made if needed, and return its path.

    beside: another folder whose recipe ids are taken, too.

    Raises:
        BadInput: there is a recipe of this id; it is left as it is. NotWritable: the folder cannot be written; nothing is left there.
    """
    path = folder / f"{recipe.id}.toml"
    read = [folder, *([beside] if beside else [])]
    for taken in (part / path.name for place in read for part in recipe_folders(place)):
        if taken.exists():
            raise BadInput(f"id {recipe.id!r}: there is a recipe of this id, {taken}; choose another with --id, or delete that file")
    begun = False
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            begun = True
            file.write(recipe_text(recipe))
    except OSError as error:
        if begun:
            with suppress(OSError):
                path.unlink()
        raise NotWritable(f"cannot write {path}: {error.strerror or error}; name a folder that can be written with --out") from None
    return path


def _check_place(latitude: float, longitude: float) -> None:
    if not abs(latitude) <= 90 and abs(longitude) <= 90 and abs(latitude) <= 180:
        raise BadInput(
            f"place {latitude:g},{longitude:g}: latitude must be -90 to 90, the two look swapped; did you mean {longitude:g},{latitude:g}?"
        )
    _check("latitude", latitude, "degrees, north is positive")
    _check("longitude", longitude, "degrees, east is positive")


def _check(what: str, value: float, meaning: str) -> None:
    smallest, largest = limits(_FIELDS[what])
    if not smallest <= value <= largest:
        raise BadInput(f"{what} {value:g}: must be {smallest:g} to {largest:g} ({meaning})")


def _hundredths(degrees: float, positive: str, negative: str) -> str:
    rounded = round(degrees, 2)
    return f"{abs(rounded):.2f}{negative if rounded < 0 else positive}"


def _quoted(value: str | bool) -> str:
    return json.dumps(value, ensure_ascii=False)


def _short(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
