"""What a saved network holds, and every way in which a file can be wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import edgewise
from edgewise.data import Normalisation
from edgewise.errors import ExportError, RunError
from edgewise.export import load_network, save_network
from tests.export.conftest import images, make


@pytest.fixture
def saved(tmp_path: Path, made) -> Path:
    path = tmp_path / "network.safetensors"
    save_network(path, *made)
    return path


@pytest.fixture
def run_folder(tmp_path: Path, saved: Path, made) -> Path:
    (tmp_path / "genotype.json").write_text(made[1].genotype.to_json())
    return tmp_path


def metadata_of(path: Path) -> dict[str, str]:
    with safe_open(path, framework="pt") as file:
        return file.metadata()


def rewrite(path: Path, *, weights: dict | None = None, metadata: dict | None = None) -> None:
    """Writes the file again with some entries replaced; None takes an entry out."""
    tensors = {k: t for k, t in {**load_file(path), **(weights or {})}.items() if t is not None}
    save_file(tensors, path, metadata={**metadata_of(path), **(metadata or {})})


def test_every_weight_and_statistic_comes_back_bit_for_bit(saved: Path, made) -> None:
    wanted, found = made[0].state_dict(), load_network(saved).network.state_dict()
    assert found.keys() == wanted.keys()
    assert all(
        torch.equal(found[name], wanted[name]) and found[name].dtype == wanted[name].dtype for name in wanted
    )


def test_images_are_normalised_as_in_training_bit_for_bit(saved: Path, made) -> None:
    network, facts = made
    batch = (images(facts) * 255).to(torch.uint8)
    with torch.no_grad():
        expected = network(Normalisation(facts.mean, facts.std).apply(batch))
        assert torch.equal(load_network(saved)(batch), expected)


def test_no_images_have_no_predictions(saved: Path, made) -> None:
    assert load_network(saved).predict(images(made[1], 0)) == []


def test_rounding_beyond_the_range_is_no_error(saved: Path, made) -> None:
    batch = images(made[1], 1)
    batch[0, 0, 0, 0] = 1.0001
    assert load_network(saved)(batch).shape == (1, 4)


def test_a_loaded_network_is_ready_for_inference_and_for_training(saved: Path) -> None:
    loaded = load_network(saved)
    assert not any(module.training for module in loaded.modules())
    assert all(parameter.requires_grad and not parameter.is_meta for parameter in loaded.parameters())
    assert not any(buffer.is_meta for buffer in loaded.buffers())
    assert {"mean", "std"} <= {name for name, _ in loaded.named_buffers()}


def test_a_file_says_that_it_has_no_auxiliary_head_and_the_network_keeps_its_own(tmp_path: Path) -> None:
    network, facts = make(auxiliary=True)
    save_network(tmp_path / "n", network, facts)
    loaded = load_network(tmp_path / "n")
    assert loaded.facts == replace(facts, spec=replace(facts.spec, auxiliary=False))
    assert loaded.network.auxiliary is None
    assert network.auxiliary is not None


def test_the_metadata_hold_every_fact_as_json(saved: Path, made) -> None:
    facts, metadata = made[1], metadata_of(saved)
    assert (metadata["format"], metadata["edgewise"]) == ("edgewise.network/1", edgewise.__version__)
    assert json.loads(metadata["class_names"]) == list(facts.class_names)
    assert (json.loads(metadata["mean"]), json.loads(metadata["std"])) == (list(facts.mean), list(facts.std))
    assert json.loads(metadata["image_size"]) == 16
    assert json.loads(metadata["genotype"]) == facts.genotype.to_dict()


def test_saving_leaves_no_other_file_behind(saved: Path) -> None:
    assert [path.name for path in saved.parent.iterdir()] == ["network.safetensors"]


def test_the_default_type_of_torch_does_not_change_what_is_loaded(saved: Path) -> None:
    torch.set_default_dtype(torch.float64)
    try:
        loaded = load_network(saved)
    finally:
        torch.set_default_dtype(torch.float32)
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32, torch.int64}


def test_a_file_that_is_cut_off_after_loading_does_not_touch_the_network(saved: Path, made) -> None:
    loaded, batch = load_network(saved), images(made[1])
    with torch.no_grad():
        before = loaded(batch)
        saved.write_bytes(b"")
        assert torch.equal(loaded(batch), before)


@pytest.mark.parametrize("stem", ["half", "imagenet"])
def test_facts_of_another_stem_are_refused(tmp_path: Path, made, stem) -> None:
    network, facts = made
    with pytest.raises(ExportError, match="another network's"):
        save_network(tmp_path / "x", network, replace(facts, spec=replace(facts.spec, stem=stem)))
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_float32_are_refused(tmp_path: Path, made) -> None:
    network, facts = made
    with pytest.raises(ExportError, match=r"is torch.float64, expected torch.float32"):
        save_network(tmp_path / "x", network.double(), facts)


def test_a_genotype_with_another_source_is_the_same_genotype(run_folder: Path, made) -> None:
    genotype = made[1].genotype
    (run_folder / "genotype.json").write_text(replace(genotype, source="elsewhere").to_json())
    assert edgewise.load(str(run_folder)).genotype == genotype


def test_a_folder_without_genotype_is_refused(run_folder: Path) -> None:
    (run_folder / "genotype.json").unlink()
    with pytest.raises(RunError, match=r"genotype.json is missing"):
        load_network(run_folder)


@pytest.mark.parametrize("content", [b"", b"\x80\x02}q\x00."])
def test_an_empty_file_and_a_pickle_are_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "network.safetensors"
    path.write_bytes(content)
    with pytest.raises(RunError, match="can't be read as safetensors"):
        load_network(path)


def test_a_file_that_was_cut_short_is_told(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(RunError, match="can't be read as safetensors"):
        load_network(saved)


@pytest.mark.parametrize("metadata", [None, {"format": "pt"}])
def test_safetensors_of_another_program_are_told(tmp_path: Path, metadata) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"weight": torch.zeros(2)}, path, metadata=metadata)
    with pytest.raises(RunError, match="no network of edgewise"):
        load_network(path)


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ({"extra": torch.zeros(1)}, r"1 unknown \(extra\)"),
        ({"classifier.bias": torch.zeros(9)}, r"classifier.bias is \[9\], expected \[4\]"),
        ({"classifier.bias": torch.zeros(4).half()}, "classifier.bias is torch.float16"),
    ],
)
def test_weights_that_do_not_fit_are_told_by_name(saved: Path, weights: dict, told: str) -> None:
    rewrite(saved, weights=weights)
    with pytest.raises(RunError, match=told):
        load_network(saved)


def test_facts_of_a_larger_network_do_not_fit_the_weights(saved: Path) -> None:
    spec = {**json.loads(metadata_of(saved)["spec"]), "layers": 4}
    rewrite(saved, metadata={"spec": json.dumps(spec)})
    with pytest.raises(RunError, match="the weights don't fit"):
        load_network(saved)
