"""TOML read with errors that name file, line and column."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from edgewise.errors import ConfigError


def from_toml(source: Path | str) -> dict[str, Any]:
    """Reads a table from a TOML file (a Path) or from TOML text (a str).

    Raises:
        ConfigError: the file can't be read or is no TOML; says which file, line and column.
    """
    name, text = (str(source), _read(source)) if isinstance(source, Path) else ("TOML text", source)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(_explain(str(error), name, text)) from error
    except (ValueError, RecursionError) as error:  # thousands of digits, or brackets without an end
        raise ConfigError(f"{name}: can't be read as TOML ({error}): look for an endless value") from error


def _read(path: Path) -> str:
    try:
        # An editor on Windows may put a byte order mark first, which tomllib refuses.
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(
            f"{path}, line {line}: not UTF-8 text (byte 0x{error.object[error.start]:02x}): save the file as UTF-8"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror}): check the name of the file") from error


def _explain(message: str, name: str, text: str) -> str:
    lines = text.replace("\r\n", "\n").split("\n")
    at = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    if at:
        said, line, column = at[1], int(at[2]), int(at[3])
    else:
        said = message.removesuffix(" (at end of document)")
        line = max(i for i, content in enumerate(lines, 1) if content or i == 1)
        column = len(lines[line - 1]) + 1
    shown = lines[line - 1] if line <= len(lines) else ""
    return f"{name}, line {line}, column {column}: {said}\n  {shown}\n  {' ' * (column - 1)}^"
