"""The network of cells: what it sees and when, that serving computes what training did, and a planted effect that it learns.

Mutations that were seen to fail are named in the docstrings.
"""

import json
from dataclasses import replace
from datetime import date, timedelta
from math import log
from pathlib import Path

import numpy as np
import pytest

from forecaster.errors import CorruptModel, NotTrainable
from forecaster.features.circles import circle_recipe
from forecaster.features.events import NEVER, Events
from forecaster.features.symmetries import turned
from forecaster.features.windows import TargetDays, target_days
from forecaster.models import pretrained
from forecaster.models.cells import cells, cells_inputs
from forecaster.models.cells.cells import CellsModel, shares_inside
from forecaster.models.cells.cells_inference import MARGIN, Network, read_network
from forecaster.models.cells.cells_inputs import CATALOGUE_START_US, CELL_KM, CHANNELS, SUMS, TAUS_DAYS, channels, place
from forecaster.models.cells.cells_pool import SIZE, Thinning, build_block_days, draw_places
from forecaster.models.cells.cells_training import TrainingSettings, build_network, pretrain, served, train
from forecaster.models.fit_and_load import able_kinds, generic_model, kind_named
from forecaster.models.interface import History
from forecaster.pipeline.issuing.members import kinds_of
from forecaster.registry.model_kinds import KINDS
from forecaster.timewindow import DAY_US
from tests.support.clustered_world import history_until, twelve_years

UNTIL = date(1984, 12, 31)
PLACE = (10.0, 20.0)
SMALL = TrainingSettings(places=2, fewest_near=20, filters=4, epochs=2, batch=64, thinning=Thinning(active_share=0.5, quiet_share=0.2))
KM = 1 / 111.195  # degrees


@pytest.fixture(scope="module")
def catalogue() -> Events:
    return twelve_years((PLACE, (-30.0, 100.0)))


@pytest.fixture(scope="module")
def shelf(catalogue, new_shelf) -> Path:
    """A folder with an artefact trained on the toy to 1984."""
    return new_shelf(cells.KIND, UNTIL, pretrain(catalogue.known_at_once(), UNTIL, SMALL))


@pytest.fixture(scope="module")
def history(catalogue) -> History:
    return history_until(catalogue, circle_recipe(0, *PLACE, 200.0, 4.5), date(1987, 11, 30))


def days_at(*cuts: float) -> TargetDays:
    """Days whose inputs end so many days after 1973-01-01."""
    days = target_days(circle_recipe(0, *PLACE, 200.0, 4.5), date(1980, 1, 1), len(cuts))
    return replace(days, cut_us=CATALOGUE_START_US + (np.array(cuts) * DAY_US).astype(np.int64))


def events_of(rows: list[tuple], known: dict[int, tuple[float, float]] | None = None) -> Events:
    """Events (day since 1973, north km, east km, magnitude) about PLACE; known: by row, (known_at, known_until) in days since 1973."""
    day, north, east, magnitude = np.array(rows, dtype=float).T
    origin = CATALOGUE_START_US + (day * DAY_US).astype(np.int64)
    at, until = origin.copy(), np.full(len(origin), NEVER)
    for row, (first, last) in (known or {}).items():
        at[row], until[row] = CATALOGUE_START_US + int(first * DAY_US), CATALOGUE_START_US + int(last * DAY_US)
    east_deg = east * KM / np.cos(np.radians(PLACE[0]))
    return Events(origin, at, PLACE[0] + north * KM, PLACE[1] + east_deg, np.full(len(origin), 10.0), magnitude, until)


def seen_at(events: Events, cuts: list[float], size: int = 8, where: tuple[float, float] = PLACE) -> np.ndarray:
    """(n, size - 2, size - 2, CHANNELS) at these days since 1973."""
    found = np.empty((len(cuts), size - 2, size - 2, CHANNELS), dtype=np.float32)
    for which, part in channels(place(events, *where, size), days_at(*cuts).cut_us):
        found[which] = part
    return found


