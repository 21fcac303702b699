"""The report: one HTML page that needs nothing but itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from edgewise.report.assets import asset, plotly
from edgewise.report.budget import budget_figures, budget_sentences, budget_table
from edgewise.report.conflicts import conflict_maps, conflict_means, conflict_state
from edgewise.report.cosines import make_cosines
from edgewise.report.curves import search_curves, training_curves
from edgewise.report.diagnostics import (
    count_figures,
    decisions,
    eigenvalue_figures,
    frozen_epochs,
    gap_figures,
    share_figures,
    stages_table,
    unmeasured,
    weight_decay_figures,
)
from edgewise.report.exploration import best_table, score_figure, truth_table
from edgewise.report.figures import Figure
from edgewise.report.front import front_figures, front_links, front_sentences, front_table
from edgewise.report.headline import make_headline
from edgewise.report.mixtures import (
    alpha_edge_figure,
    alpha_figures,
    alpha_values,
    beta_figures,
    edge_names,
    has_dropped,
)
from edgewise.report.record import RunRecord, read_record
from edgewise.report.selection import selection_figures, selection_sentences, selection_table
from edgewise.report.tables import cell_title, cost_table, data_table, facts_table, per_class_table, results_table
from edgewise.report.testing import MOST_WITH_COUNTS, confusion_figures, per_class_figure
from edgewise.report.timeline import counts_table, make_timeline
from edgewise.runs import folder
from edgewise.runs.folder import RunFolder
from edgewise.text import visible


def write_report(folder_path: Path) -> Path:
    """Writes a run's report.html from the JSON and TOML files of its folder; the page loads nothing else.

    Args:
        folder_path: the run folder; the run may be unfinished, or a search or training alone.

    Returns:
        The page's path.

    Raises:
        RunError: the folder is no run, a file is damaged (names file and line), or the page can't be written.
    """
    record = read_record(Path(folder_path))
    RunFolder.open(record.path).write_text(folder.REPORT, render(record))
    return record.path / folder.REPORT


def render(record: RunRecord) -> str:
    """The page as text."""
    environment = Environment(
        loader=PackageLoader("edgewise.report", "templates"),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html.j2").render(**_context(record, environment))


def _context(record: RunRecord, environment: Environment) -> dict[str, Any]:
    timeline = make_timeline(record)
    groups = _figures(record)
    cosines = make_cosines(record.search)
    shown = [f for group in (*groups.values(), *(cosines.figures.values() if cosines else ())) for f in group]
    figures = {f.key: {"data": f.data, "layout": f.layout} for f in shown}
    alpha = alpha_values(record.search) if record.search else None
    return {
        "headline": make_headline(record),
        "record": record,
        "results": results_table(record),
        "budget": budget_table(record),
        "budget_sentences": budget_sentences(record),
        "front": front_table(record),
        "front_sentences": front_sentences(record),
        "front_links": front_links(record),
        "selection": selection_table(record),
        "selection_sentences": selection_sentences(record),
        "timeline": timeline,
        "counts": counts_table(record),
        "figures": groups,
        "conflicts": conflict_state(record.search),
        "cosines": cosines,
        "dropped": alpha is not None and has_dropped(alpha),
        "decisions": decisions(record.search),
        "stages": stages_table(record.search),
        "unmeasured": unmeasured(record.search),
        "frozen": frozen_epochs(record.search),
        "edge_choices": _edge_choices(record),
        "per_class": per_class_table(record),
        "many_classes": len(record.classes) > MOST_WITH_COUNTS,
        "best": best_table(record),
        "truth": truth_table(record),
        "cost": cost_table(record),
        "facts": facts_table(record),
        "data": data_table(record),
        "notes": [*record.run.get("data", {}).get("notes", [])],
        "bad_files": record.run.get("data", {}).get("bad_files", []),
        "citations": [str(text) for text in record.run.get("citations", [])],
        "page_data": {
            "figures": figures,
            "timeline": timeline.plain() if timeline else None,
            "alpha": alpha,
            "cosines": cosines.values if cosines else None,
        },
        "style": asset(environment, "page.css"),
        "script": asset(environment, "page.js"),
        "plotly": plotly() if figures else None,
    }


def _figures(record: RunRecord) -> dict[str, list[Figure]]:
    """The figures of each section."""
    edge = alpha_edge_figure(record.search)
    per_class = per_class_figure(record)
    scores = score_figure(record)
    return {
        "scores": [scores] if scores else [],
        "costs": budget_figures(record),
        "front": front_figures(record),
        "selection": selection_figures(record),
        "alpha": alpha_figures(record.search),
        "alpha_edge": [edge] if edge else [],
        "beta": beta_figures(record.search),
        "search": search_curves(record.search),
        "eigenvalue": eigenvalue_figures(record.search),
        "gap": gap_figures(record.search),
        "shares": share_figures(record.search),
        "counts": count_figures(record.search),
        "weight_decay": weight_decay_figures(record.search),
        "conflict_means": conflict_means(record.search),
        "conflict_maps": conflict_maps(record.search),
        "training": training_curves(record),
        "confusion": confusion_figures(record),
        "per_class": [per_class] if per_class else [],
    }


def _edge_choices(record: RunRecord) -> list[dict[str, Any]]:
    """Every cell type's edges, for the choice of the one that is drawn over the epochs."""
    if not record.search:
        return []
    last = record.search[-1]
    return [
        {"cell": cell, "title": cell_title(cell), "edges": edge_names(last, len(rows))}
        for cell, rows in last["alpha"].items()
    ]
