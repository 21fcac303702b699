"""Run folders that nobody has named."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from edgewise.config.limits import MOST_TIMES
from edgewise.errors import RunError
from edgewise.runtime.launcher import launched

_LONGEST = 120


@contextmanager
def run_folder(named: Path | None, what: str) -> Iterator[Path]:
    """The folder of a new run: the one that the user named, or a free one under runs/, taken at once.

    A folder that stays empty, because the run could not begin, is removed.

    Args:
        named: what `--out` says.
        what: the end of the default name.
    """
    if named is not None or launched()[0] > 0:  # of several processes, the first one's folder counts
        yield named or Path("runs")
        return
    first_run = not Path("runs").exists()
    plain = re.sub(r"[^A-Za-z0-9._+-]+", "_", what)[:_LONGEST]
    path = _take(Path("runs") / f"{datetime.now():%Y%m%d-%H%M%S}-{plain}")
    try:
        yield path
    finally:
        with suppress(OSError):
            path.rmdir()
            if first_run:
                path.parent.rmdir()


def _take(path: Path) -> Path:
    first = path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for number in range(2, MOST_TIMES):
            with suppress(FileExistsError):
                path.mkdir()
                return path
            path = first.with_name(f"{first.name}-{number}")
    except OSError as error:
        raise RunError(f"{path} can't be made ({error.strerror}): choose another folder with --out") from error
    raise RunError(f"{path.parent} holds {MOST_TIMES:,} runs of this second: choose a folder with --out")
