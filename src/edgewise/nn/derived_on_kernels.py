"""Modules of derived networks that can be trained on kernels of edgewise's own, and the switch for them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.modules import module as registry

from edgewise.nn.engines.engine import NetworkEngine
from edgewise.nn.engines.native.affine import can_train
from edgewise.nn.engines.native.average import average
from edgewise.nn.engines.native.plan import Stage
from edgewise.nn.engines.native.pointwise import train_pointwise
from edgewise.nn.engines.native.separable import train_separable


class OnEngine(nn.Module):
    """A module that has a second way to do the same; which one it takes in training mode, `use_engine` says."""

    engine: NetworkEngine = "plain"

    def replaceable(self, parts: Sequence[nn.Module], kinds: Sequence[type[nn.Module]]) -> bool:
        """Whether kernels may do the work of the parts, which they do not call.

        Args:
            parts: modules inside this one.
            kinds: what they were made as; somebody may have put others in their place, or listen to them.
        """
        return (
            self.engine == "auto"
            and self.training
            and all(type(part) is kind for part, kind in zip(parts, kinds, strict=True))
            and not any(map(_has_hooks, parts))
            and not (
                registry._global_forward_hooks
                or registry._global_forward_pre_hooks
                or registry._global_backward_hooks
                or registry._global_backward_pre_hooks
            )
        )


def _has_hooks(module: nn.Module) -> bool:
    return bool(
        module._forward_hooks
        or module._forward_pre_hooks
        or module._backward_hooks
        or module._backward_pre_hooks
        or hasattr(module, "parametrizations")
    )


def use_engine(network: nn.Module, engine: NetworkEngine) -> None:
    """Says how a derived network's convolutions are carried out in training mode.

    In evaluation mode they are PyTorch's operations, whatever is said here.

    Args:
        network: the network; its weights and their names stay as they are.
        engine: see `NetworkEngine`.
    """
    for module in network.modules():
        if isinstance(module, OnEngine):
            module.engine = engine


class SeparableConv(OnEngine, nn.Sequential):
    """Once or twice ReLU, depthwise convolution, pointwise convolution, batch norm."""

    def forward(self, input: Tensor) -> Tensor:
        """Maps [B, C, H, W] to [B, C, ceil(H / stride), ceil(W / stride)]."""
        parts, times = list(self), len(self) // 4
        if self.replaceable(parts, [nn.ReLU, nn.Conv2d, nn.Conv2d, nn.BatchNorm2d] * times):
            stages = [Stage(*parts[at + 1 : at + 4]) for at in range(0, 4 * times, 4)]  # type: ignore[arg-type]
            stride = int(stages[0].dw.stride[0])
            weights = [weight for stage in stages for weight in stage.weights]
            pixels = -(-input.shape[2] // stride) * -(-input.shape[3] // stride)
            if can_train([stage.norm for stage in stages], weights, input, pixels=pixels):
                return train_separable(stages, input)
        return super().forward(input)


class PointwiseConv(OnEngine, nn.Sequential):
    """ReLU, 1x1 convolution without a bias, batch norm."""

    def forward(self, input: Tensor) -> Tensor:
        """Maps [B, C, H, W] to [B, C', H, W]."""
        parts = list(self)
        if self.replaceable(parts, (nn.ReLU, nn.Conv2d, nn.BatchNorm2d)):
            weight, norm, pixels = parts[1].weight, parts[2], input.shape[2] * input.shape[3]
            if can_train([norm], [weight], input, pixels=pixels):  # type: ignore[list-item]
                return train_pointwise([weight], norm, input)  # type: ignore[list-item, arg-type]
        return super().forward(input)


class AveragePool(OnEngine, nn.AvgPool2d):
    """3x3 average pool with padding 1 that does not count the padding.

    Args:
        stride: 1 or 2.
    """

    def __init__(self, stride: int) -> None:
        super().__init__(3, stride, padding=1, count_include_pad=False)

    def forward(self, input: Tensor) -> Tensor:
        """Maps [B, C, H, W] to [B, C, ceil(H / stride), ceil(W / stride)]."""
        # With stride 2 PyTorch's own is fast enough.
        if self.stride == 1 and self.replaceable((), ()) and can_train([], [], input, pixels=2):
            return average(input)
        return super().forward(input)
