"""Reads a report as a browser would: elements, attributes, texts, and the page's data."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from typing import Any


class Page(HTMLParser):
    """A report, parsed; what stands in a script or style is no element."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.source = text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.texts: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self._inside: list[str] = []
        self._table: list[list[str]] | None = None
        self.feed(text)
        self.data: dict[str, Any] = json.loads(self.scripts[0])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes an element; opens tables, rows and entries."""
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self._inside.append(tag)
        if tag == "script":
            self.scripts.append("")
        elif tag == "table":
            self._table = self.tables.setdefault(str(attributes.get("id")), [])
        elif tag == "tr" and self._table is not None:
            self._table.append([])
        elif tag in ("td", "th") and self._table is not None:
            self._table[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        """Closes an element, and those within it that were never closed."""
        while self._inside and self._inside.pop() != tag:
            pass
        if tag == "table":
            self._table = None

    def handle_data(self, data: str) -> None:
        """Notes a text where it belongs."""
        inner = self._inside[-1] if self._inside else ""
        if inner == "script":
            self.scripts[-1] += data
        elif inner != "style":
            self.texts.append(data)
            if self._table and inner in ("td", "th"):
                self._table[-1][-1] += data

    @property
    def text(self) -> str:
        """All that is shown, on one line."""
        return " ".join(" ".join(self.texts).split())

    @property
    def sections(self) -> set[str]:
        """The ids of the sections."""
        return {str(attributes.get("id")) for tag, attributes in self.elements if tag == "section"}

    def count(self, tag: str, **attributes: str) -> int:
        """How many elements have the tag and attributes; `_` in a name stands for `-`."""
        wanted = {name.replace("_", "-"): value for name, value in attributes.items()}
        return sum(
            name == tag and all(found.get(key) == value for key, value in wanted.items())
            for name, found in self.elements
        )
