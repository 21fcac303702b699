"""In a terminal bars appear; Ctrl-C there saves and says how to go on."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import SCRIPT, SMALL, environment
from tests.pipeline.small import FILES, assert_same_search

pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")


def in_terminal(*arguments: str, cwd: Path) -> str:
    """Runs the console script in a pseudo-terminal; returns all that was written to it."""
    master, slave = pty.openpty()
    child = subprocess.Popen(
        [SCRIPT, *arguments],
        cwd=cwd,
        env={**environment(), "TERM": "xterm-256color", "COLUMNS": "120"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        close_fds=True,
    )
    os.close(slave)
    written = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # Linux says so when the last process has let go of the terminal.
            break
        if not part:
            break
        written += part
    os.close(master)
    assert child.wait() == 0, written.decode(errors="replace")
    return written.decode()


def test_a_terminal_shows_bars_with_epoch_loss_accuracy_and_time_left(tmp_path: Path) -> None:
    out = in_terminal(
        "search", *SMALL, "--set", "search.epochs=2", "--device", "cpu", "--out", "run", cwd=tmp_path
    )
    assert "\x1b[" in out
    assert re.search("[━╸╺]{10}", out)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out)
    assert all(f"epoch {epoch}/2" in plain for epoch in (1, 2))
    assert re.search(r"loss \d", plain)
    assert re.search(r"accuracy \d", plain)
    assert re.search(r"\d s left", plain)
    assert "search: 2 epochs, took" in plain


def test_ctrl_c_ends_with_130_and_the_command_that_it_prints_goes_on_to_the_same_end(
    whole, tmp_path: Path
) -> None:
    child = subprocess.Popen(
        [sys.executable, "-m", "edgewise", "search", *SMALL, "--seed", "3", "--device", "cpu", "--out", "run"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith("search: epoch 1/3"):
            child.send_signal(signal.SIGINT)
            break
    _, err = child.communicate(timeout=120)
    assert child.returncode == 130, err
    assert err.startswith("stopped in search, epoch 2 of 3")
    assert "Traceback" not in err
    command = re.search(r"`(edgewise run --resume [^`]*)`", err)
    assert command is not None
    words = shlex.split(command[1])
    done = subprocess.run(
        [SCRIPT, *words[1:]], cwd=tmp_path, env=environment(), capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert_same_search(tmp_path / "run", whole.folder)
    left = {path.name for path in (tmp_path / "run").iterdir()}
    assert left == set(FILES) - {"network.safetensors", "network.onnx", "results.json"}
