"""Days of many circles gathered into one pool, circle by circle, without a second copy of them."""

from collections.abc import Sequence

import numpy as np

BLOCK_ROWS = 65_536


class GatheredDays:
    """Columns of days that grow by one circle at a time.

    Rows are copied into large blocks. Kept as the many small arrays they come in, they would lie scattered between the temporary arrays of
    the circles, and a third of a gigabyte between them could not be given back to the system.
    """

    def __init__(self) -> None:
        self._blocks: list[list[np.ndarray]] = []
        self._free = 0

    def add(self, columns: Sequence[np.ndarray]) -> None:
        """Append the days of a circle: arrays of shape (n, ...), of the same kind and number each time."""
        at, count = 0, len(columns[0])
        if not self._blocks:
            self._open(columns)
        while at < count:
            if not self._free:
                self._open(columns)
            rows = min(self._free, count - at)
            into = BLOCK_ROWS - self._free
            for block, column in zip(self._blocks[-1], columns, strict=True):
                block[into : into + rows] = column[at : at + rows]
            at, self._free = at + rows, self._free - rows

    def join(self) -> list[np.ndarray]:
        """The columns, each in one array. They are empty here afterwards: each block is released when it was copied.

        Raises:
            ValueError: nothing was added.
        """
        if not self._blocks:
            raise ValueError("no day was gathered")
        count = len(self._blocks) * BLOCK_ROWS - self._free
        wholes = [np.empty((count, *column.shape[1:]), dtype=column.dtype) for column in self._blocks[0]]
        for at in range(0, count, BLOCK_ROWS):
            block = self._blocks.pop(0)
            for whole, column in zip(wholes, block, strict=True):
                whole[at : at + BLOCK_ROWS] = column[: count - at]
            del block, column
        self._blocks, self._free = [], 0
        return wholes

    def _open(self, columns: Sequence[np.ndarray]) -> None:
        self._blocks.append([np.empty((BLOCK_ROWS, *column.shape[1:]), dtype=column.dtype) for column in columns])
        self._free = BLOCK_ROWS
