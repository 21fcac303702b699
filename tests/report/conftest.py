"""Made-up run folders and the pages written from them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from edgewise.report import write_report
from tests.report.factory import Made, make_folder
from tests.report.reading import Page


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A whole run."""
    return make_folder(tmp_path / "run", Made())


@pytest.fixture
def page_of(tmp_path: Path) -> Callable[[Made], Page]:
    """Writes the report of a made-up run and reads it back."""

    def write(made: Made) -> Page:
        folder = make_folder(tmp_path / f"run-{len(list(tmp_path.iterdir()))}", made)
        return Page(write_report(folder).read_text())

    return write


@pytest.fixture
def results(folder: Path) -> dict:
    """results.json of the whole run."""
    return json.loads((folder / "results.json").read_text())
