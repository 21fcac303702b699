"""Fixtures shared by every room's tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tensors are tiny and two workers run side by side: threads of their own would only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED_DATA = Path(os.environ.get("EDGEWISE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data sets; tests that need it are skipped where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"no real data at {SHARED_DATA}; set EDGEWISE_TEST_DATA to run this test")
    return SHARED_DATA


@pytest.fixture(scope="session")
def golden(shared_data: Path) -> dict:
    """Numbers computed with the authors' published code (oracles/golden.json beside the data)."""
    import json

    path = shared_data.parent / "oracles" / "golden.json"
    if not path.is_file():
        pytest.skip(f"no golden numbers at {path}")
    return json.loads(path.read_text())
