"""The references as models: trailing rates against the climatology and by hand, yesterday's word, and what they refuse."""

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from forecaster.errors import BadInput, CorruptModel, NotScoreable, NotTrainable
from forecaster.features.events import NEVER, Events
from forecaster.features.labels import daily_labels
from forecaster.features.windows import target_days
from forecaster.models.baselines import climatology, rates
from forecaster.models.fit_and_load import kind_named
from forecaster.models.interface import History
from forecaster.recipe import load_recipes
from forecaster.registry.model_kinds import KINDS, Kind
from forecaster.settings import bundled_folder
from forecaster.timewindow import DAY_US, to_us

RECIPE = load_recipes(bundled_folder("recipes"))["tokyo-m45"]
FIRST = date(2000, 1, 1)
DAYS = target_days(RECIPE, FIRST, 6000)
NOON = DAYS.target_starts_us + DAY_US // 2
REFERENCE = np.full(len(DAYS), np.nan)


def events(origins_us, known_at_us=None, known_until_us=None, magnitude=5.0):
    """Versions of M5 earthquakes in the circle, known at once unless told otherwise."""
    origins_us = np.asarray(origins_us, dtype=np.int64)
    order = np.argsort(origins_us, kind="stable")
    known = origins_us if known_at_us is None else np.asarray(known_at_us, dtype=np.int64)
    until = np.full(len(origins_us), NEVER) if known_until_us is None else np.asarray(known_until_us, dtype=np.int64)
    size = np.broadcast_to(np.asarray(magnitude, dtype=np.float64), len(origins_us))
    place = (np.full(len(origins_us), value) for value in (35.68, 139.77, 30.0))
    return Events(origins_us[order], known[order], *place, size[order], until[order])


def history(inputs, days=DAYS):
    happened = daily_labels(inputs.known_at_once(), RECIPE, days)[0]
    return History(RECIPE, inputs, inputs.known_at_once(), days, happened, REFERENCE[: len(days)])


@pytest.fixture(scope="module")
def busy():
    """One day in seven with an event, drawn; more in the last third."""
    rng = np.random.default_rng(5)
    chance = np.where(np.arange(len(DAYS)) < 4000, 0.08, 0.25)
    return events(NOON[rng.random(len(DAYS)) < chance])


def test_the_trailing_ten_years_are_the_climatology(busy):
    made = history(busy)
    cuts = DAYS.cut_us[500:]
    expected = climatology.daily_probability(made.happened, DAYS.target_starts_us, DAYS.target_ends_us, cuts)
    np.testing.assert_array_equal(rates.trailing_rates(busy, RECIPE, FIRST, cuts, [10.0])[0], expected)


def test_rates_by_hand():
    """Target days 0, 100 and 900 of a record; at the cut before day 1000, days 0 to 953 are final (45 days after their end), 954 of them.
    Long-term: q = (3 + 1/2) / (954 + 1). Trailing year: 365.25 days before the cut is the afternoon of day 634, so days 635 to 953 count:
    n = 319, s = 1."""
    q = 3.5 / 955
    one, long_term = rates.trailing_rates(events(NOON[[0, 100, 900]]), RECIPE, FIRST, DAYS.cut_us[[1000]], [1.0, None])
    assert long_term[0] == pytest.approx(q)
    assert one[0] == pytest.approx((1 + 365.25 * q) / (319 + 365.25))


def test_a_day_counts_as_it_was_believed_at_each_cut():
    """Day 10's event is revised below the threshold between the cuts of days 600 and 601; day 20's becomes known between those of 700 and
    701; day 30's two versions follow each other and count once; day 40's was deleted before the day was final."""
    between = [int(DAYS.cut_us[600]) + 1, int(DAYS.cut_us[700]) + 1]
    origins = NOON[[10, 20, 30, 30, 40]]
    known = [origins[0], between[1], origins[2], between[0], origins[4]]
    until = [between[0], NEVER, between[0], NEVER, origins[4] + DAY_US]
    cuts = DAYS.cut_us[[600, 601, 700, 701]]
    found = rates.trailing_rates(events(origins, known, until), RECIPE, FIRST, cuts, [None])[0]
    final = np.array([600, 601, 700, 701]) - 46
    np.testing.assert_allclose(found * (final + 1) - 0.5, [2, 1, 1, 2])


def test_what_comes_after_a_cut_changes_nothing(busy):
    cut = int(DAYS.cut_us[3000])
    later = busy.take(busy.origin_time_us < cut)
    for kind in ("best_rate", "persistence"):
        model = kind_named(kind).fit(history(busy).take(slice(0, 2500)))
        days = DAYS.take(slice(2900, 3001))
        whole = model.probability(busy, days, REFERENCE)
        np.testing.assert_array_equal(whole, model.probability(later, days, REFERENCE))
        np.testing.assert_array_equal(whole[-1:], model.probability(busy, days.take(slice(100, None)), REFERENCE), "one day as many")


