"""The published copy: what people, notebooks and reports read while a writer works."""

import os
import shutil
from pathlib import Path

from forecaster.store.database import Store


def publish(store: Store, target: Path) -> Path:
    """A complete copy of the store at `target`, put in place by an atomic rename; readers keep the copy they have open."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with store.transaction() as connection:
            connection.execute("COMMIT")
            connection.execute("FORCE CHECKPOINT")
            shutil.copyfile(store.path, temporary)
            connection.execute("BEGIN TRANSACTION")
        with temporary.open("rb+") as copy:
            os.fsync(copy.fileno())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return target
