"""Files and folders that are written whole: private modes, leftovers of killed processes, an exchange in one step.

A process that makes something under a temporary name holds the system's lock on it meanwhile. A process that dies releases the lock,
whatever its number and in whatever container it ran. A temporary file without a holder is a leftover.
"""

import ctypes
import errno
import fcntl
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from forecaster.errors import NotWritable

PRIVATE = 0o640  # the owner writes, the group reads, nobody else
OWNERS_FOLDER = 0o755  # of a folder with such files: a user who may write to it could put others in their place
WRITE_PROBE = ".quakecast-write-probe"  # the same for all, so that a file left by a killed process is removed at the next start

_COPY_BYTES = 1 << 20
_AT_FDCWD = -100
_RENAME_EXCHANGE = 2
_NO_EXCHANGE = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP)
NEW, REPLACED = ".new-", "replaced"  # a folder on its way to its place; or the one that was there, where the system cannot exchange the two


@contextmanager
def private_files() -> Iterator[None]:
    """Give files that are made inside the block no more than the mode PRIVATE, whatever the umask. A stricter umask is kept.

    A process has one umask: use this where no other thread can change it too.
    """
    before = os.umask(0o777 & ~PRIVATE)
    os.umask(before | (0o777 & ~PRIVATE & ~0o110))  # folders that are made meanwhile can still be entered by those who may read them
    try:
        yield
    finally:
        os.umask(before)


def refused(path: Path) -> str:
    """Return the message for a file or folder that this process may not use: its owner, and what to do."""
    owner, at = "another user", path
    for at in (path, *path.parents):
        with suppress(OSError, KeyError):
            owner = pwd.getpwuid(at.stat().st_uid).pw_name
            break
    try:
        own = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        own = f"user {os.geteuid()}"
    mend = f"change the mode of {at}" if owner == own else f"{at} belongs to {owner} and this is {own}: run it as {owner}"
    return f"permission denied; {mend}, or set QUAKECAST_HOME to a folder of your own"


def check_data_folder(folder: Path) -> None:
    """Make the folder where it does not exist, and check that files can be written into it.

    Raises:
        NotWritable: they cannot, or it is not a folder.
    """
    try:
        folder.mkdir(OWNERS_FOLDER, parents=True, exist_ok=True)
        probe = folder / WRITE_PROBE
        probe.touch()
        probe.unlink(missing_ok=True)
    except PermissionError:
        raise NotWritable(f"cannot write to the data folder {folder}: {refused(folder)}") from None
    except OSError as error:
        raise NotWritable(
            f"cannot write to the data folder {folder} ({error.strerror}); set QUAKECAST_HOME to a folder you may write to"
        ) from None


def keep_private(paths: Iterable[Path]) -> None:
    """Remove from these files the permissions beyond the mode PRIVATE. Files that are absent, or another user's, are left."""
    for path in paths:
        with suppress(FileNotFoundError, PermissionError):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & ~PRIVATE:
                path.chmod(mode & PRIVATE)


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock that marks `path`, an existing file or folder, as in use.

    Raises:
        FileNotFoundError: it was taken for a leftover and removed just before.
    """
    handle = os.open(path, os.O_RDONLY)
    try:
        with suppress(OSError):  # a file system without locks: leftovers stay there
            fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink == 0:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
        yield
    finally:
        os.close(handle)


def is_leftover(path: Path) -> bool:
    """Return whether no process uses this temporary file or folder any more."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def leftovers(paths: Iterable[Path]) -> list[Path]:
    """Return those of these temporary files and folders that no process uses any more, in order."""
    return [path for path in sorted(paths) if is_leftover(path)]


def remove(path: Path) -> int:
    """Remove a file, or a folder with everything in it; returns its size in bytes. What cannot be removed stays."""
    size = size_of(path)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
    return size


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files below a folder; 0 where it is gone."""
    found = path.rglob("*") if path.is_dir() and not path.is_symlink() else [path]
    total = 0
    for each in found:
        with suppress(OSError):
            state = each.lstat()
            total += state.st_size if stat.S_ISREG(state.st_mode) else 0
    return total


def exchange(one: Path, other: Path) -> bool:
    """Exchange two paths of one file system in one step. Returns False where the system or file system cannot (nothing is done then)."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NO_EXCHANGE:
        return False
    raise OSError(number, os.strerror(number), str(other))


def copy_whole(source: BinaryIO, target: BinaryIO) -> None:
    """Write the content of one open file into another, empty one, and have it written to the disk.

    The system copies it where it can: a file system with shared blocks then copies nothing, and others save a way through this process.

    Raises:
        OSError: the disk is full, for instance.
    """
    size, done = os.fstat(source.fileno()).st_size, 0
    with suppress(AttributeError, OSError):
        while done < size and (count := os.copy_file_range(source.fileno(), target.fileno(), size - done, done, done)):
            done += count
    if done < size:
        source.seek(done)
        target.seek(done)
        shutil.copyfileobj(source, target, _COPY_BYTES)
    target.flush()
    os.fsync(target.fileno())


def place_folder(target: Path, files: Mapping[str, bytes]) -> None:
    """Write a folder with these files (content by path in it) to `target`, whole or not at all. An existing folder is replaced.

    Raises:
        OSError: the disk is full, for instance; the earlier folder is unchanged.
    """
    folder = target.parent
    folder.mkdir(parents=True, exist_ok=True)
    if holds(target, files):
        return
    with tempfile.TemporaryDirectory(prefix=NEW, dir=folder, ignore_cleanup_errors=True) as temporary, held(Path(temporary)):
        made = Path(temporary) / "made"
        for name, content in files.items():
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            with (made / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        if not target.exists():
            made.rename(target)
        elif not exchange(made, target):
            target.rename(Path(temporary) / REPLACED)
            made.rename(target)  # if the process is killed before this, the old folder is in the leftover
        sync_folder(folder)


def holds(target: Path, files: Mapping[str, bytes]) -> bool:
    """Return whether the folder holds exactly these files."""
    try:
        present = {path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file()}
        return present == set(files) and all((target / name).read_bytes() == content for name, content in files.items())
    except OSError:
        return False


def sync_folder(folder: Path) -> None:
    """Have the names in `folder` written to the disk. Where the file system does not support this, nothing is done."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
