"""The same in Python: few lines, typed, and nothing heavy before it is needed."""

from __future__ import annotations

import ast
import re
from importlib.resources import files
from pathlib import Path

import pytest
import torch

import edgewise
from tests.cli.conftest import python


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
    text = (Path(__file__).parents[2] / "README.md").read_text()
    used = set(re.findall(r"\bedgewise\.(\w+)\(", text))
    assert used >= {"run", "load"}
    assert used <= set(public())


def test_functions_are_not_hidden_by_modules_of_the_same_name() -> None:
    names = "[name for name in edgewise.__all__ if name.islower()]"
    hidden = f"[name for name in {names} if not callable(getattr(edgewise, name))]"
    assert python(f"import edgewise; edgewise.run; print({hidden})") == "[]\n"


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        edgewise.no_such_name  # noqa: B018


def test_a_trained_network_is_loaded_by_its_folder_and_classifies(whole) -> None:
    classifier = edgewise.load(whole.folder)
    with torch.no_grad():
        assert classifier.network(torch.zeros(2, 1, 8, 8)).shape == (2, 10)
    assert classifier.facts.class_names == tuple(str(digit) for digit in range(10))
    assert classifier.facts.genotype == whole.result.genotype


def test_classes_are_predicted_from_images_as_they_are(whole, splits) -> None:
    images = splits.test._images
    names = edgewise.load(whole.folder).predict(images.pixels)
    right = sum(name == str(label) for name, label in zip(names, images.labels.tolist(), strict=True))
    assert right / len(images) == whole.result.results["found"]["top1"]


def test_run_in_python_is_one_call(whole, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.pipeline.small import RUN

    seen = []
    monkeypatch.setattr(RUN, "run_phase", lambda phase, context: seen.append((phase, context.seed)))
    (tmp_path / "run").mkdir()
    with pytest.raises(edgewise.EdgewiseError, match=r"genotype\.json is missing"):
        edgewise.run("digits", out=tmp_path / "run", recipe="darts", preset="tiny", sets=["compare=[]"], seed=9)
    phases = ("search", "candidates", "select", "fit", "train:found", "export", "report")
    assert seen == [(phase, 9) for phase in phases]
    assert edgewise.resolve("darts", preset="tiny", sets=["compare=[]"]) == edgewise.resolve(
        str(tmp_path / "run" / "recipe.toml")
    )
