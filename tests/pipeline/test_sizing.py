"""Sizes that meet limits; measured limits with a measurement that is made up, and once with real exports."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from edgewise.budget import Budget, figures_of
from edgewise.errors import ConfigError
from edgewise.export import Latency, Measured, export_onnx
from edgewise.export.expected import stored_values
from edgewise.nn import HAND_MADE, NetworkSpec, build_network, count_params, hand_made
from edgewise.nn.build import build_design, spec_of_design
from edgewise.pipeline.sized import Subject, shares_of
from edgewise.pipeline.sizing import NEAR, Sizing
from edgewise.spaces import Genotype, published, random_genotype, space

SPEC = NetworkSpec(channels=16, layers=5, classes=10)
SUBJECT = Subject(SPEC, 16, tuple("abcdefghij"), (0.5,) * 3, (0.25,) * 3)


def sizing(budget: Budget, subject: Subject = SUBJECT) -> Sizing:
    return Sizing(budget, budget.limits, subject)


def cells(name: str, seed: int = 0) -> Genotype:
    return random_genotype(space(name), random.Random(seed))


@pytest.fixture
def exports(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Exports whose bytes are 4 a stored value and 90 a module, 1 ms for 10,000 values; the list counts them."""
    made: list[int] = []

    def export(self: Sizing, network: nn.Module, design: Genotype | str, spec: NetworkSpec) -> Measured:
        values, modules = stored_values(network), len(list(network.modules()))
        made.append(values)
        return Measured(4 * values + 90 * modules, Latency(values / 10_000, 0.0, 9.0, 100))

    monkeypatch.setattr(Sizing, "export", export)
    return made


@pytest.mark.parametrize("name", ["darts", "nasnet", "nb201", "s1"])
def test_the_cells_are_fitted_to_every_limit_and_the_next_width_breaks_one(name: str) -> None:
    budget = Budget(params=40_000, macs=2_000_000, ram=60_000)
    sized = sizing(budget).cells(cells(name), what="cells")
    assert all(share <= 1 for share in shares_of(sized.record(), budget.limits).values())
    wider = Subject(replace(SPEC, channels=sized.channels + 1, layers=sized.layers), 16, *subject_rest())
    assert any(
        share > 1 for share in shares_of(sizing(budget, wider).given(cells(name)).record(), budget.limits).values()
    )


def subject_rest() -> tuple[tuple[str, ...], tuple[float, ...], tuple[float, ...]]:
    return SUBJECT.class_names, SUBJECT.mean, SUBJECT.std


def test_the_number_of_cells_stays_where_it_was_given_and_is_near_it_otherwise() -> None:
    given = sizing(Budget(params=60_000, fit_layers=False)).cells(cells("darts"), what="cells")
    free = sizing(Budget(params=60_000)).cells(cells("darts"), what="cells")
    assert given.layers == 5
    assert free.layers - 5 in NEAR
    assert free.params >= 0.95 * given.params


def test_shallower_networks_are_tried_before_a_budget_is_refused() -> None:
    deep = Subject(replace(SPEC, layers=14), 16, *subject_rest())
    budget = Budget(params=5_000)
    sized = sizing(budget, deep).cells(cells("darts", 3), what="cells")
    assert sized.layers < 14 + min(NEAR)
    assert sized.params <= 5_000


def test_the_auxiliary_head_does_not_count() -> None:
    head = Subject(replace(SPEC, auxiliary=True), 16, *subject_rest())
    budget = Budget(params=60_000)
    with_head, without = (
        sizing(budget, subject).cells(cells("darts"), what="cells") for subject in (head, SUBJECT)
    )
    assert with_head == without
    network = build_network(cells("darts"), replace(SPEC, channels=without.channels, layers=without.layers))
    assert count_params(network) == without.params


@pytest.mark.parametrize("kind", ["hand", "inverted", "resnet8"])
def test_hand_made_networks_are_fitted_to_the_same_limits(kind: str) -> None:
    budget = Budget(params=30_000, ram=100_000)
    sized = sizing(budget).hand_made(kind)
    assert all(share <= 1 for share in shares_of(sized.record(), budget.limits).values())
    wider = hand_made(kind).build(sized.channels + 1, sized.layers, SPEC)
    assert count_params(wider) > 30_000 or sized.ram * (sized.channels + 1) / sized.channels > 100_000


def test_int8_counts_a_byte_a_value() -> None:
    full, int8 = (
        sizing(Budget(ram=50_000, int8=int8)).cells(cells("darts"), what="cells") for int8 in (False, True)
    )
    assert int8.ram <= 50_000
    assert int8.channels > full.channels
    same = sizing(Budget(int8=True)).given(cells("darts")).ram
    assert 4 * same == sizing(Budget()).given(cells("darts")).ram


