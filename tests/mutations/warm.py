"""A process that has imported all but edgewise, and forks for each set of guards: imports take most of their time.

python -m tests.mutations.warm: reads a request a line, and answers with its exit code.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.mutations.planting import PLANTED, SITE, install

REPOSITORY = Path(__file__).parents[2]
SECONDS = 3600
# What edgewise and its tests import, as far as it is there; edgewise itself is imported anew for each request.
PACKAGES = (
    *("torch", "torch.nn.functional", "torch.utils.checkpoint", "numpy", "scipy.stats", "pandas", "pydantic"),
    *(
        "pyarrow.parquet",
        "PIL.Image",
        "jinja2",
        "rich.progress",
        "rich.table",
        "typer",
        "typer.testing",
        "tomli_w",
    ),
    *("safetensors.torch", "onnx", "onnxruntime", "sklearn.datasets", "pytest", "hypothesis", "accelerate"),
)


def environment(planted: Path | None = None) -> dict[str, str]:
    """The environment that guards run in; `planted` is the file that a mistake was written to."""
    path = os.pathsep.join(filter(None, [str(SITE), str(REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    own = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    return own if planted is None else {**own, PLANTED: str(planted)}


class WarmPython:
    """Runs pytest in forks of one process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.mutations.warm"],
            cwd=REPOSITORY,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def pytest(self, planted: Path, output: Path, arguments: Sequence[str]) -> int:
        """Runs pytest with a planted mistake; returns its exit code, -14 after an hour.

        Args:
            planted: the file that the mistake was written to.
            output: the file that is written to in the place of stdout and stderr.
            arguments: of pytest.
        """
        request = {"output": str(output), "arguments": list(arguments), "environment": environment(planted)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, f"the process that runs guards ended: {self._process.wait()}"
        return int(answer)

    def close(self) -> None:
        """Ends the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    """Imports, then answers requests until there are no more."""
    for name in PACKAGES:
        with suppress(ImportError):
            importlib.import_module(name)
    assert not any(name.partition(".")[0] == "edgewise" for name in sys.modules)
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _run(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _run(request: Mapping[str, Any]) -> None:
    """Runs pytest in a forked process, which ends with it."""
    import pytest

    signal.alarm(SECONDS)
    os.environ.clear()
    os.environ.update(request["environment"])
    install()
    file = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (sys.stdout.fileno(), sys.stderr.fileno()):
        os.dup2(file, stream)
    code = 3
    try:
        code = int(pytest.main(request["arguments"]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
