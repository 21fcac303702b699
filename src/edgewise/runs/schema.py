"""What stands in the JSON files of a run folder, so that a damaged one is told before anybody stumbles over it."""

from __future__ import annotations

from functools import cache
from typing import Any, Required

from typing_extensions import TypedDict

Number = float  # a whole number is one too


class _Path(TypedDict):
    path: str
    path_from_run: str


class _Data(TypedDict, total=False):
    source: str
    fingerprint: str
    classes: list[str]
    images: dict[str, int]
    image_size: int
    channels: int
    normalisation: dict[str, list[Number]]
    notes: list[str]
    bad_files: list[str]


class _Budget(TypedDict, total=False):
    limits: dict[str, Number]
    int8: bool
    device: str | None


class _Fitted(TypedDict, total=False):
    channels: int
    layers: int


class _Latency(TypedDict):
    median_ms: Number
    p10: Number
    p90: Number
    n: int
    threads: int


class _Won(TypedDict):
    name: str
    kind: str


class _Phase(TypedDict, total=False):
    seconds: Number
    peak_memory_bytes: int


class Run(TypedDict, total=False):
    """run.json; what is not named here may be anything."""

    format: str
    status: str
    command: str
    seed: int
    device: str
    device_name: str
    precision: str
    compile: bool
    checkpoint_seconds: Number
    truth: str | None
    track: str
    versions: dict[str, str]
    threads: int
    processes: int
    git: dict[str, Any] | None
    stem: str
    budget: _Budget
    fitted: dict[str, _Fitted]
    unfit: dict[str, str]
    won: _Won
    started: str
    finished: str
    data: _Data
    paths: dict[str, _Path]
    phases: dict[str, _Phase]
    scored_by: dict[str, Any]
    citations: list[str]
    changed_settings: list[str]
    diverged: dict[str, str]
    error: str
    given: str


class _Cell(TypedDict):
    skips: int
    pools: int
    parametrised: int
    depth: int


class _Result(TypedDict, total=False):
    params: int
    macs: int
    cells: dict[str, _Cell] | None
    genotype: dict[str, Any] | None
    top1: Number
    loss: Number
    per_class: list[Number | None]
    confusion: list[list[int]]
    test_images: int
    train_seconds: Number
    channels: int
    layers: int
    ram: int
    size: int
    latency: _Latency
    used: dict[str, Number]


class _Contender(TypedDict, total=False):
    name: Required[str]
    kind: Required[str]
    genotype: Required[dict[str, Any] | None]
    channels: Required[int]
    layers: Required[int]
    params: Required[int]
    macs: Required[int]
    ram: Required[int]
    size: int
    latency: _Latency


class _Design(TypedDict):
    name: str
    kind: str
    genotype: dict[str, Any] | None


class _Out(TypedDict):
    rung: int
    place: int | None
    reason: str


class _Selection(TypedDict, total=False):
    given: list[_Design]
    candidates: list[_Contender]
    unfit: dict[str, str]
    figures: dict[str, dict[str, Number]]
    winner: str
    order: list[str]
    out: dict[str, _Out]
    epochs: dict[str, int]
    images: dict[str, int]
    seconds: dict[str, Number]


class _Budgeted(TypedDict, total=False):
    name: Required[str]
    limits: Required[dict[str, Number]]
    sentence: str
    unfit: str
    won: _Won
    networks: dict[str, _Result]


class _Front(TypedDict):
    cost: str
    budgets: list[_Budgeted]
    front: list[str]
    knee: str | None


class _Explored(TypedDict, total=False):
    strategy: str
    queries: int
    distinct: int
    score: Number
    query: int
    truth: dict[str, Any]


# What a run needs to be resumed; it is written in one piece with the seed.
RESUMED = ("device", "precision", "checkpoint_seconds", "threads", "stem", "data", "command")


def fault(name: str, value: Any) -> str:
    """What is wrong with the content of a run's JSON file; empty where nothing is.

    Args:
        name: "run.json", "results.json", "selection.json", "random_search.json" or "front.json"; nothing is known
            of others.
        value: the content.
    """
    from pydantic import ValidationError

    if name == "results.json" and isinstance(value, dict):
        shape: Any = _Explored if "strategy" in value else dict[str, _Result]
    else:
        shape = {
            "run.json": Run,
            "results.json": dict[str, Any],
            "front.json": _Front,
            **dict.fromkeys(("selection.json", "random_search.json"), _Selection),
        }.get(name)
    if shape is None:
        return ""
    try:
        _adapter(shape).validate_python(value, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        found = repr(first["input"])
        return f"{where}: {first['msg']} (value found: {found[:80]})".removeprefix(": ")
    return ""


@cache
def _adapter(shape: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(shape)
