"""Bars or plain lines: what the output can show."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from edgewise.progress.plain import PlainProgress, SilentProgress
from edgewise.progress.protocol import Progress
from edgewise.runtime.launcher import launched


def make_progress(stream: TextIO | None = None) -> Progress:
    """Bars where the stream is a terminal that can draw them, else plain lines; nothing but in the first process.

    Args:
        stream: where to write; None is standard output.
    """
    if launched()[0] > 0:
        return SilentProgress()
    target = stream or sys.stdout
    unicode = (getattr(target, "encoding", None) or "").lower().startswith("utf")
    if target.isatty() and unicode and os.environ.get("TERM") != "dumb":
        from edgewise.progress.bars import RichProgress

        return RichProgress(target)
    return PlainProgress(target)
