"""Where compiled kernels are kept: what is damaged, or what somebody else could have put there, is not loaded."""

from __future__ import annotations

import ctypes
import hashlib
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from edgewise.errors import EdgewiseError

ENTRY = "weighted_sum_f32"
"""A function that every library of kernels has."""


class UnfitError(EdgewiseError):
    """A folder or a file may not be used; says why."""


def places() -> list[Path]:
    """The folders where kernels may be kept, the first choice first; none where there is no home."""
    found = []
    for base in (os.environ.get("EDGEWISE_CACHE"), os.environ.get("XDG_CACHE_HOME"), "~/.cache"):
        # Without a home, and for a ring of symbolic links, there is no such folder.
        with suppress(RuntimeError, OSError):
            if base:
                # What is checked must be what is used: a symbolic link may lead elsewhere the next moment.
                found.append((Path(base).expanduser() / "edgewise").resolve())
    return list(dict.fromkeys(found))


def prepare(folder: Path) -> None:
    """Makes sure that a folder is there and that nobody else can have written into it.

    Args:
        folder: an absolute path without symbolic links.

    Raises:
        UnfitError: it, or a folder above it, belongs to another user or may be written by others.
        OSError: it can't be made.
    """
    for part in (*reversed(folder.parents), folder):
        # Not `parents=True`, which leaves the mode of those above to the umask.
        if not part.is_dir():
            part.mkdir(mode=0o700, exist_ok=True)
    for part in (folder, *folder.parents):
        # In a folder with the sticky bit (/tmp), others can't replace what is ours.
        check_owner(part, others_may_add=part != folder and bool(part.stat().st_mode & stat.S_ISVTX))


def check_owner(path: Path, *, others_may_add: bool = False) -> None:
    """Makes sure that a file or folder is this user's, or root's, alone.

    A process of this user can still replace a library between its check and its loading, but only by another whole
    one, by renaming.

    Args:
        path: the file or folder.
        others_may_add: whether others may write to it all the same.

    Raises:
        UnfitError: another user owns it, others may write it, or it is a symbolic link.
    """
    # Windows keeps a user's folders to the user, and has no such numbers.
    if not hasattr(os, "getuid"):
        return
    found = path.lstat()
    if found.st_uid not in (0, os.getuid()):
        raise UnfitError(f"{path} belongs to another user ({found.st_uid})")
    if stat.S_ISLNK(found.st_mode):
        raise UnfitError(f"{path} is a symbolic link")
    shared = found.st_mode & stat.S_IWGRP and not _is_own_group(found.st_gid)
    if not others_may_add and (shared or found.st_mode & stat.S_IWOTH):
        raise UnfitError(f"other users may write to {path} (chmod go-w makes it private)")


def _is_own_group(number: int) -> bool:
    """Whether a group has nobody but this user in it, as on systems that give each user one of the same name."""
    import grp
    import pwd

    try:
        group, name = grp.getgrgid(number), pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return False
    return group.gr_name == name and set(group.gr_mem) <= {name}


def load_kept(folder: Path, name: str) -> ctypes.CDLL | None:
    """The library that is kept in a folder; None where there is none.

    Args:
        folder: see `prepare`.
        name: of the library's file; its SHA-256 stands in a file beside it.

    Raises:
        UnfitError: it is damaged, somebody else's, or can't be loaded.
        OSError: it can't be read.
    """
    library, note = folder / name, _note_of(folder / name)
    # Before its digest is there, a library is not: whoever wrote it was killed.
    if not (os.path.lexists(library) and os.path.lexists(note)):
        return None
    for path in (library, note):
        check_owner(path)
    if hashlib.sha256(library.read_bytes()).hexdigest() != note.read_text(errors="replace").strip():
        raise UnfitError(f"{library} was damaged")
    try:
        return _opened(library)
    except OSError as error:
        raise UnfitError(f"{library} can't be loaded ({error})") from error


def load_new(content: bytes, name: str, folder: Path | None = None) -> ctypes.CDLL:
    """Loads a library that was just compiled, and then keeps it; several processes may do so at once.

    Args:
        content: of the library's file.
        name: of the file.
        folder: where to keep it, see `prepare`; None keeps it nowhere.

    Raises:
        OSError: it can't be written there, or is no library of kernels; nothing is kept then.
    """
    with tempfile.TemporaryDirectory(prefix=".new-", dir=folder, ignore_cleanup_errors=True) as work:
        made = Path(work) / name
        made.write_bytes(content)
        made.chmod(0o700)
        library = _opened(made)
        if folder is not None:
            note = _note_of(made)
            note.write_text(hashlib.sha256(content).hexdigest() + "\n")
            note.chmod(0o600)
            made.replace(folder / name)
            note.replace(_note_of(folder / name))
    return library


def _note_of(library: Path) -> Path:
    return library.with_name(f"{library.name}.sha256")


def _opened(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path))
    if not hasattr(library, ENTRY):
        raise OSError(f"{path.name} has no function {ENTRY}")
    return library
