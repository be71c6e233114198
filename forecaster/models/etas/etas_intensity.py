"""Expected numbers of triggered target events: sums over all past earthquakes as recursions over days, with their gradients.

Omori's law is a sum of exponentials (`etas_kernels.omori_weights`). So the triggering by all past earthquakes is one state per node and
day, multiplied by exp(-s) from day to day. A version of an earthquake enters at the first day whose issue sees it, and leaves at the first
day whose issue does not. Each day's sum is therefore exactly what was known at its cutoff.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from forecaster.features.events import Events
from forecaster.features.windows import TargetDays
from forecaster.models.etas.etas_kernels import LN10, NODES, REFERENCE_MAG, Parameters, circle_share, kernel_width_km
from forecaster.recipe import Recipe
from forecaster.timewindow import DAY_US

if TYPE_CHECKING:
    from scipy.sparse import csr_array

PARENT_MAG = 4.5
REACH_KM = ((PARENT_MAG, 500.0), (6.5, 1000.0), (7.5, 2000.0))
MAG_NODES = np.arange(PARENT_MAG, 9.76, 0.25)
DAILY_DECAY = np.exp(-NODES)
FEW_SLOTS = 8


@dataclass(frozen=True)
class Parents:
    """Earthquakes that may trigger targets, by origin; arrays (n,). distance_km: from the circle's centre. index: int64, where each stands
    among the events that they were selected from."""

    recipe: Recipe
    events: Events
    distance_km: np.ndarray
    index: np.ndarray
    _rings: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    _made: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.events)

    def once(self, key: str, make: Callable[[], Any]) -> Any:
        """The result of `make`, cached under the key."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    @property
    def distance_nodes(self) -> np.ndarray:
        """The distances at which F is tabulated."""
        return distance_nodes(self.recipe.radius_km)

    @cached_property
    def interpolation(self) -> "csr_array":
        """(n, distances x magnitudes): bilinear weights of the tabulated F for each event."""
        from scipy.sparse import csr_array  # slow to import, and most users of this module do not need it

        x, fx = bracket(self.distance_nodes, self.distance_km)
        m, fm = bracket(MAG_NODES, self.events.magnitude)
        columns, weights = np.empty((len(self), 4), dtype=np.int32), np.empty((len(self), 4))
        for place, (dx, wx, dm, wm) in enumerate(
            (dx, wx, dm, wm) for dx, wx in ((0, 1 - fx), (1, fx)) for dm, wm in ((0, 1 - fm), (1, fm))
        ):
            columns[:, place] = (x + dx) * len(MAG_NODES) + m + dm
            weights[:, place] = wx * wm
        shape = (len(self), len(self.distance_nodes) * len(MAG_NODES))
        ends = np.arange(0, 4 * len(self) + 1, 4, dtype=np.int32)
        return csr_array((weights.ravel(), columns.ravel(), ends), shape=shape)

    def shares(self, parameters: Parameters, radius: float) -> np.ndarray:
        """F of each event, (n,), for a circle of `radius` km about the recipe's centre. The result is most exact for the recipe's own
        radius.
        """
        shares: np.ndarray = self.interpolation @ share_table(self.recipe.radius_km, parameters.d, parameters.gamma, parameters.q, radius)
        return shares

    def ring_mass(self, parameters: Parameters, edges_km: np.ndarray) -> np.ndarray:
        """(rings, n): productivity x share of each event's offspring in each ring about the centre; of the last rings cached."""
        key = (parameters, edges_km.tobytes())
        if self._rings.get("key") != key:
            of_shape = parameters.d, parameters.gamma, parameters.q
            nothing = np.zeros(self.interpolation.shape[1])
            tables = [share_table(self.recipe.radius_km, *of_shape, edge) if edge > 0 else nothing for edge in edges_km.tolist()]
            inner = self.interpolation @ np.stack(tables, axis=1)
            self._rings.update(key=key, mass=np.diff(inner, axis=1).T * self.productivity(parameters), entry=None)
        mass: np.ndarray = self._rings["mass"]
        return mass

    def entered(self, parameters: Parameters, edges_km: np.ndarray, stream: "Stream") -> np.ndarray:
        """(slots, nodes, rings): decayed sums of the `ring_mass` over the entries up to each of few slots; of the last entries cached."""
        mass = self.ring_mass(parameters, edges_km)
        if self._rings["entry"] is not stream.entry:
            found = np.zeros((stream.slots, len(NODES), len(mass)))
            for slot, here in stream.in_slots():
                found[slot] = stream.entry[:, here] @ mass[:, stream.entry_parent[here]].T
            for slot in range(1, stream.slots):
                found[slot] += DAILY_DECAY[:, None] * found[slot - 1]
            self._rings.update(entry=stream.entry, entered=found)
        entered: np.ndarray = self._rings["entered"]
        return entered

    def visible(self, moment_us: int) -> "Parents":
        """The versions that are an input of this issue time."""
        seen = self.events.is_visible(moment_us)
        return Parents(self.recipe, self.events.take(seen), self.distance_km[seen], self.index[seen])

    def productivity(self, parameters: Parameters) -> np.ndarray:
        """K 10^(alpha (M - 6)) of each event, (n,)."""
        return parameters.k * np.exp(LN10 * parameters.alpha * (self.events.magnitude - REFERENCE_MAG))


