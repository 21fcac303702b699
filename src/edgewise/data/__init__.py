"""From images to splits and batches: sources, reading, stratified cuts, augmentation on the device."""

from edgewise.data.augment import Augment
from edgewise.data.batches import Batch, Batches, in_order
from edgewise.data.images import Images, SealedImages, Splits
from edgewise.data.load import load
from edgewise.data.normalisation import Normalisation
from edgewise.data.settings import AugmentSettings, DataSettings
from edgewise.data.source import Part, Source
from edgewise.data.sources import SOURCES, absolute_path, as_text

__all__ = [
    "SOURCES",
    "Augment",
    "AugmentSettings",
    "Batch",
    "Batches",
    "DataSettings",
    "Images",
    "Normalisation",
    "Part",
    "SealedImages",
    "Source",
    "Splits",
    "absolute_path",
    "as_text",
    "in_order",
    "load",
]
