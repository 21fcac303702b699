"""Commands that end with an error end themselves: no thread that is left behind aborts the process."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import SCRIPT, environment

# EDGEWISE_STARTS=200 is the run whose figures docs/reliability.md gives.
STARTS = int(os.environ.get("EDGEWISE_STARTS", "2"))


def png(color: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (color, color, color)).save(buffer, "PNG")
    return buffer.getvalue()


def table(path: Path, **columns: list) -> Path:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"image": [png(i) for i in range(20)], **columns}), path)
    return path


def no_label(root: Path) -> Path:
    return table(root / "x.parquet", foo=list(range(20)))


def null_label(root: Path) -> Path:
    return table(root / "x.parquet", label=[None, *["a", "b"] * 9, "a"])


def unreadable(root: Path) -> Path:
    for name in ("a", "b"):
        (root / "photos" / name).mkdir(parents=True)
        for i in range(8):
            (root / "photos" / name / f"{i}.png").write_bytes(png(i)[: 40 if i == 3 else None])
    return root / "photos"


def empty(root: Path) -> Path:
    (root / "empty").mkdir()
    return root / "empty"


def environment_of_a_user() -> dict[str, str]:
    """As many threads as there are cores: what was left behind was a thread."""
    return {name: value for name, value in environment().items() if name != "OMP_NUM_THREADS"}


@pytest.mark.slow
@pytest.mark.parametrize("make", [no_label, null_label, unreadable, empty])
def test_an_error_in_the_data_never_aborts_the_process(make: Callable[[Path], Path], tmp_path: Path) -> None:
    command = [SCRIPT, "run", "--data", make(tmp_path), "--out", tmp_path / "out"]
    codes = [ended(command, tmp_path) for _ in range(STARTS)]
    assert codes == [1] * STARTS


@pytest.mark.slow
def test_an_unknown_recipe_never_aborts_the_process(tmp_path: Path) -> None:
    codes = [ended([SCRIPT, "run", "--recipe", "no-such"], tmp_path) for _ in range(STARTS)]
    assert codes == [1] * STARTS


@pytest.mark.slow
def test_ctrl_c_while_images_are_loaded_never_aborts_the_process(tmp_path: Path, shared_data: Path) -> None:
    command = [SCRIPT, "run", "--data", f"{shared_data}/cifar10/*.parquet", "--out", tmp_path / "out"]
    codes = [interrupted(command, tmp_path, 1.0 + 4.0 * i / STARTS) for i in range(STARTS)]
    assert codes == [130] * STARTS


def ended(command: list[str | Path], cwd: Path) -> int:
    done = subprocess.run(command, cwd=cwd, env=environment_of_a_user(), capture_output=True, timeout=300)
    assert b"terminate called" not in done.stderr
    assert b"Traceback" not in done.stderr
    return done.returncode


def interrupted(command: list[str | Path], cwd: Path, after: float) -> int:
    # A shell has what it starts in the background ignore Ctrl-C, and so would what the tests start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, cwd=cwd, env=environment_of_a_user(), stderr=subprocess.PIPE)
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=300)[1]
    assert b"terminate called" not in said
    assert b"Traceback" not in said
    return process.returncode