def select_parents(events: Events, recipe: Recipe) -> Parents:
    """The versions of magnitude PARENT_MAG or more that are near enough to the circle for their size (at most REACH_KM beyond its rim)."""
    reach = recipe.radius_km + REACH_KM[-1][1]
    near, distance = events.near(recipe.predict_center_lat, recipe.predict_center_lng, reach, PARENT_MAG)
    limits = np.array([recipe.radius_km + km for _, km in REACH_KM])
    kept = distance <= limits[np.searchsorted([mag for mag, _ in REACH_KM], events.magnitude[near], side="right") - 1]
    return Parents(recipe, events.take(near[kept]), distance[kept], near[kept])


@dataclass(frozen=True)
class Stream:
    """A linear map from the weights of parents to sums at `reads`: entries of parents into daily slots, and the reading of the slots.

    entry_parent, entry_slot: int (entries,), by slot. entry: (nodes, entries), exp(-s x days from the origin to the slot), negative for
    versions that leave.
    read_slot: int (reads,). read: (nodes, reads). zero_us: when slot 0 is.
    The value of a read is sum over k of v_k read_k S_k(slot), with S_k(slot) the sum of weight x entry x exp(-s_k x days since) over all
    entries up to the slot.
    """

    parents: int
    slots: int
    entry_parent: np.ndarray
    entry_slot: np.ndarray
    entry: np.ndarray
    read_slot: np.ndarray
    read: np.ndarray
    zero_us: int

    def states(self, weights: np.ndarray) -> np.ndarray:
        """(nodes, reads): read_k S_k of parents with these weights, (parents,) or one for each node, (nodes, parents)."""
        out = np.empty_like(self.read)
        entering = np.broadcast_to(weights[..., self.entry_parent], self.entry.shape)
        for k, decay in enumerate(DAILY_DECAY):
            fed = np.bincount(self.entry_slot, entering[k] * self.entry[k], self.slots)
            out[k] = _decayed(fed, decay)[self.read_slot]
        out *= self.read
        return out

    def over(self, days: TargetDays) -> "Stream":
        """The same entries, read over other windows: `days` as for `daily_stream`, with the same starts and cutoffs."""
        return replace(self, read=_reads(days, self.zero_us, self.read_slot))

    def read_at(self, reads: slice) -> "Stream":
        """The same entries, read at some of the reads."""
        return replace(self, read_slot=self.read_slot[reads], read=self.read[:, reads])

    def in_slots(self) -> Iterator[tuple[int, slice]]:
        """(slot, its entries) of each slot with entries, the first slot first."""
        slots, first = np.unique(self.entry_slot, return_index=True)
        yield from zip(slots.tolist(), (slice(*ends) for ends in pairwise([*first.tolist(), len(self.entry_slot)])), strict=True)

    def back(self, node_weights: np.ndarray, gradient: np.ndarray) -> np.ndarray:
        """(parents,): derivative of sum over reads of gradient x value with respect to the parents' weights, at node weights v."""
        total = np.zeros(len(self.entry_parent))
        for k, decay in enumerate(DAILY_DECAY):
            given = np.bincount(self.read_slot, gradient * self.read[k] * node_weights[k], self.slots)
            carried = _decayed(given[::-1], decay)[::-1]
            total += carried[self.entry_slot] * self.entry[k]
        return np.bincount(self.entry_parent, total, self.parents)


def _decayed(values: np.ndarray, decay: float) -> np.ndarray:
    """float64 (n,): running sums of `values` (n,) that decay by `decay` from one to the next.

    A forecast of one day has only a few of them. They are summed without the library, which takes half a second to import.
    """
    if len(values) > FEW_SLOTS:
        from scipy.signal import lfilter

        filtered: np.ndarray = lfilter([1.0], [1.0, -decay], values)
        return filtered
    return np.array(list(accumulate(values.tolist(), lambda kept, entering: entering + decay * kept)))