def drawn_network(seed: int = 0, filters: int = 12) -> Network:
    rng = np.random.default_rng(seed)
    network = build_network(seed, filters)
    for number in range(4):
        layer = network.get_layer(f"cells-{number}")
        layer.set_weights([rng.normal(0, 0.2, weights.shape) for weights in layer.get_weights()])
    return served(network)


def model_with(network: Network, folder: Path, radius_km: float = 200.0, magnitude: float = 4.5, where=PLACE) -> CellsModel:
    record = {"circles": 1, "seed": 1, "code": "0"}
    made = pretrained.write_pretrained(folder, cells.KIND, UNTIL, {cells.NETWORK_FILE: network.to_json()}, record)
    return CellsModel(circle_recipe(0, *where, radius_km, magnitude), made)


def expected(model: CellsModel, events: Events, days: TargetDays) -> np.ndarray:
    """Expected numbers."""
    return -np.log1p(-model.probability(events, days, np.full(len(days), 0.1)))


def test_channels_by_hand() -> None:
    """M 5.5 in the cell north-east of the middle at day 3000, M 4.5 south-west at 3001.5; seen at 3002, in any order of cuts. Swapping rows
    and columns, or a sum that forgets its decay, fails."""
    events = events_of([(3000, 20, 90, 5.5), (3001.5, -20, -30, 4.5), (3001.6, 0, 0, 4.4)])
    late, early = seen_at(events, [3002, 3000])
    cell = late[3, 4]  # 6 x 6 cells, the middle between 2 and 3: north 0-55 km is row 3, east 55-110 km column 4
    for number, tau in enumerate(TAUS_DAYS):
        assert cell[number] == pytest.approx(log(np.exp(-2 / tau) + 0.05), abs=1e-5)
        assert cell[len(TAUS_DAYS) + number] == pytest.approx(log(10 * np.exp(-2 / tau) + 0.05), abs=1e-5)
        assert late[2, 2, number] == pytest.approx(log(np.exp(-0.5 / tau) + 0.05), abs=1e-5)
        assert late[0, 0, number] == pytest.approx(log(0.05), abs=1e-5)
    years = 3002 + 365.25
    assert cell[SUMS] == pytest.approx(log((0.5 + 0.5 / 9 + 0.02) / years), abs=1e-5)
    assert late[4, 3, SUMS] == pytest.approx(log((0.5 / 9 + 0.02) / years), abs=1e-5)
    assert (early[..., :SUMS] == np.float32(log(0.05))).all(), "an earthquake at the cut is not before it"


def test_versions_count_while_they_are_known() -> None:
    """Known from day 3001 to 3003 only; the corrected one, M 6.5, from then on. Ignoring known_at or known_until fails."""
    events = events_of([(3000, 20, 20, 5.5), (3000, 20, 20, 6.5)], {0: (3001, 3003), 1: (3003, 9e6)})
    seen = seen_at(events, [3000.9, 3001, 3002.9, 3003, 3010])[:, 3, 3]
    numbers = np.exp(seen[:, 4]) - 0.05
    assert numbers == pytest.approx([0, *np.exp(-np.array([1, 2.9, 3, 10]) / 1000)], abs=1e-4)
    sizes = np.exp(seen[:, 9]) - 0.05
    assert sizes == pytest.approx([0, *np.array([10, 10, 100, 100]) * np.exp(-np.array([1, 2.9, 3, 10]) / 1000)], abs=1e-2)


def test_parts_make_the_whole(catalogue, monkeypatch) -> None:
    """Some days at a time, and one day alone, give what all at once give; a sum that does not go on over a part's end fails."""
    cuts = [3000 + 0.7 * number for number in range(40)]
    whole = seen_at(catalogue, cuts)
    monkeypatch.setattr(cells_inputs, "PART_BYTES", 64 * (SUMS + 1) * 8 * 7)
    assert seen_at(catalogue, cuts) == pytest.approx(whole, abs=1e-4)
    assert seen_at(catalogue, cuts[30:31]) == pytest.approx(whole[30:31], abs=1e-4)
    assert whole.std(axis=0).max() > 0.5


