"""An accelerator that is not there: its tensors are held in the host's memory, and every wait for it is noted.

To PyTorch it is a device of its own, a backend in Python: tensors say that they are there, autograd's backward
pass runs on the device's thread, optimisers take all weights in one call, and code that asks for a tensor's device
takes the way that it takes on an accelerator. What an operator computes, it computes on the CPU. As on CUDA, an
operator or a draw that gets what lies on both sides is an error. What waits within CUDA's own kernels, or because
a copy is large, can't be seen here.

It is for a process of its own: a backend can't be unregistered.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim import optimizer as optimizers
from torch.utils import _foreach_utils, backend_registration
from torch.utils._python_dispatch import TorchDispatchMode

from edgewise.runtime import optimiser

NAME = "pretended"
POSSIBLE = hasattr(backend_registration, "_setup_privateuseone_for_python_backend")
PACKAGE = f"{Path(optimiser.__file__).parents[1]}/"

# The host needs the result, or its size, whatever the arguments are.
READING = frozenset(
    {
        *("_local_scalar_dense", "equal", "is_nonzero", "nonzero", "masked_select", "bincount"),
        *("_unique", "_unique2", "unique_dim", "unique_consecutive", "_linalg_eigh", "linalg_lu_factor"),
    }
)
COPYING = frozenset(("_to_copy", "copy_"))
INDEXING = frozenset(("index", "index_put", "index_put_", "_index_put_impl_", "_unsafe_index"))


@dataclass
class Waits:
    """What made the host wait: the operator and the line that asked for it.

    Args:
        reads: what was brought to the host.
        copies: what was brought to the device, and waited for.
    """

    reads: list[str] = field(default_factory=list)
    copies: list[str] = field(default_factory=list)


_NOTED: list[Waits] = []


@contextmanager
def noted() -> Iterator[Waits]:
    """Within it, waits are noted."""
    _NOTED.append(Waits())
    try:
        yield _NOTED[-1]
    finally:
        _NOTED.pop()


class Held(Tensor):
    """A tensor on the pretended device.

    Args:
        held: its values, on the CPU.
    """

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Held:
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
        )
        made.held = held
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Held({self.held!r})"

    def tolist(self) -> Any:
        """The values, read back."""
        return self.cpu().tolist()

    def numpy(self, *, force: bool = False) -> Any:
        """As on any device but the CPU, refused unless the values may be read back."""
        if not force:
            raise TypeError(f"can't convert a {NAME} tensor to numpy: copy it to the CPU first")
        return self.detach().cpu().numpy()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


class _Everywhere(TorchDispatchMode):
    """Sees the operators that make tensors on the device, and copies to it."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return compute(func, args, kwargs or {})


