"""Folders of image files: a folder for each class, under train/ and test/ or alone."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from edgewise.data.decode import open_image
from edgewise.data.layout import (
    find_layout,
    folders,
    image_names,
    is_hidden,
    is_image,
    loose,
    refuse_parts,
    unwrapped,
)
from edgewise.data.source import Part, Source
from edgewise.errors import DataError

_LAYOUT = "expected train/CLASS/*.jpg and test/CLASS/*.jpg, or CLASS/*.jpg alone"
_SHOWN = 5


@dataclass(frozen=True)
class _Listing:
    files: list[Path]
    labels: list[str]
    classes: list[str]
    others: int
    nested: list[str]
    notes: list[str]


def folder_source(path: Path, name: str) -> Source:
    """A source of image files.

    Args:
        path: the folder.
        name: what the user called it.

    Raises:
        DataError: it is empty, it has no class folders, a class folder has no images, or classes and parts can't
            be told apart.
    """
    layout = find_layout(path)
    train = _list(layout.train)
    tested = None if layout.test is None else _list(layout.test, trained=train.classes)
    listings = [train] if tested is None else [train, tested]
    names = sorted({name for listing in listings for name in listing.classes})
    return Source(
        name,
        _part(train, names),
        None if tested is None else _part(tested, names),
        tuple(names),
        notes=(*layout.notes, *(note for listing in listings for note in listing.notes), *_about(listings)),
    )


def _about(listings: Sequence[_Listing]) -> list[str]:
    """Notes on what all parts together hold besides images in class folders."""
    notes = []
    nested = sorted({name for listing in listings for name in listing.nested})
    if nested:
        notes.append(
            f"the first level of folders makes the classes: {_some(listings[0].classes)}; images of the folders "
            f"below them count with their class ({_some(nested)})"
        )
    others = sum(listing.others for listing in listings)
    if others:
        notes.append(f"{others} files are left out: their names don't end like those of images")
    return notes


def _list(path: Path, *, trained: Collection[str] = ()) -> _Listing:
    """The images of a part.

    Args:
        path: its folder.
        trained: classes whose folder may be empty: those of the training part, where this is the test part.
    """
    path, notes = unwrapped(path, keep=trained)
    refuse_parts(path)
    files: list[Path] = []
    labels: list[str] = []
    nested: list[str] = []
    others = 0
    classes = [child.name for child in folders(path)]
    for name in classes:
        refuse_parts(path / name, of_class=True)
        images, strangers = _images(path / name)
        if not images and name not in trained:
            raise DataError(f"the class folder {path / name} holds no images: fill it or remove it")
        files += images
        labels += [name] * len(images)
        nested += sorted({str(image.parent.relative_to(path)) for image in images if image.parent != path / name})
        others += strangers
    if not classes:
        raise DataError(_without_classes(path))
    return _Listing(files, labels, classes, others, nested, notes + loose(path, "the class folders"))


def _without_classes(path: Path) -> str:
    images = image_names(path)
    if images:
        return (
            f"labels are missing: {path} holds {len(images)} images but no class folders ({images[0]} for "
            f"example): {_LAYOUT}"
        )
    _, others = _images(path)
    if others:
        return f"{path} is not an image data set: it holds {others} files and none is an image: {_LAYOUT}"
    return f"the folder {path} is empty: {_LAYOUT}, or parquet files"


def _images(path: Path) -> tuple[list[Path], int]:
    """The image files under a folder, sorted, and how many others there are."""
    found: list[Path] = []
    others = 0
    for folder, below, names in os.walk(path):
        below[:] = [name for name in below if not is_hidden(name)]
        found += [Path(folder, name) for name in names if is_image(name)]
        others += sum(not name.startswith(".") and not is_image(name) for name in names)
    return sorted(found), others


def _part(listing: _Listing, names: Sequence[str]) -> Part:
    index: Mapping[str, int] = {name: i for i, name in enumerate(names)}
    return Part(
        labels=torch.tensor([index[label] for label in listing.labels], dtype=torch.int64),
        open=lambda row: open_image(listing.files[row]),
        where=lambda row: str(listing.files[row]),
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
