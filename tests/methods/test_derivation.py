"""From alpha and beta to cells."""

from __future__ import annotations

import pytest
import torch

from edgewise.errors import NonFiniteError
from edgewise.methods import ArchParameters, SkipLimit, Softmax, TopEdges, derive
from edgewise.spaces import DARTS, NASNET, NB201, Edge, Genotype, validate
from edgewise.spaces.nb201 import to_string

NONE, MAX, AVG, SKIP, SEP3, SEP5, DIL3, DIL5 = range(8)


def arch(*, beta: bool = False) -> ArchParameters:
    parameters = ArchParameters(DARTS, beta=beta, generator=torch.Generator())
    with torch.no_grad():
        for value in parameters.parameters():
            value.zero_()
    return parameters


def found(parameters: ArchParameters) -> Genotype:
    return validate(derive(DARTS, parameters, Softmax(), TopEdges()))


def test_for_each_node_the_two_edges_with_the_strongest_primitive_are_kept_with_it():
    parameters = arch()
    with torch.no_grad():
        normal = parameters.alpha["normal"]
        normal[0, SEP3] = normal[1, SKIP] = 1.0
        normal[2, DIL5], normal[3, MAX], normal[4, SEP5] = 1.0, 2.0, 3.0
        normal[5, SEP3], normal[6, AVG], normal[7, DIL3], normal[8, SKIP] = 4.0, 3.0, 1.0, 2.0
        normal[9, MAX], normal[13, DIL3] = 1.0, 0.5
    assert found(parameters).cells["normal"].edges == (
        Edge(2, 0, "sep_conv_3x3"),
        Edge(2, 1, "skip_connect"),
        Edge(3, 1, "max_pool_3x3"),
        Edge(3, 2, "sep_conv_5x5"),
        Edge(4, 0, "sep_conv_3x3"),
        Edge(4, 1, "avg_pool_3x3"),
        Edge(5, 0, "max_pool_3x3"),
        Edge(5, 4, "dil_conv_3x3"),
    )


def test_each_cell_is_derived_from_its_own_alpha():
    parameters = arch()
    with torch.no_grad():
        parameters.alpha["normal"][:, SEP3] = 1.0
        parameters.alpha["reduce"][:, MAX] = 1.0
    cells = found(parameters).cells
    assert {edge.primitive for edge in cells["normal"].edges} == {"sep_conv_3x3"}
    assert {edge.primitive for edge in cells["reduce"].edges} == {"max_pool_3x3"}


def test_none_is_never_derived_even_where_it_is_by_far_the_strongest():
    parameters = arch()
    with torch.no_grad():
        for alpha in parameters.alpha.values():
            alpha[:, NONE] = 20.0
            alpha[:, DIL3] = 1.0
    for cell in found(parameters).cells.values():
        assert {edge.primitive for edge in cell.edges} == {"dil_conv_3x3"}


def test_an_edge_on_which_none_is_strong_is_weak():
    parameters = arch()
    with torch.no_grad():
        normal = parameters.alpha["normal"]
        normal[[2, 3, 4], SKIP] = torch.tensor([3.0, 2.0, 1.0])
        normal[2, NONE] = 10.0
    assert [edge.source for edge in found(parameters).cells["normal"].into(3)] == [1, 2]


def test_equal_strengths_give_the_earlier_edges_and_the_earlier_primitive():
    assert found(arch()).cells["normal"].edges == tuple(
        Edge(node, source, "max_pool_3x3") for node in (2, 3, 4, 5) for source in (0, 1)
    )


def test_beta_decides_between_edges_and_not_between_primitives():
    parameters = arch(beta=True)
    with torch.no_grad():
        parameters.alpha["normal"][:, SEP5] = 1.0
        parameters.beta["normal"][[4, 3, 8, 5, 12, 11]] = 2.0
        parameters.beta["reduce"][[2, 4]] = 2.0
    cells = found(parameters).cells
    assert [(e.source, e.target) for e in cells["normal"].edges] == [
        (0, 2), (1, 2), (1, 3), (2, 3), (0, 4), (3, 4), (2, 5), (3, 5),
    ]  # fmt: skip
    assert {e.primitive for e in cells["normal"].edges} == {"sep_conv_5x5"}
    assert [e.source for e in cells["reduce"].into(3)] == [0, 2]


