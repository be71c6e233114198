"""The earthquakes that a report lists for a recipe: those contributing to its forecast, else the largest nearby."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pandas as pd

from forecaster.features.geometry import KM_PER_DEGREE, great_circle_km
from forecaster.recipe import Recipe
from forecaster.reports.content.contract import DriverEvent

NAMED = 5
DAYS = 90
BEYOND_KM = 100.0


def drivers_said(details: Mapping[str, Any]) -> tuple[DriverEvent, ...]:
    """Return the contributing events that `pipeline.daily.contributing_events` stored with the forecast."""
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
    near = frame[(frame["origin_time"] >= as_of - timedelta(days=DAYS)) & (frame["magnitude"] >= recipe.threshold_mag)]
    near = near[(near["latitude_deg"] - recipe.predict_center_lat).abs() <= (recipe.radius_km + BEYOND_KM) / KM_PER_DEGREE]
    away = great_circle_km(
        recipe.predict_center_lat, recipe.predict_center_lng, near["latitude_deg"].to_numpy(), near["longitude_deg"].to_numpy()
    )
    near = near.assign(distance_km=away)
    near = near[near["distance_km"] <= recipe.radius_km + BEYOND_KM]
    near = near.sort_values(["magnitude", "origin_time", "event_id"], ascending=[False, False, True]).head(NAMED)
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
        for row in near.to_dict("records")
    )
