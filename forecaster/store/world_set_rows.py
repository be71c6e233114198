"""What was decided about sets that were trained here: the table `world_set`."""

import json
from datetime import datetime
from typing import Any

from forecaster.store.database import Connection
from forecaster.store.ledger import insert


def add_decision(connection: Connection, row: dict[str, Any]) -> None:
    """Append a decision (`numbers` is a dict); its number is the next one."""
    counted = connection.execute("SELECT coalesce(max(number), 0) FROM world_set").fetchall()
    insert(connection, "world_set", [{**row, "numbers": json.dumps(row["numbers"], ensure_ascii=False), "number": counted[0][0] + 1}])


def decisions(connection: Connection, as_of: datetime | None = None) -> list[dict[str, Any]]:
    """What was decided up to `as_of`, oldest first; parsed; what is missing is None."""
    cursor = connection.execute("SELECT * FROM world_set WHERE $as_of IS NULL OR since <= $as_of ORDER BY number", {"as_of": as_of})
    names = [column[0] for column in cursor.description]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return [{**row, "numbers": json.loads(row["numbers"])} for row in rows]
