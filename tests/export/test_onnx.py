"""Networks as ONNX files."""

from __future__ import annotations

import json

import onnx
import onnxruntime
import pytest
import torch

from edgewise.errors import ExportError
from edgewise.export import Classifier, export_onnx, latency, load_network, save_network
from edgewise.export.onnx_file import check_onnx
from edgewise.spaces import DARTS, NASNET, Cell, Edge, Genotype, published
from edgewise.spaces.nb201 import from_string
from tests.export.conftest import images, make


def run(path, x: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"images": x.numpy()})[0])


def test_the_copy_takes_any_batch_of_raw_images_and_gives_pytorchs_logits(made, tmp_path):
    network, facts = made
    check = export_onnx(network, facts, tmp_path / "n.onnx")
    assert check.batches == (1, 3, 8)
    assert check.max_difference <= 1e-4 * max(1.0, check.scale)
    classifier = Classifier(network, facts).eval()
    for count in (1, 5):
        x = images(facts, count)
        torch.testing.assert_close(run(tmp_path / "n.onnx", x), classifier(x).detach(), rtol=1e-4, atol=1e-4)


def test_the_metadata_name_the_classes_and_the_normalisation(made, tmp_path):
    network, facts = made
    export_onnx(network, facts, tmp_path / "n.onnx")
    metadata = {entry.key: entry.value for entry in onnx.load(tmp_path / "n.onnx").metadata_props}
    assert json.loads(metadata["class_names"]) == list(facts.class_names)
    assert json.loads(metadata["mean"]) == list(facts.mean)
    assert json.loads(metadata["std"]) == list(facts.std)
    assert Genotype.from_dict(json.loads(metadata["genotype"])) == facts.genotype


def test_a_copy_with_another_weight_is_found_out_and_no_file_is_written(made, tmp_path, monkeypatch):
    network, facts = made
    export_onnx(network, facts, tmp_path / "good.onnx")
    content = (tmp_path / "good.onnx").read_bytes()
    other, _ = make()
    with torch.no_grad():
        other.classifier.bias[0] += 0.01
    with pytest.raises(ExportError, match="differs from PyTorch"):
        check_onnx(content, Classifier(other, facts).eval())
    monkeypatch.setattr("edgewise.export.onnx_file.TOLERANCE", -1.0)
    with pytest.raises(ExportError, match="no file was written"):
        export_onnx(network, facts, tmp_path / "bad.onnx")
    assert not (tmp_path / "bad.onnx").exists()


def test_weights_that_are_not_finite_are_not_exported(made, tmp_path):
    network, facts = made
    with torch.no_grad():
        network.classifier.weight.fill_(float("nan"))
    with pytest.raises(ExportError, match="not finite"):
        export_onnx(network, facts, tmp_path / "n.onnx")
    assert not (tmp_path / "n.onnx").exists()


def all_primitives() -> Genotype:
    """A genotype in which every primitive of the DARTS space stands with both strides."""
    wanted = [p for p in DARTS.primitives if p != "none"] + ["skip_connect"]
    edges = [Edge(2 + i // 2, i % 2, primitive) for i, primitive in enumerate(wanted)]
    cell = Cell(2, 4, tuple(edges), (2, 3, 4, 5))
    return Genotype("darts", {"normal": cell, "reduce": cell})


@pytest.mark.parametrize(
    ("size", "channels", "stem"),
    [(8, 1, "cifar"), (28, 1, "cifar"), (30, 3, "half"), (64, 3, "half")],
)
def test_every_primitive_is_exported_at_even_and_odd_sides(size, channels, stem, tmp_path):
    network, facts = make(all_primitives(), size=size, channels=channels, stem=stem)
    assert export_onnx(network, facts, tmp_path / "n.onnx").scale > 0


def all_of_nasnet() -> Genotype:
    """A genotype of NASNet in which every primitive stands in both cells, as far as five nodes have room."""
    rows = (NASNET.primitives[:10], (*NASNET.primitives[3:], "conv_1x1")[-10:])
    cells = {
        name: Cell.from_pairs([(p, i % 2) for i, p in enumerate(row)], (3, 6))
        for name, row in zip(NASNET.cell_types, rows, strict=True)
    }
    return Genotype("nasnet", cells)


@pytest.mark.parametrize("size", [8, 15])
def test_every_primitive_of_nasnet_is_exported_at_even_and_odd_sides(size, tmp_path):
    genotype = all_of_nasnet()
    assert {edge.primitive for cell in genotype.cells.values() for edge in cell.edges} == set(NASNET.primitives)
    network, facts = make(genotype, size=size)
    assert export_onnx(network, facts, tmp_path / "n.onnx").scale > 0


@pytest.mark.parametrize("size", [8, 15])
@pytest.mark.parametrize(
    "text",
    [
        "|nor_conv_3x3~0|+|nor_conv_1x1~0|avg_pool_3x3~1|+|none~0|skip_connect~1|nor_conv_3x3~2|",
        "|none~0|+|none~0|nor_conv_3x3~1|+|none~0|none~1|none~2|",
    ],
)
def test_cells_of_nas_bench_201_are_exported_at_even_and_odd_sides_dead_edges_and_zeros_included(
    text, size, tmp_path
):
    network, facts = make(from_string(text), size=size)
    assert export_onnx(network, facts, tmp_path / "n.onnx").scale > 0
    save_network(tmp_path / "n.safetensors", network, facts)
    x = images(facts)
    back = load_network(tmp_path / "n.safetensors")
    assert torch.equal(back(x), Classifier(network, facts).eval()(x))


def test_a_network_with_noise_is_saved_exported_and_loaded(tmp_path):
    cell = Cell.from_pairs([("noise", 0), ("sep_conv_3x3", 1)] * 4, (2, 3, 4, 5))
    network, facts = make(Genotype("s4", {"normal": cell, "reduce": cell}), size=8)
    assert export_onnx(network, facts, tmp_path / "n.onnx").scale > 0
    save_network(tmp_path / "n.safetensors", network, facts)
    before = torch.get_rng_state()
    back = load_network(tmp_path / "n.safetensors")
    assert torch.equal(torch.get_rng_state(), before)
    assert back.network.cells[0].operations[0].seed == network.cells[0].operations[0].seed
    x = images(facts)
    assert torch.equal(back(x), Classifier(network, facts).eval()(x))


@pytest.mark.slow
@pytest.mark.parametrize("genotype", ["PC_DARTS_cifar", "AmoebaNet", "NASNet", "NB201_best_cifar10"])
def test_published_cells_are_exported_with_the_imagenet_stem_and_100_classes(genotype, tmp_path):
    network, facts = make(published(genotype), size=224, classes=100, stem="imagenet")
    assert export_onnx(network, facts, tmp_path / "n.onnx").scale > 0


def test_latency_counts_its_runs_and_its_quantiles_are_in_order(made):
    network, facts = made
    measured = latency(network, image_size=facts.image_size, in_channels=3, batch=2, device=torch.device("cpu"))
    assert measured.n >= 30
    assert 0 < measured.p10 <= measured.median_ms <= measured.p90
