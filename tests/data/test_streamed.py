"""Images that are decoded as they are needed give the batches of images in memory, bit for bit."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from edgewise.data import Augment, Batches, DataSettings, Splits, in_order, load
from edgewise.data.streamed import StreamedPixels
from edgewise.errors import DataError
from tests.data.helpers import encoded, write_parquet

STREAM = "edgewise.data.storage.free_bytes"


def write_noise(root: Path, *, count: int = 12, size: int = 10) -> Path:
    """Three classes of images, each of which is another."""
    generator = np.random.default_rng(0)
    for name in ("a", "b", "c"):
        (root / name).mkdir(parents=True)
        for i in range(count):
            pixels = generator.integers(0, 256, (size, size, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i:03}.png")
    return root


def both(source: Path, **settings: object) -> tuple[Splits, Splits]:
    """The splits of a source in memory, and streamed."""
    memory, streamed = (
        load(DataSettings(str(source), stream=stream, **settings), seed=3)  # type: ignore[arg-type]
        for stream in ("never", "always")
    )
    assert isinstance(memory.weights.pixels, torch.Tensor)
    assert isinstance(streamed.weights.pixels, StreamedPixels)
    return memory, streamed


def batches_of(splits: Splits, *, seed: int = 7) -> Batches:
    return Batches(
        splits.train,
        batch_size=5,
        generator=torch.Generator().manual_seed(seed),
        normalisation=splits.normalisation,
        augment=Augment(2, flip=True, cutout=3),
        drop_last=False,
        device="cpu",
    )


def assert_same_batches(one: Batches, two: Batches, count: int) -> None:
    for _ in range(count):
        a, b = one.next(), two.next()
        assert torch.equal(a.index, b.index)
        assert torch.equal(a.y, b.y)
        assert torch.equal(a.x, b.x)


def test_batches_are_the_same_over_more_than_a_pass(tmp_path: Path) -> None:
    memory, streamed = both(write_noise(tmp_path))
    one, two = batches_of(memory), batches_of(streamed)
    assert_same_batches(one, two, 2 * len(one) + 1)


def test_splits_normalisation_and_fingerprint_are_the_same(tmp_path: Path) -> None:
    memory, streamed = both(write_noise(tmp_path))
    assert memory.fingerprint == streamed.fingerprint
    assert memory.normalisation == streamed.normalisation
    assert (memory.image_size, memory.channels) == (streamed.image_size, streamed.channels)
    for one, two in ((memory.weights, streamed.weights), (memory.test.open(), streamed.test.open())):
        assert torch.equal(one.labels, two.labels)
        assert torch.equal(one.pixels[:], two.pixels[:])


def test_a_position_saved_in_one_mode_goes_on_in_the_other(tmp_path: Path) -> None:
    memory, streamed = both(write_noise(tmp_path))
    one, two = batches_of(memory), batches_of(streamed, seed=99)
    for _ in range(len(one) - 1):
        one.next()
        two.next()
    two.load_state_dict(one.state_dict())
    assert_same_batches(one, two, len(one))
    assert torch.equal(one.state_dict()["permutation"], two.state_dict()["permutation"])


def test_evaluation_sees_the_same_images_in_order(tmp_path: Path) -> None:
    memory, streamed = both(write_noise(tmp_path))
    pairs = zip(
        *(in_order(splits.test.open(), 2, splits.normalisation, "cpu") for splits in (memory, streamed)),
        strict=True,
    )
    assert sum(torch.equal(a.x, b.x) and torch.equal(a.y, b.y) for a, b in pairs) == 4


def test_unreadable_images_are_named_or_left_out_as_in_memory(tmp_path: Path) -> None:
    root = write_noise(tmp_path)
    (root / "b" / "003.png").write_bytes((root / "b" / "003.png").read_bytes()[:90])
    memory, streamed = both(root, skip_bad=True)
    assert memory.bad_files == streamed.bad_files != ()
    assert memory.fingerprint == streamed.fingerprint
    assert_same_batches(batches_of(memory), batches_of(streamed), 3)
    with pytest.raises(DataError, match=r"1 image of .* can't be read:\n.*003\.png"):
        load(DataSettings(str(root), stream="always"), seed=3)


def test_an_image_that_vanishes_during_the_run_is_named(tmp_path: Path) -> None:
    root = write_noise(tmp_path)
    splits = load(DataSettings(str(root), stream="always"), seed=3)
    for path in root.rglob("*.png"):
        path.unlink()
    with pytest.raises(DataError, match=r"\.png can't be read any more.*restore it"):
        batches_of(splits).next()


def test_parquet_tables_are_read_from_disk_and_give_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    cells = [{"bytes": encoded(i), "path": f"{i}.png"} for i in range(30)]
    columns = {"image": cells, "label": [i % 3 for i in range(30)]}
    path = write_parquet(tmp_path / "data" / "train.parquet", columns)
    memory, streamed = both(path.parent)
    assert memory.fingerprint == streamed.fingerprint
    assert list((tmp_path / "cache").rglob("*.arrow")) != []
    assert any("unpacked" in note and str(tmp_path / "cache") in note for note in streamed.notes)
    assert_same_batches(batches_of(memory), batches_of(streamed), 4)


@pytest.mark.parametrize(("free", "expected"), [(10**9, torch.Tensor), (30_000, StreamedPixels)])
def test_auto_streams_what_does_not_fit_three_times_and_says_so(
    free: int, expected: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 36 images of 300 bytes.
    monkeypatch.setattr(STREAM, lambda device: free)
    splits = load(DataSettings(str(write_noise(tmp_path))), seed=3)
    assert isinstance(splits.weights.pixels, expected)
    assert any("decoded as they are needed" in note for note in splits.notes) == (expected is StreamedPixels)


def test_the_next_batches_are_decoded_before_they_are_asked_for(tmp_path: Path) -> None:
    splits = load(DataSettings(str(write_noise(tmp_path)), stream="always"), seed=3)
    pixels = splits.weights.pixels
    assert isinstance(pixels, StreamedPixels)
    opened: list[str] = []
    real = pixels.part.open

    def noted(row: int) -> Image.Image:
        opened.append(threading.current_thread().name)
        return real(row)

    object.__setattr__(pixels.part, "open", noted)
    pixels.ahead(slice(0, 4))
    for part in next(iter(pixels._coming.values())):
        part.result()
    assert len(opened) == 4
    assert all(name.startswith("decode") for name in opened)
    first = pixels[0:4]
    assert len(opened) == 4
    assert torch.equal(first, pixels[0:4])
    assert len(opened) == 8
    pixels.ahead(slice(4, 6))
    pixels.forget()
    assert pixels._coming == {}


def test_images_of_two_parts_are_not_joined(tmp_path: Path) -> None:
    splits = [load(DataSettings(str(write_noise(tmp_path / n)), stream="always"), seed=3) for n in ("x", "y")]
    one, two = (split.weights.pixels for split in splits)
    assert isinstance(one, StreamedPixels)
    assert isinstance(two, StreamedPixels)
    with pytest.raises(ValueError, match="two parts"):
        one.joined(two)
