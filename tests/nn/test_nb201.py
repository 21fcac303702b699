"""The skeleton of NAS-Bench-201: sizes, wiring, the supernet and the networks within it."""

from __future__ import annotations

import csv
import random

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.errors import ConfigError, GenotypeError
from edgewise.methods import ArchParameters, Softmax
from edgewise.nn import (
    AveragePool,
    Hooks,
    Mixture,
    NB201Network,
    NB201Supernet,
    Network,
    NetworkSpec,
    ReductionBlock,
    Supernet,
    SupernetSpec,
    build_network,
    build_supernet,
    count_params,
    measure_cost,
    stage_lengths,
)
from edgewise.nn.nb201 import StagedCell, StagedSearchCell
from edgewise.spaces import AMOEBA, DARTS, NB201, Genotype, published, random_genotype
from edgewise.spaces.nb201 import all_genotypes, from_string, to_string

NONE, SKIP, CONV1, CONV3, POOL = range(5)
ALL_SKIP = published("NB201_DARTS")
ALL_NONE = from_string("|none~0|+|none~0|none~1|+|none~0|none~1|none~2|")


def network(genotype: Genotype = ALL_SKIP, **changes) -> NB201Network:
    torch.manual_seed(0)
    net = build_network(genotype, NetworkSpec(**{"channels": 4, "layers": 3, "classes": 5, **changes}))
    assert isinstance(net, NB201Network)
    return net


def supernet(*, channels: int = 4, layers: int = 3, k: int = 1, kept=None) -> NB201Supernet:
    torch.manual_seed(0)
    spec = SupernetSpec(channels=channels, layers=layers, classes=3, in_channels=1, k=k)
    net = build_supernet(NB201, spec, kept)
    assert isinstance(net, NB201Supernet)
    return net


def arch(*, beta: bool, scale: float = 1.0) -> ArchParameters:
    parameters = ArchParameters(NB201, beta=beta, generator=torch.Generator().manual_seed(0)).double()
    with torch.no_grad():
        for value in parameters.parameters():
            value.mul_(1e3 * scale)
    return parameters


def counts(genotype: Genotype) -> tuple[int, int]:
    """How many 3x3 and 1x1 convolutions a cell has."""
    primitives = [edge.primitive for edge in genotype.cells["cell"].edges]
    return primitives.count("nor_conv_3x3"), primitives.count("nor_conv_1x1")


