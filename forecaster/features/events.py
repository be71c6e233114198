"""The catalogue as arrays: the one input of features, labels and references."""

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Events:
    """Earthquakes sorted by origin time; six arrays of shape (n,).

    `known_at_us` says when an event became known; what is not known at an issue time is not an input of that issue.
    Magnitudes are never missing; a missing depth is NaN. Times are microseconds since the epoch, UTC.
    """

    origin_time_us: np.ndarray
    known_at_us: np.ndarray
    latitude_deg: np.ndarray
    longitude_deg: np.ndarray
    depth_km: np.ndarray
    magnitude: np.ndarray

    def __post_init__(self) -> None:
        if np.any(np.diff(self.origin_time_us) < 0):
            raise ValueError("events must be sorted by origin time")
        if np.isnan(self.magnitude).any():
            raise ValueError("events must have a magnitude")

    def __len__(self) -> int:
        return len(self.origin_time_us)

    def take(self, selection: np.ndarray | slice) -> "Events":
        """The events at these indices, or where this mask is true."""
        return Events(*(getattr(self, name)[selection] for name in _FIELDS))


_FIELDS = ("origin_time_us", "known_at_us", "latitude_deg", "longitude_deg", "depth_km", "magnitude")


def events_from_frame(frame: pd.DataFrame) -> Events:
    """Events of a frame with columns origin_time, known_at (UTC), latitude_deg, longitude_deg, depth_km, magnitude.

    Rows without a magnitude are no events: nothing can be said of their size.
    """
    frame = frame[frame["magnitude"].notna()].sort_values(["origin_time", "latitude_deg", "longitude_deg"], kind="stable")
    times = [frame[name].astype("datetime64[us, UTC]").astype("int64").to_numpy() for name in ("origin_time", "known_at")]
    return Events(*times, *(frame[name].to_numpy(dtype=np.float64, na_value=np.nan) for name in _FIELDS[2:]))
