"""Folders of image files: a folder for each class, under train/ and test/ or alone."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image

from edgewise.core import DataError
from edgewise.data.source import TEST_NAMES, Part, Source, choose_test

_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".jp2", ".tga"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)
_LAYOUT = "expected train/CLASS/*.jpg and test/CLASS/*.jpg, or CLASS/*.jpg alone"


@dataclass(frozen=True)
class _Listing:
    files: list[Path]
    labels: list[str]
    classes: list[str]
    others: int


def folder_source(path: Path, name: str) -> Source:
    """A source of image files.

    Args:
        path: the folder.
        name: what the user called it.

    Raises:
        DataError: it is empty, it has no class folders, or a class folder has no images.
    """
    children = {child.name.lower(): child for child in _folders(path)}
    test, notes = choose_test(children)
    if "train" in children:
        train = _list(children["train"])
        tested = None if test is None else _list(children[test])
        extra = sorted(child.name for key, child in children.items() if key not in ("train", *TEST_NAMES))
        if extra:
            notes.append(f"beside train there are folders that are not read: {', '.join(extra[:5])}")
    elif children and set(children) <= set(TEST_NAMES):
        raise DataError(
            f"{path} holds {', '.join(sorted(children))} but no train folder: rename the folder of training "
            f"images to train, or give a folder with classes alone"
        )
    else:
        notes = []
        train, tested = _list(path), None
    names = sorted({*train.classes, *(tested.classes if tested else ())})
    others = train.others + (tested.others if tested else 0)
    if others:
        notes.append(f"{others} files are left out: their names don't end like those of images")
    return Source(
        name,
        _part(train, names),
        None if tested is None else _part(tested, names),
        tuple(names),
        notes=tuple(notes),
    )


def _list(path: Path) -> _Listing:
    files: list[Path] = []
    labels: list[str] = []
    classes = [child.name for child in _folders(path)]
    others = 0
    for name in classes:
        images, strangers = _images(path / name)
        if not images:
            raise DataError(f"the class folder {path / name} holds no images: fill it or remove it")
        files += images
        labels += [name] * len(images)
        others += strangers
    if not classes:
        raise DataError(_without_classes(path))
    return _Listing(files, labels, classes, others)


def _without_classes(path: Path) -> str:
    images, others = _images(path)
    if images:
        return (
            f"labels are missing: {path} holds {len(images)} images but no class folders ({images[0].name} for "
            f"example): {_LAYOUT}"
        )
    if others:
        return f"{path} is not an image data set: it holds {others} files and none is an image: {_LAYOUT}"
    return f"the folder {path} is empty: {_LAYOUT}, or parquet files"


def _folders(path: Path) -> list[Path]:
    children = (child for child in path.iterdir() if child.is_dir())
    return sorted(child for child in children if not child.name.startswith((".", "__")))


def _images(path: Path) -> tuple[list[Path], int]:
    """The image files under a folder, sorted, and how many others there are."""
    found: list[Path] = []
    others = 0
    for folder, _, names in os.walk(path):
        for name in names:
            if name.startswith("."):
                continue
            if os.path.splitext(name)[1].lower() in _SUFFIXES:
                found.append(Path(folder, name))
            else:
                others += 1
    return sorted(found), others


def _part(listing: _Listing, names: Sequence[str]) -> Part:
    index: Mapping[str, int] = {name: i for i, name in enumerate(names)}
    return Part(
        labels=torch.tensor([index[label] for label in listing.labels], dtype=torch.int64),
        open=lambda row: Image.open(listing.files[row]),
        where=lambda row: str(listing.files[row]),
    )
