"""Decisions about pre-trained sets that were trained in this installation: the table `world_set`."""

import json
from datetime import datetime

from forecaster.store.database import Connection
from forecaster.store.ledger import insert
from forecaster.store.row_types import dicts_as
from forecaster.store.typed_rows.model_types import NewSetDecision, SetDecision


def add_decision(connection: Connection, row: NewSetDecision) -> None:
    """Append a decision. Its number is the next one."""
    counted = connection.execute("SELECT coalesce(max(number), 0) FROM world_set").fetchall()
    insert(connection, "world_set", [{**row, "numbers": json.dumps(row["numbers"], ensure_ascii=False), "number": counted[0][0] + 1}])


def decisions(connection: Connection, as_of: datetime | None = None) -> list[SetDecision]:
    """Return the decisions up to `as_of`, oldest first, with JSON parsed; missing values are None."""
    cursor = connection.execute("SELECT * FROM world_set WHERE $as_of IS NULL OR since <= $as_of ORDER BY number", {"as_of": as_of})
    names = [str(column[0]) for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return dicts_as(SetDecision, names, [{**row, "numbers": json.loads(row["numbers"])} for row in rows])
