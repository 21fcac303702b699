"""Many runs and what they say together: methods x spaces x data x settings x seeds."""

from edgewise.study.plan import Cell, PlannedRun, make_cells, plan_runs
from edgewise.study.runner import Study, StudyOptions, conduct, read_study
from edgewise.study.spec import StudySpec, read_spec
from edgewise.study.statistics import PairedTest, Spread, holm, paired_test, spread
from edgewise.study.summary import write_summary

__all__ = [
    "Cell",
    "PairedTest",
    "PlannedRun",
    "Spread",
    "Study",
    "StudyOptions",
    "StudySpec",
    "conduct",
    "holm",
    "make_cells",
    "paired_test",
    "plan_runs",
    "read_spec",
    "read_study",
    "spread",
    "write_summary",
]
