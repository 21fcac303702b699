"""What a run says about its own speed before it starts: kernels that are not there, options that don't pay."""

from __future__ import annotations

from collections.abc import Sequence

from edgewise.methods import Recipe
from edgewise.nn.engines.native import build_once, knows
from edgewise.nn.engines.native.plan import DILATED, SEPARABLE
from edgewise.progress.protocol import Progress
from edgewise.runs.folder import RunFolder
from edgewise.runtime.compiling import compile_fault
from edgewise.runtime.compute import Compute
from edgewise.spaces import space

WITHOUT_KERNELS = (
    "warning: {fault}, so networks run on PyTorch's own operations, with the same results in 1.5 to 2.7 times the "
    "time (where it was measured). {advice} (Debian, Ubuntu: apt install g++), or name {which} by CXX"
)
SLOW_BF16 = (
    "note: --precision bf16 on a CPU is slower than fp32 in a search, which loses its C++ kernels (half as fast "
    "where it was measured), and 0.9 to 1.2 times as fast in a training: it is meant for GPUs"
)
NO_COMPILED_SEARCH = (
    "the search is not compiled on a CPU (minutes for one cell, and then 0.75 times as fast as before, where that "
    "was measured)"
)
SLOW_COMPILING = (
    "the training is compiled in its first step, which takes minutes on a CPU (160 to 190 s for 8 cells where it "
    "was measured, and then 1.1 to 1.4 times as fast), so it pays in long trainings alone"
)
DRAWING = (
    "the search is not compiled: {name} draws anew in each pass what the pass computes, and each would be another "
    "program"
)


def speed_notes(compute: Compute, phases: Sequence[str], recipe: Recipe, *, compile: bool) -> list[str]:
    """What to say, a line each; nothing where everything pays.

    Args:
        compute: device and precision.
        phases: of the run.
        recipe: of the run.
        compile: whether it was asked for.
    """
    lines = []
    on_cpu = compute.device.type == "cpu"
    if on_cpu and compute.precision == "bf16":
        lines.append(SLOW_BF16)
    if compile:
        fault = compile_fault(compute.device)
        parts = [NO_COMPILED_SEARCH] if on_cpu and "search" in phases else []
        if any(phase.startswith("train") for phase in phases):
            parts.append(SLOW_COMPILING)
        if compute.processes.several:
            lines.append("note: --compile: several processes share each batch: the run goes on without compiling")
        elif fault is not None:
            lines.append(f"note: --compile: {fault}: the run goes on without compiling")
        elif on_cpu and parts:
            lines.append(f"note: --compile: {'; '.join(parts)}")
        elif not on_cpu and "search" in phases and recipe.draws_in_passes:
            lines.append(f"note: --compile: {DRAWING.format(name=recipe.name)}")
    return lines


def wants_kernels(compute: Compute, phases: Sequence[str], recipe: Recipe) -> bool:
    """Whether a run would spend its time in the kernels, if they are there.

    Args:
        compute: device and precision.
        phases: of the run.
        recipe: of the run.
    """
    if compute.device.type != "cpu" or compute.precision != "fp32" or compute.processes.several:
        return False
    where = space(recipe.space)
    searches = "search" in phases and recipe.search.engine == "auto" and knows(where)
    trains = any(phase.startswith("train") for phase in phases) and recipe.train.engine == "auto"
    return searches or (
        trains and not compute.compiles and not {*SEPARABLE, *DILATED}.isdisjoint(where.primitives)
    )


def kernel_notes() -> list[str]:
    """What to say of the kernels, which are compiled now if they are not yet: one line at most."""
    build = build_once()
    if build.fault:
        failed = 'What it said stands in run.json, under "kernels"; install another', "that"
        advice, which = failed if build.detail else ("Install one", "one")
        return [WITHOUT_KERNELS.format(fault=build.fault, advice=advice, which=which)]
    return [f"note: {build.note}"] if build.note else []


def announce_kernels(folder: RunFolder, progress: Progress) -> None:
    """Says what is amiss with the kernels, and notes in run.json whether there are any.

    Args:
        folder: of a run that wants them.
        progress: is told.
    """
    for line in kernel_notes():
        progress.say(line)
    build = build_once()
    without = ": ".join(filter(None, [build.fault, build.detail])) or "switched off"
    folder.update_run({"kernels": without if build.library is None else "loaded"})
