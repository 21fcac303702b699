"""A study's summary as files: CSV, LaTeX and a page."""

from __future__ import annotations

from pathlib import Path

from edgewise.progress.protocol import Progress
from edgewise.study.folder import StudyFolder
from edgewise.study.page import render
from edgewise.study.results import Results
from edgewise.study.runner import Study
from edgewise.study.table import to_csv
from edgewise.study.tables import Tables, make_tables

SUMMARY_CSV, RUNS_CSV, TESTS_CSV = "summary.csv", "runs.csv", "tests.csv"
LATEX, PAGE = "summary.tex", "study.html"


def write_summary(study: Study) -> tuple[Tables, Path]:
    """Writes summary.csv, runs.csv, tests.csv, summary.tex and study.html into the study's folder.

    Returns:
        The tables, and the page's path.

    Raises:
        RunError: a run's file is damaged, or a file can't be written.
    """
    results = study.results()
    tables = make_tables(study, results)
    folder = StudyFolder(study.root)
    folder.write_text(SUMMARY_CSV, summary_csv(results))
    folder.write_text(RUNS_CSV, runs_csv(results))
    folder.write_text(TESTS_CSV, tests_csv(results))
    kept = [table for table in (tables.summary, tables.published, tables.tests, tables.selections) if table]
    folder.write_text(LATEX, "\n".join(table.to_latex() for table in kept))
    folder.write_text(PAGE, render(study, results, tables))
    return tables, study.root / PAGE


def print_tables(tables: Tables, progress: Progress) -> None:
    """Prints summary, published figures and tests; single runs are left to the page."""
    for table in (tables.summary, tables.published, tables.tests, tables.selections):
        if table is not None:
            progress.table(table.title, table.heads, table.texts())
            for note in table.notes:
                progress.say(f"  {note}")
            progress.say("")


def summary_csv(results: Results) -> str:
    """One line for each cell: accuracies as shares, 0 to 1, with all digits."""
    paths = list(dict.fromkeys(path for result in results.cells for path, _ in result.cell.grid))
    heads = [
        "method",
        "space",
        "data",
        *paths,
        "planned",
        "n",
        "metric",
        "mean",
        "sd",
        "median",
        "low95",
        "high95",
    ]
    heads += ["best_seed", "retrained_n", "retrained_mean", "retrained_sd", "params_mean", "search_seconds_mean"]
    rows: list[list[object]] = []
    for result in results.cells:
        found, again = result.spread(results.metric), result.retrained_spread()
        params, seconds = result.spread("params"), result.spread("search_seconds")
        values = [None] * 5 if found is None else [found.mean, found.sd, found.median, found.low, found.high]
        grid = dict(result.cell.grid)
        rows.append(
            [
                *(result.cell.method, result.cell.space, result.cell.data, *(grid.get(path) for path in paths)),
                *(result.planned, 0 if found is None else found.n, f"{results.metric}_accuracy", *values),
                *(result.best, 0 if again is None else again.n),
                *((None, None) if again is None else (again.mean, again.sd)),
                *(None if params is None else params.mean, None if seconds is None else seconds.mean),
            ]
        )
    return to_csv(heads, rows)


def runs_csv(results: Results) -> str:
    """One line for each finished run."""
    heads = ["run", "method", "space", "data", "seed", "kind", "test_accuracy", "arch_accuracy", "params", "macs"]
    heads += ["search_seconds", "train_seconds", "device", "won", "won_kind", "select_seconds"]
    rows: list[list[object]] = [
        [
            *(
                run.name,
                result.cell.method,
                result.cell.space,
                result.cell.data,
                run.seed,
                kind,
                run.test,
                run.arch,
            ),
            *(run.params, run.macs, run.search_seconds, run.train_seconds, run.device),
            *(run.won or None, run.won_kind or None, run.select_seconds),
        ]
        for result in results.cells
        for kind, runs in (("search", result.runs), ("retrained", result.retrained))
        for run in runs
    ]
    return to_csv(heads, rows)


def tests_csv(results: Results) -> str:
    """One line for each pair of cells; the difference is first minus second in accuracy, 0 to 1."""
    heads = ["first", "second", "n", "difference", "wilcoxon_p", "wilcoxon_p_holm", "t_p", "t_p_holm"]
    rows = [
        [t.first, t.second, t.n, t.difference, t.wilcoxon, t.wilcoxon_holm, t.t, t.t_holm] for t in results.tests
    ]
    return to_csv(heads, rows)
