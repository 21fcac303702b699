"""The benchmark's own notation."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from edgewise.errors import GenotypeError
from edgewise.spaces import NB201, Edge, Genotype, published, validate
from edgewise.spaces.nb201 import all_genotypes, from_string, to_string

BLOCK = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|avg_pool_3x3~2|"


def test_a_string_is_read_node_by_node_with_its_sources():
    genotype = from_string(BLOCK)
    assert validate(genotype) == genotype
    assert genotype.source == BLOCK
    assert genotype.cells["cell"].edges == (
        Edge(1, 0, "nor_conv_3x3"),
        Edge(2, 0, "none"),
        Edge(2, 1, "nor_conv_3x3"),
        Edge(3, 0, "skip_connect"),
        Edge(3, 1, "none"),
        Edge(3, 2, "avg_pool_3x3"),
    )


def test_the_edges_of_a_node_may_stand_in_any_order_and_are_written_by_source():
    shuffled = "|nor_conv_3x3~0|+|nor_conv_3x3~1|none~0|+|avg_pool_3x3~2|skip_connect~0|none~1|"
    assert from_string(shuffled) == from_string(BLOCK)
    assert to_string(from_string(shuffled)) == BLOCK


def test_there_are_15625_genotypes_all_different_and_each_comes_back_from_its_string():
    genotypes = list(all_genotypes())
    strings = [to_string(genotype) for genotype in genotypes]
    assert len(genotypes) == len(set(strings)) == 15_625
    assert [from_string(text) for text in strings] == genotypes


def test_the_order_of_all_genotypes_is_the_documented_one():
    first, second, *_, last = (to_string(genotype) for genotype in all_genotypes())
    assert first == "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    assert second == "|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"
    assert last.count(NB201.primitives[-1]) == 6


def test_a_genotype_comes_back_from_its_json():
    genotype = from_string(BLOCK)
    assert Genotype.from_json(genotype.to_json()) == genotype


def test_a_genotype_of_another_space_has_no_string():
    with pytest.raises(GenotypeError, match="space darts has no string of NAS-Bench-201"):
        to_string(published("DARTS_V1"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it has 1 nodes joined by `+`, expected 3"),
        ("|none~0|+|none~0|none~1|", "it has 2 nodes"),
        (
            "none~0+|none~0|none~1|+|none~0|none~1|none~2|",
            "node 1 is 'none~0', and a node begins and ends with `|`",
        ),
        ("|+|none~0|none~1|+|none~0|none~1|none~2|", "node 1 is '|'"),
        (
            "|none~0|+|none0|none~1|+|none~0|none~1|none~2|",
            "node 2 has the edge 'none0', expected primitive~source",
        ),
        ("||+|none~0|none~1|+|none~0|none~1|none~2|", "node 1 has the edge ''"),
        ("|nor_conv3x3~0|+|none~0|none~1|+|none~0|none~1|none~2|", "'nor_conv3x3'; did you mean 'nor_conv_3x3'?"),
        ("|zzz~0|+|none~0|none~1|+|none~0|none~1|none~2|", "'zzz'; known: none, skip_connect, nor_conv_1x1"),
        ("|none~0|+|none~0|none~2|+|none~0|none~1|none~2|", "node 2 hears '2', expected an earlier node, 0 to 1"),
        ("|none~0|+|none~0|none~-1|+|none~0|none~1|none~2|", "node 2 hears '-1'"),
        ("|none~0|+|none~0|none~0|+|none~0|none~1|none~2|", "node 2 hears [0, 0], expected each of [0, 1] once"),
        ("|none~0|+|none~0|none~1|+|none~0|none~1|", "node 3 hears [0, 1], expected each of [0, 1, 2] once"),
    ],
)
def test_a_string_that_is_no_cell_is_refused_with_the_fault_and_its_place(text, told):
    with pytest.raises(GenotypeError) as caught:
        from_string(text)
    assert told in str(caught.value)
    assert "|op~0|+|op~0|op~1|+|op~0|op~1|op~2|" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "x" * 10_000,
        f"{'x' * 10_000}+|none~0|none~1|+|none~0|none~1|none~2|",
        f"|{'x' * 10_000}|+|none~0|none~1|+|none~0|none~1|none~2|",
        f"|{'x' * 10_000}~0|+|none~0|none~1|+|none~0|none~1|none~2|",
        f"|none~{'1' * 10_000}|+|none~0|none~1|+|none~0|none~1|none~2|",
        f"|{'|'.join(['none~0'] * 10_000)}|+|none~0|none~1|+|none~0|none~1|none~2|",
    ],
)
def test_a_refusal_of_a_long_text_stays_short(text):
    with pytest.raises(GenotypeError) as caught:
        from_string(text)
    assert len(str(caught.value)) < 500


def table(shared_data: Path) -> list[dict[str, str]]:
    path = shared_data / "nb201.csv"
    if not path.is_file():
        pytest.skip(f"no table of NAS-Bench-201 at {path}")
    with path.open() as file:
        return list(csv.DictReader(file))


def test_the_benchmarks_own_table_holds_exactly_these_strings(shared_data):
    assert {row["arch"] for row in table(shared_data)} == {to_string(g) for g in all_genotypes()}


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("NB201_best_cifar10", "cifar10_test"),
        ("NB201_best_cifar100", "cifar100_test"),
        ("NB201_best_imagenet16", "imagenet16_test"),
    ],
)
def test_the_best_cells_are_those_of_the_benchmarks_table(shared_data, name, column):
    best = max(table(shared_data), key=lambda row: float(row[column]))
    assert to_string(published(name)) == best["arch"]
    assert f"{float(best[column]):.2f} %" in (published(name).source or "")


def test_the_cell_of_all_skips_has_the_accuracies_that_the_paper_gives_for_darts(shared_data):
    (row,) = [row for row in table(shared_data) if row["arch"] == to_string(published("NB201_DARTS"))]
    found = [round(float(row[f"{name}_test"]), 2) for name in ("cifar10", "cifar100", "imagenet16")]
    assert found == [54.30, 15.61, 16.32]
