"""Networks as safetensors files, and as classifiers that take images as they are."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from edgewise.errors import DataError, ExportError, RunError
from edgewise.export import Classifier, load_network, save_network
from edgewise.spaces import published
from tests.export.conftest import images, make


def test_a_network_comes_back_with_the_same_logits_bit_for_bit_and_all_its_facts(made, tmp_path):
    network, facts = made
    save_network(tmp_path / "n.safetensors", network, facts)
    loaded = load_network(tmp_path / "n.safetensors")
    assert torch.equal(loaded(images(facts)), Classifier(network, facts).eval()(images(facts)))
    assert loaded.facts == facts
    assert loaded.class_names == facts.class_names


def test_equal_networks_give_equal_files(made, tmp_path):
    network, facts = made
    for name in ("a", "b"):
        save_network(tmp_path / name, network, facts)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_auxiliary_head_is_left_out_and_the_logits_are_the_same(tmp_path):
    network, facts = make(auxiliary=True)
    save_network(tmp_path / "n", network, facts)
    with safe_open(tmp_path / "n", framework="pt") as file:
        assert not [name for name in file.keys() if name.startswith("auxiliary")]  # noqa: SIM118
    x = images(facts)
    assert torch.equal(load_network(tmp_path / "n")(x), Classifier(network, facts).eval()(x))


def test_bytes_and_shares_of_the_same_image_give_the_same_logits(made):
    network, facts = made
    classifier = Classifier(network, facts).eval()
    raw = (images(facts) * 255).to(torch.uint8)
    assert torch.equal(classifier(raw), classifier(raw.float() / 255))


def test_the_normalisation_is_applied_with_the_facts_mean_and_deviation(made):
    network, facts = made
    x = images(facts)
    mean, std = torch.tensor(facts.mean).view(3, 1, 1), torch.tensor(facts.std).view(3, 1, 1)
    assert torch.equal(Classifier(network, facts).eval()(x), network((x - mean) / std))


def test_predictions_are_the_names_of_the_largest_logits(made):
    network, facts = made
    classifier = Classifier(network, facts).eval()
    x = images(facts, 6)
    assert classifier.predict(x) == [facts.class_names[i] for i in classifier(x).argmax(1).tolist()]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (torch.zeros(3, 16, 16), "for one image pass"),
        (torch.zeros(1, 1, 16, 16), "convert them to RGB"),
        (torch.zeros(1, 3, 8, 8), "resize and crop them to 16 x 16"),
        (torch.full((1, 3, 16, 16), 255.0), "divide 0..255 by 255"),
        (torch.full((1, 3, 16, 16), float("nan")), "from nan"),
        (torch.zeros(1, 3, 16, 16, dtype=torch.int64), "pass uint8"),
    ],
)
def test_images_of_another_shape_type_or_range_are_refused_with_what_to_do(made, bad, said):
    with pytest.raises(DataError, match=said):
        Classifier(*made)(bad)


def test_a_file_of_another_program_is_refused(tmp_path):
    save_file({"w": torch.zeros(2)}, tmp_path / "foreign.safetensors")
    with pytest.raises(RunError, match=r"foreign\.safetensors"):
        load_network(tmp_path / "foreign.safetensors")
    (tmp_path / "text.safetensors").write_text("hello")
    with pytest.raises(RunError, match="can't be read as safetensors"):
        load_network(tmp_path / "text.safetensors")


def test_weights_that_were_changed_after_writing_are_refused(made, tmp_path):
    network, facts = made
    save_network(tmp_path / "n", network, facts)
    with safe_open(tmp_path / "n", framework="pt") as file:
        metadata, weights = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    del weights["classifier.bias"]
    save_file(weights, tmp_path / "n", metadata=metadata)
    with pytest.raises(RunError, match=r"1 missing \(classifier\.bias\)"):
        load_network(tmp_path / "n")


def test_a_folder_without_a_network_or_with_another_genotype_is_refused(made, tmp_path):
    network, facts = made
    with pytest.raises(RunError, match=r"has no network\.safetensors"):
        load_network(tmp_path)
    with pytest.raises(RunError, match="no such file or folder"):
        load_network(tmp_path / "gone")
    save_network(tmp_path / "network.safetensors", network, facts)
    (tmp_path / "genotype.json").write_text(facts.genotype.to_json())
    assert load_network(tmp_path).genotype == facts.genotype
    (tmp_path / "genotype.json").write_text(published("DARTS_V2").to_json())
    with pytest.raises(RunError, match="differs from the genotype inside"):
        load_network(tmp_path)


def test_facts_of_another_network_are_refused(made, tmp_path):
    network, facts = made
    wrong = dataclasses.replace(facts, genotype=published("DARTS_V1"))
    with pytest.raises(ExportError, match="another network's"):
        save_network(tmp_path / "n", network, wrong)
    assert not (tmp_path / "n").exists()


def test_loading_moves_no_random_stream(made, tmp_path):
    network, facts = made
    save_network(tmp_path / "n", network, facts)
    before = torch.get_rng_state()
    load_network(tmp_path / "n")
    assert torch.equal(torch.get_rng_state(), before)
