"""ETAS for many circles at one issue: the sums of `etas_branching.triggered_sums`, over all pairs of events and circles at once.

The expected triggering by each event is first summed over nodes and rings. This leaves one number per event and distance node
(`etas_intensity`). A pair of event and circle then interpolates between two of them.
"""

from collections.abc import Sequence

import numpy as np

from forecaster.features.events import Events
from forecaster.features.many_circles import Circles
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
    strong = circles.inputs.take(circles.inputs.magnitude >= PARENT_MAG)
    triggered = np.zeros((len(windows), len(circles)))
    nodes = distance_nodes(circles.radius_km)
    edges = [*(magnitude for magnitude, _ in REACH_KM), np.inf]
    for (low, reach), high in zip(REACH_KM, edges[1:], strict=True):
        events = strong.take((strong.magnitude >= low) & (strong.magnitude < high))
        if not len(events):
            continue
        by_node = _by_node(parameters, circles, events, windows, rings)
        for near in circles.near(events, circles.radius_km + reach):
            at, share = bracket(nodes, near.distance_km)
            flat = near.event * len(nodes) + at
            for row, table in enumerate(by_node):
                below, above = table[flat], table[flat + 1]
                triggered[row] += np.bincount(near.circle, below + share * (above - below), len(circles))
    steady = np.array([float(of.background_hit @ of.area_ratio) * of.per_target for of in rings])
    seen = np.stack([_detected(circles, days) for days in windows])
    rates: np.ndarray = seen * (triggered + steady[:, None] * background)
    return rates


def _length_days(days: TargetDays) -> float:
    return float(days.target_ends_us[0] - days.target_starts_us[0]) / DAY_US


def _by_node(
    parameters: Parameters, circles: Circles, events: Events, windows: Sequence[TargetDays], rings: Sequence[Rings]
) -> list[np.ndarray]:
    """For each window, float64 (events x distance nodes,): what each event contributes to a circle at each distance."""
    age = (int(windows[0].target_starts_us[0]) - events.origin_time_us) / DAY_US
    decay = np.exp(-np.outer(age, NODES)) * omori_weights(parameters.c, parameters.p)[0] / NODES
    productivity = parameters.k * np.exp(LN10 * parameters.alpha * (events.magnitude - REFERENCE_MAG))[:, None]
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
