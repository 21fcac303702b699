"""What a run is started with: the functions of Python and the commands of the command line are made of it."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from edgewise.budget import Budget
from edgewise.config.overrides import with_setting
from edgewise.methods import Recipe
from edgewise.nn import Memory
from edgewise.pipeline.options import Options
from edgewise.pipeline.settings import Settings, comparing, resolve
from edgewise.progress.protocol import Progress
from edgewise.runtime.compute import Precision
from edgewise.spaces import SPACES, CellSpace

DEFAULT_RECIPE = "pc-darts-gp"
ESTIMATED = ("small", "paper")
"""The presets whose cost is measured first unless somebody says otherwise."""
A = TypeVar("A")
P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


@dataclass(frozen=True)
class RunOptions:
    """Images, method, sizes and machine of a run.

    Args:
        data: "digits" (the default), a hub name, a folder of images, or a folder or glob of parquet files.
        out: the run folder.
        recipe: a recipe, its name, or a TOML file.
        space: the space that is searched, or its name; the recipe's by default.
        memory: "low" computes cells twice instead of keeping what is in them.
        preset: "tiny", "small" or "paper".
        budget: what the networks may need, such as `Budget(params=100_000)`; several for a network each.
        sets: single settings, such as "search.epochs=30".
        seed: of every random stream.
        device: "auto", "cpu", "cuda", ...
        precision: "fp32", "bf16" or "fp16".
        compile: whether to compile (see docs/speed.md).
        image_size: images are resized and cropped to this side, in pixels.
        skip_bad: whether unreadable images are left out.
        compare: networks that are trained beside the chosen one, such as "hand"; "none" for none of the recipe's.
        track: a tracker that curves are sent to as well, such as "tensorboard".
        truth: a table of NAS-Bench-201: each epoch of a search says what its cell really reaches.
        overwrite: whether a finished run in the folder is replaced.
        estimate: whether a few steps are measured first, to say what the run will cost; None for the presets
            `small` and `paper` alone.
        progress: `edgewise.progress.choose.make_progress()` shows bars; silent by default.
    """

    data: str | None = None
    _: KW_ONLY
    out: Path | str
    recipe: str | Recipe = DEFAULT_RECIPE
    space: str | CellSpace | None = None
    memory: Memory | None = None
    preset: str | None = None
    budget: Budget | Sequence[Budget] | None = None
    sets: Sequence[str] = ()
    seed: int = 0
    device: str = "auto"
    precision: Precision = "fp32"
    compile: bool = False
    image_size: int | None = None
    skip_bad: bool = False
    compare: Sequence[str] = ()
    track: str = ""
    truth: Path | str | None = None
    overwrite: bool = False
    estimate: bool | None = False
    progress: Progress | None = None

    def settings(self) -> Settings:
        """Everything that the run follows from.

        Raises:
            ConfigError: anything is unknown, malformed, said twice or can't be combined; every fault is named.
        """
        space = self.space
        if isinstance(space, CellSpace):
            space = SPACES.register(space.name, space).name
        own = {
            "space": ("space", space),
            "memory": ("search.memory", self.memory),
            "image_size": ("data.image_size", self.image_size),
            "skip_bad": ("data.skip_bad", "true" if self.skip_bad else None),
        }
        sets = list(self.sets)
        for name, (setting, value) in reversed(own.items()):
            sets = with_setting(name.replace("_", "-"), setting, value, sets)
        settings = resolve(self.recipe, preset=self.preset, data=self.data, budget=self.budget, sets=sets)
        wanted = [name.strip() for text in self.compare for name in text.split(",")]
        return comparing(settings, wanted) if wanted else settings

    def options(self) -> Options:
        """How the run is carried out."""
        estimate = self.preset in ESTIMATED if self.estimate is None else self.estimate
        return Options(
            seed=self.seed,
            device=self.device,
            precision=self.precision,
            compile=self.compile,
            overwrite=self.overwrite,
            estimate=estimate,
            truth=None if self.truth is None else str(self.truth),
            track=self.track,
        )


def made_of(make: Callable[P, T]) -> Callable[[Callable[[T], R]], Callable[P, R]]:
    """Gives a function the arguments of a dataclass, of which it takes an object.

    Args:
        make: the dataclass.
    """

    def decorate(function: Callable[[T], R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            return function(make(*args, **kwargs))

        _describe(wrapped, list(inspect.signature(make).parameters.values()), function, make)
        return wrapped

    return decorate


def made_of_one_and(make: Callable[P, T]) -> Callable[[Callable[[A, T], R]], Callable[Concatenate[A, P], R]]:
    """As `made_of`, for a function with an argument of its own before them.

    Args:
        make: the dataclass.
    """

    def decorate(function: Callable[[A, T], R]) -> Callable[Concatenate[A, P], R]:
        @functools.wraps(function)
        def wrapped(first: A, *args: P.args, **kwargs: P.kwargs) -> R:
            return function(first, make(*args, **kwargs))

        own = next(iter(inspect.signature(function).parameters.values()))
        _describe(wrapped, [own, *inspect.signature(make).parameters.values()], function, make)
        return wrapped

    return decorate


def _describe(
    wrapped: Callable[..., object],
    parameters: list[inspect.Parameter],
    function: Callable[..., object],
    make: Callable[..., object],
) -> None:
    """Signature and docstring of what is called."""
    wrapped.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapped.__doc__ = f"{inspect.getdoc(function)}\n\nOptions, see `{make.__name__}`:\n\n{inspect.getdoc(make)}"