def test_the_best_span_is_the_one_of_lowest_log_loss(busy):
    """While the chance is steady the long spans win, after its change the last year; judged from day 410 on, when a year is final."""
    made = history(busy)
    for count, wanted in ((3900, (10.0, None)), (6000, (1.0,))):
        model = rates.fit_best_rate(made.take(slice(0, count)))
        said = rates.trailing_rates(busy, RECIPE, FIRST, DAYS.cut_us[411:count], rates.YEARS)
        happened = made.happened[411:count]
        losses = [-np.mean(np.log(np.where(happened, row, 1 - row))) for row in said]
        np.testing.assert_allclose(model.losses, losses)
        assert model.years == rates.YEARS[int(np.argmin(losses))] and model.years in wanted
        assert model.last_data_day == DAYS.local_days[count - 1].item()


def test_persistence_by_hand():
    """Events on days 10, 11 and 13 of 20: after them come a target day, a quiet and a quiet one: 1 of 3; of the 17 others, 2. The rate of
    all is 3.5 / 21."""
    days = DAYS.take(slice(0, 20))
    model = rates.fit_persistence(history(events(NOON[[10, 11, 13]]), days))
    overall = 3.5 / 21
    assert model.active == pytest.approx((1 + overall) / 4) and model.quiet == pytest.approx((2 + overall) / 18)
    said = model.probability(events(NOON[[10, 11, 13]]), days, REFERENCE)
    assert np.flatnonzero(said == model.active).tolist() == [11, 12, 14]


def test_yesterday_is_what_was_known_of_it_at_the_cut():
    """Inputs end half an hour before midnight; an event known too late, or one deleted by then, says nothing."""
    cut = int(DAYS.cut_us[50])
    seen = [
        events([cut - 1]),
        events([cut]),
        events([cut - DAY_US]),
        events([cut - 10], [cut + 1]),
        events([cut - 10], [cut - 9], [cut]),
        events([cut - 1], magnitude=4.4),
    ]
    found = [bool(rates.happened_yesterday(one, RECIPE, DAYS.take(slice(50, 51)))[0]) for one in seen]
    assert found == [True, False, False, False, False, False]


@pytest.mark.parametrize("kind", ["climatology", "best_rate", "persistence"])
def test_saved_and_loaded_they_say_the_same(busy, tmp_path, kind):
    model = kind_named(kind).fit(history(busy).take(slice(0, 5000)))
    loaded = kind_named(kind).load(tmp_path, model.save(tmp_path), RECIPE)
    assert loaded == model and loaded.kind == kind and loaded.last_data_day == date(2013, 9, 8)
    days, reference = DAYS.take(slice(5100, 5200)), np.linspace(0.1, 0.2, 100)
    said = loaded.probability(busy, days, reference)
    assert said.shape == (100,) and np.isfinite(said).all() and (kind != "climatology" or np.array_equal(said, reference))


def test_what_cannot_be_counted_is_refused(busy, tmp_path):
    small = replace(history(busy), inputs=busy.take(slice(0, len(busy) // 2)))
    for fit in (rates.fit_best_rate, rates.fit_persistence):
        with pytest.raises(NotTrainable, match=r"hold \d+ of \d+ target days"):
            fit(small)
    with pytest.raises(NotTrainable, match="400 days"):
        rates.fit_best_rate(history(busy, DAYS.take(slice(0, 400))))
    with pytest.raises(NotScoreable, match="354 outcomes"):
        rates.trailing_rates(busy, RECIPE, FIRST, DAYS.cut_us[[400]], [1.0])
    for record in ({"kind": "best_rate"}, {"kind": "etas", "last_data_day": "2014-12-31"}, {"kind": "persistence", "last_data_day": "x"}):
        with pytest.raises(CorruptModel, match="fit again"):
            rates.load(tmp_path, record, RECIPE)


def test_kinds_are_known_by_name(monkeypatch):
    assert kind_named("best_rate").name == "best_rate"
    with pytest.raises(BadInput, match=r"tarot.*climatology"):
        kind_named("tarot")
    monkeypatch.setitem(KINDS, "absent", Kind("absent", "forecaster.models.absent"))
    with pytest.raises(BadInput, match=r"forecaster\.models\.absent"):
        kind_named("absent")


def test_a_kinds_fingerprint_follows_its_version_and_its_artefacts():
    """A stored evaluation is made anew where one of them changes: a version raised by hand, a pre-trained set more or less."""
    marks = {name: kind_named(name).fingerprint() for name in KINDS}
    assert len(set(marks.values())) == len(KINDS)
    for name in KINDS:
        kind = kind_named(name)
        assert replace(kind, version=kind.version + 1).fingerprint() != marks[name]
        assert (replace(kind, pretrained=None).fingerprint() != marks[name]) == (name in ("pooled", "hybrid", "regional", "cells"))


def test_times_of_the_fixture_are_tokyo_days():
    assert (
        DAYS.cut_us[0] == to_us(datetime(1999, 12, 31, 14, 30, tzinfo=UTC))
        and DAYS.target_starts_us[1] - DAYS.target_starts_us[0] == DAY_US
    )
    assert NOON[0] == to_us(datetime(2000, 1, 1, 3, tzinfo=UTC))
