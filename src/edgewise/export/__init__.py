"""Networks as files: safetensors that load back, ONNX for other programs; and how fast they are."""

from edgewise.export.classifier import Classifier
from edgewise.export.expected import Expected, file_size
from edgewise.export.facts import NetworkFacts, for_inference, to_metadata
from edgewise.export.latency import Latency, latency
from edgewise.export.measured import (
    Measured,
    check_measurable,
    describe_export,
    measure_export,
    measure_file,
)
from edgewise.export.onnx_file import OnnxCheck, export_onnx
from edgewise.export.saved import load_network, save_network

__all__ = [
    "Classifier",
    "Expected",
    "Latency",
    "Measured",
    "NetworkFacts",
    "OnnxCheck",
    "check_measurable",
    "describe_export",
    "export_onnx",
    "file_size",
    "for_inference",
    "latency",
    "load_network",
    "measure_export",
    "measure_file",
    "save_network",
    "to_metadata",
]
