"""Which folders are the parts of a set of image files, and which of them are classes."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgewise.data.split_names import choose_test, choose_train, is_plain, role_of
from edgewise.errors import DataError

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".avif", ".jp2", ".tga"}
    | {".ppm", ".pgm", ".pbm", ".pnm"}
)
_SHOWN = 5


@dataclass(frozen=True)
class Layout:
    """Where the parts of a set lie.

    Args:
        train: the folder whose folders are the classes of the training images.
        test: the same of the test images; None where there is none.
        notes: lines for the user.
    """

    train: Path
    test: Path | None
    notes: tuple[str, ...]


def find_layout(path: Path) -> Layout:
    """The parts below a folder, or the folder itself where it holds classes alone.

    Args:
        path: the folder that the user named.

    Raises:
        DataError: there is no training part, two could be it, or parts and classes can't be told apart.
    """
    path, notes = unwrapped(path)
    children = {child.name: child for child in folders(path)}
    if not _are_parts(path, children.values(), notes):
        return Layout(path, None, tuple(notes))
    train = choose_train(children, path)
    if train is None:
        raise DataError(
            f"{path} holds {', '.join(sorted(children))} but no train folder: rename the folder of training "
            f"images to train, or give a folder with classes alone"
        )
    test, about = choose_test(children, path)
    notes += about
    extra = [name for name in children if name != train and role_of(name) in (None, "train")]
    if extra:
        notes.append(f"beside {train} there are folders that are not read: {', '.join(extra[:_SHOWN])}")
    notes += loose(path, f"the folder {train}")
    return Layout(children[train], None if test is None else children[test], tuple(notes))


def unwrapped(path: Path, *, keep: Collection[str] = ()) -> tuple[Path, list[str]]:
    """The folder inside, where a folder holds one folder and that holds all the others; notes say so.

    Args:
        path: the folder.
        keep: names of folders that are classes even where they are alone.
    """
    notes = []
    while len(inner := folders(path)) == 1 and inner[0].name not in keep:
        only, below = inner[0], folders(inner[0])
        # A lone test folder stays the test part; train/train/cat is a training part that was packed twice.
        is_part = role_of(only.name) is not None and only.name.lower() != path.name.lower()
        stays = is_part and choose_train(_names(below), only) is None
        if stays or not below or image_names(path) or image_names(only):
            break
        notes.append(f"{path} holds one folder, {only.name}, which is read in its place")
        path = only
    return path, notes


def refuse_parts(path: Path, *, of_class: bool = False) -> None:
    """Raises DataError where the folders in a part, or in a class, look like parts themselves.

    Args:
        path: the part or class.
        of_class: whether it is a class: two parts among others are enough there, while in a part they are classes.
    """
    inner = folders(path)
    plain = {role_of(child.name) for child in inner if is_plain(child.name)}
    two = of_class and "train" in plain and len(plain) > 1
    if inner and (two or all(role_of(child.name) for child in inner)):
        names = ", ".join(child.name for child in inner[:_SHOWN])
        raise DataError(
            f"{path} holds {names}: they look like training and test parts, not like classes or folders of one "
            f"class. Expected the parts above the classes (train/CLASS/*.jpg); or give {path} alone"
        )


def loose(path: Path, beside: str) -> list[str]:
    """A note on images that lie in a folder whose folders are read, if there are any."""
    found = image_names(path)
    count = "1 image" if len(found) == 1 else f"{len(found)} images"
    return [f"not read: {count} in {path} beside {beside} ({', '.join(found[:3])})"] if found else []


def folders(path: Path) -> list[Path]:
    """The folders in a folder, sorted, without hidden ones."""
    return sorted(child for child in path.iterdir() if child.is_dir() and not is_hidden(child.name))


def is_hidden(name: str) -> bool:
    """Whether a folder is none of the user's: .git, .ipynb_checkpoints, __MACOSX."""
    return name.startswith((".", "__"))


def is_image(name: str) -> bool:
    """Whether a file's name ends like an image's and is not hidden."""
    return not name.startswith(".") and os.path.splitext(name)[1].lower() in SUFFIXES


def image_names(path: Path) -> list[str]:
    """The names of the images that lie in a folder itself, sorted."""
    return sorted(child.name for child in path.iterdir() if is_image(child.name) and child.is_file())


def _are_parts(path: Path, children: Collection[Path], notes: list[str]) -> bool:
    """Whether these folders are parts; not so, they are classes.

    Parts they are where all that hold images have a word for a part in their names, or where a training part
    holds folders and is called so plainly or beside a second part. One such word in a name among others ("train
    station", a folder of images) is a class; all else is refused.
    """
    worded = [child for child in children if role_of(child.name)]
    others = [child for child in children if not role_of(child.name) and _holds_images(child)]
    if not worded or not others:
        return bool(worded)
    roles = {role_of(child.name) for child in worded}
    plain = [child for child in worded if is_plain(child.name)]
    for child in worded if len(roles) > 1 else plain:
        if role_of(child.name) == "train" and folders(child):
            return True
    if plain or len(roles) > 1 or any(folders(child) for child in worded):
        raise DataError(_doubtful(path, _names(worded), _names(others)))
    notes.append(f"taken for classes, not for parts: {', '.join(_names(worded)[:_SHOWN])}")
    return False


def _doubtful(path: Path, worded: Sequence[str], others: Sequence[str]) -> str:
    parts, classes = ", ".join(worded[:_SHOWN]), ", ".join(others[:_SHOWN])
    more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
    return (
        f"{path}: is {parts} a part of the set, or a class like {classes}{more}? If it is a part, move the class "
        f"folders of the training images into {path / 'train'}; if it is a class, move all class folders, it too, "
        f"into {path / 'train'}"
    )


def _holds_images(path: Path) -> bool:
    return any(is_image(name) for _, _, names in os.walk(path) for name in names)


def _names(paths: Collection[Path]) -> list[str]:
    return sorted(path.name for path in paths)
