"""The candidates of a selection: cells of the search, sampled, published and random ones, hand-made networks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal

import torch

from edgewise.config.limits import Candidates as Count
from edgewise.methods import Recipe, sample_genotype, softmax_into_nodes
from edgewise.nn import HAND_MADE
from edgewise.runtime.random import Streams
from edgewise.spaces import PUBLISHED, CellSpace, Genotype, random_genotype, space

Kind = Literal["last", "epochs", "sampled", "published", "random", "hand", "given"]
# How many draws are made for each cell that is wanted, before a space counts as drawn out.
DRAWS = 50


@dataclass(frozen=True)
class CandidateSettings:
    """How many candidates of each kind a selection begins with; equal cells are kept once, as the first kind.

    Args:
        last: the search's cells (0 or 1).
        epochs: cells of earlier epochs of the search that differ, the latest first.
        sampled: drawn from the mixture that the search ended with.
        published: published cells of the space, in the order of `edgewise spaces ls`.
        random: random cells of the space.
        hand: hand-made networks: residual, inverted residual, ResNet-8, in this order.
    """

    last: Count = 1
    epochs: Count = 0
    sampled: Count = 0
    published: Count = 0
    random: Count = 0
    hand: Count = 0

    @property
    def total(self) -> int:
        """How many there are, if all are different."""
        return sum(getattr(self, field.name) for field in fields(self))


@dataclass(frozen=True)
class Design:
    """What a network is made of, whatever its size.

    Args:
        name: of the candidate.
        kind: where it comes from.
        genotype: its cells; None for a hand-made network, whose kind `name` says.
    """

    name: str
    kind: Kind
    genotype: Genotype | None = None

    @property
    def made_of(self) -> Genotype | str:
        """Its cells, or which of `HAND_MADE` it is."""
        return self.name if self.genotype is None else self.genotype

    def record(self) -> dict[str, Any]:
        """As selection.json keeps it."""
        genotype = None if self.genotype is None else self.genotype.to_dict()
        return {"name": self.name, "kind": self.kind, "genotype": genotype}

    @classmethod
    def of(cls, record: Mapping[str, Any], *, where: str) -> Design:
        """Reads `record`.

        Raises:
            GenotypeError: the genotype does not fit its space.
        """
        data = record["genotype"]
        genotype = None if data is None else Genotype.from_dict(data, where=where)
        return cls(record["name"], record["kind"], genotype)


def list_candidates(
    wanted: CandidateSettings,
    recipe: Recipe,
    found: Genotype,
    epochs: Sequence[Mapping[str, Any]],
    *,
    seed: int,
) -> list[Design]:
    """The candidates of a run after its search.

    Args:
        wanted: how many of each kind.
        recipe: says how cells are derived.
        found: the search's cells.
        epochs: the search's epochs as the trace tells them.
        seed: of the run; each kind draws from a stream of its own.
    """
    cells = space(found.space)
    designs: list[Design] = []

    def add(name: str, kind: Kind, genotype: Genotype) -> bool:
        if any(design.genotype == genotype for design in designs):
            return False
        designs.append(Design(name, kind, genotype))
        return True

    if wanted.last:
        add("last", "last", found)
    _take(wanted.epochs, _earlier(epochs), lambda i, one: add(f"epoch {one[0]}", "epochs", one[1]))
    if wanted.sampled:
        drawn = _sampled(cells, recipe, found, epochs, seed)
        _take(wanted.sampled, drawn, lambda i, one: add(f"sampled {i}", "sampled", one), wanted.sampled * DRAWS)
    known = ((name, one) for name, one in PUBLISHED.items() if one.space == found.space)
    _take(wanted.published, known, lambda i, one: add(one[0], "published", one[1]))
    chance = random.Random(Streams(seed).integer("random candidates"))
    drawn = iter(lambda: random_genotype(cells, chance), None)
    _take(wanted.random, drawn, lambda i, one: add(f"random {i}", "random", one), wanted.random * DRAWS)
    designs += [Design(name, "hand") for name in list(HAND_MADE)[: wanted.hand]]
    return designs


def _take(count: int, offered: Iterator[Any], add: Callable[[int, Any], bool], most: int | None = None) -> None:
    """Adds the first `count` of what is offered that is new; looks at no more than `most`."""
    added = looked = 0
    while added < count and (most is None or looked < most):
        one = next(offered, None)
        if one is None:
            return
        looked += 1
        added += add(added + 1, one)


def _earlier(epochs: Sequence[Mapping[str, Any]]) -> Iterator[tuple[int, Genotype]]:
    """The cells of each epoch, the latest first, with the epoch counted from 1."""
    for record in reversed(epochs):
        number = record["epoch"] + 1
        yield number, Genotype.from_dict(record["genotype"], where=f"epoch {number} of the search")


def _sampled(
    cells: CellSpace, recipe: Recipe, found: Genotype, epochs: Sequence[Mapping[str, Any]], seed: int
) -> Iterator[Genotype]:
    """Draws, without an end, from the mixture of the epoch whose cells the search returned."""
    same = [record for record in epochs if record["genotype"]["cells"] == found.to_dict()["cells"]]
    record = (same or epochs)[-1]
    strengths = {name: torch.tensor(rows, dtype=torch.float64) for name, rows in record["mixture"].items()}
    for name, beta in (record["beta"] or {}).items():
        weights = softmax_into_nodes(torch.tensor(beta, dtype=torch.float64), cells)
        strengths[name] = strengths[name] * weights.unsqueeze(-1)
    generator = Streams(seed).generator("sampled candidates")
    source = f"drawn from the mixture of edgewise {recipe.name}, seed {seed}"
    while True:
        yield sample_genotype(cells, strengths, recipe.derivation, generator, source=source)
