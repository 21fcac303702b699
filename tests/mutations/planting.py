"""Puts the functions of a planted mistake in the place of the right ones, as this process imports modules.

Nothing on the disk changes. `site/sitecustomize.py` does the same in processes that guards start.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Mapping
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

# A file with {path: its text with the mistake}, as JSON.
PLANTED = "EDGEWISE_PLANTED"
SITE = Path(__file__).parent / "site"


class _Loader(SourceFileLoader):
    """Loads a module from other text than its file's."""

    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> CodeType:
        """Code of the text; neither read from compiled files nor written to them."""
        return compile(self._text, self.path, "exec", dont_inherit=True)


class _Finder(MetaPathFinder):
    """Finds the modules whose text is another one."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        self._texts = texts

    def find_spec(self, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """The module of that name, if it is one of those with another text."""
        if not fullname.startswith("edgewise"):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.origin not in self._texts:
            return None
        loader = _Loader(fullname, spec.origin, self._texts[spec.origin])
        return importlib.util.spec_from_file_location(
            fullname, spec.origin, loader=loader, submodule_search_locations=spec.submodule_search_locations
        )


def install() -> None:
    """From here on modules are imported with the mistake that the environment names, if it names one."""
    if PLANTED in os.environ:
        texts = json.loads(Path(os.environ[PLANTED]).read_text(encoding="utf-8"))
        assert not any(name.partition(".")[0] == "edgewise" for name in sys.modules), (
            "edgewise is imported already"
        )
        sys.meta_path.insert(0, _Finder(texts))
