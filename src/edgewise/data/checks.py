"""Whether the classes of a source are such that a network can learn and be tested on them."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from edgewise.data.source import Part, Source
from edgewise.errors import DataError

_SHOWN = 5


def check_classes(source: Source) -> None:
    """Raises DataError where there are no images, fewer than two classes, or classes that are only tested."""
    if not len(source.train):
        raise DataError(f"{source.name} has no training images: check its train part")
    if source.test is not None and not len(source.test):
        raise DataError(f"{source.name} has a test part without images: fill it, or remove it to have one cut")
    trained = set(source.train.labels.tolist())
    tested = set() if source.test is None else set(source.test.labels.tolist())
    strangers = [source.class_names[label] for label in sorted(tested - trained)]
    if strangers:
        more = f" and {len(strangers) - _SHOWN} more" if len(strangers) > _SHOWN else ""
        raise DataError(
            f"{source.name}: the test images have classes that the training images lack: "
            f"{', '.join(strangers[:_SHOWN])}{more}: add training images of them, or remove their test images"
        )
    if len(trained) < 2:
        name = source.class_names[next(iter(trained))]
        raise DataError(
            f"{source.name} has one class ({name!r}) in {len(source.train)} training images: at least 2 are "
            f"needed to tell images apart"
        )


def check_counts(labels: Tensor, source: Source, *, least: int, after: str) -> None:
    """Raises DataError naming the classes with fewer than `least` images; `after` follows the count."""
    counts = torch.bincount(labels, minlength=len(source.class_names)).tolist()
    few = [f"{name!r} ({count})" for name, count in zip(source.class_names, counts, strict=True) if count < least]
    if few:
        more = f" and {len(few) - _SHOWN} more" if len(few) > _SHOWN else ""
        use = "one each for weights and arch" + (", and one to test" if least > 2 else "")
        raise DataError(
            f"{source.name}: too few training images{after} of the class {', '.join(few[:_SHOWN])}{more}: at "
            f"least {least} are needed ({use}); add images or remove the class"
        )


def drop_unused(source: Source) -> Source:
    """The source without classes that no image has; a note names them."""
    used = sorted(set(source.train.labels.tolist()))
    if len(used) == len(source.class_names):
        return source
    unused = [name for label, name in enumerate(source.class_names) if label not in set(used)]
    index = torch.full((len(source.class_names),), -1)
    index[torch.tensor(used)] = torch.arange(len(used))

    def renumbered(part: Part) -> Part:
        return replace(part, labels=index[part.labels])

    note = f"{len(unused)} named classes have no images and are dropped: {', '.join(unused[:_SHOWN])}"
    return replace(
        source,
        train=renumbered(source.train),
        test=None if source.test is None else renumbered(source.test),
        class_names=tuple(source.class_names[label] for label in used),
        notes=(*source.notes, note),
    )
