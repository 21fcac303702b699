"""What an ONNX file holds, and that a copy which is wrong anywhere is never written."""

from __future__ import annotations

import logging
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

import edgewise
from edgewise.errors import ExportError
from edgewise.export import Classifier, NetworkFacts, export_onnx, onnx_file
from edgewise.nn import Network
from tests.export.conftest import images, make

LAST_BIAS = "classifier.network.classifier.bias"


@dataclass(frozen=True)
class Exported:
    path: Path
    network: Network
    facts: NetworkFacts
    model: onnx.ModelProto
    said: list[Any]


class Listener(logging.Handler):
    def __init__(self, heard: list[Any]) -> None:
        super().__init__()
        self.heard = heard

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(record.getMessage())


def calibrate(network: Network, facts: NetworkFacts) -> None:
    """Gives the batch norms the statistics of random images, as training does: logits of size 1, not 0.1."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None
    classifier = Classifier(network, facts).train()
    with torch.no_grad():
        classifier(images(facts, 16))
    classifier.eval()


@pytest.fixture(scope="module")
def exported(tmp_path_factory) -> Exported:
    network, facts = make(size=28, stem="half", auxiliary=True)
    calibrate(network, facts)
    path = tmp_path_factory.mktemp("onnx") / "network.onnx"
    heard: list[Any] = []
    listener = Listener(heard)
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    for logger in loggers:
        logger.addHandler(listener)
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            export_onnx(network, facts, path)
    finally:
        for logger in loggers:
            logger.removeHandler(listener)
    return Exported(path, network, facts, onnx.load(path), heard + [w.message for w in warned])


def altered(model: onnx.ModelProto, name: str, change) -> onnx.ModelProto:
    """A copy of the model in which one tensor is changed."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    (tensor,) = [t for t in copy.graph.initializer if t.name == name]
    values = change(onnx.numpy_helper.to_array(tensor).copy())
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))
    return copy


def test_the_graph_takes_images_and_gives_logits(exported: Exported) -> None:
    session = onnxruntime.InferenceSession(exported.path, providers=["CPUExecutionProvider"])
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape) == ("images", "tensor(float)", ["batch", 3, 28, 28])
    assert (given.name, given.type, given.shape) == ("logits", "tensor(float)", ["batch", 4])


def test_the_file_names_its_format_and_version(exported: Exported) -> None:
    metadata = {entry.key: entry.value for entry in exported.model.metadata_props}
    assert (metadata["format"], metadata["edgewise"]) == ("edgewise.network/1", edgewise.__version__)
    assert metadata["image_size"] == "28"


def test_the_file_is_valid_and_on_its_own(exported: Exported) -> None:
    onnx.checker.check_model(exported.model, full_check=True)
    assert [path.name for path in exported.path.parent.iterdir()] == ["network.onnx"]


def test_the_file_holds_no_path_of_this_machine(exported: Exported) -> None:
    content = exported.path.read_bytes()
    assert b".py" not in content
    assert b"stack_trace" not in content


def test_the_auxiliary_head_is_not_exported(exported: Exported) -> None:
    names = [tensor.name for tensor in exported.model.graph.initializer]
    assert LAST_BIAS in names
    assert not [name for name in names if "auxiliary" in name]
    assert exported.network.auxiliary is not None


def test_the_export_says_nothing(exported: Exported) -> None:
    assert exported.said == []


def test_a_wrong_weight_anywhere_in_the_file_is_found(exported: Exported) -> None:
    classifier = Classifier(exported.network, exported.facts)
    names = [tensor.name for tensor in exported.model.graph.initializer if len(tensor.dims) == 4]
    assert len(names) > 30
    for name in [*names[::8], names[-1]]:
        wrong = altered(exported.model, name, lambda values: values + 0.1)
        with pytest.raises(ExportError, match="differs from PyTorch"):
            onnx_file.check_onnx(wrong.SerializeToString(), classifier)


@pytest.mark.parametrize("wrong", [lambda values: values * np.nan, lambda values: values + np.float32(1e-2)])
def test_a_wrong_copy_is_not_written_and_the_file_that_was_there_survives(
    exported: Exported, tmp_path: Path, monkeypatch, wrong
) -> None:
    (tmp_path / "old.onnx").write_bytes(b"old")
    model = altered(exported.model, LAST_BIAS, wrong)
    monkeypatch.setattr(onnx_file, "to_onnx", lambda classifier: model)
    for name in ("new.onnx", "old.onnx"):
        with pytest.raises(ExportError, match="so no file was written"):
            export_onnx(exported.network, exported.facts, tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == ["old.onnx"]
    assert (tmp_path / "old.onnx").read_bytes() == b"old"


def test_another_normalisation_is_found(exported: Exported) -> None:
    other = replace(exported.facts, mean=(0.0,) * 3, std=(1.0,) * 3)
    with pytest.raises(ExportError, match="differs from PyTorch"):
        onnx_file.check_onnx(exported.path.read_bytes(), Classifier(exported.network, other))


def test_a_batch_size_that_is_fixed_is_found(exported: Exported) -> None:
    model = onnx.ModelProto()
    model.CopyFrom(exported.model)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    with pytest.raises(Exception, match=r"[Gg]ot.*[Ee]xpected"):
        onnx_file.check_onnx(model.SerializeToString(), Classifier(exported.network, exported.facts))


def test_a_network_that_torch_cannot_convert_is_told(made, tmp_path: Path, monkeypatch) -> None:
    def fail(*args, **kwargs):
        raise torch.onnx.OnnxExporterError("no such operator\nlong story")

    monkeypatch.setattr(torch.onnx, "export", fail)
    with pytest.raises(ExportError, match=r"could not convert .*\(no such operator\)"):
        export_onnx(*made, tmp_path / "network.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [8, 28, 32, 64, 224])
@pytest.mark.parametrize("stem", ["cifar", "half", "imagenet"])
def test_every_stem_and_size_is_exported_to_rounding(tmp_path: Path, stem: str, size: int, channels: int) -> None:
    network, facts = make(size=size, channels=channels, classes=100, stem=stem)
    check = export_onnx(network, facts, tmp_path / "network.onnx")
    assert check.max_difference <= 1e-5 * max(1.0, check.scale)
