"""Checkpoints: tensors and plain values only, written atomically; reading one can't run code."""

from __future__ import annotations

import io
import warnings
from collections import OrderedDict
from pathlib import Path
from typing import Any

from edgewise.errors import RunError
from edgewise.runs.atomic import write_bytes

_PLAIN = (bool, int, float, str, type(None))


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Writes a checkpoint; a process killed at any moment leaves the old or the new one whole.

    Args:
        path: the file.
        state: nested dicts, lists and tuples of tensors and plain values.

    Raises:
        RunError: an entry could not be read back safely (says which), or the file can't be written.
    """
    import torch

    odd = _odd_entry(state, "")
    if odd:
        raise RunError(f"checkpoint entry {odd}: only tensors and plain Python values are kept")
    # In memory first: the file is then written in one go, and a full disk shows as an OSError.
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getbuffer())


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """Reads a checkpoint onto the CPU; None where there is none.

    Raises:
        RunError: the file is damaged or holds more than tensors and plain values.
    """
    import torch

    if not path.exists():
        return None
    try:
        with warnings.catch_warnings():
            # What torch has to say of files that others wrote; that they can't be read is told below.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    except Exception as error:  # torch raises a dozen types for damaged files
        reason = str(error).partition("\n")[0][:200]
        raise RunError(
            f"{path} can't be read ({type(error).__name__}: {reason}): it is damaged or was not written by "
            f"edgewise; restore it from a copy, or start the run anew"
        ) from error


def _odd_entry(value: Any, path: str) -> str | None:
    import torch

    if isinstance(value, torch.Tensor) or type(value) in _PLAIN:
        return None
    if type(value) in (dict, OrderedDict):
        inner = [(f"{path}.{key}" if path else str(key), item) for key, item in value.items()]
        odd_key = next((key for key in value if type(key) not in _PLAIN), None)
        if odd_key is not None:
            return f"{path} has the key {odd_key!r}"
    elif type(value) in (list, tuple):
        inner = [(f"{path}[{i}]", item) for i, item in enumerate(value)]
    else:
        return f"{path} is a {type(value).__module__}.{type(value).__qualname__}"
    return next((odd for at, item in inner if (odd := _odd_entry(item, at))), None)