def compute(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Carries an operator out on what its tensors hold, and notes where the host waits for it.

    Raises:
        RuntimeError: tensors or a generator of both sides.
    """
    tensors = _tensors([*args, *kwargs.values()], [])
    theirs = {id(one.held): one for one in tensors if isinstance(one, Held)}
    device = kwargs.get("device")
    there = bool(theirs) if device is None else device.type == NAME
    if not (there or theirs):
        return func(*args, **kwargs)
    _note(func.overloadpacket.__name__, args, kwargs, there=there)
    _check(func, tensors, kwargs, there=there)
    own = {name: _mapped(value, _bare) for name, value in kwargs.items()}
    if there and device is not None:
        own["device"] = torch.device("cpu")
    out = func(*(_mapped(one, _bare) for one in args), **own)
    # What is written in place comes back as the tensor that it was.
    return _mapped(out, lambda one: theirs.get(id(one)) if id(one) in theirs else Held(one)) if there else out


def _note(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], *, there: bool) -> None:
    if not _NOTED:
        return
    waits = _NOTED[-1]
    if name in READING:
        waits.reads.append(_line(name))
    elif name in COPYING:
        source, target = (args[0], there) if name == "_to_copy" else (args[1], isinstance(args[0], Held))
        if isinstance(source, Held) and not target:
            waits.reads.append(_line(name))
        elif target and not isinstance(source, Held) and not _unwaited(args, kwargs):
            waits.copies.append(_line(name))
    elif name in INDEXING:
        index = [one for one in args[1] if one is not None]
        if any(isinstance(one, Held) and one.dtype in (torch.bool, torch.uint8) for one in index):
            waits.reads.append(_line(f"{name} with a mask"))
        if not all(isinstance(one, Held) for one in (*index, *args[2:3])):
            waits.copies.append(_line(f"{name} with what is on the CPU"))


def _unwaited(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return bool(kwargs.get("non_blocking", args[2] if len(args) > 2 else False))


def _check(func: Any, tensors: list[Tensor], kwargs: dict[str, Any], *, there: bool) -> None:
    name, drawn = func.overloadpacket.__name__, kwargs.get("generator")
    if there and drawn is not None and drawn._cdata not in _GENERATORS:
        raise RuntimeError(_line(f"{name}: the generator is on the CPU"))
    if name in COPYING or (name in INDEXING and isinstance(tensors[0], Held)):
        return
    # A single number on the CPU goes along with the arguments of an operator that works number by number.
    single = torch.Tag.pointwise in func.tags or name == "fill_"
    for one in tensors:
        if not isinstance(one, Held) and (one.dim() or not single):
            raise RuntimeError(_line(f"{name}: {tuple(one.shape)} on the CPU, and others on {NAME}"))


def _line(what: str) -> str:
    frames = [frame for frame in traceback.extract_stack() if frame.filename.startswith(PACKAGE)]
    where = f"{frames[-1].filename.removeprefix(PACKAGE)}:{frames[-1].lineno}" if frames else "outside edgewise"
    return f"{what} at {where}"


def _tensors(values: Any, found: list[Tensor]) -> list[Tensor]:
    """Those within nested lists, in their order."""
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            _tensors(value, found)
    return found


def _mapped(value: Any, function: Callable[[Tensor], Any]) -> Any:
    """The value with every tensor in it replaced."""
    if isinstance(value, Tensor):
        return function(value)
    return type(value)([_mapped(one, function) for one in value]) if isinstance(value, (list, tuple)) else value


def _bare(tensor: Tensor) -> Tensor:
    return tensor.held if isinstance(tensor, Held) else tensor


_GENERATORS: dict[int, torch.Generator] = {}
"""Those on the device, by what identifies them: an operator gets another Python object for the same generator."""


class _DeviceGenerator(torch.Generator):
    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return torch.device(NAME, 0)


class _AnyGenerator(torch.Generator):
    """In the place of `torch.Generator`, which has none for a backend in Python."""

    def __new__(cls, device: torch.device | str = "cpu") -> torch.Generator:  # type: ignore[misc]
        if torch.device(device).type != NAME:
            return cls.__base__(device)
        made = cls.__base__.__new__(_DeviceGenerator)
        _GENERATORS[made._cdata] = made
        return made


class _Module(backend_registration._DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]


class _Hooks(torch._C._acc.PrivateUse1Hooks):  # type: ignore[attr-defined]
    def is_available(self) -> bool:
        return True

    def has_primary_context(self, dev_id: int) -> bool:
        return True

    def is_built(self) -> bool:
        return True


_KERNELS = torch.library.Library("aten", "IMPL")


@contextmanager
def pretended() -> Iterator[torch.device]:
    """Makes the device known to PyTorch, once a process; within it, it can be used."""
    backend_registration._setup_privateuseone_for_python_backend(NAME, backend_module=_Module(), hook=_Hooks())
    # `torch.tensor(..., device=...)` makes its copy where no mode sees it.
    _KERNELS.impl(
        "empty.memory_format",
        lambda size, *, dtype=None, memory_format=None, **_: Held(torch.empty(size, dtype=dtype)),
        "PrivateUse1",
    )
    _KERNELS.impl(
        "empty_strided",
        lambda size, stride, *, dtype=None, **_: Held(torch.empty_strided(size, stride, dtype=dtype)),
        "PrivateUse1",
    )
    _KERNELS.impl(
        "_copy_from",
        lambda source, target, non_blocking=False: compute(
            torch.ops.aten.copy_.default, (target, source, non_blocking), {}
        ),
        "PrivateUse1",
    )
    for known in (optimizers._foreach_supported_types, _foreach_utils._foreach_supported_types):
        known.append(Held)
    vars(optimiser)["FUSED_DEVICES"] = (*optimiser.FUSED_DEVICES, NAME)
    vars(torch)["Generator"] = _AnyGenerator
    with _Everywhere():
        yield torch.device(NAME)
