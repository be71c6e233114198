"""A small world that lives through many days: three recipes, a service that revises, deletes and renames, and a home of yesterday."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from forecaster.pipeline.training.train import TrainOptions
from forecaster.recipe import load_recipes
from forecaster.settings import load_settings
from forecaster.store.database import open_store
from tests.faults.receivers import Book, receiving
from tests.support import tiny, toy_models
from tests.support.steps import machine, train_recipes
from tests.support.toys import TOKYO, quake, write
from tests.support.usgs_history import History, history_of
from tests.support.usgs_server import UsgsServer, serve
from tests.support.webhook_server import SECRET

FIRST = datetime(2023, 11, 6, 8, tzinfo=UTC)  # 08:00 UTC is the same local day for the six hours of a day's attempts, in every recipe
ATTEMPT = timedelta(minutes=11)  # a claim of the outbox lapses after ten
QUIET = timedelta(hours=6)  # after 08:00 UTC nothing becomes known


def history(days: int, seed: int) -> History:
    """`days` of earthquakes from four days before FIRST, near Athens, near Tokyo and anywhere; of five one is revised, one deleted or
    renamed."""
    rng, rows = np.random.default_rng(seed), []
    for number in range((days + 4) * 6):
        time = FIRST - timedelta(days=4) + timedelta(hours=float(rng.uniform(0, 24 * (days + 4))))
        place = [tiny.CENTRE, tiny.NEXT_CELL, TOKYO, (float(rng.uniform(-60, 60)), float(rng.uniform(-179, 179)))][number % 4]
        name, known = f"us{number:05d}", _awake(time + timedelta(minutes=float(rng.uniform(8, 900))))
        row = {
            "id": name,
            "event": name,
            "time": time.replace(microsecond=0),
            "known_at": known,
            "mag": round(float(rng.uniform(4.3, 6.2)), 1),
        }
        row |= {"latitude": place[0], "longitude": place[1], "mag": round(float(rng.uniform(4.3, 6.2)), 1)}
        rows.append(row)
        later = _awake(known + timedelta(hours=float(rng.uniform(6, 60))))
        if number % 5 == 1:
            rows.append(row | {"known_at": later, "mag": round(row["mag"] + float(rng.uniform(-0.6, 0.6)), 1), "status": "reviewed"})
        elif number % 10 == 2:
            rows.append(row | {"known_at": later, "status": "deleted"})
        elif number % 10 == 7:
            rows.append(row | {"known_at": later, "id": f"ak{number:05d}"})
    return history_of(rows)


def _awake(moment: datetime) -> datetime:
    """`moment`, or the end of the quiet hours that it falls into: what becomes known between two attempts would tell them apart."""
    since = (moment - FIRST) % timedelta(days=1)
    return moment + (QUIET - since) if since < QUIET else moment


@dataclass
class World:
    """Servers and an untouched home; `settled_in` copies it to `home`, as settings of a day's process."""

    usgs: UsgsServer
    book: Book
    sending: dict[str, Any]
    untouched: Path
    folder: Path

    def settled_in(self, name: str) -> dict[str, Any]:
        home = self.folder / name / "home"
        shutil.copytree(self.untouched, home)
        note = str(self.folder / name / "note.json")
        return {"home": str(home), "recipes": str(home / "recipes"), "usgs_url": self.usgs.url, "note": note, **self.sending}


@contextmanager
def made(folder: Path, days: int, seed: int) -> Iterator[World]:
    """A world in `folder`: athens with two toy models trained yesterday, tokyo-m45 and istanbul without a model."""
    untouched = folder / "untouched"
    store = open_store(untouched / "quakecast.duckdb")
    yesterday = FIRST - timedelta(days=1)
    tiny.fill(store, yesterday, sign=True, start=yesterday - timedelta(days=500))
    write(store, *(quake(f"tk{back}", yesterday - timedelta(days=back)) for back in range(5, 490, 9)))
    for recipe_id in ("tokyo-m45", "istanbul"):
        tiny.write_recipe(untouched / "recipes", recipe_id, models='["hybrid"]')
    tiny.write_tiny_recipe(untouched / "recipes", models='["etas", "pooled"]')
    settings = load_settings(home=untouched, recipes=untouched / "recipes")
    with pytest.MonkeyPatch.context() as patch:
        toy_models.put_in_place(patch)
        athens = [load_recipes(settings.recipe_folder)["athens"]]
        train_recipes(store, athens, settings, machine(yesterday), TrainOptions(max_minutes=1))
    with serve(history(days, seed), clock=FIRST) as usgs, receiving(SECRET) as (book, sending):
        yield World(usgs, book, sending, untouched, folder)
