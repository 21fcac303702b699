"""Every way in which a genotype can be wrong is named."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.errors import GenotypeError
from edgewise.spaces import Cell, Edge, Genotype, published, validate
from tests.spaces.strategies import genotypes, steady


def data(name: str = "DARTS_V2") -> dict[str, Any]:
    return published(name).to_dict()


def refusal(broken: Any) -> str:
    """The message with which plain data are refused."""
    with pytest.raises(GenotypeError) as caught:
        Genotype.from_dict(broken, where="mine.json")
    message = str(caught.value)
    assert message.startswith("mine.json")
    return message


def edge_refusal(**changes: Any) -> str:
    """The message for DARTS_V2 with the fifth edge (into node 4) of its normal cell changed."""
    broken = data()
    broken["cells"]["normal"]["edges"][4] |= changes
    return refusal(broken)


def test_a_misspelt_primitive_is_named_with_its_edge_and_the_nearest_one():
    message = edge_refusal(primitive="sep_conv3x3")
    assert "cells.normal: edge 0->4: unknown primitive 'sep_conv3x3'; did you mean 'sep_conv_3x3'?" in message


def test_a_primitive_like_no_other_is_refused_with_the_known_ones():
    message = edge_refusal(primitive="zzz")
    assert "unknown primitive 'zzz'; known: max_pool_3x3, avg_pool_3x3, skip_connect" in message


def nb201_refusal(**changes: Any) -> str:
    """The message for a residual block with the second edge into node 3 of its cell changed."""
    broken = data("NB201_ResNet")
    broken["cells"]["cell"]["edges"][4] |= changes
    return refusal(broken)


def test_every_node_of_a_nas_bench_201_cell_must_hear_each_earlier_one_once():
    broken = data("NB201_ResNet")
    del broken["cells"]["cell"]["edges"][4]
    assert "cells.cell: node 3 has 2 incoming edges; expected 3" in refusal(broken)
    assert "node 3 takes the same source twice: [0, 0, 2]" in nb201_refusal(source=0)


def test_a_primitive_of_another_space_is_refused_in_nas_bench_201_and_its_output_is_the_last_node():
    assert "unknown primitive 'sep_conv_3x3'" in nb201_refusal(primitive="sep_conv_3x3")
    broken = data("NB201_ResNet")
    broken["cells"]["cell"]["concat"] = [1, 2, 3]
    assert "cells.cell: concat is [1, 2, 3]; expected [3]" in refusal(broken)


def test_none_is_no_primitive_of_nasnet():
    broken = data("NASNet")
    broken["cells"]["normal"]["edges"][0]["primitive"] = "none"
    assert "`none` can't stand in a derived cell" in refusal(broken)


def test_none_is_refused_in_a_derived_cell():
    assert "edge 0->4: `none` can't stand in a derived cell" in edge_refusal(primitive="none")


@pytest.mark.parametrize("source", [4, 5])
def test_an_edge_from_its_own_or_a_later_node_is_refused(source):
    assert f"edge {source}->4: the source must be an earlier node than the target" in edge_refusal(source=source)


@pytest.mark.parametrize("target", [0, 1, 6])
def test_an_edge_to_a_cell_input_or_past_the_last_node_is_refused(target):
    message = edge_refusal(target=target)
    assert f"edge 0->{target}: the target must be an inner node, 2 to 5" in message


def test_a_node_with_one_edge_too_few_and_one_too_many_are_both_named():
    message = edge_refusal(target=5, source=2)
    assert "cells.normal: node 4 has 1 incoming edges; expected 2" in message
    assert "cells.normal: node 5 has 3 incoming edges; expected 2" in message


def test_a_node_that_takes_a_source_twice_is_refused_in_darts():
    assert "node 4 takes the same source twice: [1, 1]" in edge_refusal(source=1)


@pytest.mark.parametrize("concat", [[3, 4, 5], [2, 3, 4, 4], [5, 4, 3, 2], []])
def test_a_concat_other_than_all_inner_nodes_in_order_is_refused_in_darts(concat):
    broken = data()
    broken["cells"]["reduce"]["concat"] = concat
    assert f"cells.reduce: concat is {concat}; expected [2, 3, 4, 5]" in refusal(broken)


@pytest.mark.parametrize("concat", [[1, 4], [7], [4, 4], []])
def test_a_free_concat_must_still_name_inner_nodes_once_each(concat):
    broken = data("AmoebaNet")
    broken["cells"]["normal"]["concat"] = concat
    assert f"concat {concat} must name inner nodes, once each" in refusal(broken)


@pytest.mark.parametrize(("key", "value"), [("inputs", 1), ("nodes", 5)])
def test_a_cell_of_another_size_is_refused_with_both_sizes(key, value):
    broken = data()
    broken["cells"]["normal"][key] = value
    message = refusal(broken)
    assert "space darts has 2 and 4" in message
    assert str(value) in message


@pytest.mark.parametrize("value", [True, "2", 2.0, -1, None])
def test_an_index_that_is_no_whole_number_is_refused_wherever_it_stands(value):
    for path in (("inputs",), ("nodes",), ("concat", 0), ("edges", 0, "source"), ("edges", 0, "target")):
        broken = data()
        place: Any = broken["cells"]["normal"]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        message = refusal(broken)
        assert f"cells.normal.{path[0]}" in message
        assert repr(value) in message


@pytest.mark.parametrize("value", [None, 3, ["sep_conv_3x3"]])
def test_a_primitive_that_is_no_text_is_refused_with_its_place(value):
    broken = data()
    broken["cells"]["reduce"]["edges"][3]["primitive"] = value
    assert "cells.reduce.edges[3]: expected source, target and primitive" in refusal(broken)


@pytest.mark.parametrize("value", [None, 5, "edges", {"0": 1}])
def test_edges_concat_and_cells_of_a_wrong_type_are_refused_with_their_place(value):
    for path in ("edges", "concat"):
        broken = data()
        broken["cells"]["normal"][path] = value
        assert f"cells.normal.{path}: expected a list" in refusal(broken)
    broken = data()
    broken["cells"]["normal"] = [value]
    assert "cells.normal: expected an object, found list" in refusal(broken)


@pytest.mark.parametrize("missing", ["inputs", "nodes", "edges", "concat"])
def test_a_missing_part_of_a_cell_is_named(missing):
    broken = data()
    del broken["cells"]["reduce"][missing]
    assert f"cells.reduce.{missing}" in refusal(broken)


@pytest.mark.parametrize("found", ["edgewise.genotype/2", None, 1])
def test_another_format_is_refused_with_the_one_expected(found):
    broken = {**data(), "format": found}
    message = refusal(broken)
    assert '"format": "edgewise.genotype/1"' in message
    assert repr(found) in message


@pytest.mark.parametrize("value", [None, [], "text", 3, True])
def test_data_that_are_no_object_are_refused_with_their_type(value):
    assert f"found {type(value).__name__!r}" in refusal(value)


@pytest.mark.parametrize("space", ["nb301", None, ["darts"]])
def test_an_unknown_space_is_refused_with_the_known_ones(space):
    message = refusal({**data(), "space": space})
    assert repr(space) in message
    assert "known spaces: darts, amoeba" in message


@pytest.mark.parametrize("cells", [None, [], {}, {"normal": data()["cells"]["normal"]}])
def test_missing_cell_types_are_refused_with_those_of_the_space(cells):
    assert "has the cells normal, reduce; found" in refusal({**data(), "cells": cells})


def test_a_cell_type_that_the_space_lacks_is_refused():
    broken = data()
    broken["cells"]["upsample"] = broken["cells"]["normal"]
    assert "upsample" in refusal(broken)


def test_all_faults_of_both_cells_are_told_at_once():
    broken = data()
    broken["cells"]["normal"]["edges"][0]["primitive"] = "none"
    broken["cells"]["reduce"]["edges"][0]["primitive"] = "max_pool_3x4"
    broken["cells"]["reduce"]["concat"] = [2]
    message = refusal(broken)
    assert message.count("\n  - ") == 3
    assert "did you mean 'max_pool_3x3'?" in message


@pytest.mark.parametrize("text", ["", "{", "genotype", '{"format": }', "\x00"])
def test_a_text_that_is_not_json_is_refused_with_the_place_of_the_fault(text):
    with pytest.raises(GenotypeError, match=r"^mine\.json is not JSON: .* at line 1, column \d+"):
        Genotype.from_json(text, where="mine.json")


@pytest.mark.parametrize("text", ['{"format": ' + "9" * 5000 + "}", "[" * 100_000], ids=["digits", "brackets"])
def test_json_that_python_will_not_read_is_refused_as_a_genotype_error(text):
    with pytest.raises(GenotypeError, match=r"mine\.json"):
        Genotype.from_json(text, where="mine.json")


LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)


@steady
@given(genotypes(), st.data())
def test_whatever_replaces_a_value_the_answer_is_a_genotype_or_a_genotype_error(genotype, drawn):
    broken = json.loads(genotype.to_json())
    place: Any = broken
    while True:
        key = drawn.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], (dict, list)) or not place[key] or drawn.draw(st.booleans()):
            break
        place = place[key]
    place[key] = drawn.draw(LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(st.text(max_size=3), LEAVES))
    with suppress(GenotypeError):
        found = Genotype.from_dict(broken)
        assert validate(found) == found


def test_validate_returns_a_valid_genotype_and_refuses_a_broken_one_made_in_python():
    good = published("PDARTS")
    assert validate(good) == good
    edges = (*good.cells["normal"].edges[:-1], Edge(5, 4, "none"))
    bad = Genotype("darts", {**good.cells, "normal": Cell(2, 4, edges, (2, 3, 4, 5))})
    with pytest.raises(GenotypeError, match="`none`"):
        validate(bad)
