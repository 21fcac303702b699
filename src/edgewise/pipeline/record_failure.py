"""How a run ended, where that was not well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from edgewise.errors import EdgewiseError
from edgewise.runs.folder import RunFolder
from edgewise.runtime.interrupt import Interrupted


@contextmanager
def noting_end(folder: RunFolder) -> Iterator[None]:
    """Within it, a stop or an error is written down in run.json, and goes on to whoever catches it."""
    try:
        yield
    except Interrupted:
        folder.update_run({"status": "interrupted"})
        raise
    except Exception as error:
        said = str(error) if isinstance(error, EdgewiseError) else f"{type(error).__name__}: {error}"
        # What broke down may be the folder's disk: the error goes on whether or not it can be noted there.
        with suppress(EdgewiseError, OSError):
            folder.update_run({"status": "failed", "error": said})
        raise