def of_counts(n3: int, n1: int) -> Genotype:
    """A cell with so many convolutions, on edges drawn at random, and other primitives on the rest."""
    rng = random.Random(10 * n3 + n1)
    primitives = ["nor_conv_3x3"] * n3 + ["nor_conv_1x1"] * n1
    primitives += rng.choices(["none", "skip_connect", "avg_pool_3x3"], k=6 - n3 - n1)
    rng.shuffle(primitives)
    a, b, c, d, e, f = primitives
    return from_string(f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|")


def benchmark_network(genotype: Genotype) -> NB201Network:
    """The benchmark's size (C 16, N 5, 10 classes), without data."""
    with torch.device("meta"):
        return network(genotype, channels=16, layers=15, classes=10)


# All 28 ways to have so many 3x3 and 1x1 convolutions on six edges.
MIXES = [(n3, n1) for n3 in range(7) for n1 in range(7 - n3)]


def params_of(n3: int, n1: int) -> int:
    return 73_306 + 243_040 * n3 + 28_000 * n1


def macs_of(n3: int, n1: int) -> int:
    return 7_783_040 + 35_389_440 * n3 + 3_932_160 * n1


@pytest.mark.parametrize(("n3", "n1"), MIXES)
def test_a_network_has_the_benchmarks_parameters_whatever_its_convolutions_and_where_they_stand(n3, n1):
    assert count_params(benchmark_network(of_counts(n3, n1))) == params_of(n3, n1)


@pytest.mark.parametrize(("n3", "n1"), [(0, 0), (2, 3), (6, 0)])
def test_a_network_has_the_benchmarks_multiply_adds(n3, n1):
    cost = measure_cost(benchmark_network(of_counts(n3, n1)), image_size=32, in_channels=3)
    assert (cost.params, cost.macs) == (params_of(n3, n1), macs_of(n3, n1))


@pytest.mark.slow
@pytest.mark.parametrize(("n3", "n1"), MIXES)
def test_the_multiply_adds_of_every_mix_are_the_benchmarks(n3, n1):
    cost = measure_cost(benchmark_network(of_counts(n3, n1)), image_size=32, in_channels=3)
    assert cost.macs == macs_of(n3, n1)


@pytest.mark.slow
def test_the_weights_of_each_of_the_15625_cells_are_those_of_its_convolutions():
    # With the sizes of all mixes, which are built whole, this settles every network: its other parts are the same.
    with torch.device("meta"):
        for genotype in all_genotypes():
            n3, n1 = counts(genotype)
            assert count_params(StagedCell(genotype.cells["cell"], 2)) == n3 * (36 + 4) + n1 * (4 + 4)


def test_the_benchmarks_table_gives_all_15625_these_sizes_and_10_operations_more_for_the_biases(shared_data):
    path = shared_data / "nb201.csv"
    if not path.is_file():
        pytest.skip(f"no table of NAS-Bench-201 at {path}")
    with path.open() as file:
        sizes = {row["arch"]: (int(row["params"]), int(row["flops"])) for row in csv.DictReader(file)}
    for genotype in all_genotypes():
        mix = counts(genotype)
        assert sizes.pop(to_string(genotype)) == (params_of(*mix), macs_of(*mix) + 10)
    assert not sizes


def test_the_supernet_of_the_benchmarks_size_has_1692826_weights():
    with torch.device("meta"):
        net = build_supernet(NB201, SupernetSpec(channels=16, layers=15, classes=10))
    assert count_params(net) == 1_692_826


@pytest.mark.parametrize(("channels", "layers", "k"), [(16, 3, 1), (8, 6, 1), (16, 15, 4), (4, 5, 2)])
def test_a_smaller_supernet_has_the_weights_counted_by_hand(channels, layers, k):
    widths = [channels, 2 * channels, 4 * channels]
    outside = 27 * channels + 2 * channels + 2 * widths[2] + (widths[2] + 1) * 10
    between = sum(9 * c * 2 * c + 9 * (2 * c) ** 2 + 8 * c + 2 * c * c for c in widths[:2])
    cell = [6 * (10 * (c // k) ** 2 + 2 * (c // k)) for c in widths]
    inside = sum(n * each for n, each in zip(stage_lengths(layers), cell, strict=True))
    with torch.device("meta"):
        net = build_supernet(NB201, SupernetSpec(channels=channels, layers=layers, classes=10, k=k))
    assert count_params(net) == outside + between + inside


@pytest.mark.parametrize(
    ("layers", "expected"), [(3, (1, 1, 1)), (4, (2, 1, 1)), (5, (2, 2, 1)), (15, (5, 5, 5)), (17, (6, 6, 5))]
)
def test_cells_are_spread_over_the_stages_and_the_first_stages_get_what_is_left(layers, expected):
    assert stage_lengths(layers) == expected
    for net in (network(layers=layers), supernet(layers=layers)):
        assert tuple(map(len, net.stages)) == expected
        assert len(net.reductions) == 2


def test_channels_double_and_sides_halve_between_stages_alone():
    net, shapes = network(layers=5), []
    for stage in net.stages:
        for cell in stage:
            cell.register_forward_hook(lambda _module, _inputs, output: shapes.append(tuple(output.shape[1:])))
    assert net(torch.randn(2, 3, 9, 9)).shape == (2, 5)
    assert shapes == [(4, 9, 9), (4, 9, 9), (8, 5, 5), (8, 5, 5), (16, 3, 3)]


@pytest.mark.parametrize("stem", ["cifar", "half", "imagenet"])
@pytest.mark.parametrize("side", [32, 37])
def test_a_network_with_any_stem_takes_grey_images_of_even_and_odd_sides(stem, side):
    net = network(published("NB201_best_cifar10"), stem=stem, in_channels=1)
    assert torch.isfinite(net(torch.randn(2, 1, side, side))).all()


def test_the_residual_block_is_two_convolutions_beside_a_pooled_shortcut_without_batch_norm():
    block = ReductionBlock(2, 3).double()
    x = torch.randn(4, 2, 6, 6, dtype=torch.float64)
    first, second = (part[1].weight for part in (block.first, block.second))  # type: ignore[index]
    out = F.batch_norm(F.conv2d(F.relu(x), first, stride=2, padding=1), None, None, training=True)
    out = F.batch_norm(F.conv2d(F.relu(out), second, padding=1), None, None, training=True)
    expected = out + F.conv2d(F.avg_pool2d(x, 2), block.shortcut[1].weight)
    torch.testing.assert_close(block(x), expected)


def test_the_stem_has_c_channels_and_the_head_begins_with_batch_norm_and_relu():
    net = network(ALL_NONE, channels=6)
    assert [tuple(p.shape) for p in net.stem.parameters()] == [(6, 3, 3, 3), (6,), (6,)]
    features = net.head.features
    assert [type(part) for part in features] == [nn.BatchNorm2d, nn.ReLU, nn.AdaptiveAvgPool2d]
    assert features[0].num_features == 24


def cell(text: str) -> StagedCell:
    return StagedCell(from_string(text).cells["cell"], 2)


def test_a_node_is_the_sum_of_its_edges_and_the_output_is_the_last_node():
    x = torch.randn(3, 2, 4, 4)
    torch.testing.assert_close(StagedCell(ALL_SKIP.cells["cell"], 2)(x, None), 4 * x)
    chain = "|skip_connect~0|+|none~0|skip_connect~1|+|none~0|none~1|skip_connect~2|"
    torch.testing.assert_close(cell(chain)(x, None), x)
    pooled = F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
    two = "|avg_pool_3x3~0|+|none~0|none~1|+|skip_connect~0|avg_pool_3x3~1|skip_connect~2|"
    expected = x + F.avg_pool2d(pooled, 3, 1, 1, count_include_pad=False)
    torch.testing.assert_close(cell(two)(x, None), expected)


def test_a_cell_of_none_gives_zeros_and_a_network_of_it_still_learns():
    x = torch.randn(3, 2, 4, 4)
    assert torch.equal(StagedCell(ALL_NONE.cells["cell"], 2)(x, None), torch.zeros_like(x))
    net = network(ALL_NONE)
    F.cross_entropy(net(torch.randn(4, 3, 8, 8)), torch.arange(4)).backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)
    assert net.head.classifier.bias.grad.any()


def test_drop_path_meets_every_edge_of_a_cell_but_skips_and_none():
    seen: list[Tensor] = []

    def note(x: Tensor) -> Tensor:
        seen.append(x)
        return x

    text = "|nor_conv_3x3~0|+|none~0|avg_pool_3x3~1|+|skip_connect~0|none~1|nor_conv_1x1~2|"
    net = network(from_string(text), layers=4)
    logits, auxiliary = net.training_forward(torch.randn(2, 3, 8, 8), note)  # type: ignore[arg-type]
    assert (logits.shape, auxiliary) == ((2, 5), None)
    assert len(seen) == 4 * 3


def test_an_auxiliary_head_is_refused_with_what_to_do():
    with pytest.raises(ConfigError, match=r"no auxiliary head.* set train\.auxiliary to 0"):
        network(auxiliary=True)


def test_the_skeleton_of_a_space_decides_which_modules_are_built():
    spec, size = NetworkSpec(channels=4, layers=3, classes=2), SupernetSpec(channels=4, layers=3, classes=2)
    assert type(build_network(ALL_SKIP, spec)) is NB201Network
    assert type(build_network(published("NASNet"), spec)) is Network
    assert type(build_supernet(NB201, size)) is NB201Supernet
    assert type(build_supernet(DARTS, size)) is Supernet


def test_a_space_that_cannot_be_searched_and_a_genotype_of_no_space_are_refused():
    with pytest.raises(ConfigError, match="space amoeba has no supernet"):
        build_supernet(AMOEBA, SupernetSpec(channels=4, layers=3, classes=2))
    unknown = Genotype("nb301", dict(ALL_SKIP.cells))
    with pytest.raises(GenotypeError, match="unknown space 'nb301'"):
        build_network(unknown, NetworkSpec(channels=4, layers=3, classes=2))


def search_cell(k: int = 1) -> StagedSearchCell:
    return StagedSearchCell(NB201, 4, SupernetSpec(4, 3, 2, k=k), None)


def test_row_e_of_the_mixture_belongs_to_edge_e_in_the_order_by_target_then_source():
    x = torch.randn(3, 4, 5, 5)
    a, b, c, d, e, f = 2.0, 3.0, 5.0, 7.0, 11.0, 13.0
    weights = torch.zeros(6, 5)
    weights[:, SKIP] = torch.tensor([a, b, c, d, e, f])
    factor = d + e * a + f * (b + c * a)
    torch.testing.assert_close(search_cell()(x, Mixture(weights), None, Hooks()), factor * x)
    halves = torch.tensor([1.0, 1.0, 1.0, 0.5, 0.0, 0.0])
    torch.testing.assert_close(search_cell()(x, Mixture(weights), halves, Hooks()), 0.5 * d * x)


def transfer(net: NB201Supernet, derived: NB201Network) -> None:
    """Copies a supernet's weights into the network of a genotype within it."""
    for name in ("stem", "reductions", "head"):
        getattr(derived, name).load_state_dict(getattr(net, name).state_dict())
    for searched_stage, derived_stage in zip(net.stages, derived.stages, strict=True):
        for searched, single in zip(searched_stage, derived_stage, strict=True):
            for edge, module in zip(single.cell.connected, single.operations, strict=True):
                row = NB201.topology.edges.index((edge.source, edge.target))
                column = NB201.primitives.index(edge.primitive)
                source = searched.edges[row].mixed.operations[str(column)]
                if "conv" in edge.primitive:
                    with torch.no_grad():
                        module[1].weight.copy_(source[1].weight)


@pytest.mark.parametrize("seed", range(8))
def test_a_supernet_with_a_cells_one_hot_mixture_is_the_network_of_that_cell(seed):
    genotype = random_genotype(NB201, random.Random(seed))
    net = supernet(layers=4).double()
    derived = build_network(genotype, NetworkSpec(channels=4, layers=4, classes=3, in_channels=1)).double()
    transfer(net, derived)  # type: ignore[arg-type]
    weights = torch.zeros(6, 5, dtype=torch.float64)
    for edge in genotype.cells["cell"].edges:
        row = NB201.topology.edges.index((edge.source, edge.target))
        weights[row, NB201.primitives.index(edge.primitive)] = 1.0
    x = torch.randn(4, 1, 8, 8, dtype=torch.float64)
    expected = derived(x)
    for active in (None, weights > 0):
        got = net(x, {"cell": Mixture(weights, active)})
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("k", [1, 2])
def test_gradients_of_a_whole_supernet_in_alpha_and_beta_are_those_of_finite_differences(k):
    net, parameters = supernet(k=k).double(), arch(beta=True)
    x, y = torch.randn(4, 1, 6, 6, dtype=torch.float64), torch.tensor([0, 1, 2, 0])

    def loss(*_values):
        logits = net(x, parameters.mixture(Softmax()), parameters.edge_weights())
        return F.cross_entropy(logits, y)

    assert torch.autograd.gradcheck(loss, tuple(parameters.parameters()), atol=1e-7)


def test_inactive_and_missing_operations_are_never_called():
    kept = [[o in (NONE, SKIP, CONV3) for o in range(5)] for _ in range(6)]
    net, calls = supernet(kept={"cell": kept}), []
    for stage in net.stages:
        for searched in stage:
            for e, edge in enumerate(searched.edges):
                assert set(edge.mixed.operations) == {str(NONE), str(SKIP), str(CONV3)}
                for o, module in edge.mixed.operations.items():
                    module.register_forward_hook(lambda *_, e=e, o=int(o): calls.append((e, o)))
    chosen = [SKIP, CONV3, NONE, CONV3, SKIP, CONV3]
    active = torch.zeros(6, 5, dtype=torch.bool)
    active[range(6), chosen] = True
    net(torch.randn(2, 1, 8, 8), {"cell": Mixture(torch.full((6, 5), 0.2), active)})
    assert sorted(calls) == sorted(list(enumerate(chosen)) * 3)


def test_hooks_meet_every_operation_and_every_edge_of_every_cell():
    operations, edges = [], []

    def on_operation(primitive: str, stride: int, out: Tensor) -> Tensor:
        operations.append((primitive, stride))
        return out

    def on_edge(out: Tensor) -> Tensor:
        edges.append(tuple(out.shape))
        return out

    mixture = {"cell": Mixture(torch.full((6, 5), 0.2))}
    net = supernet(channels=8, layers=4, k=4)
    net(torch.randn(2, 1, 8, 8), mixture, None, Hooks(on_operation, on_edge))
    assert len(edges) == 4 * 6
    assert {shape[1] for shape in edges} == {8, 16, 32}
    expected = {(primitive, 1) for primitive in NB201.primitives if primitive != "none"}
    assert set(operations) == expected
    assert len(operations) == 4 * 6 * 4


def test_no_batch_norm_of_a_searched_cell_has_an_affine_part_and_none_stands_behind_a_pool():
    net = supernet()
    assert all(m.affine for part in (net.stem, net.reductions, net.head) for m in norms(part))
    inside = norms(net.stages)
    assert len(inside) == 3 * 6 * 2
    assert not any(norm.affine for norm in inside)
    assert type(net.stages[0][0].edges[0].mixed.operations[str(POOL)]) is AveragePool  # type: ignore[index]


def norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]


def test_a_supernet_owns_no_architecture_parameters():
    names = [name for name, _ in supernet().named_parameters()]
    assert names
    assert not any("alpha" in name or "beta" in name for name in names)
