"""The schema: a new database gets `schema/baseline.sql`, an older one the files of `schema/upgrades` that it lacks. Both end the same.

`make schema` writes the baseline from the upgrades. Where it is behind them, a new database gets the rest from the upgrades.
"""

import re
from functools import cache
from importlib import resources

from forecaster.store.engine import Connection, has_table

_FOLDER = resources.files("forecaster.store").joinpath("schema")


def migrations() -> list[tuple[int, str, str]]:
    """Return (number, name, SQL) of every upgrade, in order."""
    return [(number, name, _FOLDER.joinpath("upgrades", name).read_text(encoding="utf-8")) for number, name in _names()]


def newest_schema() -> int:
    """Return the schema number that this version writes."""
    return _names()[-1][0]


def schema_of(connection: Connection) -> int:
    """Return the schema number of a database; 0 where it is not a quakecast database."""
    if not has_table(connection, "migration"):
        return 0
    return int(connection.execute("SELECT coalesce(max(number), 0) FROM migration").fetchall()[0][0])


def make_current(connection: Connection, *, comments: bool = True) -> None:
    """Make the schema in an empty database, or bring an older one up to date. The caller has begun a transaction.

    comments: whether a new one gets the comments on its tables and columns, which take most of the time.
    """
    have = schema_of(connection)
    if have == 0:
        whole = baseline()
        connection.execute(whole if comments else re.sub(r"^COMMENT ON .*\n", "", whole, flags=re.MULTILINE))
        have = schema_of(connection)
    if have < newest_schema():
        for number, name, sql in migrations():
            if number > have:
                connection.execute(sql)
                connection.execute("INSERT INTO migration VALUES (?, ?)", [number, name])


def baseline() -> str:
    """Return the SQL that makes the schema in an empty database, the numbers of the upgrades that it holds included."""
    return _FOLDER.joinpath("baseline.sql").read_text(encoding="utf-8")


@cache
def _names() -> tuple[tuple[int, str], ...]:
    files = sorted(entry.name for entry in _FOLDER.joinpath("upgrades").iterdir() if entry.name.endswith(".sql"))
    return tuple((int(name[:4]), name) for name in files)