def test_shares_add_up_to_the_circle() -> None:
    """Areas to the last digit, whole cells within, mirror images; a circle smaller than a cell lies in four."""
    for radius_km in (5.0, 54.0, 150.0, 400.0, 2000.0):
        shares = shares_inside(radius_km)
        assert shares.sum() * CELL_KM**2 == pytest.approx(np.pi * radius_km**2)
        assert np.array_equal(shares, shares[::-1]) and shares == pytest.approx(shares.T)
    assert shares_inside(5.0).shape == (2, 2) and shares_inside(150.0).shape == (6, 6)
    middle = shares_inside(400.0)[7:9, 7:9]
    assert middle == pytest.approx(np.ones((2, 2)), abs=0.01)


def test_numpy_computes_what_keras_computes() -> None:
    """To 5e-5, on grids of other sizes than the training's; a tanh in place of the error function fails."""
    network = build_network(3, 12)
    rng = np.random.default_rng(1)
    for number in range(4):
        layer = network.get_layer(f"cells-{number}")
        layer.set_weights([rng.normal(0, 0.25, weights.shape) for weights in layer.get_weights()])
    seen = rng.normal(-2, 2, (70, 12, 14, CHANNELS)).astype(np.float32)
    read = read_network(served(network).to_json())
    assert read.log_rate(seen) == pytest.approx(network(seen).numpy(), abs=5e-5)
    assert read.log_rate(seen).shape == (70, 12 - 2 * MARGIN, 14 - 2 * MARGIN)
    assert served(network).to_json() == read.to_json()


def test_an_untrained_network_says_the_usual_rate() -> None:
    seen = seen_at(events_of([(3000, 20, 90, 5.5)]), [3001.0], size=16)
    found = served(build_network(1, 5)).log_rate(seen)
    assert found == pytest.approx(seen[:, MARGIN:-MARGIN, MARGIN:-MARGIN, SUMS], abs=1e-6)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": 2}, "format 2"),
        ({"layers": []}, "0 layers"),
        ({"layers": None}, "no network of cells"),
        ({"bias": [0.0] * 5}, "layer 0 has kernel"),
        ({"bias": [float("nan")] * 12}, "not finite"),
        ({"kernel": "x"}, "could not convert"),
    ],
)
def test_files_that_are_no_network(change, told, tmp_path) -> None:
    content = json.loads(drawn_network().to_json())
    content |= {name: value for name, value in change.items() if name in content}
    if content["layers"]:
        content["layers"][0] |= {name: value for name, value in change.items() if name in ("bias", "kernel")}
    with pytest.raises(ValueError, match=told):
        read_network(json.dumps(content).encode())
    made = pretrained.write_pretrained(tmp_path, cells.KIND, UNTIL, {cells.NETWORK_FILE: b"{}"}, {"circles": 1, "seed": 1, "code": "0"})
    with pytest.raises(CorruptModel, match="holds no network of cells"):
        CellsModel(circle_recipe(0, *PLACE, 200.0, 4.5), made).probability(events_of([(1, 0, 0, 5)]), days_at(3000), np.array([0.1]))


