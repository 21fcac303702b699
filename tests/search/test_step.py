"""The means of an epoch, by hand."""

from __future__ import annotations

import torch

from edgewise.search import ArchReport, EpochSums, StepReport
from tests.search.problem import same


def report(number: float, *, arch: float | None = None) -> StepReport:
    """A step whose figures are number, number + 1, ..., so that no two can be mistaken for each other."""

    def value(x: float) -> torch.Tensor:
        return torch.tensor(x)

    table = torch.arange(8, dtype=torch.float64).view(2, 2, 2)
    cosines = torch.arange(18, dtype=torch.float64).view(2, 3, 3)
    arch_report = (
        None
        if arch is None
        else ArchReport(
            value(arch),
            value(arch + 1),
            value(arch + 2),
            value(arch + 3),
            table * arch,
            table * arch + 1,
            cosines * arch,
        )
    )
    return StepReport(value(number), value(number + 1), value(number + 2), 0.1, 0.2, arch_report)


def sums() -> EpochSums:
    return EpochSums(2, 2, 3, torch.device("cpu"))


def test_means_are_taken_over_the_steps_of_each_kind() -> None:
    epoch = sums()
    for step in (report(1.0), report(2.0, arch=10.0), report(6.0, arch=20.0)):
        epoch.add(step)
    assert (epoch.steps, epoch.arch_steps) == (3, 2)
    assert epoch.weights_means() == [3.0, 4.0, 5.0]
    assert epoch.arch_means() == [15.0, 16.0, 17.0, 18.0]
    before, after = epoch.conflict_means()
    assert before == [[[0.0, 15.0], [30.0, 45.0]], [[60.0, 75.0], [90.0, 105.0]]]
    assert after == [[[1.0, 16.0], [31.0, 46.0]], [[61.0, 76.0], [91.0, 106.0]]]
    assert epoch.cosine_means()[1][2] == [15 * 15.0, 16 * 15.0, 17 * 15.0]


def test_an_epoch_without_arch_steps_has_no_arch_means() -> None:
    epoch = sums()
    epoch.add(report(1.0))
    assert epoch.arch_means() == [None] * 4
    assert epoch.weights_means() == [1.0, 2.0, 3.0]


def test_a_reset_forgets_everything() -> None:
    epoch = sums()
    epoch.add(report(1.0, arch=10.0))
    epoch.reset()
    assert same(epoch.state_dict(), sums().state_dict())
    epoch.add(report(4.0, arch=30.0))
    assert epoch.weights_means() == [4.0, 5.0, 6.0]
    assert epoch.arch_means() == [30.0, 31.0, 32.0, 33.0]
    assert epoch.conflict_means()[0][0] == [[0.0, 30.0], [60.0, 90.0]]


def test_small_steps_are_not_lost_in_a_large_sum() -> None:
    epoch = sums()
    for number in [2.0**26, *[1.0] * 64]:
        epoch.add(report(number))
    assert epoch.weights_means()[0] == (2.0**26 + 64) / 65


def test_saved_sums_are_a_copy_and_go_on_where_they_were() -> None:
    epoch = sums()
    epoch.add(report(1.0, arch=10.0))
    saved = epoch.state_dict()
    epoch.add(report(2.0, arch=20.0))
    restored = sums()
    restored.load_state_dict(saved)
    restored.add(report(2.0, arch=20.0))
    assert same(restored.state_dict(), epoch.state_dict())
    assert not same(saved, epoch.state_dict())
