"""A run in a process of its own that says after every step where it is, so that it can be killed there.

python -m tests.pipeline.child start|resume FOLDER
"""

from __future__ import annotations

import sys
from pathlib import Path

from edgewise.pipeline import resume, start
from tests.pipeline.small import Watch, options, small

# Shorter than most steps, so that kills also strike while a checkpoint is written.
CHECKPOINT_SECONDS = 0.05


def main(action: str, folder: Path) -> None:
    watch = Watch(
        step=lambda *now: print("step", *now, sep="|", flush=True), line=lambda text: print(text, flush=True)
    )
    if action == "start":
        start(small(), folder, options=options(checkpoint_seconds=CHECKPOINT_SECONDS), progress=watch)
    else:
        resume(folder, progress=watch)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
