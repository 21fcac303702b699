"""Pictures and pages from run folders."""

from edgewise.report.draw import draw_cell
from edgewise.report.page import write_report

__all__ = ["draw_cell", "write_report"]
