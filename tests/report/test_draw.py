from __future__ import annotations

from xml.etree import ElementTree

import pytest

from edgewise.report import draw_cell
from edgewise.spaces import PUBLISHED

SVG = "{http://www.w3.org/2000/svg}"
CELL = PUBLISHED["PDARTS"].to_dict()["cells"]["normal"]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_drawing_is_well_formed_and_prints_each_edges_primitive(name: str) -> None:
    for cell in PUBLISHED[name].to_dict()["cells"].values():
        root = ElementTree.fromstring(draw_cell(cell, title=name))
        labels = [
            group.findtext(f"{SVG}text") for group in root.iter(f"{SVG}g") if "label" in group.get("class", "")
        ]
        assert sorted(filter(None, labels)) == sorted(
            edge["primitive"] for edge in cell["edges"] if edge["primitive"] != "none"
        )


def test_a_drawing_is_named_and_described_for_readers_who_cannot_see_it() -> None:
    root = ElementTree.fromstring(draw_cell(CELL, title="Normal cell"))
    assert root.get("role") == "img"
    assert root[0].tag == f"{SVG}title"
    assert root[0].text == "Normal cell"
    described = root.findtext(f"{SVG}desc") or ""
    assert "input 0 to 2: skip_connect" in described
    assert "4 to 5: dil_conv_5x5" in described
    assert described.endswith("output: nodes 2, 3, 4, 5 concatenated")


def test_a_cell_whose_output_is_one_node_is_described_as_such_and_without_its_none_edges() -> None:
    cell = PUBLISHED["NB201_ResNet"].to_dict()["cells"]["cell"]
    described = ElementTree.fromstring(draw_cell(cell, title="Cell")).findtext(f"{SVG}desc") or ""
    assert described == (
        "input 0 to 1: nor_conv_3x3; 1 to 2: nor_conv_3x3; input 0 to 3: skip_connect; 2 to 3: skip_connect; "
        "output: node 3"
    )


def test_markup_in_a_title_stays_text() -> None:
    drawn = draw_cell(CELL, title="<script>alert(1)</script>")
    assert "<script" not in drawn
    assert ElementTree.fromstring(drawn)[0].text == "<script>alert(1)</script>"


def test_kinds_differ_by_line_as_well_as_by_colour() -> None:
    root = ElementTree.fromstring(draw_cell(PUBLISHED["PC_DARTS_cifar"].to_dict()["cells"]["normal"], title=""))
    lines = [path for path in root.iter(f"{SVG}path") if "line" in path.get("class", "")]
    dashes = {(path.get("class", "").split()[1], path.get("stroke-dasharray")) for path in lines}
    assert {kind for kind, _ in dashes} == {"skip", "pool", "parametrised", "concat"}
    assert len({dash for kind, dash in dashes if kind != "concat"}) == 3


def test_a_drawing_has_no_ids_that_two_drawings_on_a_page_would_share() -> None:
    assert all(element.get("id") is None for element in ElementTree.fromstring(draw_cell(CELL, title="x")).iter())