def test_the_same_at_the_date_line_and_at_the_pole(tmp_path) -> None:
    """The same distances and bearings about a point on the equator, on the date line and at the pole; longitudes that are not wrapped, or a
    grid in degrees, fail."""
    rng = np.random.default_rng(3)
    distance, bearing = rng.uniform(0, 350, 60) * KM, rng.uniform(0, 2 * np.pi, 60)
    time = CATALOGUE_START_US + np.sort(rng.integers(2900, 3000, 60)) * DAY_US
    latitude = np.degrees(np.arcsin(np.sin(np.radians(distance)) * np.cos(bearing)))
    east = np.degrees(np.arctan2(np.sin(bearing) * np.sin(np.radians(distance)), np.cos(np.radians(distance))))
    size, depth = 4.5 + rng.exponential(0.4, 60), np.full(60, 10.0)
    here = Events(time, time, latitude, east, depth, size)
    line = Events(time, time, latitude, np.where(east < 0, east + 180, east - 180), depth, size)
    pole = Events(time, time, 90.0 - distance, (np.degrees(np.pi - bearing) + 180) % 360 - 180, depth, size)
    network, days = drawn_network(), days_at(3000, 3010)
    found = expected(model_with(network, tmp_path / "a", where=(0.0, 0.0)), here, days)
    assert found.min() > 0 and found[0] != pytest.approx(found[1], rel=0.01)
    assert expected(model_with(network, tmp_path / "b", where=(0.0, 180.0)), line, days) == pytest.approx(found, rel=1e-5)
    assert expected(model_with(network, tmp_path / "c", where=(0.0, -180.0)), line, days) == pytest.approx(found, rel=1e-5)
    assert expected(model_with(network, tmp_path / "d", where=(90.0, 0.0)), pole, days) == pytest.approx(found, rel=1e-5)


def test_thresholds_by_gutenberg_richter(tmp_path, catalogue) -> None:
    """A tenth as many earthquakes for a unit of magnitude more, from the same inputs."""
    network, days = drawn_network(), days_at(3000, 3001)
    found = [expected(model_with(network, tmp_path / str(size), magnitude=size), catalogue, days) for size in (4.5, 5.5)]
    assert found[1] == pytest.approx(0.1 * found[0], rel=1e-6)


def test_no_member_below_what_it_knows(history) -> None:
    """M 4.4 and M 4.5: neither a fit nor a generic model, and no kind of the recipe's members."""
    small = history.recipe.model_copy(update={"threshold_mag": 4.4})
    assert KINDS["cells"].unable(4.5) is None
    told = "cells knows earthquakes from M 4.5 on, the threshold is M 4.4"
    assert KINDS["cells"].unable(4.4) == told
    assert "cells" in kinds_of(history.recipe) and "cells" in small.models
    assert "cells" not in kinds_of(small) and able_kinds(small) == tuple(kind for kind in small.models if kind != "cells")
    assert generic_model("cells", small, date(2024, 12, 31), date(1973, 1, 16)) is None
    with pytest.raises(NotTrainable, match=told):
        kind_named("cells").fit(replace(history, recipe=small))


def test_training_sees_what_serving_computes(catalogue) -> None:
    """Every kept block-day, against the channels of a circle as wide as the block at the same cut, to the bit."""
    events = catalogue.known_at_once()
    days = build_block_days(events, [PLACE], UNTIL, SMALL.thinning, np.random.default_rng(2))
    radius_km = CELL_KM * 4
    assert len(shares_inside(radius_km)) + 2 * MARGIN == SIZE
    placed = place(events, *PLACE, len(shares_inside(radius_km)) + 2 * MARGIN + 2)
    seen = np.concatenate([part for _, part in channels(placed, days.cut_us)])
    assert np.array_equal(days.channels(), seen) and len(days) > 100
    assert seen.shape[1:] == (SIZE, SIZE, CHANNELS)


