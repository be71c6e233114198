"""New databases with an older schema, as earlier versions of quakecast made them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from forecaster.store import migrating

EMPTY = "CREATE TABLE migration (number INTEGER PRIMARY KEY, name VARCHAR NOT NULL)"


@contextmanager
def old_schema(number: int, *further: tuple[int, str, str]) -> Iterator[None]:
    """In the block, a database gets the upgrades up to this one, and `further` ones (number, name, SQL), and no baseline."""
    steps = [step for step in migrating.migrations() if step[0] <= number] + list(further)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(migrating, "migrations", lambda: steps)
        patch.setattr(migrating, "newest_schema", lambda: steps[-1][0])
        patch.setattr(migrating, "baseline", lambda: EMPTY)
        yield
