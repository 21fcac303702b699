"""From a column of a table to labels: numbers, texts, whole numbers written as fractions, one-hot lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgewise.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa

_ADVICE = "a label is one class number or text a row; data.label_column names another column"


def arrow_type(feature: Any) -> pa.DataType:
    """The Arrow type of a column's type in the `datasets` library, whose own classes change between versions."""
    import datasets

    return datasets.Features({"column": feature}).arrow_schema.field("column").type


def is_plain(feature: Any) -> bool:
    """Whether a column holds class numbers or texts."""
    import pyarrow.types as kinds

    found = arrow_type(feature)
    checks = (kinds.is_integer, kinds.is_boolean, kinds.is_string, kinds.is_large_string, kinds.is_null)
    return any(check(found) for check in checks)


def is_convertible(feature: Any) -> bool:
    """Whether a column's values can be classes: fractions that are whole numbers, lists that are one-hot."""
    found = arrow_type(feature)
    return _is_fraction(found) or _is_numeric_list(found)


def described(feature: Any) -> str:
    """What a column holds, for messages."""
    import pyarrow.types as kinds

    found = arrow_type(feature)
    if kinds.is_struct(found):
        fields = [field.name for field in found]
        return "images" if "bytes" in fields else f"structures of {', '.join(fields)}"
    if kinds.is_timestamp(found) or kinds.is_date(found) or kinds.is_time(found) or kinds.is_duration(found):
        return f"times ({found})"
    if kinds.is_binary(found) or kinds.is_large_binary(found) or kinds.is_fixed_size_binary(found):
        return f"bytes ({found})"
    if _is_list(found):
        return f"lists of {found.value_type}"
    return f"{found} values"


def read_labels(
    column: pa.ChunkedArray, feature: Any, name: str, where: Callable[[int], str]
) -> list[str | int | None]:
    """Labels as texts or numbers; None where there is none.

    Args:
        column: the values.
        feature: their type in the `datasets` library.
        name: the column's, for messages.
        where: names a row, for messages.

    Raises:
        DataError: a value is no class.
    """
    values = column.to_pylist()
    names = getattr(feature, "names", None)
    if names is not None:
        return [_named(value, names, name, where, row) for row, value in enumerate(values)]
    found = arrow_type(feature)
    if _is_fraction(found):
        return [
            _whole(value, f"column {name!r} holds {found} values", where, row) for row, value in enumerate(values)
        ]
    if _is_numeric_list(found):
        return _places(values, name, where)
    return values


def note_on(feature: Any, name: str) -> list[str]:
    """A note for the user where labels are not the values as they stand."""
    if _is_list(arrow_type(feature)):
        return [f"column {name!r} holds one-hot lists: the place of the 1, counted from 0, is the class"]
    return []


def _named(
    value: int | None, names: Sequence[str], name: str, where: Callable[[int], str], row: int
) -> str | None:
    # -1 is the hub's sign for a label that is not given away.
    if value is None or value < 0:
        return None
    if value >= len(names):
        raise DataError(
            f"column {name!r} holds {value} at {where(row)}, but its {len(names)} class names end at "
            f"{len(names) - 1}: correct the label, or the names that the table gives"
        )
    return names[value]


def _whole(value: Any, holds: str, where: Callable[[int], str], row: int) -> int | None:
    if value is None or value != value:
        return None
    if value % 1 != 0:
        raise DataError(
            f"{holds}, which are no classes: {value} at {where(row)} is a measurement, not a class: sort "
            f"the values into classes first; {_ADVICE}"
        )
    return int(value)


def _places(lists: list[list[Any] | None], name: str, where: Callable[[int], str]) -> list[str | int | None]:
    """The place of the 1 in each list."""
    lengths = {len(one): row for row, one in reversed(list(enumerate(lists))) if one is not None}
    if len(lengths) > 1:
        length, row = max(lengths.items(), key=lambda item: item[1])
        raise DataError(
            f"column {name!r} holds lists of several lengths (of {length} at {where(row)}), so they are not "
            f"one-hot; several labels an image are not supported: {_ADVICE}"
        )
    return [None if one is None else _place(one, name, where, row) for row, one in enumerate(lists)]


def _place(one: list[Any], name: str, where: Callable[[int], str], row: int) -> int:
    if [value for value in one if value != 0] != [1]:
        shown = ", ".join(map(str, one[:20])) + (", ..." if len(one) > 20 else "")
        raise DataError(
            f"column {name!r} holds lists, and the one at {where(row)}, [{shown}], is not one-hot (one 1, else "
            f"0); several labels an image are not supported: {_ADVICE}"
        )
    return one.index(1)


def _is_fraction(found: pa.DataType) -> bool:
    import pyarrow.types as kinds

    return kinds.is_floating(found) or kinds.is_decimal(found)


def _is_list(found: pa.DataType) -> bool:
    import pyarrow.types as kinds

    return kinds.is_list(found) or kinds.is_large_list(found) or kinds.is_fixed_size_list(found)


def _is_numeric_list(found: pa.DataType) -> bool:
    import pyarrow.types as kinds

    if not _is_list(found):
        return False
    inner: pa.DataType = found.value_type  # type: ignore[attr-defined]
    return kinds.is_integer(inner) or kinds.is_boolean(inner) or kinds.is_floating(inner)