def test_block_days_by_hand() -> None:
    """Two earthquakes of one day in one cell are one yes; the block is the 8 x 8 cells about the place, whatever lies beyond."""
    rows = [(day, 20, 30, 5.0) for day in range(2600, 2640)] + [(2650, 20, 30, 5.0), (2650, 25, 35, 5.0), (2660, 300, 0, 5.0)]
    events, keep_all = events_of(sorted(rows)), Thinning(date(1980, 1, 1), 10**9, 1.0, 1.0)
    days = build_block_days(events, [PLACE], date(1980, 12, 31), keep_all, np.random.default_rng(1))
    first = (days.cut_us[0] - CATALOGUE_START_US) // DAY_US
    assert first == 2556 and (days.weight == 1).all()
    assert days.hits == 41 and days.happened.sum() == 41
    assert days.happened[2650 - first, 4, 4] and not days.happened[2660 - first].any()


def test_weights_undo_the_thinning(catalogue) -> None:
    """Weights add up to the 1827 days from 1980 to 1984 within four standard errors of the quietest, 4 sqrt(1600 x .8 / .2) = 320."""
    days = build_block_days(catalogue.known_at_once(), [PLACE], UNTIL, SMALL.thinning, np.random.default_rng(5))
    assert days.weight.sum() == pytest.approx(1827, abs=320) and len(days) < 1827


def test_places_cover_the_earthquakes(catalogue) -> None:
    """One point for each of the two clusters, whose earthquakes lie within 220 km of it; the first of a seed is the same for fewer."""
    found = draw_places(catalogue, 10, 20, np.random.default_rng(1))
    assert len(found) == 2 and {round(latitude, -1) for latitude, _ in found} == {10.0, -30.0}
    assert draw_places(catalogue, 1, 20, np.random.default_rng(1)) == found[:1]
    assert draw_places(catalogue, 10, 10**6, np.random.default_rng(1)) == []


def test_eight_symmetries_are_all_different_and_alike() -> None:
    """Channels and outcomes are turned together."""
    seen = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    found = [(turned(seen, symmetry, 1), turned(seen[..., 0], symmetry, 1)) for symmetry in range(8)]
    assert len({one.tobytes() for one, _ in found}) == 8
    assert all(np.array_equal(one[..., 0], other) for one, other in found)


@pytest.mark.trains
def test_it_learns_that_earthquakes_come_beside_others() -> None:
    """A planted effect: seven in ten shocks are followed within a day by one 60 km away, never in its own cell. The network then gives
    the cells beside yesterday's shock twice the chance that they had, and those far away none more. One that sees no neighbours fails."""
    rng = np.random.default_rng(7)
    rows = []
    for day in range(2500, 4300):
        if rng.random() < 0.5:
            north, east, turn = *rng.uniform(-220, 220, 2), rng.uniform(0, 2 * np.pi)
            rows.append((day + 0.5, north, east, 5.0))
            if rng.random() < 0.7:
                rows.append((day + 1 + rng.random() * 0.45, north + 60 * np.cos(turn), east + 60 * np.sin(turn), 5.0))
    events = events_of(sorted(rows))
    settings = replace(SMALL, thinning=Thinning(date(1980, 1, 1), 10**9, 1.0, 1.0), filters=6, epochs=12, learning_rate=2e-2)
    days = build_block_days(events, [PLACE], date(1984, 10, 1), settings.thinning, rng)
    network = served(train(days, settings)[0])
    base = [(100 * number, *rng.uniform(-400, 400, 2), 5.0) for number in range(28)]
    quiet, shaken = events_of(base), events_of([*base, (2999.5, 25, 25, 5.0)])
    before, after = (network.log_rate(seen_at(events, [3000.0], size=SIZE + 2))[0] for events in (quiet, shaken))
    rise = np.exp(after - before)
    beside = [rise[row, column] for row in (3, 4, 5) for column in (3, 4, 5) if (row, column) != (4, 4)]
    far = [rise[0, 0], rise[7, 0], rise[0, 7]]
    assert np.mean(beside) > 2 and far == pytest.approx([1, 1, 1], abs=0.1)


