"""The catalogue of a run, read once; from it, what was known at any moment, everywhere or near one recipe.

Reading 300,000 events takes a second or more. A day has a dozen issue times and five steps that all need them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd

from forecaster.catalog.coverage import STREAMS, in_streams
from forecaster.features.events import NEVER, Events, events_from_frame, events_in_order
from forecaster.features.geometry import box_about, great_circle_km
from forecaster.pipeline.as_of.as_known import REACH_KM, SMALL_MAG, Known, in_reach, reaches_km
from forecaster.recipe import Recipe
from forecaster.store.database import Store
from forecaster.store.versions import catalogue
from forecaster.timewindow import to_us

MARGIN_DEG = 1e-6


@dataclass(frozen=True)
class CatalogueHistory:
    """Every version of every earthquake that was valid at some moment, with its time span.

    versions: (n,), by origin. common: bool (n,), which lie in the common streams. names: event_id and place of all versions, of which
    `name_row`, int64 (n,), are those of these. joined: bool (n,), which belong to events that were ever merged with others or split.
    first_known_us: int64 (n,), when the event first became known; those of `joined` follow from `joins`. by_id: int64 (n,), ranks of the
    rows by origin time and event_id.
    """

    versions: Events
    common: np.ndarray
    names: pd.DataFrame
    name_row: np.ndarray
    joined: np.ndarray
    first_known_us: np.ndarray
    by_id: np.ndarray
    joins: catalogue.Joins
    coverage: pd.DataFrame

    def at(self, as_of: datetime) -> Known:
        """Return what was known at `as_of` (aware UTC), as if the catalogue had been read then."""
        through = self.through(as_of)
        inputs = through.versions if through.common.all() else through.versions.take(through.common)
        known = (self.versions.known_at_us <= to_us(as_of)) & (to_us(as_of) < self.versions.known_until_us)
        rows = np.flatnonzero(known)
        first_us = self.first_known_us[rows]
        if (joined := np.flatnonzero(self.joined[rows])).size:
            by_id = self.joins.first_known(as_of)
            first_us[joined] = [to_us(by_id[event_id]) for event_id in self.names["event_id"].take(self.name_row[rows[joined]])]
        events = replace(self.versions.take(known), known_at_us=first_us, known_until_us=np.full(len(rows), NEVER))
        return Known(as_of, events, inputs, lambda: self._frame(events, rows), self.coverage, lambda row: self._name(rows[row]))

    def _name(self, row: int) -> tuple[str, object]:
        """Return event_id and place of the version in this row."""
        event_id, place = (self.names[name].iloc[self.name_row[row]] for name in ("event_id", "place"))
        return str(event_id), place

    def _frame(self, events: Events, rows: np.ndarray) -> pd.DataFrame:
        """Return the `events` in these rows as `catalogue.read_events` does."""
        order = np.argsort(self.by_id[rows])
        names = self.names.take(self.name_row[rows[order]])
        columns: Mapping[str, object] = {
            "event_id": names["event_id"].to_numpy(),
            "origin_time": _times(events.origin_time_us[order]),
            "known_at": _times(events.known_at_us[order]),
            **{name: getattr(events, name)[order] for name in ("latitude_deg", "longitude_deg", "depth_km", "magnitude")},
            "place": names["place"].to_numpy(),
        }
        return pd.DataFrame(columns, copy=False)

    def through(self, moment: datetime) -> "CatalogueHistory":
        """Return the versions that were valid by `moment`, without ends that came later."""
        begun = self.versions.known_at_us <= to_us(moment)
        kept = self if begun.all() else self._take(np.flatnonzero(begun))
        until_us = np.where(kept.versions.known_until_us > to_us(moment), NEVER, kept.versions.known_until_us)
        return replace(kept, versions=replace(kept.versions, known_until_us=until_us))

    def near(self, recipe: Recipe, small_since_us: int | None = None) -> "CatalogueHistory":
        """Return the versions near enough to the recipe's circle, for their size, that a circle model uses them (`as_known.in_reach`).

        Outcomes, rates and forecasts of this recipe are those of the whole catalogue (except for the ConvLSTM, whose grid may reach
        farther). small_since_us: of those that no model uses because they are small and outside the circle, leave out earlier ones.
        """
        place = recipe.predict_center_lat, recipe.predict_center_lng
        near = np.zeros(len(self.versions), dtype=bool)
        for (rows, of_size), (least, reach) in zip(self._by_size, reaches_km(recipe), strict=True):
            found = rows[of_size.within(*place, reach)]
            if small_since_us is not None and least < SMALL_MAG <= recipe.threshold_mag:
                near[rows[of_size.within(*place, recipe.radius_km)]] = True
                found = found[self.versions.origin_time_us[found] >= small_since_us]
            near[found] = True
        return self._take(np.flatnonzero(near))

    @cached_property
    def _by_size(self) -> list[tuple[np.ndarray, Events]]:
        """For each magnitude of `as_known.REACH_KM`: the rows, int64, of the versions from it up to the next, and these versions."""
        size = np.searchsorted([least for least, _ in REACH_KM], self.versions.magnitude, side="right") - 1
        rows = [np.flatnonzero(size == place) for place in range(len(REACH_KM))]
        return [(each, self.versions.take(each)) for each in rows]

    def _take(self, rows: np.ndarray) -> "CatalogueHistory":
        return replace(
            self,
            versions=self.versions.take(rows),
            common=self.common[rows],
            name_row=self.name_row[rows],
            joined=self.joined[rows],
            first_known_us=self.first_known_us[rows],
            by_id=self.by_id[rows],
        )


def _times(us: np.ndarray) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(us.view("datetime64[us]")).tz_localize("UTC")


def read_history(store: Store, state: tuple[int, int, int] | None = None) -> CatalogueHistory:
    """Return the whole catalogue of the store, cached for the next step until it changes. state: what `state_of` has just returned."""
    return _history(store, state or state_of(store))


def state_of(store: Store) -> tuple[int, int, int]:
    """Return numbers that change with the catalogue: the key of everything that is cached from it."""
    with store.transaction() as connection:
        return catalogue.reading(connection)


@lru_cache(maxsize=1)
def _history(store: Store, state: tuple[int, int, int]) -> CatalogueHistory:
    with store.transaction() as connection:
        frame = catalogue.read_history(connection)
        joins = catalogue.read_joins(connection)
        coverage = catalogue.read_coverage(connection)
    versions = versions_of(frame)
    return CatalogueHistory(
        versions,
        in_streams(STREAMS, versions.latitude_deg, versions.longitude_deg, versions.magnitude),
        frame[["event_id", "place"]],
        np.arange(len(frame)),
        frame["joined"].to_numpy(dtype=bool),
        frame["first_known_at"].astype("datetime64[us, UTC]").astype("int64").to_numpy(),
        ranks_by_id(versions.origin_time_us, frame["event_id"]),
        joins,
        coverage,
    )


def load_known(store: Store, as_of: datetime) -> Known:
    """Return events and coverage as known at `as_of` (aware UTC)."""
    return read_history(store).at(as_of)


def load_known_near(store: Store, recipe: Recipe, as_of: datetime) -> Known:
    """Return the same for events near enough to the recipe's circle (`as_known.in_reach`), for queries about one place only.

    Reading the whole catalogue takes several times longer.
    """
    *_, (_, farthest) = reaches_km(recipe)
    south, north, west, east = box_about(recipe.predict_center_lat, recipe.predict_center_lng, farthest)
    box = (south - MARGIN_DEG, north + MARGIN_DEG, west - MARGIN_DEG, east + MARGIN_DEG)
    with store.transaction() as connection:
        frame = catalogue.read_events(connection, as_of, box)
        inputs = versions_of(catalogue.read_versions(connection, as_of, box))
        coverage = catalogue.read_coverage(connection)
    place = recipe.predict_center_lat, recipe.predict_center_lng
    away = great_circle_km(*place, frame["latitude_deg"].to_numpy(), frame["longitude_deg"].to_numpy())
    frame = frame[in_reach(recipe, away, frame["magnitude"].to_numpy())]
    inputs = inputs.take(in_streams(STREAMS, inputs.latitude_deg, inputs.longitude_deg, inputs.magnitude))
    inputs = inputs.take(in_reach(recipe, inputs.distance_km(*place), inputs.magnitude))
    frame = frame.reset_index(drop=True)
    return Known(as_of, events_from_frame(frame), inputs, lambda: frame, coverage)


def versions_of(frame: pd.DataFrame) -> Events:
    """Convert the rows of `catalogue.read_versions`, which have a magnitude and come in the order of `events_from_frame`."""
    until = frame["known_until"].astype("datetime64[us, UTC]")
    ends = np.where(until.isna(), NEVER, until.astype("int64"))
    return replace(events_in_order(frame), known_until_us=ends)


def ranks_by_id(origin_time_us: np.ndarray, event_id: pd.Series) -> np.ndarray:
    """Return the ranks of the rows by origin time and event_id, int64 (n,), of rows in order of origin time, of which few are equal."""
    ranks = np.arange(len(origin_time_us))
    again = np.flatnonzero(origin_time_us[1:] == origin_time_us[:-1])
    tied = np.union1d(again, again + 1)
    names = event_id.iloc[tied].to_numpy(dtype=object)
    in_order = sorted(range(len(tied)), key=lambda place: (origin_time_us[tied[place]], names[place]))
    ranks[tied[in_order]] = tied
    return ranks
