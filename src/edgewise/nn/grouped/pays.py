"""Where grouped cells are the faster ones."""

from __future__ import annotations

from torch import Tensor

from edgewise.spaces.space import CellSpace


def pays(space: CellSpace, x: Tensor) -> bool:
    """Whether `auto` takes grouped cells of this space, where there are no kernels, for inputs like this one."""
    return True
