"""ETAS for many circles at one issue: the sums of `etas_branching.triggered_sums`, over all pairs of events and circles at once.

The expected triggering by each event is first summed over nodes and rings. This leaves one number per event and distance node
(`etas_intensity`). A pair of event and circle then interpolates between two of them.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from forecaster.features.events import Events
from forecaster.features.many_circles import Circles, Past
from forecaster.features.windows import TargetDays
from forecaster.models.etas.etas_branching import Rings, solve
from forecaster.models.etas.etas_detection import NEAR_KM, hidden_days, share_over
from forecaster.models.etas.etas_intensity import (
    MAG_NODES,
    PARENT_MAG,
    REACH_KM,
    bracket,
    distance_nodes,
    share_table,
)
from forecaster.models.etas.etas_kernels import LN10, NODES, REFERENCE_MAG, Parameters, omori_weights
from forecaster.timewindow import DAY_US


def no_target_rates(parameters: Parameters, circles: Circles, windows: Sequence[TargetDays], background: np.ndarray) -> np.ndarray:
    """float64 (windows, circles): -log P(no target) of each window, from what is visible at the circles' cutoff. Each window is at least
    the target day.

    background: (windows, circles), the expected background targets in the circle.
    """
    rings = [solve(parameters, circles.threshold_mag, circles.radius_km, _length_days(days)) for days in windows]
    split = circles.split
    triggered = _triggered(parameters, circles, circles.inputs if split is None else split.recent, windows, rings)
    if split is not None:
        edges = rings[0].edges_km
        states = split.past.once(("etas", parameters, tuple(edges)), lambda: _states(parameters, split.past, rings[0]))
        triggered += _carried(states[split.rows], split.past.moment_us, windows, rings)
    steady = np.array([float(of.background_hit @ of.area_ratio) * of.per_target for of in rings])
    seen = np.stack([_detected(circles, days) for days in windows])
    rates: np.ndarray = seen * (triggered + steady[:, None] * background)
    return rates


def _by_reach(events: Events) -> Iterator[tuple[Events, float]]:
    """The parents among these events in groups with the same reach, km."""
    strong = events.take(events.magnitude >= PARENT_MAG)
    edges = [*(magnitude for magnitude, _ in REACH_KM), np.inf]
    for (low, reach), high in zip(REACH_KM, edges[1:], strict=True):
        some = strong.take((strong.magnitude >= low) & (strong.magnitude < high))
        if len(some):
            yield some, reach


def _triggered(
    parameters: Parameters, circles: Circles, inputs: Events, windows: Sequence[TargetDays], rings: Sequence[Rings]
) -> np.ndarray:
    """float64 (windows, circles): what these events contribute to -log P(no target), before detection."""
    triggered = np.zeros((len(windows), len(circles)))
    nodes = distance_nodes(circles.radius_km)
    for events, reach in _by_reach(inputs):
        by_node = _by_node(parameters, circles, events, windows, rings)
        for near in circles.near(events, circles.radius_km + reach):
            at, share = bracket(nodes, near.distance_km)
            flat = near.event * len(nodes) + at
            for row, table in enumerate(by_node):
                below, above = table[flat], table[flat + 1]
                triggered[row] += np.bincount(near.circle, below + share * (above - below), len(circles))
    return triggered


def _states(parameters: Parameters, past: Past, rings: Rings) -> np.ndarray:
    """float64 (circles, decay nodes, rings): the sums over the events of the past at its moment. Each decays by itself, so they hold for
    every later day, window and threshold."""
    from scipy.sparse import csr_array

    nodes, mass = distance_nodes(past.radius_km), _mass(parameters, past.radius_km, rings)
    found = np.zeros((len(past), len(NODES), len(mass)))
    for events, reach in _by_reach(past.events):
        own = _decay(parameters, (past.moment_us - events.origin_time_us) / DAY_US) * _productivity(parameters, events)
        large, larger_share = bracket(MAG_NODES, events.magnitude)
        for near in past.near(events, past.radius_km + reach):
            if not len(near.circle):
                continue
            at, share = bracket(nodes, near.distance_km)
            level, up = large[near.event], larger_share[near.event]
            first, last = int(near.circle.min()), int(near.circle.max()) + 1
            for ring, table in enumerate(mass):
                below = table[at, level] + up * (table[at, level + 1] - table[at, level])
                above = table[at + 1, level] + up * (table[at + 1, level + 1] - table[at + 1, level])
                weight = below + share * (above - below)
                found[first:last, :, ring] += (
                    csr_array((weight, (near.circle - first, near.event)), shape=(last - first, len(events))) @ own
                )
    return found


def _carried(states: np.ndarray, moment_us: int, windows: Sequence[TargetDays], rings: Sequence[Rings]) -> np.ndarray:
    """float64 (windows, circles): `_triggered` of the events of a past, from its sums `states` at `moment_us`."""
    later = np.exp(-NODES * (int(windows[0].target_starts_us[0]) - moment_us) / DAY_US)
    parts = [
        np.tensordot(states, (later * -np.expm1(-NODES * _length_days(days)))[:, None] * of.hit, 2) * of.per_target
        for days, of in zip(windows, rings, strict=True)
    ]
    return np.stack(parts)


def _decay(parameters: Parameters, age_days: np.ndarray) -> np.ndarray:
    """float64 (events, decay nodes): the parts of the decayed rate at these ages, over their own rates of decay."""
    decay: np.ndarray = np.exp(-np.outer(age_days, NODES)) * omori_weights(parameters.c, parameters.p)[0] / NODES
    return decay


def _productivity(parameters: Parameters, events: Events) -> np.ndarray:
    """float64 (events, 1)."""
    productivity: np.ndarray = parameters.k * np.exp(LN10 * parameters.alpha * (events.magnitude - REFERENCE_MAG))[:, None]
    return productivity


def _length_days(days: TargetDays) -> float:
    return float(days.target_ends_us[0] - days.target_starts_us[0]) / DAY_US


def _by_node(
    parameters: Parameters, circles: Circles, events: Events, windows: Sequence[TargetDays], rings: Sequence[Rings]
) -> list[np.ndarray]:
    """For each window, float64 (events x distance nodes,): what each event contributes to a circle at each distance."""
    decay = _decay(parameters, (int(windows[0].target_starts_us[0]) - events.origin_time_us) / DAY_US)
    productivity = _productivity(parameters, events)
    at, share = bracket(MAG_NODES, events.magnitude)
    found = []
    for days, of in zip(windows, rings, strict=True):
        still = decay @ (-np.expm1(-NODES * _length_days(days))[:, None] * of.hit) * productivity * of.per_target
        mass = _mass(parameters, circles.radius_km, of)
        table = np.empty((len(events), mass.shape[1]))
        for node in np.unique(at):
            here = at == node
            low, high = still[here] @ mass[:, :, node], still[here] @ mass[:, :, node + 1]
            table[here] = low + share[here, None] * (high - low)
        found.append(table.ravel())
    return found


def _mass(parameters: Parameters, radius_km: float, rings: Rings) -> np.ndarray:
    """float64 (rings, distance nodes, magnitude nodes): the share of an earthquake's offspring in each ring."""
    shape = len(distance_nodes(radius_km)), len(MAG_NODES)
    tables = [
        share_table(radius_km, parameters.d, parameters.gamma, parameters.q, float(edge)) if edge > 0 else np.zeros(shape).ravel()
        for edge in rings.edges_km
    ]
    return np.diff(np.stack(tables), axis=0).reshape(-1, *shape)


def _detected(circles: Circles, days: TargetDays) -> np.ndarray:
    """float64 (circles,): the mean detected share over the window (`etas_detection.detected_share`)."""
    found = np.ones(len(circles))
    events, threshold = circles.inputs, circles.threshold_mag
    start, end = int(days.target_starts_us[0]), int(days.target_ends_us[0])
    until = events.origin_time_us + hidden_days(events.magnitude, threshold) * DAY_US
    shading = events.take((events.magnitude >= PARENT_MAG) & (start < until))
    each = zip(shading.magnitude.tolist(), shading.origin_time_us.tolist(), strict=True)
    shares = np.array([share_over(magnitude, origin_us, start, end, threshold) for magnitude, origin_us in each])
    for near in circles.near(shading, circles.radius_km + NEAR_KM):
        np.minimum.at(found, near.circle, shares[near.event])
    return found
