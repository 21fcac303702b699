"""A black-box search on the page: the scores of its queries, and the best genotypes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgewise.report.figures import Figure, epoch_axis
from edgewise.report.numbers import count, percent
from edgewise.report.record import RunRecord
from edgewise.report.tables import NARROW, Table, cell_title
from edgewise.spaces import Genotype
from edgewise.spaces.nb201 import to_string

MOST = 10


def exploration_title(record: RunRecord) -> str:
    """What came out so far, in a line."""
    last, planned = record.explored[-1], record.recipe.get("queries", len(record.explored))
    done = len(record.explored)
    of = count(done) if done == planned else f"{count(done)} of {count(planned)}"
    return f"{percent(last['best'])}: the best score of {of} queries, query {last['best_query'] + 1}"


def exploration_lead(record: RunRecord) -> str:
    """Strategy, space and score, in words."""
    recipe = record.recipe
    strategy = recipe.get("strategy", {}).get("kind", "")
    return f"Strategy {strategy} on space {recipe.get('space', '')}, scored by {recipe.get('score', '')}"


def score_figure(record: RunRecord) -> Figure | None:
    """Every query's score, and the best so far; None without queries."""
    if not record.explored:
        return None
    queries = [entry["query"] + 1 for entry in record.explored]
    scores, best = ([entry[key] for entry in record.explored] for key in ("score", "best"))
    common = {"type": "scatter", "x": queries, "hovertemplate": "%{y:.2%}"}
    data = [
        {**common, "name": "score", "y": scores, "mode": "markers", "marker": {"color": "@weights", "size": 5}},
        {**common, "name": "best so far", "y": best, "mode": "lines", "line": {"color": "@arch", "width": 2}},
    ]
    data[1]["line"]["shape"] = "hv"
    layout = {
        "xaxis": epoch_axis(len(queries)) | {"title": {"text": "query"}},
        "yaxis": {
            "title": {"text": "score"},
            "tickformat": ".1~%",
            "automargin": True,
            "rangemode": "nonnegative",
        },
        "hovermode": "x unified",
        "showlegend": True,
    }
    summary = (
        f"Scores of {len(queries)} queries from {percent(min(scores))} to {percent(max(scores))}; the best so far "
        f"from {percent(best[0])} to {percent(best[-1])}"
    )
    return Figure("scores", "Score of each query", summary, data, layout)


def best_table(record: RunRecord) -> Table | None:
    """The best different genotypes; None without queries."""
    if not record.explored:
        return None
    first: dict[str, Mapping[str, Any]] = {}
    for entry in record.explored:
        first.setdefault(written(entry["genotype"]), entry)
    ranked = sorted(first.items(), key=lambda item: (-item[1]["score"], item[1]["query"]))[:MOST]
    rows = tuple(
        (str(entry["query"] + 1), percent(entry["score"]).replace(" ", NARROW), text) for text, entry in ranked
    )
    return Table(
        f"The {len(rows)} best of {count(len(first))} different genotypes, with the first query for each.",
        ("query", "score", "cells"),
        rows,
    )


def written(data: Mapping[str, Any]) -> str:
    """A genotype in a line: the benchmark's string in its space, edges elsewhere."""
    genotype = Genotype.from_dict(data)
    if genotype.space == "nb201":
        return to_string(genotype)
    return "; ".join(
        f"{cell_title(name)}: "
        + " ".join(f"{edge.source}-{edge.primitive}->{edge.target}" for edge in cell.connected)
        for name, cell in genotype.cells.items()
    )


def truth_table(record: RunRecord) -> Table | None:
    """What the table knows of the best genotype; None where a training gave the scores, or there is no end yet."""
    truth = (record.verdict or {}).get("truth")
    if truth is None:
        return None
    rows = (
        ("data", str(truth["dataset"])),
        ("test accuracy", percent(truth["test_accuracy"])),
        ("rank", f"{count(truth['rank'])} of {count(truth['of'])}"),
        ("below the best", f"{100 * truth['regret']:.2f} points"),
        ("architecture", str(truth["arch"])),
    )
    return Table("The best genotype in the table", ("what", "value"), rows, plain=True)
