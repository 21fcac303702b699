"""Networks as ONNX files that take images as they are, compared with PyTorch before they are written."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

from edgewise.errors import ExportError
from edgewise.export.classifier import Classifier
from edgewise.export.facts import NetworkFacts, for_inference, to_metadata
from edgewise.export.node_order import order_nodes
from edgewise.export.weights import empty_network, fill, inference_weights
from edgewise.runs.atomic import write_bytes

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


def export_onnx(network: nn.Module, facts: NetworkFacts, path: Path | str, *, seed: int = 0) -> OnnxCheck:
    """Writes a network as ONNX: float32 `images` [batch, C, H, W] in 0..1 to `logits` [batch, classes].

    The normalisation is part of the graph; class names, mean, std, image size and genotype (or which hand-made
    network it is) are in the metadata.

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
    session = session_of(content, threads=torch.get_num_threads())
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
    model = convert(classifier, image_size=facts.image_size, in_channels=facts.spec.in_channels)
    return label(model, to_metadata(facts))


class HasLogits(Protocol):
    """A module whose `logits` are exported; a `Classifier` is one."""

    def logits(self, images: Tensor) -> Tensor:
        """Maps images [batch, in_channels, image_size, image_size] to logits."""
        ...


def convert(classifier: HasLogits, *, image_size: int, in_channels: int) -> ModelProto:
    """The ONNX model of `images` to `logits`, its operations in an order that needs little memory.

    Args:
        classifier: on the CPU.
        image_size: side of the image in pixels.
        in_channels: 3 for RGB, 1 for grey.

    Raises:
        ExportError: PyTorch can't convert it.
    """
    example = torch.zeros(2, in_channels, image_size, image_size)
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
    model = _without_notes(program.model_proto)
    order_nodes(model)
    return model


class _Graph(nn.Module):
    """What is converted: the classifier without its checks, which depend on the values of the images."""

    def __init__(self, classifier: HasLogits) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, images: Tensor) -> Tensor:
        return self.classifier.logits(images)


def _without_notes(model: ModelProto) -> ModelProto:
    """Removes the converter's notes, which hold paths of this machine and are large."""
    graph = model.graph
    for entry in (graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del entry.metadata_props[:]
        entry.ClearField("doc_string")
    del model.metadata_props[:]
    return model


def label(model: ModelProto, metadata: Mapping[str, str]) -> ModelProto:
    """Says in the model who wrote it, what goes in and comes out, and what it carries."""
    import edgewise

    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value)
    model.producer_name, model.producer_version = "edgewise", edgewise.__version__
    _, channels, size, _ = (dim.dim_value for dim in model.graph.input[0].type.tensor_type.shape.dim)
    _, classes = (dim.dim_value for dim in model.graph.output[0].type.tensor_type.shape.dim)
    model.doc_string = (
        f"images: float32 [batch, {channels}, {size}, {size}], 0 is black and 1 is white, not normalised; "
        f"logits: float32 [batch, {classes}], named by class_names in the metadata"
    )
    return model


def session_of(content: bytes, *, threads: int):
    """A session of onnxruntime on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads
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
