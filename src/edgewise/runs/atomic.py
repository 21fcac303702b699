"""Files that are either the old or the new one, whatever happens while they are written."""

from __future__ import annotations

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path

from edgewise.errors import RunError

LEFTOVERS = ".*.tmp"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Replaces a file atomically: a kill or a power cut at any moment leaves the old or the new file whole.

    Args:
        path: the file; its folder exists.
        content: all of the new file.

    Raises:
        RunError: the file could not be written; the old one is untouched.
    """
    # A name of its own for each process: two writers of one file must not share a half-written one.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise failed(path, error) from error


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable, where the system can."""
    if os.name != "nt":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            # Some network file systems can't; the file itself is durable already.
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(descriptor)


def remove_leftovers(folder: Path) -> None:
    """Removes the half-written files of processes that were killed."""
    for temporary in folder.glob(LEFTOVERS):
        with suppress(OSError):
            temporary.unlink()


def failed(path: Path, error: OSError) -> RunError:
    """The error to raise when `path` could not be written."""
    if error.errno in FULL:
        return RunError(
            f"{path} could not be written: no space left ({_free(path.parent)} free); what was written before is "
            f"intact. Free some space, then resume the run"
        )
    return RunError(f"{path} could not be written ({error.strerror or error}); what was written before is intact")


def check_space(folder: Path, bytes_needed: int) -> None:
    """Makes sure that a folder can be written to and has room.

    Args:
        folder: an existing folder.
        bytes_needed: bytes that will be written.

    Raises:
        RunError: the folder can't be written to, or has less free space.
    """
    probe = folder / f".probe.{os.getpid()}.tmp"
    try:
        with open(probe, "wb") as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise RunError(
            f"{folder} can't be written to ({error.strerror or error}): choose another folder with --out"
        ) from error
    finally:
        with suppress(OSError):
            probe.unlink()
    if free < bytes_needed:
        raise RunError(
            f"{folder} has {megabytes(free)} free, but this run needs {megabytes(bytes_needed)}: free some "
            f"space or choose another folder with --out"
        )


def megabytes(count: int) -> str:
    """A number of bytes as people read it (1 MB is 1,000,000 bytes)."""
    return f"{count / 1e6:,.1f} MB"


def _free(folder: Path) -> str:
    try:
        return megabytes(shutil.disk_usage(folder).free)
    except OSError:
        return "unknown"
