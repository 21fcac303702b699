"""The supernet: wiring, flags, gradients."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgewise.errors import ConfigError
from edgewise.methods import ArchParameters, Softmax
from edgewise.nn import Mixture, SearchCell, Supernet, SupernetSpec, reduction_layers
from edgewise.nn.cell import CellPlace
from edgewise.spaces import AMOEBA, DARTS, CellSpace, Topology

SMALL = CellSpace("small", Topology.dense(2, 2), DARTS.primitives)
SKIP = DARTS.primitives.index("skip_connect")


def arch(space: CellSpace, *, beta: bool) -> ArchParameters:
    return ArchParameters(space, beta=beta, generator=torch.Generator().manual_seed(0))


def supernet(space: CellSpace = SMALL, *, channels: int = 4, k: int = 1) -> Supernet:
    torch.manual_seed(0)
    return Supernet(space, SupernetSpec(channels=channels, layers=3, classes=3, in_channels=1, k=k))


def one_skip_cell() -> SearchCell:
    """A normal cell with two different inputs, and preprocessing that changes nothing."""
    cell = SearchCell(
        DARTS, CellPlace("normal", 2, 2, 2, reduce=False, reduce_previous=False), SupernetSpec(2, 3, 2)
    )
    cell.preprocess.before = cell.preprocess.previous = nn.Identity()
    return cell


def test_with_k_1_a_supernet_is_darts_without_partial_channel_edges_bit_for_bit():
    net, parameters = supernet(), arch(SMALL, beta=False)
    x, mixture = torch.randn(4, 1, 8, 8), parameters.mixture(Softmax())
    leaves = list(parameters.alpha.values())

    def logits_and_gradients():
        logits = net(x, mixture)
        return [logits, *torch.autograd.grad(logits.logsumexp(1).sum(), leaves, retain_graph=True)]

    with_edges = logits_and_gradients()
    for cell in net.cells:
        for e, edge in enumerate(list(cell.edges)):
            cell.edges[e] = edge.mixed
    without = logits_and_gradients()
    assert all(torch.equal(a, b) for a, b in zip(with_edges, without, strict=True))


def test_row_e_of_the_mixture_belongs_to_edge_e_in_the_order_by_target_then_source():
    order = [(source, target) for target in (2, 3, 4, 5) for source in range(target)]
    cell, before, previous = one_skip_cell(), torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    for e, (source, target) in enumerate(order):
        weights = torch.zeros(14, 8)
        if source >= 2:
            weights[order.index((1, source)), SKIP] = 3.0
        weights[e, SKIP] = 2.0
        blocks = cell(before, previous, Mixture(weights), None).chunk(4, dim=1)
        expected = 2.0 * (before if source == 0 else previous if source == 1 else 3.0 * previous)
        torch.testing.assert_close(blocks[target - 2], expected)
        others = {target, source} if source >= 2 else {target}
        assert not any(block.any() for node, block in enumerate(blocks, 2) if node not in others)


def test_an_edge_weight_multiplies_its_edge_alone():
    cell, before, previous = one_skip_cell(), torch.randn(3, 2, 4, 4), torch.randn(3, 2, 4, 4)
    weights = torch.zeros(14, 8)
    weights[:2, SKIP] = 1.0
    factors = torch.full((14,), 7.0)
    factors[:2] = torch.tensor([0.25, 0.75])
    out = cell(before, previous, Mixture(weights), factors).chunk(4, dim=1)
    torch.testing.assert_close(out[0], 0.25 * before + 0.75 * previous)


def test_edges_from_cell_inputs_have_stride_2_in_reduction_cells_and_all_others_stride_1():
    for index, cell in enumerate(supernet(DARTS).cells):
        expected = [2 if index in reduction_layers(3) and source < 2 else 1 for source, _ in DARTS.topology.edges]
        assert [edge.stride for edge in cell.edges] == expected


def test_normal_and_reduction_cells_read_their_own_mixture_and_edge_weights():
    net, parameters = supernet(), arch(SMALL, beta=True)
    x = torch.randn(4, 1, 8, 8)
    base = net(x, parameters.mixture(Softmax()), parameters.edge_weights())
    for table in (parameters.alpha, parameters.beta):
        for name in SMALL.cell_types:
            saved = table[name].detach().clone()
            with torch.no_grad():
                table[name].copy_(torch.randn_like(saved))
            assert not torch.equal(net(x, parameters.mixture(Softmax()), parameters.edge_weights()), base)
            with torch.no_grad():
                table[name].copy_(saved)


def test_inactive_operations_of_a_supernet_are_never_called():
    net = supernet()
    active = torch.zeros(5, 8, dtype=torch.bool)
    chosen = [3, 4, 1, 6, 3]
    active[range(5), chosen] = True
    calls: dict[tuple[int, int], int] = {}

    def note(e, o):
        calls[e, o] = calls.get((e, o), 0) + 1

    for cell in net.cells:
        for e, edge in enumerate(cell.edges):
            for o, module in edge.mixed.operations.items():
                module.register_forward_hook(lambda *_, e=e, o=int(o): note(e, o))
    mixture = Mixture(torch.full((5, 8), 0.125), active)
    net(torch.randn(2, 1, 8, 8), dict.fromkeys(SMALL.cell_types, mixture))
    assert calls == dict.fromkeys(enumerate(chosen), 3)


def test_no_batch_norm_inside_the_cells_has_an_affine_part_and_the_stems_has():
    net = supernet(DARTS)
    assert all(m.affine for m in net.stem.modules() if isinstance(m, nn.BatchNorm2d))
    norms = [m for cell in net.cells for m in cell.modules() if isinstance(m, nn.BatchNorm2d)]
    assert len(norms) > 100
    assert not any(norm.affine for norm in norms)


def test_a_supernet_owns_no_architecture_parameters():
    names = [name for name, _ in supernet().named_parameters()]
    assert names
    assert not any("alpha" in name or "beta" in name for name in names)


@pytest.mark.parametrize("k", [1, 2])
def test_gradients_of_a_whole_supernet_in_alpha_and_beta_are_those_of_finite_differences(k):
    net = supernet(k=k).double()
    parameters = arch(SMALL, beta=True).double()
    with torch.no_grad():
        for value in parameters.parameters():
            value.copy_(torch.randn_like(value))
    x, y = torch.randn(4, 1, 6, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 0])

    def loss(*_values):
        logits = net(x, parameters.mixture(Softmax()), parameters.edge_weights())
        return nn.functional.cross_entropy(logits, y)

    assert torch.autograd.gradcheck(loss, tuple(parameters.parameters()), atol=1e-7)


def test_an_odd_image_passes_a_supernet_with_partial_channels():
    net, parameters = supernet(channels=8, k=4), arch(SMALL, beta=True)
    logits = net(torch.randn(3, 1, 7, 9), parameters.mixture(Softmax()), parameters.edge_weights())
    assert logits.shape == (3, 3)
    assert torch.isfinite(logits).all()


def test_a_space_that_cannot_be_searched_has_no_supernet():
    with pytest.raises(ConfigError, match="space amoeba has no supernet"):
        Supernet(AMOEBA, SupernetSpec(channels=4, layers=3, classes=2))


@pytest.mark.parametrize("layers", [0, 2])
def test_a_supernet_of_fewer_than_3_cells_is_refused_with_the_number(layers):
    with pytest.raises(ConfigError, match=f"layers is {layers}: .* at least 3"):
        SupernetSpec(channels=4, layers=layers, classes=2)


@pytest.mark.parametrize(("channels", "k"), [(16, 3), (12, 4), (6, 6), (7, 1), (4, 0), (0, 4), (-8, 4)])
def test_channels_that_do_not_give_an_even_positive_share_are_refused(channels, k):
    with pytest.raises(ConfigError, match=f"channels {channels} / K {k}: "):
        SupernetSpec(channels=channels, layers=3, classes=2, k=k)


def test_channels_that_do_not_fit_are_refused_with_channels_that_do():
    with pytest.raises(ConfigError, match="for instance channels = 8, 16 or 32"):
        SupernetSpec(channels=6, layers=3, classes=2, k=4)
    for channels in (8, 16, 32):
        SupernetSpec(channels=channels, layers=3, classes=2, k=4)
