"""Second-order gradients of a supernet against the numbers of the authors' code."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from edgewise.data import Batch
from edgewise.methods import (
    DARTS_V1,
    ArchParameters,
    ExactHypergradient,
    FiniteDifference,
    FirstOrder,
    SearchSettings,
)
from edgewise.methods.schedule import START
from edgewise.nn import Supernet, SupernetSpec
from edgewise.runtime.compute import Compute
from edgewise.runtime.random import Streams
from edgewise.search.passes import SupernetPasses
from edgewise.search.problem import ArchStepInputs, SupernetProblem
from edgewise.spaces import DARTS
from tests.nn.golden import fill, images, parameters

PLAIN = SearchSettings(engine="plain")
Part = FirstOrder | ExactHypergradient | FiniteDifference


@pytest.fixture(scope="module")
def expected(golden: dict) -> dict:
    return golden["supernet_C8_L4"]["darts"]["second_order"]


def gradient(part: Part, expected: dict) -> dict[str, Tensor]:
    """alpha's gradient as golden.json prescribes the case: weights, alpha, both batches, eta, weight decay."""
    supernet = fill(Supernet(DARTS, SupernetSpec(channels=8, layers=4, classes=10)))
    assert isinstance(supernet, Supernet)
    arch = ArchParameters(DARTS, beta=False, generator=torch.Generator()).double()
    with torch.no_grad():
        for q, alpha in enumerate(arch.alpha.values()):
            alpha.copy_(parameters(q, 14 * 8).view(14, 8))
    passes = SupernetPasses(replace(DARTS_V1, search=PLAIN), supernet, arch, Streams(0), Compute("cpu"))
    inputs = ArchStepInputs(
        arch_batch=Batch(images(4, 11), (torch.arange(4) + 3) % 10, torch.arange(4)),
        weights_batch=Batch(images(4, 7), torch.arange(4), torch.arange(4)),
        xi=expected["eta"],
        momentum=0.9,
        weight_decay=expected["weight_decay"],
        position=START,
    )
    problem = SupernetProblem(passes, inputs, torch.optim.SGD(supernet.parameters(), lr=0.1))
    return {name: value.detach() for name, value in part.gradient(problem).alpha.items()}


@pytest.fixture(scope="module")
def difference(expected: dict) -> dict[str, Tensor]:
    return gradient(FiniteDifference(), expected)


@pytest.fixture(scope="module")
def exact(expected: dict) -> dict[str, Tensor]:
    return gradient(ExactHypergradient(), expected)


def close(found: Tensor, wanted: object, rtol: float = 1e-7) -> None:
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64), rtol=rtol, atol=1e-11)


def norms(table: dict[str, Tensor]) -> Tensor:
    return torch.stack([table[name].norm() for name in ("normal", "reduce")])


def test_the_finite_difference_is_the_authors_second_order_gradient(expected, difference):
    close(difference["normal"], expected["grad_alpha_normal"])
    close(norms(difference), [expected["grad_alpha_normal_norm"], expected["grad_alpha_reduce_norm"]])


def test_the_exact_gradient_is_that_of_autograd_through_the_authors_virtual_step(expected, exact):
    close(exact["normal"][0], expected["exact_grad_alpha_normal_row0"])
    close(norms(exact), expected["exact_autograd_norms"])


def test_on_this_net_of_relus_the_finite_difference_is_as_far_from_the_exact_product_as_measured(
    expected, difference, exact
):
    apart = {name: difference[name] - exact[name] for name in exact}
    close(norms(apart) / norms(exact), expected["rel_err_fd_vs_exact"])


def test_first_order_on_the_same_batch_has_the_authors_norms(expected):
    close(norms(gradient(FirstOrder(), expected)), expected["first_order_same_valid_norms"])