def test_the_strength_is_the_product_of_both_softmaxes():
    # Into node 3: alpha prefers edge 2 to edge 3 by a factor of 1.85, beta edge 3 to edge 2 by e^.5 = 1.65 or e.
    for preference, expected in ((0.5, [0, 2]), (1.0, [1, 2])):
        parameters = arch(beta=True)
        with torch.no_grad():
            parameters.alpha["normal"][2, SEP3], parameters.alpha["normal"][3, SEP3] = 2.0, 1.0
            parameters.alpha["normal"][4, SEP3] = 5.0
            parameters.beta["normal"][3] = preference
        strengths = parameters.alpha["normal"].detach().softmax(1)[:, SEP3]
        assert float(strengths[2] / strengths[3]) == pytest.approx(1.85, abs=0.1)
        assert [e.source for e in found(parameters).cells["normal"].into(3)] == expected


def test_random_parameters_give_valid_genotypes_with_the_given_source():
    for seed in range(20):
        parameters = ArchParameters(DARTS, beta=True, generator=torch.Generator().manual_seed(seed))
        genotype = derive(DARTS, parameters, Softmax(), TopEdges(), source=f"seed {seed}")
        assert validate(genotype).source == f"seed {seed}"


def test_deriving_changes_neither_parameters_nor_gradients():
    parameters = ArchParameters(DARTS, beta=True, generator=torch.Generator())
    before = {name: value.clone() for name, value in parameters.state_dict().items()}
    found(parameters)
    assert all(torch.equal(value, before[name]) for name, value in parameters.state_dict().items())
    assert all(value.grad is None for value in parameters.parameters())


@pytest.mark.parametrize("kind", ["alpha", "beta"])
def test_nothing_is_derived_from_non_finite_parameters(kind):
    parameters = arch(beta=True)
    with torch.no_grad():
        getattr(parameters, kind)["normal"][5] = float("nan")
    with pytest.raises(NonFiniteError, match=rf"{kind} of the normal cell .*when the cells were derived"):
        found(parameters)


def nb201_arch(rows: list[list[float]]) -> ArchParameters:
    parameters = ArchParameters(NB201, beta=False, generator=torch.Generator())
    with torch.no_grad():
        parameters.alpha["cell"].copy_(torch.tensor(rows))
    return parameters


def row(*, strongest: int, second: int = 2) -> list[float]:
    """Alpha of an edge on which one primitive is strongest and another comes next."""
    return [3.0 if i == strongest else 2.0 if i == second else 0.0 for i in range(5)]


def test_in_nas_bench_201_every_edge_stays_with_its_strongest_primitive_none_included():
    parameters = nb201_arch([row(strongest=i) for i in (0, 1, 3, 4, 0, 1)])
    genotype = validate(derive(NB201, parameters, Softmax(), TopEdges()))
    assert to_string(genotype) == (
        "|none~0|+|skip_connect~0|nor_conv_3x3~1|+|avg_pool_3x3~0|none~1|skip_connect~2|"
    )


def test_the_skip_limit_holds_in_the_only_cell_of_nas_bench_201_and_the_strongest_skips_stay():
    rows = [row(strongest=1) for _ in range(6)]
    for e, extra in enumerate([0.5, 0.1, 0.4, 0.2, 0.3, 0.0]):
        rows[e][1] += extra
    genotype = validate(derive(NB201, nb201_arch(rows), Softmax(), SkipLimit(2)))
    assert to_string(genotype) == (
        "|skip_connect~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|nor_conv_1x1~1|nor_conv_1x1~2|"
    )
    assert derive(NB201, nb201_arch(rows), Softmax(), TopEdges()).cells["cell"].skips == 6


def test_the_skip_limit_leaves_the_reduction_cell_of_darts_alone():
    parameters = arch()
    with torch.no_grad():
        for alpha in parameters.alpha.values():
            alpha[:, SKIP] = 1.0
    cells = derive(DARTS, parameters, Softmax(), SkipLimit(2)).cells
    assert (cells["normal"].skips, cells["reduce"].skips) == (2, 8)


def test_a_cell_of_nasnet_keeps_two_edges_a_node_and_concatenates_all_nodes():
    parameters = ArchParameters(NASNET, beta=False, generator=torch.Generator().manual_seed(1))
    genotype = validate(derive(NASNET, parameters, Softmax(), TopEdges()))
    for cell in genotype.cells.values():
        assert [len(cell.into(node)) for node in NASNET.inner] == [2] * 5
        assert cell.concat == (2, 3, 4, 5, 6)
