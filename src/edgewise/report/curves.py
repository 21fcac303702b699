"""Curves of searches and trainings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgewise.report.figures import Axis, Figure, Series, Values, lines, log_axis, rounded
from edgewise.report.names import short_names
from edgewise.report.record import RunRecord

LOSS = Axis("cross-entropy, nats")
ACCURACY = Axis("training accuracy", ".2%", {"tickformat": ".0%"})
RATE = Axis("learning rate", settings={"rangemode": "tozero"})
NORM = Axis("mean norm", settings={"rangemode": "tozero"})
DASHES = {
    "found": "solid",
    "searched": "longdashdot",
    "random": "dash",
    "random-search": "5px,2px,1px,2px,1px,2px",
    "hand": "dot",
    "inverted": "dashdot",
    "resnet8": "longdash",
}


def search_curves(search: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Loss, accuracy, learning rates and gradient norms of a search; empty without one."""
    if not search:
        return []
    epochs = [record["epoch"] for record in search]

    def pair(key: str) -> list[Series]:
        return [
            Series("weights split", "@weights", _values(search, f"weights_{key}")),
            Series("arch split", "@arch", _values(search, f"arch_{key}"), "dash"),
        ]

    norms = [
        Series("weights", "@weights", _values(search, "weights_grad_norm")),
        Series("alpha", "@arch", _values(search, "alpha_grad_norm"), "dash"),
        Series("beta", "@beta", _values(search, "beta_grad_norm"), "dot"),
    ]
    weights_rate = [Series("weights", "@weights", _values(search, "lr"))]
    arch_rate = [Series("alpha and beta", "@arch", _values(search, "arch_lr"), "dash")]
    figures = [
        lines("search-loss", "Search: loss", epochs, pair("loss"), LOSS),
        lines("search-accuracy", "Search: accuracy", epochs, pair("accuracy"), ACCURACY),
        lines("search-lr", "Search: learning rate of the weights", epochs, weights_rate, RATE),
        lines("search-arch-lr", "Search: learning rate of alpha and beta", epochs, arch_rate, RATE),
        # Weights and alpha differ by orders of magnitude.
        lines("search-norms", "Search: gradient norms", epochs, norms, log_axis("mean norm", norms)),
    ]
    return [figure for figure in figures if figure.data]


def training_curves(record: RunRecord) -> list[Figure]:
    """Loss, accuracy, learning rate and gradient norm of the trainings; empty without any."""
    if not record.training:
        return []
    longest = max(record.training.values(), key=len)
    epochs, short = [entry["epoch"] for entry in longest], short_names(record.run)

    def each(key: str) -> list[Series]:
        return [
            Series(
                short.get(name, name),
                f"@{name if name in short else 'arch'}",
                _values(run, key),
                DASHES.get(name, "dash"),
            )
            for name, run in record.training.items()
        ]

    return [
        lines("train-loss", "Training: loss", epochs, each("loss"), LOSS),
        lines("train-accuracy", "Training: accuracy", epochs, each("accuracy"), ACCURACY),
        lines("train-lr", "Training: learning rate", epochs, each("lr"), RATE),
        lines("train-norms", "Training: gradient norm", epochs, each("grad_norm"), NORM),
    ]


def _values(records: Sequence[Mapping[str, Any]], key: str) -> Values:
    return [rounded(record[key]) for record in records]
