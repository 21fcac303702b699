"""Errors: one clear message on standard error, no traceback, 1 for what is wrong and 2 for how it was called."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgewise.pipeline import RunOptions
from tests.cli.conftest import SMALL, Call, script

CASES = {
    "unknown recipe": (["run", "--recipe", "pc-dart"], ["'pc-dart'", "darts", "pc-darts-gp"]),
    "recipe file that is missing": (["run", "--recipe", "gone.toml"], ["gone.toml"]),
    "data path that is missing": (["run", "--data", "./no/such/folder"], ["./no/such/folder"]),
    "unknown setting": (
        ["run", "--set", "search.epoch=3"],
        ["search.epoch is an unknown setting", "nearest: epochs"],
    ),
    "setting in another part": (["run", "--set", "search.lr=3"], ["search.lr", "weights.lr"]),
    "setting without a value": (["run", "--set", "search.epochs"], ["search.epochs", "'='"]),
    "value of a wrong type": (["run", "--set", "search.epochs=many"], ["search.epochs", "many"]),
    "value out of range": (["run", "--set", "train.drop_path=1.5"], ["train.drop_path", "1.5"]),
    "parts that do not fit": (
        ["run", "--set", "search.channels=6"],
        ["search.channels = 6", "channels.k"],
    ),
    "image size out of range": (["run", "--image-size", "2"], ["data.image_size", "2"]),
    "device that is not there": (["run", "--device", "cuda:77"], ["cuda:77", "--device"]),
    "precision that the device lacks": (["run", "--device", "cpu", "--precision", "fp16"], ["fp16", "cpu"]),
    "unknown genotype": (["train", "NO_SUCH_CELLS"], ["NO_SUCH_CELLS", "PC_DARTS_cifar"]),
    "resume of a folder that is missing": (["run", "--resume", "gone"], ["gone"]),
    "resume with other settings": (["run", "--resume", "gone", "--preset", "small"], ["--resume", "--preset"]),
    "derive without a run": (["derive", "gone"], ["gone"]),
    "test without a run": (["test", "gone"], ["gone"]),
    "export without a run": (["export", "gone"], ["gone"]),
    "report without a run": (["report", "gone"], ["gone"]),
    "show of an unknown recipe": (["recipes", "show", "pc-dart"], ["'pc-dart'"]),
    "cite of an unknown recipe": (["recipes", "cite", "pc-dart"], ["'pc-dart'"]),
    "cite, short, of an unknown recipe": (["cite", "pc-dart"], ["'pc-dart'"]),
    "space that cannot be searched": (["run", "--space", "amoeba"], ["'amoeba' can't be searched", "darts, s1"]),
}
USAGE = {
    "unknown preset": (["run", "--preset", "huge"], ["huge", "tiny"]),
    "unknown precision": (["run", "--precision", "fp8"], ["fp8", "bf16"]),
    "unknown option": (["run", "--epochs", "3"], ["--epochs"]),
    "unknown command": (["fly"], ["fly"]),
    "seed that is no number": (["run", "--seed", "many"], ["--seed", "integer"]),
    "argument that is missing": (["derive"], ["RUN"]),
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs that begin by mistake must not begin in the repository."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("case", CASES)
def test_what_is_wrong_is_said_once_with_the_value_found_and_exit_code_1(case: str, call: Call) -> None:
    arguments, parts = CASES[case]
    outcome = call(*arguments)
    assert outcome.code == 1
    assert outcome.err.startswith("error: ")
    assert outcome.err.count("error:") == 1
    assert [part for part in parts if part not in outcome.err] == []
    assert "Traceback" not in outcome.err
    assert outcome.out == ""


@pytest.mark.parametrize("case", USAGE)
def test_a_wrong_call_has_exit_code_2_and_names_what_it_did_not_understand(case: str, call: Call) -> None:
    arguments, parts = USAGE[case]
    outcome = call(*arguments)
    assert outcome.code == 2
    assert [part for part in parts if part not in outcome.err] == []
    assert "Traceback" not in outcome.err


def test_nothing_is_left_behind_by_a_call_that_is_refused(call: Call, tmp_path: Path) -> None:
    for arguments, _ in CASES.values():
        call(*arguments)
    assert [path for path in tmp_path.rglob("*") if path != tmp_path / "runs"] == []


def test_every_wrong_setting_of_a_call_is_named_in_one_message(call: Call) -> None:
    err = call("run", "--set", "search.epoch=3", "--set", "train.lr=fast", "--set", "arch=3").err
    assert all(part in err for part in ("search.epoch", "train.lr", "fast", "--set arch=3"))


@pytest.mark.parametrize(
    "option",
    [
        ["--data", "digits"], ["--recipe", "darts"], ["--preset", "tiny"], ["--space", "s1"],
        ["--out", "new"], ["--seed", "5"], ["--device", "cpu"], ["--precision", "bf16"], ["--image-size", "16"],
        ["--skip-bad"], ["--overwrite"],
    ],
    ids=lambda option: option[0],
)  # fmt: skip
def test_an_option_that_a_resumed_run_would_ignore_is_refused(option: list[str], call: Call) -> None:
    outcome = call("run", "--resume", "gone", *option)
    assert outcome.code == 1
    assert option[0] in outcome.err


def test_memory_said_twice_is_refused(call: Call) -> None:
    outcome = call("search", "--memory", "low", "--set", "search.memory=normal")
    assert outcome.code == 1
    assert "--memory and --set search.memory=... say the same thing" in outcome.err


def test_a_memory_mode_that_is_unknown_is_refused_as_flag_and_as_setting(call: Call) -> None:
    assert call("search", "--memory", "tiny").code == 2
    outcome = call("search", "--set", "search.memory=tiny")
    assert outcome.code == 1
    assert "search.memory" in outcome.err


@pytest.mark.parametrize("command", ["run", "search"])
def test_the_memory_flag_is_the_setting(command: str, call: Call, tmp_path: Path, monkeypatch) -> None:
    begun = []
    monkeypatch.setattr("edgewise.cli.runs._begin", lambda options, *args, **kwargs: begun.append(options))
    assert call(command, "--memory", "low").code == 0
    assert [RunOptions(out="", **options).settings().search.memory for options in begun] == ["low"]


def test_a_run_can_be_resumed_with_the_memory_flag(call: Call, monkeypatch) -> None:
    resumed = []
    monkeypatch.setattr("edgewise.cli.runs._resume", lambda folder, sets: resumed.append((str(folder), sets)))
    assert call("run", "--resume", "gone", "--memory", "low").code == 0
    assert resumed == [("gone", ["search.memory=low"])]


def test_what_a_non_finite_loss_advises_can_be_done(call: Call, tmp_path: Path) -> None:
    sets = ("--set", "search.trace_steps=false", "--set", "search.epochs=2", "--set", "search.batch_size=50")
    stopped = call("search", *SMALL, *sets, "--set", "weights.lr=1e30", "--out", "run")
    assert stopped.code == 1
    assert stopped.err.startswith("error: weights loss is nan in epoch 1 of the search")
    assert "`edgewise run --resume run`" in stopped.err
    assert "--set weights.lr" in stopped.err
    assert call("run", "--resume", "run", "--set", "weights.lr=0.05").code == 0
    assert '"lr": 0.05' in (tmp_path / "run" / "trace.jsonl").read_text()


def test_the_console_script_ends_with_the_code_and_message_of_an_error(tmp_path: Path) -> None:
    outcome = script("run", "--recipe", "pc-dart", cwd=tmp_path)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: unknown recipe 'pc-dart'")
    assert len(outcome.err.splitlines()) == 1