@pytest.mark.slow
def test_training_sees_nothing_after_its_last_day_and_is_reproducible(catalogue, shelf) -> None:
    """With everything from 1985 on taken away, a second training of the same seed gives the same artefact, byte for byte."""
    end = int((np.datetime64(UNTIL) + 1).astype("datetime64[us]").astype(np.int64))
    past = catalogue.known_at_once()
    past = past.take(past.origin_time_us < end)
    assert len(past) < len(catalogue)
    files, record = pretrain(past, UNTIL, SMALL)
    kept = pretrained.load_pretrained(shelf / f"cells-{UNTIL}")
    assert {name: (kept.folder / name).read_bytes() for name in kept.record["files"]} == files
    assert kept.record | json.loads(json.dumps(record)) == kept.record


def test_the_future_changes_no_forecast(on_shelf, history) -> None:
    """Events that happen, become known or are withdrawn after the last cut play no part."""
    model = cells.fit(history)
    days, reference = history.days.take(slice(5000, 5040)), history.reference[5000:5040]
    past = history.inputs.known_before(days.cut_us[-1])
    whole = model.probability(history.inputs, days, reference)
    assert np.array_equal(whole, model.probability(past, days, reference))
    assert len(past) < len(history.inputs) and whole.std() > 0.001


def test_one_day_alone_is_forecast_as_among_others(on_shelf, history) -> None:
    model = cells.fit(history)
    days, reference = history.days.take(slice(5000, 5010)), history.reference[5000:5010]
    whole = model.probability(history.inputs, days, reference)
    alone = [model.probability(history.inputs, days.take(slice(day, day + 1)), reference[day : day + 1])[0] for day in range(10)]
    assert whole == pytest.approx(alone, rel=1e-4)
    turned_round = model.probability(history.inputs, days.take(slice(None, None, -1)), reference[::-1])
    assert turned_round == pytest.approx(whole[::-1], rel=1e-6)


def test_no_reference_no_forecast(on_shelf, history) -> None:
    days = history.days.take(slice(5000, 5002))
    found = cells.fit(history).probability(history.inputs, days, np.array([np.nan, 0.1]))
    assert np.isnan(found[0]) and 0 < found[1] < 1


def test_a_set_that_has_seen_later_days_is_refused(on_shelf, history) -> None:
    assert cells.fit(history.until(np.datetime64(UNTIL))).last_data_day == UNTIL
    with pytest.raises(NotTrainable, match="ends by 1984-12-30"):
        cells.fit(history.until(np.datetime64(UNTIL - timedelta(days=1))))


def test_saved_and_loaded(on_shelf, history, tmp_path) -> None:
    model = cells.fit(history)
    record = json.loads(json.dumps(model.save(tmp_path)))
    assert cells.load(tmp_path, record, history.recipe) == model
    with pytest.raises(CorruptModel):
        cells.load(tmp_path, record | {"sha256": "0" * 64}, history.recipe)


@pytest.mark.parametrize(("until", "told"), [("2014-12-31", [0.7915099, 0.0170466]), ("2024-11-16", [0.7492171, 0.0143783])])
def test_the_sets_of_the_package_say_what_they_said(until, told) -> None:
    """Computed with each set on the day that it was trained: 1 day and 30 days after an M 6.5 with 12 aftershocks 30 to 60 km off, beside
    20 earthquakes since 1973. Another network, or other inputs, fail."""
    rng = np.random.default_rng(1)
    old = [(400 * number, *rng.uniform(-150, 150, 2), 4.5 + 0.05 * number) for number in range(20)]
    after = [(15000.1 + 0.05 * number, 30 + 2.5 * number, 20 - 3 * number, 4.6) for number in range(12)]
    events = events_of([*old, (15000, 0, 0, 6.5), *after])
    found = pretrained.load_pretrained(pretrained.packaged() / f"cells-{until}")
    model = CellsModel(circle_recipe(0, *PLACE, 200.0, 4.5), found)
    assert model.probability(events, days_at(15001, 15030), np.full(2, 0.01)) == pytest.approx(told, rel=1e-4)
