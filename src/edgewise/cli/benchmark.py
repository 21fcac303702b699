"""The command on tabular ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from edgewise.tabular import Table
    from edgewise.tabular.table import Query

BENCHMARK_EXAMPLES = """Examples:

`edgewise benchmark nb201.csv`

`edgewise benchmark nb201.csv --query 6111`

`edgewise benchmark nb201.csv --query runs/search/genotype.json`

`edgewise benchmark nb201.csv --query '|none~0|+|none~0|none~1|+|nor_conv_3x3~0|none~1|none~2|'`
"""


def benchmark(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A table of NAS-Bench-201: CSV, Parquet, or NATS-Bench's own.")
    ],
    query: Annotated[
        str | None,
        typer.Option(
            "--query",
            metavar="ARCH|INDEX|FILE",
            help="A cell: its string, its index, or a genotype (file, run folder or published name).",
        ),
    ] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Take a table that lacks architectures.")] = False,
) -> None:
    """Look cells of NAS-Bench-201 up: accuracy, rank and regret; without a cell, a summary of the table."""
    from edgewise.tabular import Table

    table = Table.read(file, partial=partial)
    if query is None:
        _summarise(table)
    else:
        _answer(table, _read_query(query))


def _read_query(text: str) -> Query:
    from edgewise.spaces import read_genotype

    return int(text) if text.isascii() and text.isdigit() else read_genotype(text)


def _summarise(table: Table) -> None:
    from edgewise.progress.choose import make_progress
    from edgewise.tabular import DATASETS, column

    progress = make_progress()
    progress.say(f"{table.name}: {len(table):,} architectures of NAS-Bench-201")
    rows = []
    for dataset in DATASETS:
        test = column(dataset, "test")
        best = table.optimum(test)
        rhos = [table.rank_correlation(column(dataset, "valid", epochs), test) for epochs in (200, 12)]
        shown = (f"{best.accuracies[test]:.2f} %", f"{rhos[0]:.3f}", f"{rhos[1]:.3f}", str(best.index), best.arch)
        rows.append((dataset, *shown))
    columns = ("data set", "best test accuracy", "rho valid", "rho valid, 12 epochs", "index", "cell")
    progress.table("Best cells; rho: rank correlation of validation accuracy with test accuracy", columns, rows)


def _answer(table: Table, query: Query) -> None:
    from edgewise.progress.choose import make_progress
    from edgewise.tabular import ACCURACIES

    progress = make_progress()
    entry = table.entry(query)
    progress.say(f"{entry.arch}: index {entry.index}, {entry.params:,} parameters, {entry.flops:,} flops")
    rows = [
        (
            name,
            f"{entry.accuracies[name]:.2f} %",
            f"{table.rank(query, name)} of {len(table)}",
            f"{table.regret(query, name):.2f}",
        )
        for name in ACCURACIES
    ]
    progress.table(
        f"Means over trainings ({entry.seeds} for n_seeds_valid)", ("column", "accuracy", "rank", "regret"), rows
    )
