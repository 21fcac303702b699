"""What exports show: bytes, latency, the order of nodes; and what is expected of sizes that were not exported."""

from __future__ import annotations

import onnx
import pytest
import torch

from edgewise.export import Expected, Latency, Measured, describe_export, file_size, measure_export, measure_file
from edgewise.export.expected import stored_values
from edgewise.export.measured import _Normalised, check_measurable
from edgewise.export.node_order import _activation_sizes, _groups, _steps, order_nodes
from edgewise.export.onnx_file import convert, session_of
from edgewise.nn import Network, NetworkSpec, ResNet8, build_network, count_params
from edgewise.spaces import published


def peak_of(model: onnx.ModelProto) -> int:
    """Elements alive at once in the order in which the nodes stand."""
    sizes = _activation_sizes(model)
    return _steps(model, _groups(model, sizes), sizes).peak()


def network(channels: int = 4, layers: int = 3, *, auxiliary: bool = False) -> Network:
    spec = NetworkSpec(channels, layers, 5, auxiliary=auxiliary)
    built = build_network(published("DARTS_V2"), spec).eval()
    assert isinstance(built, Network)
    return built


@pytest.fixture(scope="module")
def unordered() -> onnx.ModelProto:
    """A graph as the converter leaves it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgewise.export.onnx_file.order_nodes", lambda model: None)
        return convert(_Normalised(network(), 3), image_size=16, in_channels=3)


def test_an_export_is_measured_as_it_is_written_with_what_it_carries() -> None:
    plain = measure_export(network(), image_size=16, in_channels=3)
    carrying = measure_export(network(), image_size=16, in_channels=3, metadata={"text": "x" * 1000})
    assert 1000 < carrying.size - plain.size < 1030
    assert plain.latency.p10 <= plain.latency_ms <= plain.latency.p90
    assert (plain.latency.n, plain.threads) == (100, 1)


def test_measuring_leaves_a_network_in_its_mode() -> None:
    trained = network().train()
    measure_export(trained, image_size=16, in_channels=3)
    assert trained.training


def test_a_slow_file_is_timed_fewer_times(monkeypatch: pytest.MonkeyPatch, unordered: onnx.ModelProto) -> None:
    monkeypatch.setattr("edgewise.export.measured.MOST_SECONDS", 0.0)
    measured = measure_file(unordered.SerializeToString(), image_size=16, in_channels=3)
    assert measured.latency.n == 11


def test_weights_are_stored_once_and_batch_norms_leave_one_number_a_channel() -> None:
    norms = sum(
        module.num_features
        for module in ResNet8(width=4, classes=5, in_channels=3, stem="cifar").modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    )
    small = ResNet8(width=4, classes=5, in_channels=3, stem="cifar")
    assert stored_values(small) == count_params(small) - norms
    assert stored_values(network(auxiliary=True)) == stored_values(network())


def test_a_file_of_one_byte_a_weight_is_smaller_by_three_a_stored_value() -> None:
    measured, built = Measured(10_000, Latency(1, 1, 1, 100)), network()
    assert file_size(measured, built, 4) == 10_000
    assert file_size(measured, built, 1) == 10_000 - 3 * stored_values(built)


def test_an_export_that_is_known_is_expected_exactly() -> None:
    expected = Expected(value_bytes=4, image_size=16, in_channels=3)
    guess = expected.size(network())
    assert guess > 4 * stored_values(network())
    real = measure_export(network(), image_size=16, in_channels=3)
    expected.learn(network(), real)
    assert expected.size(network()) == real.size
    assert expected.latency(network()) == pytest.approx(real.latency_ms)


@pytest.mark.slow
def test_sizes_of_other_widths_and_depths_are_expected_in_proportion() -> None:
    expected = Expected(value_bytes=4, image_size=16, in_channels=3)
    expected.learn(network(), measure_export(network(), image_size=16, in_channels=3))
    wider = measure_export(network(7), image_size=16, in_channels=3)
    assert expected.size(network(7)) == pytest.approx(wider.size, rel=0.05)
    deeper = measure_export(network(4, 5), image_size=16, in_channels=3)
    assert expected.size(network(4, 5)) == pytest.approx(deeper.size, rel=0.15)


def test_the_order_of_nodes_needs_less_memory_and_computes_the_same(unordered: onnx.ModelProto) -> None:
    ordered = onnx.ModelProto()
    ordered.CopyFrom(unordered)
    order_nodes(ordered)
    assert sorted(node.name for node in ordered.graph.node) == sorted(node.name for node in unordered.graph.node)
    assert [node.name for node in ordered.graph.node] != [node.name for node in unordered.graph.node]
    before, after = (peak_of(model) for model in (unordered, ordered))
    assert after < before
    onnx.checker.check_model(ordered)
    images = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)).numpy()
    results = [
        session_of(model.SerializeToString(), threads=1).run(["logits"], {"images": images})[0]
        for model in (unordered, ordered)
    ]
    assert torch.equal(torch.from_numpy(results[0]), torch.from_numpy(results[1]))


def test_every_node_comes_after_what_it_reads() -> None:
    model = convert(_Normalised(network(5), 3), image_size=16, in_channels=3)
    known = {value.name for value in (*model.graph.input, *model.graph.initializer)} | {""}
    for node in model.graph.node:
        assert set(node.input) <= known
        known |= set(node.output)


def test_a_missing_onnxruntime_is_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    from edgewise.errors import ConfigError

    check_measurable()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ConfigError, match="onnxruntime can't be imported here: install it"):
        check_measurable()


def test_an_export_is_described_with_all_its_figures(unordered: onnx.ModelProto) -> None:
    content = unordered.SerializeToString()
    said = describe_export(network(), content, image_size=16, in_channels=3)
    assert f"{count_params(network()):,} parameters" in said
    assert f"{len(content) / 1000:.1f} kB" in said
    for part in ("multiply-adds", "RAM", "(float32)", "ms (median of 100 runs, one image, 1 thread)"):
        assert part in said
