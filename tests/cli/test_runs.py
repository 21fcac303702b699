"""The console script end to end on the digits, part by part and whole."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from edgewise.spaces import Genotype
from edgewise.spaces.notation import genotype_from_text
from tests.cli.conftest import SMALL, Call, Outcome, script
from tests.pipeline.small import FILES, assert_same_outcome, without_seconds

Finished = tuple[Path, Outcome]


def test_run_ends_well_and_leaves_every_file(finished: Finished) -> None:
    folder, outcome = finished
    assert outcome.code == 0, outcome.err
    assert {path.name for path in folder.iterdir()} == set(FILES)


def test_run_by_the_console_script_is_the_run_of_the_python_interface_bit_for_bit(
    finished: Finished, whole
) -> None:
    assert_same_outcome(whole.folder, finished[0])


def test_run_prints_plain_lines_where_there_is_no_terminal(finished: Finished) -> None:
    out = finished[1].out
    assert "\x1b" not in out
    assert "\r" not in out
    for title, epochs in (("search", 3), *((f"training ({n})", 2) for n in ("found", "random", "hand"))):
        for epoch in range(1, epochs + 1):
            assert re.search(
                rf"^{re.escape(title)}: epoch {epoch}/{epochs}, .*loss \d.*accuracy \d", out, re.MULTILINE
            )


def test_run_ends_with_a_table_of_what_was_measured_and_where_the_report_is(finished: Finished) -> None:
    folder, outcome = finished
    lines = outcome.out.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("network "))
    assert re.split(r"\s{2,}", lines[header].strip()) == [
        "network", "C x cells", "parameters", "multiply-adds", "size", "RAM", "latency", "test accuracy", "95 %",
        "training",
    ]  # fmt: skip
    results = json.loads((folder / "results.json").read_text())
    for line, entry in zip(lines[header + 2 : header + 5], results.values(), strict=True):
        assert f"{entry['params']:,}" in line
        assert f"{entry['top1']:.2%} of {entry['test_images']}" in line
    assert lines[-1] == "run folder: run; report: run/report.html"


def test_nothing_is_printed_as_an_error_by_a_run_that_ends_well(finished: Finished) -> None:
    assert finished[1].err == ""


def test_training_the_cells_of_a_run_ends_with_the_network_that_the_run_found(
    finished: Finished, tmp_path: Path
) -> None:
    whole = finished[0]
    trained = script("train", whole, *SMALL, "--seed", "3", "--device", "cpu", "--out", "net", cwd=tmp_path)
    assert trained.code == 0, trained.err
    folder = tmp_path / "net"
    assert {path.name for path in folder.iterdir()} == set(FILES) - {"supernet.safetensors"}
    results = json.loads((folder / "results.json").read_text())
    expected = without_seconds(json.loads((whole / "results.json").read_text()))
    assert without_seconds(results) == {"found": expected["found"] | {"used": {}}}
    assert (folder / "network.safetensors").read_bytes() == (whole / "network.safetensors").read_bytes()
    assert (folder / "network.onnx").stat().st_size > 10_000
    assert "\x1b" not in trained.out
    lines = trained.out.splitlines()
    assert any(line.startswith(f"{whole.parent.name}/run (given) ") for line in lines)
    assert any(line.startswith("training (given): epoch 2/2, ") for line in lines)
    assert not any("found" in line for line in lines)
    assert f"{whole.parent.name}/run (given)" in (folder / "report.html").read_text()


@pytest.mark.parametrize("epoch", ["0", "2"])
def test_cells_that_are_derived_in_the_notation_of_darts_are_read_as_those_of_the_json(
    epoch: str, finished: Finished, call: Call, tmp_path: Path
) -> None:
    printed = call("derive", finished[0], "--epoch", epoch)
    text = call("derive", finished[0], "--epoch", epoch, "--format", "darts")
    assert text.out.startswith("Genotype(normal=[('")
    assert text.out.endswith("], reduce_concat=range(2, 6))\n")
    assert text.out.count("\n") == 1
    assert genotype_from_text(text.out) == Genotype.from_json(printed.out)
    call("derive", finished[0], "--epoch", epoch, "--format", "darts", "--out", tmp_path / "cells.txt")
    assert (tmp_path / "cells.txt").read_text() == text.out


def test_derive_refuses_a_notation_that_has_no_words_for_the_cells(
    finished: Finished, call: Call, tmp_path: Path
) -> None:
    outcome = call("derive", finished[0], "--format", "nb201", "--out", tmp_path / "cells.txt")
    assert (outcome.code, outcome.out) == (1, "")
    assert "space darts has no string of NAS-Bench-201" in outcome.err
    assert not (tmp_path / "cells.txt").exists()


def test_derive_prints_a_genotype_that_check_accepts(finished: Finished, call: Call, tmp_path: Path) -> None:
    folder = finished[0]
    printed = call("derive", folder)
    assert Genotype.from_json(printed.out) == Genotype.from_json((folder / "genotype.json").read_text())
    early = call("derive", folder, "--epoch", "0", "--out", tmp_path / "early.json")
    assert early.code == 0
    assert "epoch 0" in early.out
    assert call("check", tmp_path / "early.json").code == 0
    assert (tmp_path / "early.json").read_text() != printed.out


def test_derive_refuses_an_epoch_that_is_not_there(finished: Finished, call: Call) -> None:
    outcome = call("derive", finished[0], "--epoch", "30")
    assert outcome.code == 1
    assert "epoch 30" in outcome.err
    assert "0 to 2" in outcome.err


def test_test_prints_the_figures_of_results_json(finished: Finished, call: Call, tmp_path: Path) -> None:
    folder = finished[0]
    outcome = call("test", folder, "--device", "cpu", "--out", tmp_path / "figures.json")
    assert outcome.code == 0, outcome.err
    entry = json.loads((folder / "results.json").read_text())["found"]
    assert outcome.out.startswith(f"{entry['test_images']} test images: accuracy {entry['top1']:.2%}")
    lines = outcome.out.splitlines()[1:11]
    assert lines == [f"  {digit}: {share:.2%}" for digit, share in enumerate(entry["per_class"])]
    assert json.loads((tmp_path / "figures.json").read_text())["confusion"] == entry["confusion"]


def test_export_writes_a_network_that_agrees_with_pytorch(finished: Finished, call: Call, tmp_path: Path) -> None:
    outcome = call("export", finished[0], "--out", tmp_path / "digits.onnx")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "digits.onnx").is_file()
    difference = re.search(r"differ from PyTorch by at most (\S+) \(logits up to (\S+)\)", outcome.out)
    assert difference is not None
    assert float(difference[1]) < 1e-3 * float(difference[2])


def test_report_writes_the_page_anew(finished: Finished, call: Call, tmp_path: Path) -> None:
    outcome = call("report", finished[0], "--out", tmp_path / "page.html")
    assert (outcome.code, outcome.out.strip()) == (0, str(tmp_path / "page.html"))
    page = (tmp_path / "page.html").read_text()
    assert page.lstrip().lower().startswith("<!doctype html>")
    entry = json.loads((finished[0] / "results.json").read_text())["found"]
    assert f"{entry['params']:,}" in page


def test_a_finished_run_is_not_replaced_unless_that_is_asked_for(finished: Finished, call: Call) -> None:
    before = (finished[0] / "results.json").read_bytes()
    outcome = call("run", *SMALL, "--out", finished[0])
    assert outcome.code == 1
    assert "--overwrite" in outcome.err
    assert (finished[0] / "results.json").read_bytes() == before


@pytest.mark.parametrize("name", ["found", "gone"])
def test_a_genotype_is_read_from_file_folder_or_name(name: str, finished: Finished) -> None:
    from edgewise.errors import GenotypeError
    from edgewise.spaces import published, read_genotype

    expected = Genotype.from_json((finished[0] / "genotype.json").read_text())
    if name == "found":
        assert read_genotype(str(finished[0])) == read_genotype(str(finished[0] / "genotype.json")) == expected
        assert read_genotype("PC_DARTS_cifar") == published("PC_DARTS_cifar")
    else:
        with pytest.raises(GenotypeError, match="gone"):
            read_genotype(name)