@pytest.mark.parametrize(
    "budget",
    [
        Budget(size=150_000),
        Budget(latency_ms=3.0),
        Budget(size=60_000, int8=True, ram=40_000),
        Budget(size=150_000, latency_ms=2.0, params=50_000),
    ],
)
@pytest.mark.parametrize("name", ["darts", "nb201"])
def test_measured_limits_are_met_by_what_was_exported_and_the_next_width_breaks_one(
    budget: Budget, name: str, exports: list[int]
) -> None:
    fitted = sizing(budget)
    sized = fitted.cells(cells(name), what="cells")
    used = shares_of(sized.record(), budget.limits)
    assert set(used) == set(budget.limits)
    assert all(share <= 1 for share in used.values())
    wider = replace(SPEC, channels=sized.channels + 1, layers=sized.layers)
    network = build_network(cells(name), wider)
    measured = fitted.measure(network, network.genotype, wider)
    more = sizing(Budget(int8=budget.int8), Subject(wider, 16, *subject_rest())).given(cells(name)).record()
    assert any(share > 1 for share in shares_of(more | measured, budget.limits).values())
    assert len(exports) <= 8


def test_without_a_measured_limit_nothing_is_exported(exports: list[int]) -> None:
    sizing(Budget(params=50_000, ram=70_000)).cells(cells("darts"), what="cells")
    assert exports == []


def test_a_budget_that_even_the_smallest_network_breaks_is_refused_with_its_figures() -> None:
    with pytest.raises(ConfigError) as caught:
        sizing(Budget(params=100, macs=10**9)).cells(cells("darts"), what="the found cells")
    said = str(caught.value)
    assert "the found cells fits the budget at no size" in said
    assert "2 channels and 3 cells" in said
    assert "broken: params" in said
    with pytest.raises(ConfigError, match="the ResNet-8 fits the budget at no size"):
        sizing(Budget(ram=10)).hand_made("resnet8")


def test_a_size_limit_that_nothing_meets_is_refused_too(exports: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"broken: size\)"):
        sizing(Budget(size=2_000)).cells(cells("darts"), what="cells")


def test_shares_are_of_the_figures_that_are_known() -> None:
    entry = {"params": 50, "macs": 10, "ram": 5, "latency": {"median_ms": 2.0}}
    assert figures_of(entry) == {"params": 50, "macs": 10, "ram": 5, "latency_ms": 2.0}
    assert shares_of(entry, {"params": 100, "size": 7, "latency_ms": 4.0}) == {"params": 0.5, "latency_ms": 0.5}


@pytest.mark.slow
@pytest.mark.parametrize("limit", [{"size": 120_000}, {"size": 60_000, "int8": True}])
def test_a_limit_on_size_holds_for_the_real_file(limit: dict) -> None:
    budget = Budget(**limit)
    genotype = published("DARTS_V2")
    fitted = sizing(budget)
    sized = fitted.cells(genotype, what="cells")
    network = build_network(genotype, replace(SPEC, channels=sized.channels, layers=sized.layers))
    wider = build_network(genotype, replace(SPEC, channels=sized.channels + 1, layers=sized.layers))
    assert (
        fitted.measure(network, genotype, network.spec)["size"] == sized.record()["size"] <= budget.limits["size"]
    )
    assert fitted.measure(wider, genotype, wider.spec)["size"] > budget.limits["size"]


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(HAND_MADE))
def test_a_limit_on_size_holds_for_the_file_of_a_hand_made_network(name: str, tmp_path: Path) -> None:
    fitted = sizing(Budget(size=100_000))
    sized = fitted.hand_made(name)
    spec = spec_of_design(name, sized.channels, sized.layers, SPEC)
    network = build_design(name, spec)
    with torch.no_grad():  # as a training leaves them: no two are equal, of which a file would hold one
        for values in network.state_dict().values():
            if values.is_floating_point():
                values.uniform_(0.1, 1.0)
    export_onnx(network, fitted.subject.facts(name, spec), tmp_path / "network.onnx")
    assert (tmp_path / "network.onnx").stat().st_size == sized.measured["size"] <= 100_000


def test_fitting_leaves_the_random_numbers_of_a_run_where_they_were(exports: list[int]) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    sizing(Budget(size=150_000)).cells(cells("nb201"), what="cells")
    sizing(Budget(params=9_000)).hand_made("inverted")
    sizing(Budget()).hand_made_of(9_000)
    sizing(Budget()).given(cells("darts"))
    assert torch.equal(torch.get_rng_state(), before)
    assert exports
