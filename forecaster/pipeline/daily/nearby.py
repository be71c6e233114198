"""The earthquakes that a report lists for a recipe: those contributing to its forecast, else the largest nearby."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from forecaster.features.geometry import KM_PER_DEGREE, great_circle_km
from forecaster.recipe import Recipe
from forecaster.reports.content.contract import DriverEvent

NAMED = 5
DAYS = 90
BEYOND_KM = 100.0


def stored_drivers(details: Mapping[str, Any]) -> tuple[DriverEvent, ...]:
    """Return the contributing events that `pipeline.issuing.contributing_events` stored with the forecast."""
    return tuple(
        DriverEvent(
            datetime.fromisoformat(row["origin_time"]),
            row["magnitude"],
            row["latitude_deg"],
            row["longitude_deg"],
            row["distance_km"],
            row["depth_km"],
            row["place"],
            row["without"],
        )
        for row in details["drivers"]
    )


def largest_near(frame: pd.DataFrame, recipe: Recipe, as_of: datetime) -> tuple[DriverEvent, ...]:
    """Return the largest events of the last DAYS days, from the target's magnitude on, in the circle and up to BEYOND_KM around it.

    None of them is reported as contributing to the forecast. frame: as `Known.frame`.
    """
    reach_km = recipe.radius_km + BEYOND_KM
    lat, lon, magnitude = (frame[name].to_numpy() for name in ("latitude_deg", "longitude_deg", "magnitude"))
    recent = (frame["origin_time"] >= as_of - timedelta(days=DAYS)).to_numpy()
    at = np.flatnonzero(
        recent & (magnitude >= recipe.threshold_mag) & (np.abs(lat - recipe.predict_center_lat) <= reach_km / KM_PER_DEGREE)
    )
    away = great_circle_km(recipe.predict_center_lat, recipe.predict_center_lng, lat[at], lon[at])
    at, away = at[away <= reach_km], away[away <= reach_km]
    if len(at) > NAMED:  # as many as are named, and all that are as large as the last of them
        large = magnitude[at] >= np.partition(magnitude[at], -NAMED)[-NAMED]
        at, away = at[large], away[large]
    rows = frame.iloc[at].assign(distance_km=away).to_dict("records")
    rows.sort(key=lambda row: row["event_id"])
    rows.sort(key=lambda row: (row["magnitude"], row["origin_time"]), reverse=True)
    return tuple(
        DriverEvent(
            row["origin_time"].to_pydatetime(),
            float(row["magnitude"]),
            float(row["latitude_deg"]),
            float(row["longitude_deg"]),
            float(row["distance_km"]),
            None if pd.isna(row["depth_km"]) else float(row["depth_km"]),
            row["place"] if isinstance(row["place"], str) else None,
        )
        for row in rows[:NAMED]
    )
