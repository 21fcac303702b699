"""One whole run: search, derive, train, test, export, report."""

from edgewise.pipeline.api import explore, load, run, run_search, run_selection, run_training, start_with
from edgewise.pipeline.estimate import PhaseEstimate, duration, estimate
from edgewise.pipeline.explore import Explored, resume_explore, start_explore
from edgewise.pipeline.explore_settings import ExploreSettings, resolve_explore
from edgewise.pipeline.presets import PRESETS
from edgewise.pipeline.run import Options, RunResult, resume, start
from edgewise.pipeline.run_options import RunOptions
from edgewise.pipeline.scores import SCORES, Score, ScoredSearch, Scorer, ScoringPlace, register_score
from edgewise.pipeline.settings import Settings, comparing, resolve, selecting
from edgewise.pipeline.summary import (
    SELECTION_COLUMNS,
    front_columns,
    front_rows,
    selection_rows,
    summary_columns,
    summary_rows,
)
from edgewise.pipeline.training_score import TrainScore

__all__ = [
    "PRESETS",
    "SCORES",
    "SELECTION_COLUMNS",
    "ExploreSettings",
    "Explored",
    "Options",
    "PhaseEstimate",
    "RunOptions",
    "RunResult",
    "Score",
    "ScoredSearch",
    "Scorer",
    "ScoringPlace",
    "Settings",
    "TrainScore",
    "comparing",
    "duration",
    "estimate",
    "explore",
    "front_columns",
    "front_rows",
    "load",
    "register_score",
    "resolve",
    "resolve_explore",
    "resume",
    "resume_explore",
    "run",
    "run_search",
    "run_selection",
    "run_training",
    "selecting",
    "selection_rows",
    "start",
    "start_explore",
    "start_with",
    "summary_columns",
    "summary_rows",
]
