"""Two processes compute what one does: searches, trainings, tests; and they notice when they don't."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.pipeline.small import one_thread
from tests.search.shared import CASES, in_two

# All cases are computed once, by whichever worker gets these tests.
pytestmark = pytest.mark.xdist_group("two processes")
Outcomes = dict[str, list[dict[str, Any]]]
SHORT = ("short-pc-darts-gp", "short-gdas-gp", "short-training")
LONG = (
    "pc-darts-gp",
    "pc-darts-gp, plain",
    "exact-second-order, plain",
    "gdas-gp",
    "training",
    "s-darts-adv",
    "noisy-darts",
    "dropouts",
    "noise-in-the-space",
    "exact-second-order",
    "finite-difference",
)
TASKS = ("diagnostics", "stages")
# float64; accuracies alone are float32, and 1 / 3 of it is 1e-8 off.
CLOSE = 1e-6


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """What two processes make of the short cases; they are started once."""
    cases = (*SHORT, "batch-norm", "test", "drifting", "told", "left-alone")
    return in_two(tmp_path_factory.mktemp("two"), *cases)


@pytest.fixture(scope="module")
def two_long(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    """The same for twenty steps of many methods."""
    return in_two(tmp_path_factory.mktemp("two"), *LONG, *TASKS, "bf16")


def tensors(outcome: dict[str, Any], before: str = "") -> Iterator[tuple[str, Tensor]]:
    """All tensors of an outcome, by dotted names."""
    for name, value in outcome.items():
        if isinstance(value, dict):
            yield from tensors(value, f"{before}{name}.")
        elif isinstance(value, Tensor):
            yield before + name, value


def assert_like_one(outcomes: list[dict[str, Any]], case: str) -> None:
    """Both processes hold the same bits, and within 1e-6 what one process holds."""
    assert [outcome["ended before"] for outcome in outcomes if "ended before" in outcome] == []
    with one_thread():
        one = dict(tensors(CASES[case]()))
    first, second = (dict(tensors(outcome)) for outcome in outcomes)
    assert list(one) == list(first) == list(second)
    assert len(one) > 3
    assert [name for name in one if not torch.equal(first[name], second[name])] == []
    for name, value in one.items():
        torch.testing.assert_close(first[name], value, rtol=0, atol=CLOSE, msg=lambda m, n=name: f"{n}: {m}")


@pytest.mark.parametrize("case", SHORT)
def test_some_steps_of_two_processes_are_those_of_one(case: str, two: Outcomes) -> None:
    assert_like_one(two[case], case)


@pytest.mark.slow
@pytest.mark.parametrize("case", LONG)
def test_twenty_steps_of_two_processes_are_those_of_one(case: str, two_long: Outcomes) -> None:
    assert_like_one(two_long[case], case)


def floats(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """All floats of a record, by their paths."""
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from floats(inner, f"{path}.{key}")
    elif isinstance(value, float):
        yield path, value


@pytest.mark.slow
@pytest.mark.parametrize("case", TASKS)
def test_records_of_two_processes_are_the_same_and_those_of_one(case: str, two_long: Outcomes) -> None:
    first, second = (outcome["records"] for outcome in two_long[case])
    assert first == second
    with one_thread():
        wanted = dict(floats(CASES[case]()["records"]))
    found = dict(floats(first))
    assert list(found) == list(wanted)
    assert {path: (found[path], value) for path, value in wanted.items() if abs(found[path] - value) > CLOSE} == {}


@pytest.mark.slow
def test_a_step_in_bf16_of_two_processes_is_the_same_in_both_and_near_that_of_one(two_long: Outcomes) -> None:
    first, second = (dict(tensors(outcome)) for outcome in two_long["bf16"])
    assert all(torch.equal(first[name], second[name]) for name in first)
    with one_thread():
        one = dict(tensors(CASES["bf16"]()))
    torch.testing.assert_close(first["figures"][[0, 2]], one["figures"][[0, 2]], rtol=0.02, atol=0)


@pytest.mark.parametrize("case", ["short-pc-darts-gp", "short-gdas-gp"])
def test_what_is_projected_is_the_mean_over_both_processes(case: str, two: Outcomes) -> None:
    first, second = (outcome["rows"] for outcome in two[case])
    assert torch.equal(first, second)
    with one_thread():
        whole = CASES[case]()["rows"]
    assert whole.abs().max() > 1e-3
    torch.testing.assert_close(first, whole, rtol=0, atol=1e-9)


def test_a_synchronised_batch_norm_and_both_its_derivatives_are_the_whole_batchs(two: Outcomes) -> None:
    one = dict(tensors(CASES["batch-norm"]()))
    for outcome in two["batch-norm"]:
        found = dict(tensors(outcome))
        assert list(found) == list(one)
        for name, value in one.items():
            torch.testing.assert_close(
                found[name], value, rtol=1e-10, atol=1e-10, msg=lambda m, n=name: f"{n}: {m}"
            )


def test_a_test_shared_by_two_processes_gives_the_same_bits(two: Outcomes) -> None:
    one = CASES["test"]()
    for outcome in two["test"]:
        assert torch.equal(outcome["figures"], one["figures"])
        assert torch.equal(outcome["confusion"], one["confusion"])


def test_alpha_that_differs_by_one_bit_is_named_with_its_epoch_and_process(two: Outcomes) -> None:
    for said in two["drifting"]:
        assert said["same"] == ""
        for name in ("bit", "sign"):
            assert said[name].startswith(
                "alpha or beta of process 1 differ from those of process 0 at the end of epoch 7: "
            )
            assert "--resume" in said[name]


def test_an_error_of_the_first_process_ends_the_other_as_well(two: Outcomes) -> None:
    first, second = two["told"]
    assert (first["type"], first["text"]) == ("RunError", "the disk is full")
    assert (second["type"], second["text"]) == ("Followed", "the disk is full")


def test_a_flag_of_one_process_is_seen_by_both(two: Outcomes) -> None:
    assert [outcome["agreed"] for outcome in two["told"]] == [(True, False, True)] * 2


def test_a_process_that_is_left_alone_says_so_and_ends(two: Outcomes) -> None:
    assert two["left-alone"][0]["text"].startswith("process 0 of 2 lost touch with the others")
