"""The same in Python: few lines, typed, and nothing heavy before it is needed."""

from __future__ import annotations

import ast
from importlib.resources import files
from pathlib import Path

import pytest
import torch

import edgewise
from tests.cli.conftest import python
from tests.pipeline.small import SETS, one_thread


def test_importing_edgewise_loads_no_torch() -> None:
    code = "import sys, edgewise; edgewise.__version__; print([m for m in ('torch', 'numpy') if m in sys.modules])"
    assert python(code) == "[]\n"


def test_the_package_says_that_it_is_typed() -> None:
    assert files("edgewise").joinpath("py.typed").is_file()
    assert files("edgewise").joinpath("__init__.pyi").is_file()


def stub() -> ast.Module:
    return ast.parse(files("edgewise").joinpath("__init__.pyi").read_text())


def public() -> list[str]:
    imports = [node for node in stub().body if isinstance(node, ast.ImportFrom)]
    return [alias.asname or alias.name for node in imports for alias in node.names]


@pytest.mark.parametrize("name", public())
def test_every_name_of_the_stub_is_there(name: str) -> None:
    assert getattr(edgewise, name) is not None
    assert name in edgewise.__all__
    assert name in dir(edgewise)


def test_the_names_of_the_readme_are_public() -> None:
    assert {"run", "search", "train", "resume", "load", "resolve", "Genotype", "published"} <= set(public())


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        edgewise.no_such_name  # noqa: B018


def test_a_trained_network_is_loaded_by_its_folder_and_classifies(whole) -> None:
    classifier = edgewise.load(whole.folder)
    with torch.no_grad():
        assert classifier.network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert classifier.facts.class_names == tuple(str(digit) for digit in range(10))
    assert classifier.facts.genotype == whole.result.genotype


def test_search_then_train_in_python_gives_the_network_of_the_whole_run(whole, tmp_path: Path) -> None:
    with one_thread():
        trained = edgewise.train(
            whole.result.genotype, "digits", out=tmp_path / "net", sets=SETS, seed=3, device="cpu"
        )
    assert (tmp_path / "net" / "network.safetensors").read_bytes() == (
        whole.folder / "network.safetensors"
    ).read_bytes()
    assert list(trained.results) == ["found"]


def test_run_in_python_is_one_call(whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.pipeline.small import RUN

    seen = []
    monkeypatch.setattr(RUN, "run_phase", lambda phase, context: seen.append((phase, context.seed)))
    (tmp_path / "run").mkdir()
    with pytest.raises(edgewise.EdgewiseError, match=r"genotype\.json is missing"):
        edgewise.run("digits", out=tmp_path / "run", recipe="darts", preset="tiny", sets=["compare=[]"], seed=9)
    assert seen == [(phase, 9) for phase in ("search", "train:found", "export", "report")]
    assert edgewise.resolve("darts", preset="tiny", sets=["compare=[]"]) == edgewise.resolve(
        str(tmp_path / "run" / "recipe.toml")
    )
