"""Forward passes that leave no trace, and passes in evaluation mode."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from edgewise.methods import ArchParameters, Softmax
from edgewise.nn import Supernet, SupernetSpec, evaluation_mode, frozen_statistics
from edgewise.nn.noise import Noise
from edgewise.spaces import space


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Sequential(nn.ReLU(), nn.BatchNorm2d(4)))


def state(module: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def unchanged(module: nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(value, before[name]) for name, value in module.state_dict().items())


def test_a_pass_within_records_nothing_and_one_outside_does():
    module, x = net(), torch.randn(8, 1, 6, 6)
    before = state(module)
    with frozen_statistics(module):
        module(x)
    assert unchanged(module, before)
    module(x)
    assert not unchanged(module, before)
    assert int(module[1].num_batches_tracked) == 1


def test_the_output_within_is_that_of_a_training_pass_bit_for_bit():
    module, x = net(), torch.randn(8, 1, 6, 6)
    with frozen_statistics(module):
        within = module(x)
    assert torch.equal(within, module(x))
    assert not torch.equal(within, module.eval()(x))


def test_a_norm_in_evaluation_mode_keeps_using_its_running_statistics():
    module, x = net(), torch.randn(8, 1, 6, 6)
    module(x)
    module.eval()
    expected = module(x)
    with frozen_statistics(module):
        assert torch.equal(module(x), expected)
    assert module[1].track_running_stats


def test_a_norm_that_never_tracked_still_does_not():
    module = nn.Sequential(nn.BatchNorm2d(1, track_running_stats=False), nn.BatchNorm2d(1))
    with frozen_statistics(module):
        pass
    assert [norm.track_running_stats for norm in module] == [False, True]


@pytest.mark.parametrize("context", [frozen_statistics, evaluation_mode])
def test_after_an_error_everything_is_as_before(context):
    module = net()
    with pytest.raises(RuntimeError, match="stop"), context(module):
        raise RuntimeError("stop")
    assert all(norm.track_running_stats for norm in module.modules() if isinstance(norm, nn.BatchNorm2d))
    assert all(child.training for child in module.modules())
    before = state(module)
    module(torch.randn(8, 1, 6, 6))
    assert not unchanged(module, before)


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_mode_is_put_back_to_the_mode_it_found(training):
    module = net().train(training)
    with evaluation_mode(module):
        assert not any(child.training for child in module.modules())
    assert all(child.training == training for child in module.modules())


def test_in_evaluation_mode_the_running_statistics_are_used_and_not_moved():
    module, x = net(), torch.randn(8, 1, 6, 6)
    before = state(module)
    with evaluation_mode(module):
        within = module(x)
    assert unchanged(module, before)
    assert torch.equal(within, module.eval()(x))


def test_the_primitive_noise_draws_afterwards_as_if_no_pass_had_been():
    module, x = nn.Sequential(Noise(1)), torch.zeros(2, 1, 4, 4)
    module(x)
    with frozen_statistics(module):
        within = [module(x), module(x)]
    after = module(x)
    assert not torch.equal(within[0], within[1])
    assert torch.equal(after, within[0])


def test_two_passes_of_a_supernet_of_s4_from_the_same_state_see_the_same_noise():
    where = space("s4")
    torch.manual_seed(0)
    supernet = Supernet(where, SupernetSpec(channels=4, layers=3, classes=3, in_channels=1))
    arch = ArchParameters(where, beta=False, generator=torch.Generator().manual_seed(0))
    x = torch.randn(4, 1, 8, 8)
    logits = []
    for _ in range(2):
        with frozen_statistics(supernet):
            logits.append(supernet(x, arch.mixture(Softmax())))
    assert torch.equal(logits[0], logits[1])
    assert torch.equal(supernet(x, arch.mixture(Softmax())), logits[0])
    assert not torch.equal(supernet(x, arch.mixture(Softmax())), logits[0])
