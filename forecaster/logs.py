"""The log: lines for people, or one JSON object a line. Known secrets appear in neither.

A JSON line has time (UTC), level, logger, message, and, where known: run_id, recipe, flow_run, task_run, exception.
"""

import json
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

HIDDEN = "***"
SHORTEST_SECRET = 8  # a shorter one would be cut out of ordinary words
OF_PREFECT = ("flow_run_name", "task_run_name")

_about: ContextVar[dict[str, str] | None] = ContextVar("about", default=None)
_hidden: set[str] = set()


def bind(**fields: str) -> None:
    """Put these fields (run_id, recipe) into every JSON line of this context from now on."""
    _about.set({**(_about.get() or {}), **fields})


@contextmanager
def about(**fields: str) -> Iterator[None]:
    """Put these fields into every JSON line inside the block."""
    token = _about.set({**(_about.get() or {}), **fields})
    try:
        yield
    finally:
        _about.reset(token)


def hide(secrets: Iterable[str]) -> None:
    """Remove these values from everything logged from now on. Of addresses the path is removed too, because connection errors name the path
    alone."""
    for secret in secrets:
        parts = {secret}
        for address in secret.split(","):
            try:
                split = urlsplit(address.strip())
            except ValueError:
                continue
            if split.scheme:
                parts |= {f"{split.path}?{split.query}" if split.query else split.path, split.password or ""}
                parts |= {split.netloc} if split.scheme not in ("http", "https") else set()
        for part in filter(lambda part: len(part) >= SHORTEST_SECRET, parts):
            _hidden.update((part, quote(part, safe=""), quote(part)))


class Lines(logging.Formatter):
    """`WARNING forecaster.pipeline: text`, for people."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        return _without_secrets(super().format(record))


class JsonLines(logging.Formatter):
    """One JSON object a line. Prefect's logging makes one by this name, so any arguments are taken."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": _without_secrets(record.getMessage()),
            **(_about.get() or {}),
            **{name.removesuffix("_name"): str(getattr(record, name)) for name in OF_PREFECT if getattr(record, name, None)},
        }
        if record.exc_info and record.exc_info[0] is not None:
            line["exception"] = _without_secrets(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)


def _without_secrets(text: str) -> str:
    for secret in sorted(_hidden, key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    return text


def set_up(*, verbose: bool, as_json: bool) -> None:
    """Set up the log of the command line, on standard error: warnings, and with `verbose` each step."""
    console = logging.StreamHandler()
    console.addFilter(lambda record: verbose or not record.name.startswith("prefect"))  # it logs failures that we report in one line
    console.setFormatter(JsonLines() if as_json else Lines())
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[console])
    if as_json:
        logging.captureWarnings(True)
        sys.excepthook = _log_the_end


def is_json() -> bool:
    """Return whether the log of this process is JSON."""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers)


def write_json() -> None:
    """Make every handler of this process that writes to a stream write JSON: for runs whose logging Prefect has set up."""
    for logger in (logging.getLogger(), *(logging.getLogger(name) for name in list(logging.root.manager.loggerDict))):
        for handler in logger.handlers:
            if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
                handler.setFormatter(JsonLines())


def _log_the_end(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("quakecast").critical("%s: unexpected error", kind.__name__, exc_info=(kind, error, trace))
