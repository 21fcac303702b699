"""The fake pipeline as a fixture."""

from __future__ import annotations

import pytest

from tests.study.factory import FakePipeline, install


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakePipeline:
    """Runs that take no time."""
    return install(monkeypatch, FakePipeline())
