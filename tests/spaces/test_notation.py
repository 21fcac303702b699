"""Genotypes in the notations that the field exchanges: read by one reader, never run, and written back."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgewise.errors import GenotypeError
from edgewise.spaces import (
    NASNET,
    PUBLISHED,
    SPACES,
    Genotype,
    name_genotype,
    published,
    random_genotype,
    read_genotype,
    write_genotype,
)
from edgewise.spaces.notation import LARGEST, genotype_from_file, genotype_from_text
from tests.spaces.strategies import genotypes, steady

PDARTS = write_genotype(published("PDARTS"), "darts").strip()
STRING = write_genotype(published("NB201_ResNet"), "nb201").strip()
# P-DARTS as its authors write it: the pairs of a node by strength, not by source.
AS_PUBLISHED = (
    "Genotype(normal=[('skip_connect', 0), ('dil_conv_3x3', 1), ('skip_connect', 0),('sep_conv_3x3', 1), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 3), ('sep_conv_3x3',0), ('dil_conv_5x5', 4)], "
    "normal_concat=range(2, 6), reduce=[('sep_conv_5x5', 1), ('avg_pool_3x3', 0), ('sep_conv_3x3', 0), "
    "('dil_conv_5x5', 2), ('max_pool_3x3', 0), ('dil_conv_3x3', 1), ('dil_conv_3x3', 1), ('dil_conv_5x5', 3)], "
    "reduce_concat=range(2, 6))"
)
NESTED = """
    normal=[
      (('skip_connect', 0), ('dil_conv_3x3', 1)),  # step 1
      (('skip_connect', 0), ('sep_conv_3x3', 1)),
      [('sep_conv_3x3', 1, 0.13), ('sep_conv_3x3', 3, tensor(0.12))],
      (('sep_conv_3x3', 0), ('dil_conv_5x5', 4)),
    ],
    normal_concat=[2, 3, 4, 5],
    reduce=((('avg_pool_3x3', 0), ('sep_conv_5x5', 1)), (('sep_conv_3x3', 0), ('dil_conv_5x5', 2)),
            (('max_pool_3x3', 0), ('dil_conv_3x3', 1)), (('dil_conv_3x3', 1), ('dil_conv_5x5', 3)),),
    reduce_concat=list(range(2, 6)), connectN=None, connects=None,
