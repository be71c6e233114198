"""The published copy of the store. People, notebooks and reports read it while a run writes."""

import os
import tempfile
from pathlib import Path

from forecaster import files
from forecaster.errors import NotWritable
from forecaster.store.database import Store


def publish(store: Store, target: Path) -> Path:
    """Write a complete copy of the store to `target` by an atomic rename. Readers keep the copy that they have open.

    Half-written copies of killed processes are removed first: each is as large as the database.

    Raises:
        NotWritable: the folder cannot be written, or the disk is full; the copy that was there stays.
        StoreBusy: another process kept the database.
    """
    temporary: Path | None = None
    try:
        target.parent.mkdir(files.OWNERS_FOLDER, parents=True, exist_ok=True)
        for left in files.leftovers(target.parent.glob(f".{target.name}.*.tmp")):
            files.remove(left)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
        temporary = Path(name)
        os.close(handle)
        with files.held(temporary):
            store.copy_file(temporary)
            temporary.chmod(store.path.stat().st_mode & files.PRIVATE)
            temporary.replace(target)
    except (OSError, NotWritable) as error:
        reason = str(error) if isinstance(error, NotWritable) else error.strerror
        raise NotWritable(f"cannot publish the database as {target} ({reason}); the copy of the run before stays") from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
    return target
