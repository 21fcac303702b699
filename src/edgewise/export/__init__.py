"""Networks as files: safetensors that load back, ONNX for other programs; and how fast they are."""

from edgewise.export.classifier import Classifier
from edgewise.export.facts import NetworkFacts
from edgewise.export.latency import Latency, latency
from edgewise.export.onnx_file import OnnxCheck, export_onnx
from edgewise.export.saved import load_network, save_network

__all__ = [
    "Classifier",
    "Latency",
    "NetworkFacts",
    "OnnxCheck",
    "export_onnx",
    "latency",
    "load_network",
    "save_network",
]
