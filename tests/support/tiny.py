"""A world small enough to train on in seconds: one region of 3 x 3 cells whose target either follows a sign or comes by chance."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from forecaster.store.database import Store
from tests.support.toys import READ_FROM, cover, quake, write

BUNDLED = Path(__file__).resolve().parents[2] / "recipes"
RECIPE_ID = "athens"
CENTRE = (38.0, 23.7)
NEXT_CELL = (41.6, 23.7)  # 400 km north: outside the target's 300 km, the middle of the next cell
SMALL = {
    "window_days": 3,
    "grid_cell_km": 400,
    "lat_granularity": 3,
    "lng_granularity": 3,
    "filters": 4,
    "hidden_units": 8,
    "learning_rate": 0.01,
    "dropout": 0.1,
    "epochs": 12,
}


def write_recipe(folder: Path, recipe_id: str = RECIPE_ID, **changes: object) -> Path:
    """A copy of a bundled recipe in `folder`, without resampling, with `changes` of its plain fields."""
    (bundled,) = BUNDLED.rglob(f"{recipe_id}.toml")
    text = bundled.read_text(encoding="utf-8").split("[[resampling_methods]]")[0]
    for name, value in changes.items():
        text, found = re.subn(rf"^{name} = .*$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert found == 1, name
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{recipe_id}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def write_tiny_recipe(folder: Path, **changes: object) -> Path:
    """The recipe athens on 3 x 3 cells of 400 km, with windows of 3 days and a network of a few hundred weights."""
    return write_recipe(folder, **(SMALL | changes))


def fill(store: Store, end: datetime, *, sign: bool, start: datetime = READ_FROM, seed: int = 1) -> None:
    """All that was read from `start` to `end`: an M5.5 in the next cell (the sign) on 30 % of the days, an M5 at the centre (the target)
    on 30 %.

    With `sign` the target comes on the day after each sign and on no other; without, the two are drawn apart.
    """
    rng = np.random.default_rng(seed)
    days = (end - start).days - 1
    signs = rng.random(days) < 0.3
    targets = np.roll(signs, 1) if sign else rng.random(days) < 0.3
    noon = start.astimezone(UTC).replace(hour=12)
    rows = [quake(f"sign{day}", noon + timedelta(days=day), 5.5, place=NEXT_CELL) for day in np.flatnonzero(signs).tolist()]
    rows += [quake(f"hit{day}", noon + timedelta(days=day), 5.0, place=CENTRE) for day in np.flatnonzero(targets).tolist()]
    write(store, *rows)
    cover(store, end, start=start)