"""
EACH = [
    PDARTS,
    AS_PUBLISHED,
    f"PDARTS = {AS_PUBLISHED}\n",
    f"genotype = {AS_PUBLISHED}",
    f"'{AS_PUBLISHED}'",
    f"2019-09-12 03:00:01 PM genotype = {AS_PUBLISHED}\n2019-09-12 03:00:02 PM epoch 3, it's lr 0.1\n",
    f"import x\n# OLD = {PDARTS.replace('dil_conv_5x5', 'sep_conv_3x3')}\nP: Genotype = gt.{AS_PUBLISHED} # new\n",
    AS_PUBLISHED.replace("normal_concat=", "").replace("normal=", "").replace("reduce=", ""),
    AS_PUBLISHED.replace("range(2, 6)", "[2, 3, 4, 5]").replace(", ", ",\r\n\t").replace("5])", "5],)"),
    re.sub(r"\((.{12,14}?)\)", r"[\1]", AS_PUBLISHED),
    f"Genotype({NESTED})",
    "{" + NESTED.replace("normal=", "'normal': ").replace("normal_concat=", "'normal_concat': ")
    .replace("reduce=", "'reduce': ").replace("reduce_concat=", "'reduce_concat': ")
    .replace("connectN=None, connects=None,", "") + "}",
]  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_genotype_comes_back_from_each_notation_that_has_words_for_it(name: str) -> None:
    genotype = published(name)
    form, other = ("nb201", "darts") if genotype.space == "nb201" else ("darts", "nb201")
    text = write_genotype(genotype, form)
    assert text.count("\n") == 1
    assert genotype_from_text(text) == genotype
    assert genotype_from_text(write_genotype(genotype, "json")) == genotype
    with pytest.raises(GenotypeError, match=f"space {genotype.space} has no"):
        write_genotype(genotype, other)


def test_the_notation_of_darts_is_that_of_the_authors_code_letter_by_letter() -> None:
    assert write_genotype(published("DARTS_V2"), "darts") == (
        "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
        "('skip_connect', 0), ('sep_conv_3x3', 1), ('skip_connect', 0), ('dil_conv_3x3', 2)], "
        "normal_concat=range(2, 6), reduce=[('max_pool_3x3', 0), ('max_pool_3x3', 1), "
        "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 0), ('skip_connect', 2), "
        "('max_pool_3x3', 1), ('skip_connect', 2)], reduce_concat=range(2, 6))\n"
    )
    assert "reduce_concat=[3, 4, 6])" in write_genotype(published("AmoebaNet"), "darts")


@pytest.mark.parametrize("text", EACH)
def test_each_way_in_which_the_authors_write_a_genotype_is_read(text: str, tmp_path: Path) -> None:
    assert genotype_from_text(text) == published("PDARTS")
    assert read_genotype(text) == published("PDARTS")
    file = tmp_path / "cells.py"
    file.write_text(text)
    assert genotype_from_file(file) == read_genotype(file) == published("PDARTS")


@steady
@given(genotypes())
def test_any_genotype_comes_back_from_the_text_if_its_space_is_named(genotype: Genotype) -> None:
    form = "nb201" if genotype.space == "nb201" else "darts"
    text = write_genotype(genotype, form)
    read = genotype_from_text(text, space=None if form == "nb201" else genotype.space)
    assert read == genotype


@pytest.mark.parametrize("name", ["darts", "s1", "s2", "s3", "s4", "nasnet"])
def test_a_text_without_a_space_has_the_same_cells_in_the_first_space_that_they_fit(name: str) -> None:
    genotype = random_genotype(SPACES[name], random.Random(3))
    read = genotype_from_text(write_genotype(genotype, "darts"))
    assert read.cells == genotype.cells
    assert read.space == {"s1": "darts", "s2": "darts", "s3": "darts"}.get(name, name)


def test_cells_of_five_nodes_are_of_amoeba_only_where_nasnet_lacks_a_primitive() -> None:
    genotype = random_genotype(NASNET, random.Random(0))
    assert genotype_from_text(write_genotype(genotype, "darts")).space == "nasnet"
    assert genotype_from_text(write_genotype(published("AmoebaNet"), "darts")).space == "amoeba"


@pytest.mark.parametrize(
    "text", [STRING, f"  {STRING}\n", f"'{STRING}'", f"best: ({STRING}, 94.4)\nagain {STRING}\n"]
)
def test_a_string_of_nas_bench_201_is_read_from_text_and_file(text: str, tmp_path: Path) -> None:
    assert genotype_from_text(text) == published("NB201_ResNet")
    (tmp_path / "cell.txt").write_text(text)
    assert genotype_from_file(tmp_path / "cell.txt") == published("NB201_ResNet")


def several(tmp_path: Path) -> Path:
    file = tmp_path / "genotypes.py"
    names = ("DARTS_V1", "PDARTS", "AmoebaNet")
    file.write_text(
        "".join(f"{name} = {write_genotype(published(name), 'darts')}" for name in names) + "DARTS = PDARTS # x\n"
    )
    return file


def test_one_of_several_genotypes_is_chosen_by_name_line_or_second_name(tmp_path: Path) -> None:
    file = several(tmp_path)
    assert read_genotype(f"{file}:AmoebaNet") == published("AmoebaNet")
    assert read_genotype(f"{file}:1") == published("DARTS_V1")
    assert read_genotype(f"{file}:DARTS") == genotype_from_file(file, name="PDARTS") == published("PDARTS")
    assert read_genotype(f"{file}:PDARTS").source == f"PDARTS of {file}, line 2"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("", "holds 3 genotypes: DARTS_V1, PDARTS, AmoebaNet; give one of them, as in"),
        (":NASNet", "has no genotype 'NASNet': it has DARTS_V1, PDARTS, AmoebaNet"),
        (":4", "has no genotype '4'"),
    ],
)
def test_several_genotypes_are_listed_where_none_is_chosen(name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(GenotypeError, match=r"genotypes\.py") as caught:
        read_genotype(f"{several(tmp_path)}{name}")
    assert told in str(caught.value)


def test_a_variable_with_a_type_is_chosen_by_its_name() -> None:
    text = f"A: Genotype = {AS_PUBLISHED}\nB : Genotype=gt.{write_genotype(published('DARTS_V2'), 'darts')}"
    assert genotype_from_text(text, name="A") == published("PDARTS")
    assert genotype_from_text(text, name="B") == published("DARTS_V2")


def test_a_log_of_a_search_asks_for_a_line_unless_all_its_genotypes_are_the_same(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    log.write_text(f"INFO genotype = {PDARTS}\n" * 30)
    assert read_genotype(log) == published("PDARTS")
    with log.open("a") as file:
        file.write(f"INFO genotype = {write_genotype(published('DARTS_V2'), 'darts')}")
    for given_as in (str(log), f"{log}:genotype"):
        with pytest.raises(
            GenotypeError, match=r"line 1, line 2, .*, line 31 \(31 in all\); give one .*log\.txt:31$"
        ):
            read_genotype(given_as)
    assert read_genotype(f"{log}:31") == published("DARTS_V2")


def call_of(normal: str, concat: str = "range(2, 6)") -> str:
    return f"Genotype(normal={normal}, normal_concat={concat}, reduce={normal}, reduce_concat=range(2, 6))"


EIGHT = "[" + "('sep_conv_3x3', 0), ('sep_conv_3x3', 1), " * 4 + "]"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no genotype: expected edgewise's JSON, a text `Genotype(...)`"),
        ("Genotype()", "it lacks normal, normal_concat, reduce, reduce_concat"),
        (f"Genotype({EIGHT})", "it lacks normal_concat, reduce, reduce_concat"),
        ("Genotype(1, 2, 3, 4, 5)", "it has 5 values without a name, expected 4"),
        ("Genotype(*x, **y)", "a field without a name can't be read"),
        ("Genotype(1, normal=2)", "'normal' is given twice"),
        (PDARTS[:-1], "'(' was never closed"),
        (PDARTS[:-1] + ", recurrent=[])", "it has 'recurrent'; its fields are normal, normal_concat"),
        (PDARTS[:-1] + ", connects=[1])", "connects is '[1]': only None can be read there"),
        (call_of("__import__('os').system('x')"), "expected a list of (primitive, source)"),
        (call_of("[('sep_conv_3x3', 0)]"), "normal has 1 edges, expected 2 for each node"),
        (call_of(EIGHT.replace("1)", "1, 2)")), "('sep_conv_3x3', 1, 2)\": expected (primitive, source)"),
        (call_of(EIGHT.replace("0", "-1")), "normal[0] is '-1': expected the number of a node, below 100"),
        (call_of(EIGHT.replace("0", "True")), "'True': expected the number of a node"),
        (call_of(EIGHT.replace("0", "0x" + "f" * 1000)), "expected the number of a node"),
        (call_of(EIGHT.replace("'sep_conv_3x3'", "f'{x}'")), "expected (primitive, source)"),
        (call_of(EIGHT, "range(10**9)"), "normal_concat is '10**9': expected the number of a node"),
        (call_of(EIGHT, "sum([2])"), "expected a list of nodes or range(first, end)"),
        (call_of(EIGHT, "range(2, 5)"), "normal: concat is [2, 3, 4]; expected [2, 3, 4, 5]"),
        (call_of(EIGHT.replace("sep_conv", "sepp_conv")), "is darts, where:\n  - normal: edge 0->2: unknown"),
        (call_of("[('skip_connect', 0), ('none', 1)]"), "has 2 inputs and 1 nodes; space darts has 2 and 4"),
        (call_of(EIGHT.replace("sep_conv_3x3", "x" * 500)), "a primitive's name is shorter"),
        (call_of("[" + "[('sep_conv_3x3', 0)]," * 60 + "]"), "normal has more than 50 edges"),
        (call_of("-" * 15_000 + "1"), "can't be parsed"),
        (call_of("[" * 1_000), "never closed"),
        (call_of("'\\d'"), "invalid escape sequence"),
        (call_of("\0"), "no genotype of the form"),
        ("{'normal': [], **x}", "a field without a name"),
        ("{'normal': [], 1: 2}", "a field without a name"),
        (f"a {STRING}\nb {STRING.replace('none', 'skip_connect')}", "2 different strings of NAS-Bench-201"),
        (STRING.replace("none~0", "nune~0"), "unknown primitive 'nune'; did you mean 'none'?"),
        ("{", "is not JSON"),
        ('{"a":' * 100_000, "can't be read as a genotype"),
        ("x" * (LARGEST + 1), "letters: give the genotype alone"),
        ("".join(f"Genotype({i})" for i in range(3_000)), "more than 2,000 genotypes"),
    ],
)  # fmt: skip
def test_what_is_no_genotype_is_refused_with_the_fault_and_its_place(text: str, told: str) -> None:
    with pytest.raises(GenotypeError) as caught:
        genotype_from_text(text, where="cells.txt")
    assert told in str(caught.value)
    assert str(caught.value).startswith("cells.txt ") or str(caught.value).startswith("cells.txt: ")
    assert len(str(caught.value)) < 2000


@pytest.mark.parametrize("text", ["NO_SUCH", "a" * 100_000, "x\0y", "gone/genotype.json", "", "PDARTS:PDARTS"])
def test_an_argument_that_is_no_genotype_is_refused_whatever_it_is(text: str) -> None:
    with pytest.raises(GenotypeError) as caught:
        read_genotype(text)
    assert len(str(caught.value)) < 600
    assert "\0" not in str(caught.value)


def test_a_file_that_never_ends_or_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "cells").write_bytes(b"\xff\xfe{")
    with pytest.raises(GenotypeError, match="can't be read as a genotype"):
        genotype_from_file(tmp_path / "cells")
    with pytest.raises(GenotypeError, match="letters: give the genotype alone"):
        genotype_from_file(Path("/dev/zero"))


def test_a_folder_is_read_as_the_run_that_it_holds(tmp_path: Path) -> None:
    (tmp_path / "genotype.json").write_text(published("PDARTS").to_json())
    assert read_genotype(tmp_path) == published("PDARTS")
    (tmp_path / "genotype.json").unlink()
    with pytest.raises(GenotypeError, match=r"genotype\.json can't be read"):
        read_genotype(tmp_path)


def test_a_genotype_is_called_by_what_it_was_given_as() -> None:
    assert name_genotype("PC_DARTS_cifar") == "PC_DARTS_cifar"
    assert name_genotype("/far/away/runs/search/") == "runs/search"
    assert name_genotype(Path("code/genotypes.py:PDARTS")) == "code/genotypes.py:PDARTS"
    assert name_genotype(published("DARTS_V1")) == "DARTS, first order (Liu et al. 2019), genotypes.py of the..."
    assert name_genotype(Genotype("nb201", {})) == ""
    assert name_genotype("a\x1b[31m\nb") == "a [31m b"
    assert len(name_genotype(PDARTS)) == len(name_genotype("x" * 100_000)) == 60


PIECES = st.sampled_from(
    [*"()[]{}',=|~+#\n\0\\*-", "range", "lambda: 0", "Genotype(", "normal", "{'normal': ", "f'{1}'", "x:=1",
     "1if 1else 2", "9" * 5000, "[" * 60, "await x", "\ud800"]
)  # fmt: skip


@settings(steady, max_examples=300)
@given(
    st.sampled_from([PDARTS, f"Genotype({NESTED})", STRING, published("PDARTS").to_json(), *EACH[5:7]]),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), PIECES | st.text(max_size=3)), min_size=1, max_size=5),
    st.none() | st.sampled_from(["PDARTS", "genotype", "1"]),
)
def test_a_text_that_was_damaged_is_read_or_refused_and_nothing_else(
    text: str, changes: list[tuple[float, int, str]], name: str | None
) -> None:
    for place, length, piece in changes:
        at = int(place * len(text))
        text = text[:at] + piece + text[at + length :]
    begun, said = time.perf_counter(), ""
    try:
        assert genotype_from_text(text, name=name).cells
        assert read_genotype(text).cells
    except GenotypeError as error:
        said = str(error)
    assert len(said) < 6000
    assert time.perf_counter() - begun < 5