def daily_reads(days: TargetDays) -> tuple[np.ndarray, np.ndarray]:
    """(`Stream.read_slot`, `Stream.read`) of the days' windows: a read is the integral of the triggered rate over [target_start,
    target_end).

    They depend on nothing but the days: 3 MB for fifty years, which many circles share. days: in order of their starts, each once
    (ValueError: a bug in quakecast).
    """
    starts = days.target_starts_us
    if np.any(np.diff(starts) <= 0) or np.any(np.diff(days.cut_us) < 0):
        raise ValueError("target days must be in order, each once")
    slot = np.round((starts - starts[0]) / DAY_US).astype(np.int64)
    return slot, _reads(days, int(starts[0]), slot)


def _reads(days: TargetDays, zero_us: int, slot: np.ndarray) -> np.ndarray:
    """`Stream.read` of windows that begin about these slots (n,), of which the first is at `zero_us`."""
    late = (days.target_starts_us - zero_us - slot * DAY_US) / DAY_US
    length = (days.target_ends_us - days.target_starts_us) / DAY_US
    read: np.ndarray = np.exp(-np.outer(NODES, late)) * -np.expm1(-np.outer(NODES, length)) / NODES[:, None]
    return read


def daily_stream(parents: Parents, days: TargetDays, reads: tuple[np.ndarray, np.ndarray] | None = None) -> Stream:
    """The stream whose reads are the days' windows. reads: `daily_reads(days)`, where they were computed before. Raises as these."""
    slot, read = daily_reads(days) if reads is None else reads
    starts, cuts = days.target_starts_us, days.cut_us
    enter = np.searchsorted(cuts, np.maximum(parents.events.known_at_us, parents.events.origin_time_us + 1), side="left")
    leave = np.searchsorted(cuts, parents.events.known_until_us, side="left")
    seen = enter < leave
    gone = seen & (leave < len(days))
    parent = np.concatenate([np.flatnonzero(seen), np.flatnonzero(gone)])
    at = slot[np.concatenate([enter[seen], leave[gone]])]
    sign = np.concatenate([np.ones(int(seen.sum())), -np.ones(int(gone.sum()))])
    return make_stream(parents, int(starts[0]), int(slot[-1]) + 1, (parent, at, sign), slot, read)


def make_stream(
    parents: Parents, zero_us: int, slots: int, entries: tuple[np.ndarray, np.ndarray, np.ndarray], read_slot: np.ndarray, read: np.ndarray
) -> Stream:
    """A stream of (parent, slot, sign) entries; slot 0 is at `zero_us`."""
    by_slot = np.argsort(entries[1], kind="stable")
    parent, at, sign = (each[by_slot] for each in entries)
    age = (zero_us + at * DAY_US - parents.events.origin_time_us[parent]) / DAY_US
    entry = np.multiply.outer(-NODES, age)
    np.exp(entry, out=entry)
    if (leaves := np.flatnonzero(sign < 0)).size:
        entry[:, leaves] *= -1.0
    return Stream(len(parents), slots, parent, at, entry, read_slot, read, zero_us)


@lru_cache(maxsize=32)
def distance_nodes(circle_km: float) -> np.ndarray:
    """Distances from the centre, km: dense near the rim, where F falls over the width of the kernel."""
    outward = 2.0 * np.sinh(np.linspace(0.0, np.arcsinh(REACH_KM[-1][1] / 2.0), 48))
    inward = 2.0 * np.sinh(np.linspace(0.0, np.arcsinh(circle_km / 2.0), 32))
    nodes = np.concatenate([circle_km - inward[::-1], circle_km + outward[1:]])
    nodes.flags.writeable = False
    return nodes


@lru_cache(maxsize=64)
def share_table(circle_km: float, d: float, gamma: float, q: float, radius: float) -> np.ndarray:
    """F at the distance nodes of a circle and MAG_NODES, flat, for a circle of `radius` km."""
    table = circle_share(distance_nodes(circle_km), kernel_width_km(MAG_NODES, d, gamma), q, radius).ravel()
    table.flags.writeable = False
    return table


def bracket(nodes: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(index of the node below, share of the way to the next), values kept within the nodes."""
    index = np.clip(np.searchsorted(nodes, values, side="right") - 1, 0, len(nodes) - 2)
    share = (values - nodes[index]) / (nodes[index + 1] - nodes[index])
    return index, np.clip(share, 0.0, 1.0)
