"""The derived network of normal and reduction cells: stem, cells, classifier."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from edgewise.errors import ConfigError
from edgewise.nn.auxiliary import AuxiliaryHead
from edgewise.nn.cell import DerivedCell, plan_cells, reduction_layers
from edgewise.nn.drop_path import DropPath
from edgewise.nn.stems import Stem, StemName
from edgewise.spaces.genotype import Genotype, validate


@dataclass(frozen=True)
class NetworkSpec:
    """The size of a network.

    Args:
        channels: C of the first cell.
        layers: number of cells, at least 3. The reduction cells of DARTS' skeleton count; the residual blocks
            between the stages of NAS-Bench-201 do not (15 layers are its N = 5).
        classes: number of classes.
        in_channels: 3 for RGB, 1 for grey.
        stem: `cifar`, `half` or `imagenet`.
        auxiliary: whether there is an auxiliary head after the second reduction cell.
    """

    channels: int
    layers: int
    classes: int
    in_channels: int = 3
    stem: StemName = "cifar"
    auxiliary: bool = False

    def __post_init__(self) -> None:
        if self.layers < 3:
            raise ConfigError(
                f"layers is {self.layers}: a network needs at least 3 cells, one for each image size"
            )
        if self.channels < 2:
            raise ConfigError(f"channels is {self.channels}: a factorised reduction needs at least 2")


class AnyNetwork(nn.Module):
    """A network that is built from a genotype, in the skeleton of the genotype's space: `(genotype, spec)`."""

    genotype: Genotype
    spec: NetworkSpec

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> tuple[Tensor, Tensor | None]:
        """Maps images [B, in_channels, H, W] to logits and, where there is an auxiliary head, its logits.

        Args:
            x: the images.
            drop_path: applied to every edge that is no identity, or None.
        """
        raise NotImplementedError


class Network(AnyNetwork):
    """A discrete network built from a genotype of normal and reduction cells.

    Args:
        genotype: the cells; validated.
        spec: the size.

    Raises:
        GenotypeError: the genotype does not fit its space.

    Source: DARTS, model.py of the authors' code (CIFAR and ImageNet).
    """

    def __init__(self, genotype: Genotype, spec: NetworkSpec) -> None:
        super().__init__()
        self.genotype = validate(genotype)
        self.spec = spec
        self.stem = Stem(spec.stem, in_channels=spec.in_channels, channels=spec.channels)
        places = plan_cells(
            layers=spec.layers,
            channels=spec.channels,
            stem_channels=self.stem.channels_out,
            stem_shrinks=self.stem.shrinks_between,
            concat={name: len(cell.concat) for name, cell in genotype.cells.items()},
        )
        self.cells = nn.ModuleList(DerivedCell(genotype.cells[p.cell_type], p) for p in places)
        widths = [len(genotype.cells[p.cell_type].concat) * p.channels for p in places]
        self.auxiliary_layer = reduction_layers(spec.layers)[1]
        self.auxiliary = (
            AuxiliaryHead(widths[self.auxiliary_layer], spec.classes, last_norm=spec.stem != "imagenet")
            if spec.auxiliary
            else None
        )
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(widths[-1], spec.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Maps images [B, in_channels, H, W] to logits [B, classes]."""
        before, previous = self.stem(x)
        for cell in self.cells:
            before, previous = previous, cell(before, previous, None)
        return self.classifier(self.pool(previous).flatten(1))

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> tuple[Tensor, Tensor | None]:
        """Maps images [B, in_channels, H, W] to logits and auxiliary logits, [B, classes] each.

        Args:
            x: the images.
            drop_path: applied to every edge that is no identity, or None.
        """
        before, previous = self.stem(x)
        extra = None
        for layer, cell in enumerate(self.cells):
            before, previous = previous, cell(before, previous, drop_path)
            if layer == self.auxiliary_layer and self.auxiliary is not None:
                extra = self.auxiliary(previous)
        return self.classifier(self.pool(previous).flatten(1)), extra
