"""By-hand numbers that hold parts of the family in place where a whole search would not show a mistake."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from edgewise.methods import (
    DARTS_V1,
    ArchParameters,
    ExactHypergradient,
    FiniteDifference,
    SkipLimit,
    Softmax,
    TopEdges,
    derive,
    strongest,
)
from edgewise.methods.gradient import Weights
from edgewise.spaces.space import CellSpace
from edgewise.spaces.topology import Topology
from tests.search.problem import SMALL

DOT = CellSpace("dot", Topology.dense(2, 1), ("skip_connect",), cell_types=("normal",), edges_per_node=1)


class Toy:
    """The paper's example: L_arch = a w - 2 a + 1, L_weights = w^2 - 2 a w + a^2; a is alpha's first entry."""

    def __init__(self, alpha: float, weight: float, xi: float) -> None:
        self.arch = ArchParameters(DOT, beta=False, generator=torch.Generator()).double()
        with torch.no_grad():
            self.arch.alpha["normal"].copy_(torch.tensor([[alpha], [0.0]], dtype=torch.float64))
        self.weight = torch.tensor([weight], dtype=torch.float64, requires_grad=True)
        self.xi = xi

    @property
    def _a(self) -> Tensor:
        return self.arch.alpha["normal"][0, 0]

    def weights(self) -> dict[str, Tensor]:
        return {"w": self.weight}

    def arch_loss(self, weights: Weights | None = None) -> Tensor:
        w = (weights or self.weights())["w"].sum()
        return self._a * w - 2 * self._a + 1

    def weights_loss(self, weights: Weights | None = None, *, twice: bool = False) -> Tensor:
        w = (weights or self.weights())["w"].sum()
        return w**2 - 2 * self._a * w + self._a**2

    def virtual_step(self, gradients: Weights) -> dict[str, Tensor]:
        return {"w": self.weight - self.xi * gradients["w"]}

    def differentiate(self, loss: Tensor, inputs: list[Tensor], *, create_graph: bool = False):
        return torch.autograd.grad(loss, inputs, create_graph=create_graph)


@pytest.mark.parametrize("kind", [ExactHypergradient, FiniteDifference])
@pytest.mark.parametrize(("xi", "slope"), [(0.0, -4.0), (0.5, 2.0)])
def test_the_papers_example_has_the_papers_slope(kind: type, xi: float, slope: float) -> None:
    gradient = kind().gradient(Toy(2.0, -2.0, xi))
    assert gradient.alpha["normal"][0, 0].item() == pytest.approx(slope, rel=1e-9)


def test_the_finite_difference_is_exact_where_the_losses_are_quadratic() -> None:
    for alpha, weight, xi in ((2.0, -2.0, 0.5), (0.3, 1.7, 0.2), (-1.0, 0.5, 0.05)):
        exact = ExactHypergradient().gradient(Toy(alpha, weight, xi)).alpha["normal"][0, 0]
        difference = FiniteDifference().gradient(Toy(alpha, weight, xi)).alpha["normal"][0, 0]
        # w' = w - 2 xi (w - a); d (a w' - 2 a + 1) / d a = w' - 2 + 2 xi a.
        by_hand = weight - 2 * xi * (weight - alpha) - 2 + 2 * xi * alpha
        assert exact.item() == pytest.approx(by_hand, rel=1e-9)
        assert difference.item() == pytest.approx(by_hand, rel=1e-6)


def test_the_strongest_of_what_is_left_are_kept() -> None:
    strengths = torch.tensor([[0.1, 0.5, 0.2, 0.2], [0.4, 0.3, 0.2, 0.1]])
    first = strongest(strengths, None, 3)
    assert first.tolist() == [[False, True, True, True], [True, True, True, False]]
    second = strongest(strengths.flip(0), first, 2)
    assert second.tolist() == [[False, True, True, False], [False, True, True, False]]


def test_no_normal_cell_has_more_skips_than_the_limit_and_the_weakest_go_first() -> None:
    skip, conv = SMALL.primitives.index("skip_connect"), SMALL.primitives.index("sep_conv_3x3")
    arch = ArchParameters(SMALL, beta=False, generator=torch.Generator())
    with torch.no_grad():
        for alpha in arch.alpha.values():
            alpha.zero_()
            alpha[:, skip] = torch.tensor([5.0, 4.0, 3.0, 6.0, 2.0])
            alpha[:, conv] = 1.0
    edges = {}
    for rule in (TopEdges(), SkipLimit(at_most=2), SkipLimit(at_most=0)):
        cells = derive(SMALL, arch, Softmax(), rule).cells
        edges[rule] = [(e.source, e.target, e.primitive == "skip_connect") for e in cells["normal"].edges]
        assert cells["reduce"].skips == 4
    assert sum(skipped for *_, skipped in edges[TopEdges()]) == 4
    assert sorted(edges[SkipLimit(at_most=2)]) == [(0, 2, True), (1, 2, False), (1, 3, True), (2, 3, False)]
    assert not any(skipped for *_, skipped in edges[SkipLimit(at_most=0)])


@pytest.mark.usefixtures("small_space")
def test_a_search_derives_by_its_recipes_rule() -> None:
    from tests.search.family import quick_task, small

    task = quick_task(replace(small(DARTS_V1), derivation=SkipLimit(at_most=1)))
    with torch.no_grad():
        for alpha in task.search.arch.alpha.values():
            alpha[:, SMALL.primitives.index("skip_connect")] = 3.0
    assert {name: cell.skips for name, cell in task.genotype().cells.items()} == {"normal": 1, "reduce": 4}
