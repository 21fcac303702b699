"""One process per run folder: a lock that dies with its owner."""

from __future__ import annotations

import errno
import json
import os
from contextlib import suppress
from pathlib import Path

from edgewise.errors import RunError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_BUSY = frozenset({errno.EAGAIN, errno.EACCES})


class FolderLock:
    """Holds a lock file; the system frees it when the process ends, however it ends.

    Where the system or the file system has no `flock`, the lock file's owner is looked up instead: a lock whose
    owner is dead is taken over.

    Args:
        path: the lock file; its folder exists.

    Raises:
        RunError: another process holds the lock.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None
        try:
            if not self._take_flock():
                self._take_by_owner()
        except OSError as error:
            raise RunError(f"{path} could not be locked ({error.strerror or error})") from error

    def release(self) -> None:
        """Gives the lock back; a second call does nothing."""
        if self._descriptor is not None:
            # Removed while still held, so that nobody's fresh lock file is removed.
            with suppress(OSError):
                self._path.unlink()
            os.close(self._descriptor)
            self._descriptor = None

    def _take_flock(self) -> bool:
        """Takes the lock by `flock`; False where there is none."""
        if fcntl is None:
            return False
        while True:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                os.close(descriptor)
                if error.errno in _BUSY:
                    raise self._busy() from None
                return False
            if self._is_current(descriptor):
                os.ftruncate(descriptor, 0)
                self._own(descriptor)
                return True
            os.close(descriptor)

    def _is_current(self, descriptor: int) -> bool:
        """Whether the file that was locked is still the one of that name: its last holder may have removed it."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _take_by_owner(self) -> None:
        for _ in range(2):
            with suppress(FileExistsError):
                self._own(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644))
                return
            if _alive(_read(self._path)):
                break
            self._path.unlink(missing_ok=True)
        raise self._busy()

    def _own(self, descriptor: int) -> None:
        owner = {"pid": os.getpid(), "started": _started(os.getpid())}
        os.write(descriptor, json.dumps(owner).encode())
        self._descriptor = descriptor

    def _busy(self) -> RunError:
        pid = _read(self._path).get("pid")
        who = f"process {pid}" if pid else "another process"
        return RunError(
            f"{self._path.parent} is in use by {who}: wait until that ends, or choose another folder with --out"
        )


def _read(path: Path) -> dict:
    try:
        owner = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return owner if isinstance(owner, dict) else {}


def _alive(owner: dict) -> bool:
    started = _started(owner.get("pid", 0))
    # Process numbers are given out again; the time of birth tells a stranger with the same number.
    return started is not None and abs(started - owner.get("started", 0)) < 2


def _started(pid: int) -> float | None:
    import psutil

    try:
        return psutil.Process(pid).create_time()
    except (psutil.Error, ValueError, TypeError):
        return None
