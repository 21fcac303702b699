"""Networks as ONNX files that take images as they are, compared with PyTorch before they are written."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from edgewise.core.atomic import write_bytes
from edgewise.core.errors import ExportError
from edgewise.export.classifier import Classifier
from edgewise.export.facts import NetworkFacts, for_inference, to_metadata
from edgewise.export.weights import empty_network, fill, inference_weights
from edgewise.nn.build import AnyNetwork

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 18
BATCHES = (1, 3, 8)
TOLERANCE = 1e-4
_CHATTY = ("torch.onnx", "torch.export", "onnxscript", "onnx_ir")


@dataclass(frozen=True)
class OnnxCheck:
    """How far an ONNX file agrees with PyTorch.

    Args:
        max_difference: largest difference of two logits.
        scale: largest absolute value of PyTorch's logits.
        batches: the batch sizes that were compared.
    """

    max_difference: float
    scale: float
    batches: tuple[int, ...]


def export_onnx(network: AnyNetwork, facts: NetworkFacts, path: Path | str, *, seed: int = 0) -> OnnxCheck:
    """Writes a network as ONNX: float32 `images` [batch, C, H, W] in 0..1 to `logits` [batch, classes].

    The normalisation is part of the graph; class names, mean, std, image size and genotype are in the metadata.

    Args:
        network: the network; left as it is.
        facts: what the network is.
        path: the file; replaced atomically, and only if the check is passed.
        seed: draws the images of the check.

    Raises:
        ExportError: PyTorch can't convert the network, or the copy does not agree with it.
        RunError: the file could not be written.
    """
    weights = inference_weights(network, facts)
    classifier = Classifier(fill(empty_network(facts), weights), for_inference(facts)).eval()
    content = to_onnx(classifier).SerializeToString()
    check = check_onnx(content, classifier, seed=seed)
    write_bytes(Path(path), content)
    return check


def check_onnx(content: bytes, classifier: Classifier, *, seed: int = 0) -> OnnxCheck:
    """Compares an ONNX file with the classifier that it was made from, on random images.

    Args:
        content: the ONNX file.
        classifier: on the CPU.
        seed: draws the images, uniform in 0..1.

    Raises:
        ExportError: a logit differs by more than 1e-4 times the largest logit (at least 1).
    """
    difference, scale = _compare(content, classifier, seed)
    limit = TOLERANCE * max(1.0, scale)
    # A NaN is not "above" the limit either.
    if not difference <= limit:
        raise ExportError(
            f"the ONNX copy differs from PyTorch by {difference:.2e} (logits up to {scale:.2f}, at most "
            f"{limit:.1e} allowed), so no file was written: export with other versions of torch and onnxruntime "
            f"(here {_versions()}), or use network.safetensors"
        )
    return OnnxCheck(difference, scale, BATCHES)


def _compare(content: bytes, classifier: Classifier, seed: int) -> tuple[float, float]:
    """The largest difference of two logits, NaN if there is one, and the largest logit."""
    session = _session(content)
    generator = torch.Generator().manual_seed(seed)
    facts = classifier.facts
    side = facts.image_size
    expected, found = [], []
    for batch in BATCHES:
        images = torch.rand(batch, facts.spec.in_channels, side, side, generator=generator)
        with torch.no_grad():
            expected.append(classifier(images))
        found.append(torch.from_numpy(session.run(["logits"], {"images": images.numpy()})[0]))
    logits = torch.cat(expected)
    if not bool(logits.isfinite().all()):
        raise ExportError(
            "the network gives logits that are not finite on random images: its weights are damaged; go back to "
            "an earlier checkpoint or train it anew with a lower learning rate"
        )
    return float((torch.cat(found) - logits).abs().max()), float(logits.abs().max())


def to_onnx(classifier: Classifier) -> ModelProto:
    """The ONNX model of a classifier on the CPU, with its facts in the metadata, not yet checked."""
    facts = classifier.facts
    example = torch.zeros(2, facts.spec.in_channels, facts.image_size, facts.image_size)
    try:
        with _silence(), torch.no_grad():
            program = torch.onnx.export(
                _Graph(classifier),
                (example,),
                dynamo=True,
                input_names=["images"],
                output_names=["logits"],
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                opset_version=OPSET,
                external_data=False,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        raise ExportError(
            f"PyTorch could not convert the network to ONNX ({str(error).splitlines()[0]}), so no file was "
            f"written: try other versions (here {_versions()}), or use network.safetensors"
        ) from error
    assert program is not None
    return _label(program.model_proto, facts)


class _Graph(nn.Module):
    """What is converted: the classifier without its checks, which depend on the values of the images."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier.logits(images)


def _label(model: ModelProto, facts: NetworkFacts) -> ModelProto:
    """Puts the facts in the place of the converter's notes, which hold paths of this machine and are large."""
    import edgewise

    graph = model.graph
    for entry in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del entry.metadata_props[:]
        entry.ClearField("doc_string")
    del model.metadata_props[:]
    for key, value in to_metadata(facts).items():
        model.metadata_props.add(key=key, value=value)
    model.producer_name, model.producer_version = "edgewise", edgewise.__version__
    channels, size = facts.spec.in_channels, facts.image_size
    model.doc_string = (
        f"images: float32 [batch, {channels}, {size}, {size}], 0 is black and 1 is white, not normalised; "
        f"logits: float32 [batch, {facts.spec.classes}], named by class_names in the metadata"
    )
    return model


def _session(content: bytes):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def _versions() -> str:
    import onnxruntime

    return f"torch {torch.__version__}, onnxruntime {onnxruntime.__version__}"


@contextmanager
def _silence() -> Iterator[None]:
    """Keeps the converter's notes and warnings, none of which the user can act on, off the screen."""
    loggers = [logging.getLogger(name) for name in _CHATTY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
