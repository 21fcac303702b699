"""Pictures and pages from run folders."""

from edgewise.report.draw import draw_cell
from edgewise.report.front import place_on_front
from edgewise.report.names import NAMES, are_given, network_names, short_names, title_of_candidate
from edgewise.report.page import write_report
from edgewise.report.selection import ranked

__all__ = [
    "NAMES",
    "are_given",
    "draw_cell",
    "network_names",
    "place_on_front",
    "ranked",
    "short_names",
    "title_of_candidate",
    "write_report",
]
