"""Training of the pooled trees: circles around the world, thinned and weighted days, the intensity, the trees."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from typing import Any, Protocol

import numpy as np

from forecaster.errors import NotTrainable
from forecaster.features.circles import world_circles
from forecaster.features.decayed_counts import decayed_counts
from forecaster.features.events import Events
from forecaster.features.geometry import KM_PER_DEGREE
from forecaster.features.labels import daily_labels
from forecaster.features.windows import target_days
from forecaster.models.baselines import climatology
from forecaster.models.gradient_boosting import train_trees
from forecaster.models.interface import logit
from forecaster.models.pooled.gathered_days import GatheredDays
from forecaster.models.pooled.pooled import COUNTS, INTENSITY_FILE, TREES_FILE, tree_features
from forecaster.models.pooled.pooled_intensity import Intensity, fit_intensity
from forecaster.models.training_progress import Teller, on_places
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US

FIRST_LABEL = date(1973, 1, 16)
ACTIVE_COLUMNS = [COUNTS.names.index(f"tau10_{zone}_a1") for zone in COUNTS.zones if zone.startswith(("ring1_", "ring2_"))]
ACTIVE_COUNT = 3.0
WIDEST_RADII = 4.5


class Thinning(Protocol):
    """Which days of a circle a pool keeps; see `PoolSettings`."""

    @property
    def targets_a_circle(self) -> int: ...

    @property
    def active_share(self) -> float: ...

    @property
    def quiet_share(self) -> float: ...


@dataclass(frozen=True)
class PoolSettings:
    """The settings that, with the data, determine a training.

    first_day: of the days that are learnt from; earlier ones only enter references and counts.
    targets_a_circle: approximate maximum of target days kept from one circle.
    active_share, quiet_share: shares kept of the days without a target. A day is active if more than 3 events (weighted, decaying within 10
    days) lie within two radii; the others are quiet.
    trees: parameters of XGBoost. rounds: number of trees.
    """

    circles: int = 400
    seed: int = 20191026
    first_day: date = date(1983, 1, 1)
    targets_a_circle: int = 500
    active_share: float = 0.15
    quiet_share: float = 0.035
    rounds: int = 100
    trees: Mapping[str, Any] = field(
        default_factory=lambda: {
            "eta": 0.05,
            "max_depth": 4,
            "min_child_weight": 400,
            "subsample": 0.5,
            "colsample_bytree": 0.5,
            "reg_lambda": 10,
            "max_bin": 64,
        }
    )


@dataclass(frozen=True)
class Pool:
    """Days of many circles, thinned; arrays of shape (n,), counts (n, 144) float32.

    reference: probability. weight: how many days of the circle each stands for (1 / the share that was kept of such days), so that sums
    over the pool are unbiased estimates of sums over all days. circle: its number.
    """

    counts: np.ndarray
    reference: np.ndarray
    happened: np.ndarray
    weight: np.ndarray
    circle: np.ndarray

    def __len__(self) -> int:
        return len(self.happened)


def events_until(events: Events, data_until: date) -> Events:
    """The events with origin before the end of the UTC day `data_until`."""
    return events.take(events.origin_time_us < (np.datetime64(data_until, "D").astype(np.int64) + 1) * DAY_US)


def events_near(events: Events, circle: Recipe) -> Events:
    """The events that can have an influence, and some more: those of a band of latitudes, so that fewer distances are computed."""
    reach = WIDEST_RADII * circle.radius_km / KM_PER_DEGREE
    return events.take((events.magnitude >= circle.threshold_mag) & (np.abs(events.latitude_deg - circle.predict_center_lat) <= reach))


def build_pool(
    inputs: Events,
    catalogue: Events,
    circles: Sequence[Recipe],
    data_until: date,
    settings: PoolSettings,
    rng: np.random.Generator,
    on_circle: Callable[[int], None] = lambda number: None,
) -> Pool:
    """The days first_day..data_until of all `circles`. No later data are used. `on_circle` is called after each circle.

    Raises:
        NotTrainable: there are no such days, or no circles.
    """
    days = target_days(circles[0], FIRST_LABEL, max(0, (data_until - FIRST_LABEL).days + 1)) if circles else None
    if days is None or not len(days) or settings.first_day > data_until:
        raise NotTrainable(f"{len(circles)} circles and days {settings.first_day} to {data_until} make no pool")
    inputs, catalogue = events_until(inputs, data_until), events_until(catalogue, data_until)
    from_first = days.local_days >= np.datetime64(settings.first_day)
    gathered = GatheredDays()
    for number, circle in enumerate(circles):
        happened, _, _ = daily_labels(events_near(catalogue, circle), circle, days)
        counts = decayed_counts(events_near(inputs, circle), circle, days, COUNTS)
        share = kept_share(counts, happened, settings)
        kept = np.flatnonzero((rng.random(len(days)) < share) & from_first)
        reference = climatology.daily_probability(happened, days.target_starts_us, days.target_ends_us, days.cut_us[kept])
        weight = (1.0 / share[kept]).astype(np.float32)
        gathered.add([counts[kept], reference, happened[kept], weight, np.full(len(kept), number)])
        on_circle(number)
    return Pool(*gathered.join())


def train(pool: Pool, settings: PoolSettings) -> tuple[Intensity, dict[str, bytes]]:
    """The intensity, and the files of an artefact (intensity and trees). The same pool and settings give the same bytes on one machine.

    Raises:
        NotTrainable: the pool lacks days with or without the target.
    """
    intensity = fit_intensity(pool.counts, pool.reference, pool.happened, pool.weight)
    trunk = intensity.probability(pool.counts, pool.reference)
    trees = train_trees(
        tree_features(pool.counts, pool.reference, trunk),
        pool.happened,
        pool.weight,
        logit(trunk),
        rounds=settings.rounds,
        seed=settings.seed,
        parameters=settings.trees,
    )
    return intensity, {INTENSITY_FILE: intensity.to_json(COUNTS.names), TREES_FILE: trees}


def pretrain_set(
    events: Events, until: date, circles: int | None, seed: int | None, tell: Teller
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """`fit_and_load.Pretrainer`."""
    settings = PoolSettings()
    settings = replace(settings, circles=circles or settings.circles, seed=settings.seed if seed is None else seed)
    return pretrain(events, events, until, settings, on_places(tell, f"pooled to {until}"))


def pretrain(
    inputs: Events, catalogue: Events, data_until: date, settings: PoolSettings, on_circle: Callable[[int], None] = lambda number: None
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Circles, pool and training from `inputs` (versions, as known) and `catalogue`.

    Returns (files, record) for `pretrained.write_pretrained`, whose record also needs the version of the code.

    Raises:
        NotTrainable: too little data.
    """
    rng = np.random.default_rng(settings.seed)
    circles = world_circles(events_until(catalogue, data_until), settings.circles, rng)
    pool = build_pool(inputs, catalogue, circles, data_until, settings, rng, on_circle)
    _, files = train(pool, settings)
    described = asdict(settings) | {"first_day": settings.first_day.isoformat(), "counts": asdict(COUNTS)}
    return files, {
        "circles": settings.circles,
        "seed": settings.seed,
        "settings": described,
        "days": len(pool),
        "target_days": int(pool.happened.sum()),
    }


def kept_share(counts: np.ndarray, happened: np.ndarray, thinning: Thinning) -> np.ndarray:
    """float64 (n,): the probability with which each day of a circle, with `counts` (n, 144), enters a pool."""
    crowd = min(1.0, thinning.targets_a_circle / max(1, int(happened.sum())))
    quiet = np.where(counts[:, ACTIVE_COLUMNS].sum(axis=1) > ACTIVE_COUNT, thinning.active_share, thinning.quiet_share)
    return np.where(happened, crowd, quiet * np.sqrt(crowd))
