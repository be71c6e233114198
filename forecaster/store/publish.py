"""The published copy: what people, notebooks and reports read while a writer works."""

import os
from pathlib import Path

from forecaster.store.database import Store


def publish(store: Store, target: Path) -> Path:
    """A complete copy of the store at `target`, put in place by an atomic rename; readers keep the copy they have open."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        store.copy_file(temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
