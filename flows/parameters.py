"""Types of flow parameters that the server's form validates before a run is made: a bad value never becomes a run that fails."""

from datetime import date
from typing import Annotated

from pydantic import WithJsonSchema

_PATTERN = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$"

Day = Annotated[date, WithJsonSchema({"type": "string", "format": "date", "pattern": _PATTERN})]
"""A day, YYYY-MM-DD. A JSON schema's `format` is only a remark to most validators, Prefect's among them; a pattern is checked."""
