"""The first system's grid: the whole globe in cells of equal degrees, rotated so that the target's longitude lies in the middle.

With its 20 rows and 30 columns a cell is about 1000 km wide, and the target lies on a cell's edge. Its recipes keep it (`grid = "world"`).
"""

import numpy as np

from forecaster.recipe import Recipe


def row_and_column(recipe: Recipe, lat: np.ndarray, east: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(row, column), float64 (n,) with whole values, of each epicentre. lat: degrees. east: degrees east of the target, -180 to 180."""
    rows, columns = recipe.lat_granularity, recipe.lng_granularity
    row = np.floor((lat + 90.0) * (rows / 180.0))
    column = np.floor((east + 180.0) * (columns / 360.0))
    return np.clip(row, 0, rows - 1), np.clip(column, 0, columns - 1)


def edges(recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """(southern edges (rows,), western edges (columns,)) of the cells, degrees, evenly spaced. Longitudes may exceed 180."""
    rows, columns = recipe.lat_granularity, recipe.lng_granularity
    return np.arange(rows) * (180.0 / rows) - 90.0, recipe.predict_center_lng - 180.0 + np.arange(columns) * (360.0 / columns)
