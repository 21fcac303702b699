"""The cells of every epoch: each distinct drawing once, and which one belongs to which stop of the slider."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from edgewise.report.diagnostics import stopped, taken
from edgewise.report.draw import draw_cell
from edgewise.report.mixtures import chosen
from edgewise.report.record import RunRecord
from edgewise.report.tables import Table, cell_title, short_cell_name


@dataclass(frozen=True)
class Drawings:
    """One cell type: its distinct pictures, and the picture and the alpha entries chosen at each stop."""

    cell: str
    pictures: tuple[Markup, ...]
    at_stop: tuple[int, ...]
    chosen: tuple[tuple[tuple[int, int], ...], ...]
    width: int
    height: int

    @property
    def title(self) -> str:
        """The heading of the pictures."""
        return cell_title(self.cell)


@dataclass(frozen=True)
class Timeline:
    """The slider's stops, in words, and what each shows; `epochs` is the row of the trace behind each stop."""

    stops: tuple[str, ...]
    epochs: tuple[int, ...]
    cells: tuple[Drawings, ...]

    def plain(self) -> dict[str, Any]:
        """What the page's script needs."""
        return {
            "stops": self.stops,
            "epochs": self.epochs,
            "cells": {d.cell: {"at": d.at_stop, "chosen": d.chosen} for d in self.cells},
        }


def make_timeline(record: RunRecord) -> Timeline | None:
    """The cells of the search's epochs and the derived ones; None where the folder holds no cell."""
    genotypes = [epoch["genotype"] for epoch in record.search]
    stops = [_stop_name(epoch) for epoch in record.search]
    epochs = list(range(len(genotypes)))
    if record.genotype is not None:
        if genotypes and _same(genotypes[-1], record.genotype):
            stops[-1] += ", derived"
        else:
            genotypes.append(record.genotype)
            row = taken(record.search, len(epochs) - 1) if stopped(record.search) else max(len(epochs) - 1, 0)
            of = f", cells of epoch {record.search[row]['epoch'] + 1}" if stopped(record.search) else ""
            alone = "best so far" if record.explored else "given"
            stops.append(f"derived{of}" if record.search else alone)
            epochs.append(row)
    if not genotypes:
        return None
    cells = tuple(_drawings(cell, genotypes, record.search, epochs) for cell in genotypes[-1]["cells"])
    return Timeline(tuple(stops), tuple(epochs), cells)


def _stop_name(epoch: Mapping[str, Any]) -> str:
    scheduled = epoch.get("schedule_epoch", epoch["epoch"])
    again = f" (epoch {scheduled + 1} of the schedule)" if scheduled != epoch["epoch"] else ""
    return f"epoch {epoch['epoch'] + 1}{again}"


def _same(a: Mapping[str, Any], b: Mapping[str, Any]) -> bool:
    return {name: _key(cell) for name, cell in a["cells"].items()} == {
        name: _key(cell) for name, cell in b["cells"].items()
    }


def _key(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    edges = sorted((e["target"], e["source"], e["primitive"]) for e in cell["edges"])
    return (cell["inputs"], cell["nodes"], tuple(edges), tuple(cell["concat"]))


def _drawings(
    cell: str, genotypes: Sequence[Mapping[str, Any]], search: Sequence[Mapping[str, Any]], epochs: Sequence[int]
) -> Drawings:
    pictures: dict[tuple[Any, ...], Markup] = {}
    at_stop = []
    for genotype in genotypes:
        key = _key(genotype["cells"][cell])
        if key not in pictures:
            pictures[key] = Markup(draw_cell(genotype["cells"][cell], title=cell_title(cell)))
        at_stop.append(list(pictures).index(key))
    marks = [tuple(chosen(search[e], g, cell)) if search else () for e, g in zip(epochs, genotypes, strict=True)]
    sizes = [_size(picture) for picture in pictures.values()]
    return Drawings(
        cell,
        tuple(pictures.values()),
        tuple(at_stop),
        tuple(marks),
        max(width for width, _ in sizes),
        max(height for _, height in sizes),
    )


def _size(picture: str) -> tuple[int, int]:
    width, height = (picture.split(f'{name}="', 1)[1].split('"', 1)[0] for name in ("width", "height"))
    return int(width), int(height)


def counts_table(record: RunRecord) -> Table | None:
    """Skips, pools, depth and width of each epoch's cells; None without a search."""
    if not record.search:
        return None
    cells = list(record.search[-1]["skips"])
    rows = [
        (
            str(epoch["epoch"] + 1),
            *(_counts(epoch, cell) for cell in cells),
        )
        for epoch in record.search
    ]
    return Table(
        "Skips and pools among the derived edges of each epoch, and depth and width where they are recorded.",
        ("epoch", *map(short_cell_name, cells)),
        tuple(rows),
    )


def _counts(epoch: Mapping[str, Any], cell: str) -> str:
    parts = [f"{epoch['skips'][cell]} skip, {epoch['pools'][cell]} pool"]
    parts += [f"{key} {epoch[key][cell]}" for key in ("depth", "width") if key in epoch]
    return ", ".join(parts)
