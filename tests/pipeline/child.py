"""A run in a process of its own that says where it is before every phase and after every step, to be killed there.

python -m tests.pipeline.child start|resume FOLDER [A.B=V ...]
"""

from __future__ import annotations

import sys
from pathlib import Path

from edgewise.pipeline import resume, start
from edgewise.pipeline.phases import Context, run_phase
from tests.pipeline.small import RUN, EarlyStopping, options, small

# Shorter than most steps, so that kills also strike while a checkpoint is written.
CHECKPOINT_SECONDS = 0.05


def say(*words: object) -> None:
    print(*words, sep="|", flush=True)


def announced(phase: str, context: Context) -> None:
    """Carries out a phase that the run will find under the name `run_phase`."""
    say("phase", phase)
    run_phase(phase, context)


def main(action: str, folder: Path, *sets: str) -> None:
    vars(RUN)["run_phase"] = announced
    watch = EarlyStopping(step=lambda *now: say("step", *now), line=say)
    if action == "start":
        start(small(*sets), folder, options=options(checkpoint_seconds=CHECKPOINT_SECONDS), progress=watch)
    else:
        resume(folder, progress=watch)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
