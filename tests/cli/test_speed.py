"""--compile and --precision on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL, Call, script

BRIEF = ("--set", "search.epochs=1", "--set", "warm_up=none", "--set", "data.train_images=80")


def test_bf16_on_a_cpu_is_said_to_be_slower_and_is_done(call: Call, tmp_path: Path) -> None:
    outcome = call("search", *SMALL, *BRIEF, "--device", "cpu", "--precision", "bf16", "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert "--precision bf16 on a CPU is slower than fp32" in outcome.out
    assert json.loads((tmp_path / "run" / "run.json").read_text())["precision"] == "bf16"


def test_fp16_on_a_cpu_is_refused_with_what_to_use(call: Call, tmp_path: Path) -> None:
    outcome = call("search", *SMALL, "--device", "cpu", "--precision", "fp16", "--out", tmp_path / "run")
    assert outcome.code != 0
    assert "fp16 needs an accelerator" in outcome.err + outcome.out
    assert not (tmp_path / "run").exists()


def test_compile_in_a_search_on_a_cpu_is_recorded_and_explained(call: Call, tmp_path: Path) -> None:
    outcome = call("search", *SMALL, *BRIEF, "--device", "cpu", "--compile", "--out", tmp_path / "run")
    assert outcome.code == 0, outcome.err
    assert outcome.out.count("--compile") == 1
    assert json.loads((tmp_path / "run" / "run.json").read_text())["compile"] is True


def test_compile_is_not_given_again_when_a_run_is_resumed(call: Call, tmp_path: Path) -> None:
    outcome = call("run", "--resume", tmp_path, "--compile")
    assert outcome.code != 0
    assert "--compile" in outcome.err + outcome.out


def test_a_missing_compiler_is_one_warning_before_the_first_epoch_and_none_in_the_help(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "/nowhere/c++")
    outcome = script("search", *SMALL, *BRIEF, "--device", "cpu", "--estimate", "--out", "run", cwd=tmp_path)
    assert outcome.code == 0, outcome.err
    assert (outcome.out + outcome.err).count("PyTorch's own operations") == 1
    assert "/nowhere/c++" not in outcome.err
    lines = outcome.out.splitlines()
    warned = [i for i, line in enumerate(lines) if line.startswith("warning: there is no C++ compiler")]
    measured = [i for i, line in enumerate(lines) if line.startswith("measuring")]
    assert warned < measured
    assert "C++" not in script("search", "--help", cwd=tmp_path).out
