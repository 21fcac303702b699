"""--compile and --precision in whole runs: what is said, what is recorded, and that a resumed run goes on so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from edgewise.methods import (
    RECIPES,
    DirichletMixture,
    GumbelHard,
    OperationNoise,
    SearchDropPath,
    SkipDropout,
)
from edgewise.nn.engines.native import Build
from edgewise.pipeline import Options, resume, start
from edgewise.pipeline.speed_advice import announce_kernels, speed_notes, wants_kernels
from edgewise.runs.folder import RunFolder
from edgewise.runtime import compiling
from edgewise.runtime.compute import Compute
from edgewise.runtime.distributed import Processes
from edgewise.runtime.interrupt import Interrupted
from edgewise.spaces import published
from tests.backend import Backend, use_backend
from tests.pipeline.small import SEED, EarlyStopping, one_thread, small, without_onnx

SHORT = ("search.epochs=1", "train.epochs=2", "data.train_images=100", "warm_up=none", "compare=[]")
CELLS = published("PC_DARTS_cifar")


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Backend:
    found = use_backend(monkeypatch)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    return found


def train(folder: Path, *, compile: bool, watch: EarlyStopping | None = None) -> None:
    options = Options(seed=SEED, device="cpu", compile=compile)
    with one_thread(), without_onnx():
        start(small(*SHORT), folder, options=options, command="train", genotype=CELLS, progress=watch)


def network(folder: Path) -> dict[str, Tensor]:
    return load_file(folder / "network.safetensors")


def test_a_compiled_training_says_so_records_it_and_leaves_the_network_of_an_uncompiled_one(
    backend: Backend, tmp_path: Path
) -> None:
    watch = EarlyStopping()
    train(tmp_path / "compiled", compile=True, watch=watch)
    assert backend.graphs == 1
    train(tmp_path / "plain", compile=False)
    assert backend.graphs == 1
    assert len([line for line in watch.lines if "--compile" in line]) == 1
    records = [json.loads((tmp_path / name / "run.json").read_text()) for name in ("compiled", "plain")]
    assert [record["compile"] for record in records] == [True, False]
    one, two = network(tmp_path / "compiled"), network(tmp_path / "plain")
    assert list(one) == list(two)
    for name, tensor in one.items():
        torch.testing.assert_close(tensor, two[name], rtol=1e-3, atol=1e-4)
    assert "compiled" in (tmp_path / "compiled" / "report.html").read_text()


def test_a_run_that_was_begun_compiled_is_resumed_compiled(backend: Backend, tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def stop(title: str, epoch: int, step: int) -> None:
        if epoch == 1:
            raise Stopped

    with pytest.raises((Stopped, Interrupted)):
        train(tmp_path / "run", compile=True, watch=EarlyStopping(step=stop))
    before, watch = backend.graphs, EarlyStopping()
    with one_thread(), without_onnx():
        resume(tmp_path / "run", progress=watch)
    assert backend.graphs == before + 1
    assert any("--compile" in line for line in watch.lines)


def test_a_search_on_a_cpu_is_not_compiled_and_the_line_says_why(backend: Backend, tmp_path: Path) -> None:
    watch = EarlyStopping()
    options = Options(seed=SEED, device="cpu", compile=True)
    with one_thread():
        start(small(*SHORT), tmp_path / "run", options=options, command="search", progress=watch)
    assert backend.graphs == 0
    (line,) = [line for line in watch.lines if "--compile" in line]
    assert "the search is not compiled on a CPU" in line
    assert "training" not in line


def test_a_whole_run_on_a_cpu_says_both_in_one_line() -> None:
    (line,) = speed_notes(compiling_compute("cpu"), ("search", "train:found"), RECIPES["pc-darts"], compile=True)
    assert "the search is not compiled" in line
    assert "the training is compiled" in line


def test_without_a_compiler_the_line_says_so_and_the_run_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compiling, "compile_fault", lambda device: "there is no C++ compiler here")
    monkeypatch.setattr("edgewise.runtime.compute.compile_fault", lambda device: "there is no C++ compiler here")
    monkeypatch.setattr(
        "edgewise.pipeline.speed_advice.compile_fault", lambda device: "there is no C++ compiler here"
    )
    watch = EarlyStopping()
    train(tmp_path / "run", compile=True, watch=watch)
    (line,) = [line for line in watch.lines if "--compile" in line]
    assert "no C++ compiler" in line
    assert (tmp_path / "run" / "network.safetensors").is_file()


def compiling_compute(device: str, precision: str = "fp32") -> Compute:
    compute = Compute("cpu")
    compute.device, compute.precision = torch.device(device), precision  # type: ignore[assignment]
    return compute


@pytest.mark.parametrize(
    ("device", "precision", "said"),
    [("cpu", "bf16", True), ("cpu", "fp32", False), ("cuda", "bf16", False), ("cuda", "fp16", False)],
)
def test_bf16_is_called_slow_on_a_cpu_alone(device: str, precision: str, said: bool) -> None:
    lines = speed_notes(compiling_compute(device, precision), ("search",), RECIPES["pc-darts"], compile=False)
    assert ["bf16 on a CPU is slower" in line for line in lines] == [True] * said


DRAWING = (GumbelHard, DirichletMixture, OperationNoise, SkipDropout, SearchDropPath)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_on_a_gpu_a_search_that_draws_in_its_passes_is_not_compiled_and_the_line_says_so(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgewise.pipeline.speed_advice.compile_fault", lambda device: None)
    lines = speed_notes(compiling_compute("cuda"), ("search", "train:found"), RECIPES[name], compile=True)
    assert [f"{name} draws anew in each pass" in line for line in lines] == [True] * (
        any(isinstance(part, DRAWING) for part in RECIPES[name].all_parts())
    )


def test_without_either_option_nothing_is_said() -> None:
    assert (
        speed_notes(compiling_compute("cpu"), ("search", "train:found"), RECIPES["pc-darts"], compile=False) == []
    )


def test_with_several_processes_nothing_is_compiled_and_the_line_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgewise.runtime.compute.joined", lambda accelerator: Processes(0, 2))
    compute = Compute("cpu", compile=True)
    assert not compute.compiles
    (line,) = speed_notes(compute, ["train:found"], RECIPES["pc-darts"], compile=True)
    assert "several processes share each batch" in line


NO_COMPILER = Build(None, "there is no C++ compiler")
BROKEN = Build(None, "the C++ compiler cc could not compile the kernels", detail="cell.cpp:1: error: no")


def kernels_are(monkeypatch: pytest.MonkeyPatch, build: Build) -> None:
    monkeypatch.setattr("edgewise.pipeline.speed_advice.build_once", lambda: build)


@pytest.mark.parametrize(
    ("build", "record"),
    [
        (NO_COMPILER, "there is no C++ compiler"),
        (BROKEN, "the C++ compiler cc could not compile the kernels: cell.cpp:1: error: no"),
    ],
)
def test_a_run_without_kernels_warns_once_before_it_begins_and_records_the_compilers_words(
    build: Build, record: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kernels_are(monkeypatch, build)
    begun: list[int] = []
    watch = EarlyStopping(step=lambda *where: begun.append(len(watch.lines)))
    train(tmp_path / "run", compile=False, watch=watch)
    (line,) = [line for line in watch.lines if "warning" in line]
    assert build.fault in line
    assert "times the time" in line
    assert "apt install g++" in line
    assert ("run.json" in line) == bool(build.detail)
    assert "error: no" not in line
    assert watch.lines.index(line) < begun[0]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["kernels"] == record


@pytest.mark.parametrize(
    ("build", "said", "record"),
    [
        (Build(None), [], "switched off"),
        (Build(object()), [], "loaded"),  # type: ignore[arg-type]
        (Build(object(), note="kept elsewhere"), ["note: kept elsewhere"], "loaded"),  # type: ignore[arg-type]
    ],
)
def test_kernels_that_are_there_or_switched_off_are_no_warning(
    build: Build, said: list[str], record: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kernels_are(monkeypatch, build)
    watch = EarlyStopping()
    with RunFolder.create(tmp_path / "run") as folder:
        announce_kernels(folder, watch)
        assert folder.read_run()["kernels"] == record
    assert watch.lines == said


@pytest.mark.parametrize(
    ("sets", "device", "precision", "phases", "wanted"),
    [
        ((), "cpu", "fp32", ("search",), True),
        ((), "cpu", "fp32", ("train:found",), True),
        ((), "cpu", "fp32", ("export", "report"), False),
        ((), "cuda", "fp32", ("search", "train:found"), False),
        ((), "cpu", "bf16", ("search", "train:found"), False),
        (("search.engine=plain",), "cpu", "fp32", ("search",), False),
        (("search.engine=grouped",), "cpu", "fp32", ("search",), False),
        (("search.engine=plain",), "cpu", "fp32", ("search", "train:found"), True),
        (("train.engine=plain",), "cpu", "fp32", ("train:found",), False),
        (("space=nb201", "train.auxiliary=0"), "cpu", "fp32", ("search", "train:found"), False),
        (("space=s4",), "cpu", "fp32", ("search",), False),
        (("space=s4",), "cpu", "fp32", ("train:found",), True),
    ],
)
def test_kernels_are_missed_only_where_they_would_have_run(
    sets: tuple[str, ...], device: str, precision: str, phases: tuple[str, ...], wanted: bool
) -> None:
    assert wants_kernels(compiling_compute(device, precision), phases, small(*sets)) == wanted


def test_a_compiled_training_and_several_processes_do_without_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    compute = compiling_compute("cpu")
    compute.compiles = True
    assert not wants_kernels(compute, ["train:found"], small())
    assert wants_kernels(compute, ["search", "train:found"], small())
    monkeypatch.setattr("edgewise.runtime.compute.joined", lambda accelerator: Processes(0, 2))
    assert not wants_kernels(Compute("cpu"), ["search", "train:found"], small())
