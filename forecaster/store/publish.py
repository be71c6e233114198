"""The published copy: what people, notebooks and reports read while a writer works."""

import os
from pathlib import Path

from forecaster.errors import NotWritable
from forecaster.store.database import Store


def publish(store: Store, target: Path) -> Path:
    """A complete copy of the store at `target`, put in place by an atomic rename; readers keep the copy they have open.

    Raises:
        NotWritable: the folder cannot be written, or the disk is full; the copy that was there stays.
        StoreBusy: another process kept the database.
    """
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        store.copy_file(temporary)
        temporary.replace(target)
    except OSError as error:
        raise NotWritable(f"cannot publish the database as {target} ({error.strerror}); the copy of the run before stays") from None
    finally:
        if target.parent.is_dir():
            temporary.unlink(missing_ok=True)
    return target
