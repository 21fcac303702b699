"""Finds the image and the label column of a table by type and name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from edgewise.data.labels import described, is_convertible, is_plain
from edgewise.errors import DataError

_IMAGE_NAMES = ("image", "img", "images", "picture", "photo")
_LABEL_NAMES = ("label", "fine_label", "labels", "class", "target", "category")


def find_columns(
    features: Mapping[str, Any], *, image: str | None, label: str | None, source: str
) -> tuple[str, str]:
    """The names of the image and of the label column.

    Args:
        features: the table's columns with their types, as the `datasets` library has them.
        image: the column that the user named, if any.
        label: the column that the user named, if any.
        source: the table, for messages.

    Raises:
        DataError: there is none, or more than one could be meant.
    """
    image_name = _find(features, image, "image", _IMAGE_NAMES, _is_image, source)
    others = {name: feature for name, feature in features.items() if name != image_name}
    # A class column says so by its type; a plain number or text is a label only where its name says so.
    classes = {name: feature for name, feature in others.items() if _is_class(feature)}
    named = {name: feature for name, feature in others.items() if name in _LABEL_NAMES}
    plain = {name: feature for name, feature in named.items() if is_plain(feature)}
    usable = {name: feature for name, feature in named.items() if is_convertible(feature)}
    choice = others if label is not None else (classes or plain or usable or named)
    label_name = _find(choice, label, "label", _LABEL_NAMES, lambda _: True, source, columns=features)
    found = features[label_name]
    if not (is_plain(found) or is_convertible(found)):
        raise DataError(
            f"{source}: column {label_name!r} holds {described(found)}, which are no classes: make them class "
            f"numbers or texts, or name a column of such (data.label_column); there are {_columns(features)}"
        )
    return image_name, label_name


def _find(
    features: Mapping[str, Any],
    wanted: str | None,
    what: str,
    names: tuple[str, ...],
    fits: Callable[[Any], bool],
    source: str,
    columns: Mapping[str, Any] | None = None,
) -> str:
    columns = features if columns is None else columns
    setting = f"data.{what}_column"
    if wanted is not None:
        if wanted not in features:
            raise DataError(f"{source} has no column {wanted!r} for {setting}: there are {_columns(columns)}")
        return wanted
    found = [name for name, feature in features.items() if fits(feature)]
    preferred = [name for name in names if name in found]
    if preferred:
        return preferred[0]
    if len(found) == 1:
        return found[0]
    if found:
        raise DataError(
            f"{source}: the columns {', '.join(found)} could all be the {what} column: choose one with {setting}"
        )
    raise DataError(
        f"{source} has no {what} column (one like {', '.join(names[:2])}): there are {_columns(columns)}; if one "
        f"of them holds the {what}s, name it with {setting}"
    )


def _is_image(feature: Any) -> bool:
    import datasets

    if isinstance(feature, datasets.Image):
        return True
    # Tables written without the `datasets` library: the encoded file, alone or with its name.
    if isinstance(feature, Mapping):
        return "bytes" in feature
    return isinstance(feature, datasets.Value) and "binary" in feature.dtype


def _is_class(feature: Any) -> bool:
    import datasets

    return isinstance(feature, datasets.ClassLabel)


def _columns(features: Mapping[str, Any]) -> str:
    return ", ".join(features) or "no columns"
