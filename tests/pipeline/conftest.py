"""One small run, made once and only read by the tests."""

from __future__ import annotations

import pytest

from edgewise.data import Splits, load
from tests.pipeline.small import options, small
from tests.pipeline.whole import Whole, whole_run


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Whole:
    """A small run that nothing stopped."""
    return whole_run(tmp_path_factory)


@pytest.fixture(scope="session")
def splits() -> Splits:
    """The images of the small run, cut anew."""
    settings = small()
    return load(settings.data, seed=options().seed, arch_fraction=settings.search.arch_fraction)
