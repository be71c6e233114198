"""The eight symmetries of a square, for training on images that have no preferred direction."""

import numpy as np

SYMMETRIES = 8


def turned(images: np.ndarray, symmetry: int, rows: int) -> np.ndarray:
    """Return a copy of the images under the symmetry (0 to 7; 0 leaves them). Rows lie on the axis `rows`, columns on the next one."""
    if symmetry & 1:
        images = np.flip(images, rows)
    if symmetry & 2:
        images = np.flip(images, rows + 1)
    if symmetry & 4:
        images = np.swapaxes(images, rows, rows + 1)
    return np.array(images, order="C")  # never a view, which would keep all of the array that the images are a part of
