"""Records come back exactly, and a half-written one never counts."""

from __future__ import annotations

import errno
import math
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgewise.errors import NonFiniteError, RunError
from edgewise.runs.records import Records, encode

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "trace.jsonl")


@given(st.lists(st.dictionaries(st.text(), plain), max_size=4))
def test_records_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, written: list[dict]) -> None:
    records = Records(tmp_path_factory.mktemp("records") / "trace.jsonl")
    for record in written:
        records.append(record)
    assert repr(records.read()) == repr(written)


def test_a_number_that_is_not_finite_is_refused_by_its_path(records: Records) -> None:
    records.append({"epoch": 0})
    with pytest.raises(NonFiniteError, match=r"trace\.jsonl: alpha\.normal\[1\]\[0\] = nan is not finite"):
        records.append({"alpha": {"normal": [[1.0], [math.nan]]}})
    with pytest.raises(NonFiniteError, match="the value = -inf"):
        encode(-math.inf, "x")
    assert records.read() == [{"epoch": 0}]


def test_what_json_does_not_hold_is_refused(records: Records) -> None:
    with pytest.raises(RunError, match="can't be written as JSON"):
        records.append({"a": {1, 2}})
    assert records.read() == []


def test_a_half_written_line_is_not_read_and_not_glued_to_the_next(records: Records, tmp_path: Path) -> None:
    records.append({"epoch": 0})
    with open(tmp_path / "trace.jsonl", "ab") as file:
        file.write(b'{"epoch":')
    assert records.read() == [{"epoch": 0}]
    records.append({"epoch": 1})
    assert records.read() == [{"epoch": 0}, {"epoch": 1}]


def test_a_complete_object_without_its_line_end_counts_as_half_written(records: Records, tmp_path: Path) -> None:
    (tmp_path / "trace.jsonl").write_bytes(b'{"epoch": 0}')
    assert records.read() == []
    records.append({"epoch": 0})
    assert (tmp_path / "trace.jsonl").read_bytes() == b'{"epoch": 0}\n'


def test_truncate_keeps_the_first_records_byte_for_byte(records: Records, tmp_path: Path) -> None:
    path = tmp_path / "trace.jsonl"
    for epoch in range(3):
        records.append({"epoch": epoch, "loss": 0.1 + epoch})
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"half')
    records.truncate(3)
    assert path.read_bytes() == whole
    records.truncate(2)
    assert path.read_bytes() == b"".join(whole.splitlines(keepends=True)[:2])
    records.truncate(0)
    assert path.read_bytes() == b""


def test_truncate_leaves_the_old_file_when_it_fails(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.append({"epoch": 0})
    records.append({"epoch": 1})

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        records.truncate(1)
    assert len(records.read()) == 2


def test_truncating_to_more_records_than_there_are_is_refused(records: Records) -> None:
    records.truncate(0)
    records.append({"epoch": 0})
    with pytest.raises(RunError, match="holds 1 records, but the checkpoint was saved after 2"):
        records.truncate(2)


def test_a_damaged_line_is_named(records: Records, tmp_path: Path) -> None:
    (tmp_path / "trace.jsonl").write_bytes(b'{"a": 1}\nxx\n{"a": 2}\n')
    with pytest.raises(RunError, match=r"trace\.jsonl, line 2: damaged \(value found: b'xx"):
        records.read()
    (tmp_path / "trace.jsonl").write_bytes(b"[1]\n")
    with pytest.raises(RunError, match="line 1: damaged"):
        records.read()


def test_a_full_disk_takes_the_begun_line_back(
    records: Records, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records.append({"epoch": 0})
    before = (tmp_path / "trace.jsonl").read_bytes()

    def full(_: int) -> None:
        assert (tmp_path / "trace.jsonl").read_bytes() != before
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(RunError, match=r"trace\.jsonl could not be written: no space left"):
            records.append({"epoch": 1})
    assert (tmp_path / "trace.jsonl").read_bytes() == before
