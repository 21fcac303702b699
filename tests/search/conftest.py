"""Makes the small space known to recipes while a test runs."""

from __future__ import annotations

import pytest

from edgewise.spaces.space import SPACES
from tests.search.problem import SMALL


@pytest.fixture
def small_space(monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a space of five edges."""
    monkeypatch.setitem(SPACES, SMALL.name, SMALL)
    return SMALL.name
