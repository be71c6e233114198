"""The engine below the store. Another one is a module that offers these names, imported here in the place of `duckdb_engine`."""

from forecaster.store.engine.duckdb_engine import (
    COLUMNS,
    LOCK_WAIT_S,
    RELATIONS,
    Connection,
    append,
    ask,
    begin_reading,
    committed,
    copy_database,
    frame_as,
    has_table,
    log_of,
    one_line,
    one_query,
    open_connection,
    table_names,
)

__all__ = [
    "COLUMNS",
    "LOCK_WAIT_S",
    "RELATIONS",
    "Connection",
    "append",
    "ask",
    "begin_reading",
    "committed",
    "copy_database",
    "frame_as",
    "has_table",
    "log_of",
    "one_line",
    "one_query",
    "open_connection",
    "table_names",
]
