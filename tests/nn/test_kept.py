"""Supernets whose edges carry some primitives only: what exists, what counts, how large they are."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from edgewise.methods import ArchParameters, Softmax
from edgewise.nn import Mixture, Supernet, SupernetSpec, count_params
from edgewise.nn.supernet import supernet_operation
from edgewise.spaces import DARTS, CellSpace, Topology, space

SMALL = CellSpace("small", Topology.dense(2, 2), DARTS.primitives)
SPEC = SupernetSpec(channels=4, layers=3, classes=3, in_channels=1)
STREAM = 3


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(STREAM)


def random_masks(where: CellSpace, share: float = 0.5) -> dict[str, Tensor]:
    """For each cell type, which primitives an edge has: one for sure, the others by chance."""
    shape = (len(where.topology.edges), len(where.primitives))
    stream = generator()
    masks = {}
    for name in where.cell_types:
        mask = torch.rand(shape, generator=stream) < share
        mask[torch.arange(shape[0]), torch.randint(shape[1], (shape[0],), generator=stream)] = True
        masks[name] = mask
    return masks


def lists(masks: dict[str, Tensor]) -> dict[str, list[list[bool]]]:
    return {name: mask.tolist() for name, mask in masks.items()}


@pytest.mark.parametrize(
    ("name", "layers", "expected"),
    [
        ("darts", 8, 1_930_618),
        ("darts", 5, 1_275_834),
        ("darts", 11, 2_585_146),
        ("darts", 17, 3_894_202),
        ("s1", 8, 405_146),
        ("s2", 8, 665_466),
        ("s3", 8, 665_466),
        ("s4", 8, 624_506),
    ],
)
def test_supernets_have_the_authors_number_of_weights(name, layers, expected):
    spec = SupernetSpec(channels=16, layers=layers, classes=10)
    assert count_params(Supernet(space(name), spec)) == expected


def test_partial_channels_have_the_authors_number_of_weights():
    assert count_params(Supernet(DARTS, SupernetSpec(channels=16, layers=8, classes=10, k=4))) == 299_578


@pytest.mark.parametrize("name", ["s1", "s2", "s3", "s4"])
def test_an_edge_has_exactly_the_operations_that_the_space_allows_it(name):
    where = space(name)
    for cell in Supernet(where, SPEC).cells:
        for e, edge in enumerate(cell.edges):
            there = [where.primitives[int(i)] for i in edge.mixed.operations]
            assert there == list(where.on_edge(cell.cell_type, e))


def test_an_edge_has_exactly_the_operations_that_are_kept_each_with_its_place():
    masks = random_masks(SMALL)
    for cell in Supernet(SMALL, SPEC, lists(masks)).cells:
        for e, edge in enumerate(cell.edges):
            assert [int(i) for i in edge.mixed.operations] == masks[cell.cell_type][e].nonzero().flatten().tolist()
            for i, module in edge.mixed.operations.items():
                twin = supernet_operation(SMALL.primitives[int(i)], module_channels(cell), edge.stride)
                assert str(module) == str(twin)


def module_channels(cell) -> int:
    return cell.preprocess.previous[1].out_channels


def test_a_dropped_operation_takes_its_weights_with_it():
    masks = random_masks(SMALL)
    full, less = Supernet(SMALL, SPEC), Supernet(SMALL, SPEC, lists(masks))
    dropped = sum(
        count_params(module)
        for cell in full.cells
        for e, edge in enumerate(cell.edges)
        for i, module in edge.mixed.operations.items()
        if not masks[cell.cell_type][e, int(i)]
    )
    assert dropped > 0
    assert count_params(less) == count_params(full) - dropped


def test_all_kept_is_no_mask_bit_for_bit():
    everything = {name: torch.ones(5, 8, dtype=torch.bool) for name in SMALL.cell_types}
    nets = []
    for kept in (None, lists(everything)):
        torch.manual_seed(0)
        nets.append(Supernet(SMALL, SPEC, kept))
    x = torch.randn(4, 1, 8, 8)
    plain = ArchParameters(SMALL, beta=False, generator=generator())
    masked = ArchParameters(SMALL, beta=False, generator=generator(), kept=everything)
    assert torch.equal(nets[0](x, plain.mixture(Softmax())), nets[1](x, masked.mixture(Softmax())))


def test_a_supernet_with_dropped_operations_is_the_whole_one_with_these_weighed_0():
    masks = random_masks(SMALL)
    less, full = Supernet(SMALL, SPEC, lists(masks)).double(), Supernet(SMALL, SPEC).double()
    full.load_state_dict(less.state_dict(), strict=False)
    arch = ArchParameters(SMALL, beta=False, generator=generator(), kept=masks).double()
    mixture = arch.mixture(Softmax())
    for name, value in mixture.items():
        assert not value.weights[~masks[name]].any()
        torch.testing.assert_close(value.weights.sum(1), torch.ones(5, dtype=torch.float64))
    x = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    torch.testing.assert_close(less(x, mixture), full(x, mixture), rtol=1e-10, atol=1e-12)


def test_alphas_of_dropped_primitives_get_no_gradient_and_all_others_do():
    # Two or more on each edge: the share of a single one is 1 whatever its alpha is.
    masks = random_masks(SMALL)
    for mask in masks.values():
        mask[:, [3, 4]] = True
    net = Supernet(SMALL, SPEC, lists(masks)).double()
    arch = ArchParameters(SMALL, beta=False, generator=generator(), kept=masks).double()
    loss = net(torch.randn(4, 1, 8, 8, dtype=torch.float64), arch.mixture(Softmax())).square().sum()
    for name, gradient in zip(arch.alpha, torch.autograd.grad(loss, list(arch.alpha.values())), strict=True):
        assert torch.equal(gradient != 0, masks[name])


def test_an_edge_that_kept_none_alone_gives_zeros_of_the_right_shape():
    masks = {name: torch.zeros(5, 8, dtype=torch.bool) for name in SMALL.cell_types}
    for mask in masks.values():
        mask[:, 0] = True
    net = Supernet(SMALL, SPEC, lists(masks))
    logits = net(torch.randn(2, 1, 8, 8), {name: Mixture(mask.float()) for name, mask in masks.items()})
    torch.testing.assert_close(logits, net.classifier.bias.expand(2, 3))


@pytest.mark.parametrize("name", ["s1", "s2", "s3", "s4"])
def test_alphas_of_a_space_know_what_its_edges_may_carry(name):
    where = space(name)
    arch = ArchParameters(where, beta=False, generator=generator())
    for cell_type, shares in arch.strengths(Softmax()).items():
        for e, row in enumerate(shares.tolist()):
            there = {p for p, share in zip(where.primitives, row, strict=True) if share > 0}
            assert there == set(where.on_edge(cell_type, e))
            assert sum(row) == pytest.approx(1.0)


def test_the_mask_of_kept_primitives_is_saved_with_alpha():
    masks = random_masks(SMALL)
    arch = ArchParameters(SMALL, beta=True, generator=generator(), kept=masks)
    other = ArchParameters(SMALL, beta=True, generator=torch.Generator(), kept=random_masks(SMALL, 0.1))
    other.load_state_dict(arch.state_dict())
    for name in SMALL.cell_types:
        assert torch.equal(other.kept(name), masks[name])
        assert torch.equal(other.alpha[name], arch.alpha[name])
