"""Simulation of the ETAS branching process about one circle, in the plane of azimuthal equidistant coordinates.

Distances to the centre are exact in this plane. Distances between other points are accurate to a per cent or so within some 1000 km of it.
"""

from dataclasses import dataclass, fields

import numpy as np

from forecaster.models.etas.etas_detection import B_VALUE
from forecaster.models.etas.etas_intensity import PARENT_MAG, Parents
from forecaster.models.etas.etas_kernels import LN10, REFERENCE_MAG, Parameters, kernel_width_km, omori_integral
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US

LARGEST_MAG = 9.0
MAX_EVENTS = 2_000_000
BEYOND_KM = 160.0


@dataclass(frozen=True)
class Points:
    """Earthquakes of many runs; arrays (n,). time_days: from a common origin. x_km, y_km: east and north of the centre. run: int."""

    time_days: np.ndarray
    x_km: np.ndarray
    y_km: np.ndarray
    magnitude: np.ndarray
    run: np.ndarray

    def __len__(self) -> int:
        return len(self.time_days)

    def take(self, selection: np.ndarray) -> "Points":
        """The points at these indices, or where this mask is true."""
        return Points(*(getattr(self, one.name)[selection] for one in fields(self)))

    def joined(self, others: "Points") -> "Points":
        """These points and the others."""
        return Points(*(np.concatenate([getattr(self, one.name), getattr(others, one.name)]) for one in fields(self)))


@dataclass(frozen=True)
class Law:
    """The law of a simulation: `parameters` for earthquakes of at least `threshold_mag`. None below `lowest_mag` is drawn."""

    parameters: Parameters
    threshold_mag: float

    @property
    def lowest_mag(self) -> float:
        return min(self.threshold_mag, PARENT_MAG)

    def offspring(self, magnitude: np.ndarray, begin_days: np.ndarray | float, end_days: np.ndarray | float) -> np.ndarray:
        """Mean number of direct offspring of at least `lowest_mag`, between these lags. A parent below PARENT_MAG has none."""
        one = self.parameters
        mean = one.k * 10.0 ** (B_VALUE * (self.threshold_mag - self.lowest_mag) + one.alpha * (magnitude - REFERENCE_MAG))
        return np.where(magnitude >= PARENT_MAG - 1e-9, mean * omori_integral(begin_days, end_days, one.c, one.p), 0.0)


def draw_magnitudes(count: int, lowest: float, rng: np.random.Generator) -> np.ndarray:
    """Gutenberg-Richter magnitudes from `lowest` on, truncated at LARGEST_MAG."""
    mass = -np.expm1(-LN10 * B_VALUE * (LARGEST_MAG - lowest))
    magnitudes: np.ndarray = lowest - np.log1p(-mass * rng.random(count)) / (LN10 * B_VALUE)
    return magnitudes


def draw_lags(begin: np.ndarray, end: np.ndarray, parameters: Parameters, rng: np.random.Generator) -> np.ndarray:
    """Lags, days, of Omori-Utsu's law between `begin` and `end`, by inversion of its integral."""
    low, high = np.log(begin + parameters.c), np.log(end + parameters.c)
    share, power = rng.random(len(begin)), 1.0 - parameters.p
    if abs(power) < 1e-7:
        days: np.ndarray = np.exp(low + share * (high - low)) - parameters.c
        return days
    return np.exp(low + np.log1p(share * np.expm1(power * (high - low))) / power) - parameters.c


def children(parents: Points, count: np.ndarray, begin: np.ndarray, end: np.ndarray, law: Law, rng: np.random.Generator) -> Points:
    """`count` direct offspring of each parent, at lags between `begin` and `end` days, with places and magnitudes."""
    of = np.repeat(np.arange(len(parents)), count)
    lag = draw_lags(begin[of], end[of], law.parameters, rng)
    width = kernel_width_km(parents.magnitude[of], law.parameters.d, law.parameters.gamma)
    distance = width * np.sqrt(np.expm1(-np.log(1.0 - rng.random(len(of))) / (law.parameters.q - 1.0)))
    angle = 2.0 * np.pi * rng.random(len(of))
    magnitude = draw_magnitudes(len(of), law.lowest_mag, rng)
    x, y = parents.x_km[of] + distance * np.cos(angle), parents.y_km[of] + distance * np.sin(angle)
    return Points(parents.time_days[of] + lag, x, y, magnitude, parents.run[of])


