"""Architecture parameters, their mixture, their gradient."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from edgewise.errors import NonFiniteError
from edgewise.methods import ArchParameters, FirstOrder, Softmax, softmax_into_nodes
from edgewise.methods.schedule import cosine
from edgewise.nn import Supernet, SupernetSpec
from edgewise.spaces import DARTS, CellSpace, Topology
from tests.methods.rows import GROUPS


def arch(*, beta: bool = True, seed: int = 0) -> ArchParameters:
    return ArchParameters(DARTS, beta=beta, generator=torch.Generator().manual_seed(seed))


def test_alpha_and_beta_start_as_a_thousandth_of_standard_normal_numbers():
    values = torch.cat([p.detach().flatten() for seed in range(20) for p in arch(seed=seed).parameters()])
    assert len(values) == 20 * 2 * (112 + 14)
    assert values.std().item() == pytest.approx(1e-3, rel=0.05)
    assert abs(values.mean().item()) < 1e-4
    assert values.abs().max() > 2.5e-3


def test_there_is_an_alpha_a_cell_and_a_beta_only_where_edges_are_weighed():
    both = arch()
    assert {name: tuple(a.shape) for name, a in both.alpha.items()} == {"normal": (14, 8), "reduce": (14, 8)}
    assert {name: tuple(b.shape) for name, b in both.beta.items()} == {"normal": (14,), "reduce": (14,)}
    assert not torch.equal(both.alpha["normal"], both.alpha["reduce"])
    without = arch(beta=False)
    assert len(without.beta) == 0
    assert without.edge_weights() is None


def test_start_values_follow_from_the_stream_and_beta_does_not_shift_alpha():
    before = torch.get_rng_state()
    first, same, other, without = arch(), arch(), arch(seed=1), arch(beta=False)
    assert torch.equal(torch.get_rng_state(), before)
    for name in DARTS.cell_types:
        assert torch.equal(first.alpha[name], same.alpha[name])
        assert torch.equal(first.alpha[name], without.alpha[name])
        assert not torch.equal(first.alpha[name], other.alpha[name])


def test_edge_weights_sum_to_1_over_the_edges_into_each_node():
    weights = softmax_into_nodes(3 * torch.randn(14), DARTS)
    for group in GROUPS["in"]:
        assert weights[list(group)].sum().item() == pytest.approx(1.0)
    equal = softmax_into_nodes(torch.zeros(14), DARTS)
    torch.testing.assert_close(equal, torch.tensor([1 / 2] * 2 + [1 / 3] * 3 + [1 / 4] * 4 + [1 / 5] * 5))


@pytest.mark.parametrize("edges", [((1, 3), (0, 2), (0, 3), (1, 2), (2, 3)), ((0, 3), (1, 2))])
def test_edge_weights_follow_the_edges_in_whatever_order_they_stand(edges):
    topology = Topology(2, 2, edges)
    rows = torch.randn(3, len(edges), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weights = softmax_into_nodes(rows, CellSpace("mixed up", topology, DARTS.primitives))
    for node in (2, 3):
        into = list(topology.into(node))
        torch.testing.assert_close(weights[:, into], rows[:, into].softmax(-1), rtol=1e-12, atol=0)


def test_an_edge_weight_depends_on_the_betas_of_its_own_node_alone():
    jacobian = torch.autograd.functional.jacobian(lambda b: softmax_into_nodes(b, DARTS), torch.randn(14))
    expected = torch.zeros(14, 14, dtype=torch.bool)
    for group in GROUPS["in"]:
        for e in group:
            expected[e, list(group)] = True
    assert torch.equal(jacobian != 0, expected)


def test_edge_weights_of_each_cell_are_the_softmax_of_its_own_beta():
    parameters = arch()
    weights = parameters.edge_weights()
    assert set(weights) == {"normal", "reduce"}
    for name, beta in parameters.beta.items():
        for group in GROUPS["in"]:
            torch.testing.assert_close(weights[name][list(group)], beta[list(group)].softmax(0))


def test_the_softmax_mixture_has_rows_that_sum_to_1_and_evaluates_all_operations():
    alpha = torch.tensor([[0.0, 1.0], [2.0, 2.0]], requires_grad=True)
    mixture = Softmax().mixture(alpha)
    e = 2.718281828
    torch.testing.assert_close(mixture.weights.detach(), torch.tensor([[1 / (1 + e), e / (1 + e)], [0.5, 0.5]]))
    assert mixture.active is None
    assert torch.autograd.grad(mixture.weights[0, 0], alpha)[0][0, 0] > 0


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_non_finite_alphas_are_counted_and_their_edges_named(value):
    parameters = arch()
    parameters.check_finite("at epoch 17")
    with torch.no_grad():
        parameters.alpha["reduce"][[4, 9, 9], [1, 2, 5]] = value
    with pytest.raises(NonFiniteError) as caught:
        parameters.check_finite("at epoch 17")
    message = str(caught.value)
    assert "alpha of the reduction cell has 3 non-finite entries of 112 at epoch 17 (edges 4, 9)" in message


def test_non_finite_betas_are_counted_and_their_edges_named():
    parameters = arch()
    with torch.no_grad():
        parameters.beta["normal"][13] = float("nan")
    with pytest.raises(NonFiniteError, match=r"beta of the normal cell has 1 non-finite entries of 14 .*edges 13"):
        parameters.check_finite("at epoch 2")


@pytest.mark.parametrize("beta", [True, False])
def test_the_first_order_gradient_is_autograds_and_touches_no_grad(beta):
    torch.manual_seed(0)
    parameters = arch(beta=beta)
    net = Supernet(DARTS, SupernetSpec(channels=4, layers=3, classes=3, in_channels=1, k=2))
    logits = net(torch.randn(4, 1, 8, 8), parameters.mixture(Softmax()), parameters.edge_weights())
    loss = nn.functional.cross_entropy(logits, torch.tensor([0, 1, 2, 0]))
    assert all(p.grad is None for p in parameters.parameters())
    expected = torch.autograd.grad(loss, list(parameters.parameters()), retain_graph=True)
    asked = []

    def differentiate(value, inputs):
        asked.extend(inputs)
        return torch.autograd.grad(value, inputs)

    problem = SimpleNamespace(arch=parameters, arch_loss=lambda: loss, differentiate=differentiate)
    gradient = FirstOrder().gradient(problem)  # type: ignore[arg-type]
    assert {id(p) for p in asked} == {id(p) for p in parameters.parameters()}
    named = dict(zip((name for name, _ in parameters.named_parameters()), expected, strict=True))
    assert set(gradient.alpha) == {"normal", "reduce"}
    assert set(gradient.beta) == ({"normal", "reduce"} if beta else set())
    for kind, table in (("alpha", gradient.alpha), ("beta", gradient.beta)):
        for cell, value in table.items():
            assert torch.equal(value, named[f"{kind}.{cell}"])
            assert value.any()
    assert all(p.grad is None for p in (*net.parameters(), *parameters.parameters()))


@pytest.mark.parametrize(("epoch", "expected"), [(0, 0.1), (25, 0.055), (50, 0.01)])
def test_the_cosine_starts_at_lr_passes_the_middle_halfway_and_ends_at_lr_min(epoch, expected):
    assert cosine(epoch, 50, lr=0.1, lr_min=0.01) == pytest.approx(expected)


def test_the_cosine_falls_and_is_flat_at_both_ends():
    rates = [cosine(epoch, 50, lr=1.0, lr_min=0.0) for epoch in range(51)]
    drops = [a - b for a, b in pairwise(rates)]
    assert min(drops) > 0
    assert drops[0] < 0.1 * max(drops) > drops[-1]
    assert drops.index(max(drops)) in (24, 25)
