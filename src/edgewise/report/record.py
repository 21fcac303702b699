"""What a run folder says about its run: its JSON and TOML files, read and checked."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from edgewise.errors import GenotypeError, RunError
from edgewise.runs import folder
from edgewise.runs.folder import RunFolder
from edgewise.runs.records import non_finite
from edgewise.spaces import Genotype
from edgewise.spaces.primitives import PrimitiveKind
from edgewise.text import in_line

EXPLORE = "explore"
SELECT, RANDOM_SEARCH = "select", "random-search"
NETWORKS = ("found", "searched", "random", "random-search", "hand", "inverted", "resnet8")
_SEARCH = (
    *("epoch", "arch_steps", "weights_loss", "weights_accuracy", "arch_loss", "arch_accuracy", "lr", "arch_lr"),
    *("weights_grad_norm", "alpha_grad_norm", "beta_grad_norm", "alpha", "beta", "genotype", "skips", "pools"),
    "conflicts",
)
_TRAIN = ["network", "epoch", "loss", "accuracy", "lr", "grad_norm"]
_SELECT = ["network", "rung", "epoch"]
_QUERY = ["query", "genotype", "score", "best", "best_query"]
_VERDICT = ["strategy", "queries", "distinct", "score", "query"]
_CHOSEN = ["candidates", "winner", "order", "out", "epochs", "images", "seconds", "figures"]
_TIMING = ["phase", "epoch", "seconds", "peak_memory_bytes"]
_RESULT = ["params", "macs", "top1", "loss", "per_class", "confusion", "test_images", "cells"]
# What older traces do not hold; null where it was not measured.
_MEASURED = {
    "hessian": ["eigenvalue"],
    "gap": ["mixture", "derived"],
    "decision": ["action", "epoch"],
}
_GROUP = ["cell", "node", "conflict_rate_before", "conflict_rate_after", "cosine_before", "cosine_after"]


@dataclass(frozen=True)
class RunRecord:
    """A run as its folder tells it; what the run has not come to is empty or None.

    Args:
        path: the folder.
        run: run.json.
        recipe_text: recipe.toml as it stands.
        recipe: recipe.toml, parsed.
        search: the trace's search epochs.
        training: the trace's training epochs of each network.
        timings: timings.jsonl.
        results: results.json.
        genotype: the cells of genotype.json, or of results.json where there is no such file.
        explored: the trace's queries of a black-box search.
        verdict: results.json of a black-box search.
        selecting: the trace's epochs of a selection.
        selection: selection.json.
        random_search: random_search.json.
        front: front.json.
    """

    path: Path
    run: Mapping[str, Any]
    recipe_text: str
    recipe: Mapping[str, Any]
    search: Sequence[Mapping[str, Any]]
    training: Mapping[str, Sequence[Mapping[str, Any]]]
    timings: Sequence[Mapping[str, Any]]
    results: Mapping[str, Mapping[str, Any]]
    genotype: Mapping[str, Any] | None
    explored: Sequence[Mapping[str, Any]] = ()
    verdict: Mapping[str, Any] | None = None
    selecting: Sequence[Mapping[str, Any]] = ()
    selection: Mapping[str, Any] | None = None
    random_search: Mapping[str, Any] | None = None
    front: Mapping[str, Any] | None = None

    @property
    def classes(self) -> list[str]:
        """The names of the classes; empty where the run has not got as far as its data."""
        return [in_line(str(name)) for name in self.run.get("data", {}).get("classes", [])]

    def planned_epochs(self, section: str) -> int | None:
        """Epochs that the recipe asks of a `search` or `train`; None where it does not say."""
        epochs = self.recipe.get(section, {}).get("epochs")
        return epochs if isinstance(epochs, int) else None


def read_record(path: Path) -> RunRecord:
    """Reads a run folder's JSON and TOML files; nothing in it is changed, no tensor file is opened.

    Args:
        path: the run folder.

    Raises:
        RunError: the folder is no run, or a file is damaged; names the file, and the line of a trace.
    """
    source = RunFolder.open(path)
    run = source.read_run()
    recipe_text = source.read_text(folder.RECIPE) if source.has(folder.RECIPE) else ""
    trace = source.read_trace()
    search, training, selecting = _sort_trace(trace, source.file(folder.TRACE))
    timings = source.read_timings()
    for number, line in enumerate(timings, 1):
        _require(line, _TIMING, f"{source.file(folder.TIMINGS)}, line {number}")
    explores = run.get("command") == EXPLORE
    results = {} if explores else _results(source)
    return RunRecord(
        path=source.path,
        run=run,
        recipe_text=recipe_text,
        recipe=_toml(recipe_text, source.file(folder.RECIPE)),
        search=search,
        training=training,
        timings=timings,
        results=results,
        genotype=_genotype(source, results),
        explored=_queries(trace, source.file(folder.TRACE)) if explores else (),
        verdict=_verdict(source) if explores else None,
        selecting=selecting[SELECT],
        selection=_selection(source, folder.SELECTION),
        random_search=_selection(source, folder.RANDOM_SEARCH),
        front=source.read_json(folder.FRONT) if source.has(folder.FRONT) else None,
    )


def _toml(text: str, where: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RunError(f"{where} is damaged ({error}): restore it from a copy") from error


def _require(record: Any, keys: Sequence[str], where: str) -> None:
    if not isinstance(record, Mapping):
        raise RunError(f"{where}: damaged: expected an object, found {str(record)[:40]!r}")
    missing = [key for key in keys if key not in record]
    if missing:
        raise RunError(
            f"{where}: damaged: {', '.join(missing)} missing (found: {', '.join(list(record)[:6]) or 'nothing'}): "
            "restore the file from a copy, or start the run anew"
        )
    bad = non_finite(record)
    if bad is not None:
        raise RunError(f"{where}: damaged: {bad} is no finite number; restore the file from a copy")


def _sort_trace(
    trace: Sequence[Mapping[str, Any]], path: Path
) -> tuple[list[Mapping[str, Any]], dict[str, list[Mapping[str, Any]]], dict[str, list[Mapping[str, Any]]]]:
    """Search epochs, training epochs by network, epochs of selections by phase; records of steps are left out."""
    search: list[Mapping[str, Any]] = []
    selecting: dict[str, list[Mapping[str, Any]]] = {SELECT: [], RANDOM_SEARCH: []}
    training: dict[str, list[Mapping[str, Any]]] = {}
    for number, record in enumerate(trace, 1):
        where = f"{path}, line {number}"
        _require(record, ["phase"], where)
        if record["phase"] == "search":
            _check_search(record, search, where)
            search.append(record)
        elif record["phase"] == "train":
            _require(record, _TRAIN, where)
            training.setdefault(str(record["network"]), []).append(record)
        elif record["phase"] in (SELECT, RANDOM_SEARCH):
            _require(record, _SELECT, where)
            selecting[record["phase"]].append(record)
    named = sorted(training, key=lambda name: NETWORKS.index(name) if name in NETWORKS else len(NETWORKS))
    return search, {name: training[name] for name in named}, selecting


def _check_search(record: Mapping[str, Any], earlier: Sequence[Mapping[str, Any]], where: str) -> None:
    _require(record, _SEARCH, where)
    check_genotype(record["genotype"], where)
    if _shape(record["alpha"]) is None or _shape(record["beta"] or {}) is None:
        raise RunError(f"{where}: damaged: alpha or beta is no table of numbers for each cell type")
    for name in ("alpha", "beta"):
        first = earlier[0][name] if earlier else record[name]
        if _shape(first or {}) != _shape(record[name] or {}):
            raise RunError(
                f"{where}: damaged: {name} has the shape {_shape(record[name] or {})}, the epochs before it "
                f"{_shape(first or {})}: restore the file from a copy"
            )
    _check_newer(record, where)
    if record["conflicts"] is not None:
        _require(record["conflicts"], ("direction", "projected", "groups"), f"{where}, conflicts")
        for group in record["conflicts"]["groups"]:
            _require(group, _GROUP, f"{where}, conflicts")


def _check_newer(record: Mapping[str, Any], where: str) -> None:
    """Checks what only newer traces hold, where it is there."""
    for key, inner in _MEASURED.items():
        if record.get(key) is not None:
            _require(record[key], inner, f"{where}, {key}")
    for cell, kinds in record.get("shares", {}).items():
        _require(kinds, get_args(PrimitiveKind), f"{where}, shares, {cell}")
    if "stage" in record:
        _require(record, ["layers"], where)
    if "mixture" in record and _shape(record["mixture"]) != _shape(record["alpha"]):
        raise RunError(
            f"{where}: damaged: mixture has the shape {_shape(record['mixture'])}, alpha "
            f"{_shape(record['alpha'])}: restore the file from a copy"
        )


def _shape(table: Any) -> dict[str, tuple[int, ...]] | None:
    """Rows and columns for each cell type; None where the rows differ or an entry is no number."""
    if not isinstance(table, Mapping):
        return None
    shapes: dict[str, tuple[int, ...]] = {}
    for name, rows in table.items():
        if not isinstance(rows, list) or not rows:
            return None
        numbers = all(isinstance(row, (int, float)) for row in rows)
        widths = {len(row) if isinstance(row, list) else -1 for row in rows}
        if not numbers and (len(widths) != 1 or -1 in widths):
            return None
        flat = rows if numbers else [value for row in rows for value in row]
        if not all(isinstance(value, (int, float)) for value in flat):
            return None
        shapes[str(name)] = (len(rows),) if numbers else (len(rows), widths.pop())
    return shapes


def check_genotype(data: Any, where: str) -> None:
    """Raises RunError, with the place, if a recorded genotype does not fit its space."""
    try:
        Genotype.from_dict(data, where=where)
    except GenotypeError as error:
        raise RunError(f"{where}: damaged: {error}") from error


def _results(source: RunFolder) -> dict[str, Mapping[str, Any]]:
    """The networks of results.json: the known ones first, in their order."""
    if not source.has(folder.RESULTS):
        return {}
    where = str(source.file(folder.RESULTS))
    results = source.read_json(folder.RESULTS)
    _require(results, (), where)
    for name, entry in results.items():
        _require(entry, _RESULT, f"{where}, {name}")
        if entry.get("genotype") is not None:
            check_genotype(entry["genotype"], f"{where}, {name}")
    named = sorted(results, key=lambda name: NETWORKS.index(name) if name in NETWORKS else len(NETWORKS))
    return {name: results[name] for name in named}


def _selection(source: RunFolder, name: str) -> Mapping[str, Any] | None:
    """selection.json or another like it, whose shape was checked as it was read; a finished one is whole."""
    if not source.has(name):
        return None
    selection, where = source.read_json(name), str(source.file(name))
    names = {entry["name"] for entry in selection.get("candidates", ())}
    if "winner" in selection:
        _require(selection, _CHOSEN, where)
        placed = set(selection["order"]) | set(selection["out"])
        lacking = names - placed | names - set(selection["epochs"]) | names - set(selection["images"])
        if lacking or selection["winner"] not in names:
            raise RunError(
                f"{where}: damaged: winner, order, out, epochs and images do not tell of all candidates "
                f"({', '.join(sorted(lacking)[:3]) or selection['winner']}): restore the file from a copy"
            )
    for entry in selection.get("candidates", ()):
        if entry["genotype"] is not None:
            check_genotype(entry["genotype"], f"{where}, {entry['name']}")
    return selection


def _queries(trace: Sequence[Mapping[str, Any]], path: Path) -> list[Mapping[str, Any]]:
    """The queries of a black-box search."""
    for number, record in enumerate(trace, 1):
        where = f"{path}, line {number}"
        _require(record, _QUERY, where)
        check_genotype(record["genotype"], where)
    return list(trace)


def _verdict(source: RunFolder) -> Mapping[str, Any] | None:
    """What a finished black-box search says of its best genotype."""
    if not source.has(folder.RESULTS):
        return None
    results = source.read_json(folder.RESULTS)
    _require(results, _VERDICT, str(source.file(folder.RESULTS)))
    return results


def _genotype(source: RunFolder, results: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    if not source.has(folder.GENOTYPE):
        return results.get("found", {}).get("genotype")
    data = source.read_json(folder.GENOTYPE)
    check_genotype(data, str(source.file(folder.GENOTYPE)))
    return data
