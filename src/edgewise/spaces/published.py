"""The published cells, each with its source."""

from __future__ import annotations

from edgewise.errors import GenotypeError
from edgewise.spaces.cells import Cell
from edgewise.spaces.genotype import Genotype
from edgewise.spaces.nb201 import from_string


def _darts(
    normal: list[tuple[str, int]],
    reduce: list[tuple[str, int]],
    source: str,
    *,
    space: str = "darts",
    concat: tuple[tuple[int, ...], tuple[int, ...]] = ((2, 3, 4, 5), (2, 3, 4, 5)),
) -> Genotype:
    cells = {"normal": Cell.from_pairs(normal, concat[0]), "reduce": Cell.from_pairs(reduce, concat[1])}
    return Genotype(space, cells, source)


PUBLISHED: dict[str, Genotype] = {
    "DARTS_V1": _darts(
        [
            ("sep_conv_3x3", 1),
            ("sep_conv_3x3", 0),
            ("skip_connect", 0),
            ("sep_conv_3x3", 1),
            ("skip_connect", 0),
            ("sep_conv_3x3", 1),
            ("sep_conv_3x3", 0),
            ("skip_connect", 2),
        ],
        [
            ("max_pool_3x3", 0),
            ("max_pool_3x3", 1),
            ("skip_connect", 2),
            ("max_pool_3x3", 0),
            ("max_pool_3x3", 0),
            ("skip_connect", 2),
            ("skip_connect", 2),
            ("avg_pool_3x3", 0),
        ],
        "DARTS, first order (Liu et al. 2019), genotypes.py of the authors' code",
    ),
    "DARTS_V2": _darts(
        [
            ("sep_conv_3x3", 0),
            ("sep_conv_3x3", 1),
            ("sep_conv_3x3", 0),
            ("sep_conv_3x3", 1),
            ("sep_conv_3x3", 1),
            ("skip_connect", 0),
            ("skip_connect", 0),
            ("dil_conv_3x3", 2),
        ],
        [
            ("max_pool_3x3", 0),
            ("max_pool_3x3", 1),
            ("skip_connect", 2),
            ("max_pool_3x3", 1),
            ("max_pool_3x3", 0),
            ("skip_connect", 2),
            ("skip_connect", 2),
            ("max_pool_3x3", 1),
        ],
        "DARTS, second order (Liu et al. 2019), genotypes.py of the authors' code",
    ),
    "PC_DARTS_cifar": _darts(
        [
            ("sep_conv_3x3", 1),
            ("skip_connect", 0),
            ("sep_conv_3x3", 0),
            ("dil_conv_3x3", 1),
            ("sep_conv_5x5", 0),
            ("sep_conv_3x3", 1),
            ("avg_pool_3x3", 0),
            ("dil_conv_3x3", 1),
        ],
        [
            ("sep_conv_5x5", 1),
            ("max_pool_3x3", 0),
            ("sep_conv_5x5", 1),
            ("sep_conv_5x5", 2),
            ("sep_conv_3x3", 0),
            ("sep_conv_3x3", 3),
            ("sep_conv_3x3", 1),
            ("sep_conv_3x3", 2),
        ],
        "PC-DARTS on CIFAR-10 (Xu et al. 2020), genotypes.py of the authors' code",
    ),
    "PDARTS": _darts(
        [
            ("skip_connect", 0),
            ("dil_conv_3x3", 1),
            ("skip_connect", 0),
            ("sep_conv_3x3", 1),
            ("sep_conv_3x3", 1),
            ("sep_conv_3x3", 3),
            ("sep_conv_3x3", 0),
            ("dil_conv_5x5", 4),
        ],
        [
            ("avg_pool_3x3", 0),
            ("sep_conv_5x5", 1),
            ("sep_conv_3x3", 0),
            ("dil_conv_5x5", 2),
            ("max_pool_3x3", 0),
            ("dil_conv_3x3", 1),
            ("dil_conv_3x3", 1),
            ("dil_conv_5x5", 3),
        ],
        "P-DARTS on CIFAR-10 (Chen et al. 2019), genotypes.py of the authors' code",
    ),
    "GDAS_V1": _darts(
        [
            ("skip_connect", 0),
            ("skip_connect", 1),
            ("skip_connect", 0),
            ("sep_conv_5x5", 2),
            ("sep_conv_3x3", 3),
            ("skip_connect", 0),
            ("sep_conv_5x5", 4),
            ("sep_conv_3x3", 3),
        ],
        [
            ("sep_conv_5x5", 0),
            ("sep_conv_3x3", 1),
            ("sep_conv_5x5", 2),
            ("sep_conv_5x5", 1),
            ("dil_conv_5x5", 2),
            ("sep_conv_3x3", 1),
            ("sep_conv_5x5", 0),
            ("sep_conv_5x5", 1),
        ],
        "GDAS (Dong and Yang 2019), in the operations of DARTS",
    ),
    "AmoebaNet": _darts(
        [
            ("avg_pool_3x3", 0),
            ("max_pool_3x3", 1),
            ("sep_conv_3x3", 0),
            ("sep_conv_5x5", 2),
            ("sep_conv_3x3", 0),
            ("avg_pool_3x3", 3),
            ("sep_conv_3x3", 1),
            ("skip_connect", 1),
            ("skip_connect", 0),
            ("avg_pool_3x3", 1),
        ],
        [
            ("avg_pool_3x3", 0),
            ("sep_conv_3x3", 1),
            ("max_pool_3x3", 0),
            ("sep_conv_7x7", 2),
            ("sep_conv_7x7", 0),
            ("avg_pool_3x3", 1),
            ("max_pool_3x3", 0),
            ("max_pool_3x3", 1),
            ("conv_7x1_1x7", 0),
            ("sep_conv_3x3", 5),
        ],
        "AmoebaNet-A (Real et al. 2019), as written in genotypes.py of DARTS",
        space="amoeba",
        concat=((4, 5, 6), (3, 4, 6)),
    ),
    "NASNet": _darts(
        [
            ("sep_conv_5x5", 1),
            ("sep_conv_3x3", 0),
            ("sep_conv_5x5", 0),
            ("sep_conv_3x3", 0),
            ("avg_pool_3x3", 1),
            ("skip_connect", 0),
            ("avg_pool_3x3", 0),
            ("avg_pool_3x3", 0),
            ("sep_conv_3x3", 1),
            ("skip_connect", 1),
        ],
        [
            ("sep_conv_5x5", 1),
            ("sep_conv_7x7", 0),
            ("max_pool_3x3", 1),
            ("sep_conv_7x7", 0),
            ("avg_pool_3x3", 1),
            ("sep_conv_5x5", 0),
            ("skip_connect", 3),
            ("avg_pool_3x3", 2),
            ("sep_conv_3x3", 2),
            ("max_pool_3x3", 1),
        ],
        "NASNet-A (Zoph et al. 2018), as written in genotypes.py of DARTS",
        space="nasnet",
        concat=((2, 3, 4, 5, 6), (4, 5, 6)),
    ),
    "NB201_ResNet": from_string(
        "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|skip_connect~2|",
        source="ResNet, baseline of NAS-Bench-201 (Dong and Yang 2020), ResNet_CODE of the authors' code",
    ),
    "NB201_DARTS": from_string(
        "|skip_connect~0|+|skip_connect~0|skip_connect~1|+|skip_connect~0|skip_connect~1|skip_connect~2|",
        source="all skips, where DARTS ends in NAS-Bench-201 (Dong and Yang 2020): 54.30 % on CIFAR-10",
    ),
    "NB201_best_cifar10": from_string(
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|",
        source="best of NAS-Bench-201 (Dong and Yang 2020) on CIFAR-10's test images, mean over seeds: 94.37 %",
    ),
    "NB201_best_cifar100": from_string(
        "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
        source="best of NAS-Bench-201 (Dong and Yang 2020) on CIFAR-100's test images, mean over seeds: 73.51 %",
    ),
    "NB201_best_imagenet16": from_string(
        "|nor_conv_1x1~0|+|nor_conv_1x1~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_3x3~2|",
        source="best of NAS-Bench-201 (Dong and Yang 2020) on ImageNet16-120's test images, mean over seeds: "
        "47.31 %",
    ),
}


def published(name: str) -> Genotype:
    """The published genotype called `name`.

    Raises:
        GenotypeError: no published genotype has that name.
    """
    if name not in PUBLISHED:
        raise GenotypeError(f"unknown published genotype {name!r}: choose one of {', '.join(PUBLISHED)}")
    return PUBLISHED[name]
