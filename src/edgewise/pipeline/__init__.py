"""One whole run: search, derive, train, test, export, report."""

from edgewise.pipeline.api import load, run, run_search, run_training
from edgewise.pipeline.estimate import PhaseEstimate, duration, estimate
from edgewise.pipeline.presets import PRESETS
from edgewise.pipeline.run import Options, RunResult, resume, start
from edgewise.pipeline.settings import Settings, resolve
from edgewise.pipeline.summary import summary_columns, summary_rows

__all__ = [
    "PRESETS",
    "Options",
    "PhaseEstimate",
    "RunResult",
    "Settings",
    "duration",
    "estimate",
    "load",
    "resolve",
    "resume",
    "run",
    "run_search",
    "run_training",
    "start",
    "summary_columns",
    "summary_rows",
]
