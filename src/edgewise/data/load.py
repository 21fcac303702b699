"""From settings to splits."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from edgewise.config.build import build, dump
from edgewise.data.checks import check_classes, check_counts, drop_unused
from edgewise.data.decode import Format, Header
from edgewise.data.images import Images, SealedImages, Splits, fingerprint
from edgewise.data.normalisation import Normalisation
from edgewise.data.parallel_decoding import Unreadable, raise_unreadable, read_headers
from edgewise.data.settings import DataSettings
from edgewise.data.source import Part, Source
from edgewise.data.sources import open_source
from edgewise.data.split import cap, cut
from edgewise.data.storage import read_part, stream_part, streams
from edgewise.errors import ConfigError, DataError
from edgewise.runtime.random import Streams
from edgewise.text import readable

SMALL = 64
LARGE = 224
_STEP = 32


@dataclass(frozen=True, eq=False)
class _Choice:
    """Which rows are used, before any image is read."""

    train: Part
    train_rows: Tensor
    test: Part
    test_rows: Tensor


def load(settings: DataSettings, *, seed: int, arch_fraction: float = 0.5) -> Splits:
    """Reads images and cuts them into weights, arch and test, stratified.

    Only the training images decide on size, channels and normalisation. The same seed gives the same splits.

    Args:
        settings: where the images are.
        seed: the run's seed.
        arch_fraction: the share of the training images that trains alpha and beta, between 0 and 1.

    Raises:
        ConfigError: a setting is out of range.
        DataError: the images are missing, unreadable, too few or without labels.
    """
    settings = build(DataSettings, dump(settings))
    if not 0 < arch_fraction < 1:
        raise ConfigError(
            f"arch_fraction = {arch_fraction}: it is a share of the training images, between 0 and 1"
        )
    source = open_source(settings)
    check_classes(source)
    source = drop_unused(source)
    streams, notes = Streams(seed), list(source.notes)
    choice = _choose(source, settings, streams, notes)
    train, normalisation, test, bad = _read(source, settings, choice, notes)
    weights_rows, arch_rows = cut(train.labels, arch_fraction, generator=streams.generator("data.arch"))
    weights, arch = train.take(weights_rows), train.take(arch_rows)
    return Splits(
        weights=weights,
        arch=arch,
        test=SealedImages(test),
        class_names=tuple(map(readable, source.class_names)),
        normalisation=normalisation,
        fingerprint=fingerprint((weights, arch, test)),
        source=settings.source,
        flip_safe=source.flip_safe,
        notes=tuple(map(readable, notes)),
        bad_files=tuple(readable(str(one)) for one in bad),
    )


def _choose(source: Source, settings: DataSettings, streams: Streams, notes: list[str]) -> _Choice:
    labels = source.train.labels
    # A class needs an image each for weights and arch, and one for the test where that has to be cut.
    check_counts(labels, source, least=2 if source.test else 3, after="")
    rows = torch.arange(len(labels))
    if source.test is None:
        generator = streams.generator("data.test")
        rows, test_rows = cut(labels, settings.test_fraction, generator=generator, keep=2)
        notes.append(f"{len(test_rows)} of {len(labels)} images were cut off, stratified, as test images")
    else:
        test_rows = torch.arange(len(source.test))
    wanted = settings.train_images
    if wanted is not None and wanted < len(rows):
        least = 2 * len(source.class_names)
        if wanted < least:
            raise DataError(
                f"train_images = {wanted} is too few for the {len(source.class_names)} classes of {source.name}: "
                f"two images a class, {least}, is the least"
            )
        kept = cap(labels[rows], wanted, least=2, generator=streams.generator("data.cap"))
        notes.append(f"{len(kept)} of {len(rows)} training images are used (train_images = {wanted})")
        rows = rows[kept]
    return _Choice(source.train, rows, source.test or source.train, test_rows)


def _read(
    source: Source, settings: DataSettings, choice: _Choice, notes: list[str]
) -> tuple[Images, Normalisation, Images, list[Unreadable]]:
    headers, bad = read_headers(choice.train, choice.train_rows)
    if not settings.skip_bad:
        raise_unreadable(bad, source.name)
    if not headers:
        raise DataError(
            f"none of the {len(choice.train_rows)} training images of {source.name} can be read: {bad[0]}"
        )
    kept_as = _format(headers, settings.image_size, notes)
    images = len(choice.train_rows) + len(choice.test_rows)
    read = stream_part if streams(settings, images, kept_as, notes) else read_part
    train, normalisation, bad_train = read(choice.train, choice.train_rows, kept_as)
    test, _, bad_test = read(choice.test, choice.test_rows, kept_as)
    bad = bad_train + bad_test
    if not settings.skip_bad:
        raise_unreadable(bad, source.name)
    if bad:
        notes.append(f"{len(bad)} images could not be read and are left out")
        check_counts(train.labels, source, least=2, after=" that can be read")
    if not len(test):
        raise DataError(f"{source.name} has no test image that can be read: check its test part")
    missing = sorted(set(range(len(source.class_names))) - set(test.labels.tolist()))
    if missing:
        names = ", ".join(source.class_names[label] for label in missing[:5])
        notes.append(f"{len(missing)} classes have no test image: {names}")
    return train, normalisation, test, bad


def _format(headers: Sequence[Header], wanted: int | None, notes: list[str]) -> Format:
    """What the training images, and they alone, say about size and channels."""
    shortest = min(header.shorter for header in headers)
    longest = max(header.longer for header in headers)
    size = wanted or _default_size(headers)
    if (shortest, longest) != (size, size):
        notes.append(
            f"images of {shortest} to {longest} pixels a side are brought to {size}x{size}: shorter side resized, "
            f"then cropped at the centre"
        )
    channels = 1 if all(header.grey for header in headers) else 3
    transparent = sum(header.transparent for header in headers)
    if transparent:
        notes.append(f"{transparent} training images are transparent: they are laid on white")
    return Format(size, channels)


def _default_size(headers: Sequence[Header]) -> int:
    sizes = {(header.shorter, header.longer) for header in headers}
    median = statistics.median_low(header.shorter for header in headers)
    if len(sizes) == 1 and max(next(iter(sizes))) <= SMALL:
        return median
    return min(LARGE, median // _STEP * _STEP or median)
