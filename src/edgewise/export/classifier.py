"""A trained network that takes images as they are and knows the names of its classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from edgewise.errors import DataError
from edgewise.export.facts import NetworkFacts
from edgewise.spaces.genotype import Genotype

# Resizing and decoding leave the range by rounding; 0..255 by mistake leaves it by much more.
_SLACK = 1e-3


class Classifier(nn.Module):
    """A network with its normalisation inside.

    Args:
        network: maps normalised images to logits.
        facts: what the network is.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, network: nn.Module, facts: NetworkFacts) -> None:
        super().__init__()
        self.network = network
        self.facts = facts
        for name, values in (("mean", facts.mean), ("std", facts.std)):
            self.register_buffer(name, torch.tensor(values, dtype=torch.float32)[:, None, None])

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the logits, in order."""
        return self.facts.class_names

    @property
    def genotype(self) -> Genotype | None:
        """The network's cells; None for a network made by hand."""
        return self.facts.genotype

    def forward(self, images: Tensor) -> Tensor:
        """Maps images to logits [B, classes], on the classifier's device.

        Args:
            images: [B, C, H, W], uint8 (0 to 255) or floating point (0 to 1), of the network's channels and size.

        Raises:
            DataError: the images have another shape, type or range.
        """
        self._check(images)
        # The step of training's normalisation, bit for bit: float first, then the division.
        on_device = images.to(self.mean.device)
        return self.logits(on_device.float() / 255 if images.dtype == torch.uint8 else on_device.float())

    def logits(self, images: Tensor) -> Tensor:
        """Maps float32 images [B, C, H, W] in 0..1 to logits [B, classes], unchecked."""
        return self.network((images - self.mean) / self.std)

    def predict(self, images: Tensor) -> list[str]:
        """The name of the class of each image; images as for a call."""
        with torch.inference_mode():
            return [self.class_names[index] for index in self(images).argmax(1).tolist()]

    def _check(self, images: Tensor) -> None:
        size, channels = self.facts.image_size, self.facts.spec.in_channels
        wanted = f"this network takes [B, {channels}, {size}, {size}]"
        shape = list(images.shape)
        if len(shape) == 3:
            raise DataError(f"images have the shape {shape}; {wanted}: for one image pass images[None]")
        if len(shape) != 4:
            raise DataError(f"images have the shape {shape}; {wanted}")
        if shape[1] != channels:
            kind = "grey" if channels == 1 else "RGB" if channels == 3 else f"{channels}-channel"
            raise DataError(f"images have the shape {shape}; {wanted}: convert them to {kind}, channels first")
        if shape[2:] != [size, size]:
            raise DataError(
                f"images have the shape {shape}; {wanted}: resize and crop them to {size} x {size} pixels"
            )
        if images.dtype == torch.uint8:
            return
        if not images.is_floating_point():
            raise DataError(f"images are {images.dtype}; pass uint8 (0 to 255) or floating point (0 to 1)")
        if images.numel():
            low, high = (float(value) for value in images.detach().aminmax())
            if not (low >= -_SLACK and high <= 1 + _SLACK):
                raise DataError(
                    f"images hold values from {low:.4g} to {high:.4g}; floating point images run from 0 (black) "
                    f"to 1 (white) and are not normalised: divide 0..255 by 255, or pass uint8"
                )
