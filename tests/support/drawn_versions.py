"""Versions of earthquakes drawn at random: several ids, deletions, late and equal stamps."""

from datetime import UTC, datetime, timedelta

import numpy as np

T0 = datetime(2024, 1, 1, tzinfo=UTC)
HOURS = 24


def drawn_rows(rng: np.random.Generator, count: int) -> list[dict]:
    """`count` versions of 60 events, in no order; times are whole hours, so that many fall together."""
    rows = []
    for _ in range(count):
        event = int(rng.integers(60))
        names = [f"e{event}{letter}" for letter in rng.permutation(list("abc"))[: rng.integers(1, 4)]]
        if rng.random() < 0.05:
            names.append(f"e{int(rng.integers(60))}a")
        seen = T0 + timedelta(hours=int(rng.integers(HOURS)))
        rows.append(
            {
                "event_id": names[0],
                "ids": names,
                "origin_time": T0 - timedelta(hours=event),
                "latitude_deg": 35.0 + float(rng.integers(-20, 20)) / 10,
                "longitude_deg": 140.0,
                "depth_km": 10.0,
                "magnitude": float(rng.choice([3.2, 3.4, 3.5, 4.4, 4.5, 5.0, np.nan], p=[0.1, 0.1, 0.2, 0.2, 0.2, 0.15, 0.05])),
                "event_type": "earthquake" if rng.random() < 0.95 else "quarry blast",
                "status": "deleted" if rng.random() < 0.08 else "reviewed",
                "updated_at": seen - timedelta(hours=int(rng.integers(8))) if rng.random() < 0.9 else None,
                "observed_at": seen,
                "known_at": seen,
                "known_at_source": "observed",
                "source": "usgs",
            }
        )
    return rows
