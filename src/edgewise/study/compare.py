"""Published figures beside ours, and what keeps the two apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgewise.config.build import dump
from edgewise.pipeline import Settings, resolve
from edgewise.study.plan import Cell
from edgewise.study.results import CellResult, Results
from edgewise.study.runner import Study
from edgewise.study.spec import Variant
from edgewise.study.statistics import Spread
from edgewise.study.table import NONE, Entry, Table, number

SIZES = (
    *("search.epochs", "search.batch_size", "search.channels", "search.layers", "weights.lr", "arch.lr"),
    *("train.epochs", "train.batch_size", "train.channels", "train.layers", "train.lr", "train.auxiliary"),
    *("train.drop_path", "train_augment.cutout", "data.train_images", "data.image_size"),
)


def published_table(study: Study, results: Results) -> Table | None:
    """The published rows, each with its source, and our figures of the same method; None without any."""
    if not study.spec.published:
        return None
    scale = study.spec.scale or "as set"
    heads = ["row", "published: test error, %", "published: parameters, M", "published: search, GPU days"]
    heads += [
        f"ours ({scale}): mean over searches",
        f"ours ({scale}): best, retrained",
        "source of the published figures",
    ]
    by_method: dict[str, CellResult] = {}
    for result in results.cells:
        by_method.setdefault(result.cell.method, result)
    rows = []
    for row in study.spec.published:
        ours = by_method.get(row.method)
        title = f"{row.row} ({row.note})" if row.note else row.row
        source = row.source
        rows.append(
            [
                Entry(title),
                number(row.error),
                number(row.params),
                number(row.gpu_days),
                _error(ours.spread("test") if ours else None),
                _error(ours.retrained_spread() if ours else None),
                Entry(source),
            ]
        )
    return Table("published", "Published figures beside ours", heads, rows, comparability(study))


def _error(found: Spread | None) -> Entry:
    if found is None:
        return NONE
    error = 100 * (1 - found.mean)
    spread = "" if found.sd is None else f" ± {100 * found.sd:.2f}"
    return Entry(f"{error:.2f}{spread} (n = {found.n})", error)


def comparability(study: Study) -> list[str]:
    """In sentences: what differs from the published settings, and what can't be compared because of it."""
    found = differences(study)
    notes = []
    if found:
        parts = "; ".join(f"{name} {here} instead of {there}" for name, (there, here) in found.items())
        notes.append(
            f"Scale {study.spec.scale or 'as set'}: {parts}. So neither errors nor numbers of "
            "parameters nor search "
            "costs can be compared with the published ones; at most the order of the methods can, "
            "as far as the paired "
            "tests bear it."
        )
    else:
        notes.append(
            "Sizes and schedules are those of the thesis's appendix B. Errors and numbers of parameters can be "
            "compared; search costs can't, unless the hardware is the same."
        )
    notes.append(
        f"Our images: {', '.join(study.spec.data)}; the published figures are of those that the title names."
    )
    return [*notes, *study.spec.claims]


def differences(study: Study) -> dict[str, tuple[str, str]]:
    """The sizes that differ from the preset `paper` of the same methods: there, and here."""
    there: dict[str, dict[str, None]] = {}
    here: dict[str, dict[str, None]] = {}
    for cell in {run.cell.key: run.cell for run in study.runs}.values():
        ours, theirs = dump(cell.settings), dump(_paper(study, cell))
        for path in SIZES:
            there.setdefault(path, {})[str(_at(theirs, path))] = None
            here.setdefault(path, {})[str(_at(ours, path))] = None
    return {
        path: (_words(path, there[path]), _words(path, here[path]))
        for path in SIZES
        if set(there.get(path, ())) != set(here.get(path, ()))
    }


def _words(path: str, values: Mapping[str, None]) -> str:
    shown = " or ".join(values)
    return shown.replace(
        "none", {"data.train_images": "all", "data.image_size": "the images' own"}.get(path, "none")
    )


def _paper(study: Study, cell: Cell) -> Settings:
    variant = next((v for v in study.spec.variants if v.name == cell.method), Variant(cell.method, cell.method))
    return resolve(variant.recipe, preset="paper", data=cell.data, sets=variant.sets)


def _at(table: Mapping[str, Any], path: str) -> Any:
    value: Any = table
    for name in path.split("."):
        value = value[name]
    return value