def grow(first: Points, end_days: float, law: Law, rng: np.random.Generator) -> Points:
    """`first` and all their descendants before `end_days`, generation by generation.

    Raises:
        ValueError: more than MAX_EVENTS, so the process is supercritical ("explodes").
    """
    everything = generation = first
    while len(generation):
        left = np.maximum(end_days - generation.time_days, 0.0)
        count = rng.poisson(law.offspring(generation.magnitude, 0.0, left))
        if len(everything) + count.sum() > MAX_EVENTS:
            raise ValueError(f"the simulated process exceeds {MAX_EVENTS} earthquakes; its parameters are supercritical: {law}")
        generation = children(generation, count, np.zeros(len(left)), left, law, rng)
        everything = everything.joined(generation)
    return everything


def uniform_background(rate: float, outer_km: float, begin: float, end: float, runs: int, law: Law, rng: np.random.Generator) -> Points:
    """Independent earthquakes over a disc about the centre: `rate` a day and run over the whole disc, from `begin` to `end` days."""
    run = np.repeat(np.arange(runs), rng.poisson(rate * (end - begin), runs))
    distance, angle = outer_km * np.sqrt(rng.random(len(run))), 2.0 * np.pi * rng.random(len(run))
    time = begin + (end - begin) * rng.random(len(run))
    return Points(time, distance * np.cos(angle), distance * np.sin(angle), draw_magnitudes(len(run), law.lowest_mag, rng), run)


def triggered_by(parents: Parents, zero_us: int, begin: float, end: float, runs: int, law: Law, rng: np.random.Generator) -> Points:
    """Direct offspring of past earthquakes between `begin` and `end`, days from `zero_us`, in each of `runs` runs."""
    events = parents.events
    time = (events.origin_time_us - zero_us) / DAY_US
    mean = law.offspring(events.magnitude, begin - time, end - time)
    of = rng.choice(len(mean), rng.poisson(mean.sum() * runs), p=mean / mean.sum()) if mean.sum() > 0 else np.empty(0, dtype=np.int64)
    used, back = np.unique(of, return_inverse=True)  # few of thousands of parents, of which some have many offspring
    bearing, away = _bearing(parents.recipe, events.latitude_deg[used], events.longitude_deg[used]), parents.distance_km[used]
    past = Points(time[used], away * np.sin(bearing), away * np.cos(bearing), events.magnitude[used], np.zeros(len(used)))
    picked = past.take(back)
    drawn = children(picked, np.ones(len(of), dtype=np.int64), begin - picked.time_days, end - picked.time_days, law, rng)
    return Points(drawn.time_days, drawn.x_km, drawn.y_km, drawn.magnitude, rng.integers(runs, size=len(of)))


def simulated_counts(
    parents: Parents, law: Law, start_us: int, window_days: float, background: float, runs: int, rng: np.random.Generator
) -> np.ndarray:
    """int64 (runs,): number of targets in the circle and window in each run.

    parents: the known ones. background: expected background targets in the circle and window; the same density is assumed outside, up to
    BEYOND_KM.
    """
    radius = parents.recipe.radius_km
    rate = background / window_days * 10.0 ** (B_VALUE * (law.threshold_mag - law.lowest_mag)) * ((radius + BEYOND_KM) / radius) ** 2
    first = uniform_background(rate, radius + BEYOND_KM, 0.0, window_days, runs, law, rng)
    first = first.joined(triggered_by(parents, start_us, 0.0, window_days, runs, law, rng))
    everything = grow(first, window_days, law, rng)
    target = (np.hypot(everything.x_km, everything.y_km) <= radius) & (everything.magnitude >= law.threshold_mag)
    return np.bincount(everything.run[target], minlength=runs)


def _bearing(recipe: Recipe, lat_deg: np.ndarray, lon_deg: np.ndarray) -> np.ndarray:
    """Initial bearing from the centre, radians clockwise from north."""
    lat0, lat = np.radians(recipe.predict_center_lat), np.radians(lat_deg)
    east = np.radians(lon_deg - recipe.predict_center_lng)
    azimuth: np.ndarray = np.arctan2(np.sin(east) * np.cos(lat), np.cos(lat0) * np.sin(lat) - np.sin(lat0) * np.cos(lat) * np.cos(east))
    return azimuth
