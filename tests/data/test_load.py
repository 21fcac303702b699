"""From settings to splits: sizes, channels, caps, seeds, and the seal on the test images."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from edgewise.data import (
    Augment,
    AugmentSettings,
    Batches,
    DataSettings,
    Images,
    Normalisation,
    SealedImages,
    Splits,
    load,
)
from edgewise.data.split import cap, cut
from edgewise.errors import ConfigError, DataError
from edgewise.runtime.random import Streams
from tests.data.helpers import image, values, write_folder


def folder(
    path: Path, *, train: int = 4, test: int = 2, size: tuple[int, int] = (8, 8), mode: str = "RGB"
) -> Path:
    write_folder(path / "train", {"cat": train, "dog": train}, size=size, mode=mode)
    write_folder(path / "test", {"cat": test, "dog": test}, size=size, mode=mode)
    return path


def read(path: Path, seed: int = 0, **settings: object) -> Splits:
    return load(DataSettings(source=str(path), **settings), seed=seed)  # type: ignore[arg-type]


def same(one: Images, other: Images) -> bool:
    return torch.equal(one.pixels, other.pixels) and torch.equal(one.labels, other.labels)


def test_digits_are_small_grey_images_that_must_not_be_mirrored() -> None:
    splits = load(DataSettings(), seed=0)
    assert (splits.image_size, splits.channels, splits.classes) == (8, 1, 10)
    assert not splits.flip_safe
    assert not Augment.resolve(AugmentSettings(), splits).flip
    assert (len(splits.weights), len(splits.arch), len(splits.test)) == (719, 719, 359)
    for images in (splits.weights, splits.arch, splits.test.open()):
        counts = torch.bincount(images.labels)
        assert counts.max() - counts.min() <= 5
    # 0 to 16 of the original become 0 to 255.
    assert splits.train.pixels.unique().tolist() == [round(value * 255 / 16) for value in range(17)]


def test_splits_are_disjoint_and_cover_every_image(tmp_path: Path) -> None:
    splits = read(write_folder(tmp_path, {"cat": 20, "dog": 11}))
    parts = [values(splits.weights), values(splits.arch), values(splits.test.open())]
    assert sorted(parts[0] + parts[1] + parts[2]) == [*range(20), *range(20, 31)]
    assert [len(part) for part in parts] == [12, 13, 6]


def test_the_arch_fraction_is_the_share_of_the_training_images(tmp_path: Path) -> None:
    source = DataSettings(source=str(folder(tmp_path, train=10)))
    splits = load(source, seed=0, arch_fraction=0.3)
    assert splits.arch.labels.tolist() == [0] * 3 + [1] * 3
    assert splits.weights.labels.tolist() == [0] * 7 + [1] * 7


@pytest.mark.parametrize("fraction", [0.0, 1.0])
def test_an_arch_fraction_that_leaves_a_split_empty_is_refused(fraction: float) -> None:
    with pytest.raises(ConfigError, match=f"arch_fraction = {fraction}"):
        load(DataSettings(), seed=0, arch_fraction=fraction)


def test_settings_out_of_range_are_refused_all_at_once() -> None:
    with pytest.raises(ConfigError) as error:
        load(DataSettings(test_fraction=1.5, train_images=0), seed=0)
    assert "test_fraction" in str(error.value)
    assert "train_images" in str(error.value)


def test_the_seed_decides_the_splits(tmp_path: Path) -> None:
    folder(tmp_path, train=20)
    once, again, other = (read(tmp_path, seed=seed) for seed in (1, 1, 2))
    assert once.fingerprint == again.fingerprint != other.fingerprint
    assert same(once.weights, again.weights)
    assert not same(once.weights, other.weights)
    assert same(once.test.open(), other.test.open())


def test_each_choice_follows_from_a_random_stream_of_its_own(tmp_path: Path) -> None:
    # Values are rows here: the classes' images are 0 to 19 and 20 to 39.
    splits = read(write_folder(tmp_path, {"cat": 20, "dog": 20}), seed=3, train_images=10)
    labels = torch.arange(2).repeat_interleave(20)
    rows, test = cut(labels, 0.2, generator=Streams(3).generator("data.test"), keep=2)
    rows = rows[cap(labels[rows], 10, least=2, generator=Streams(3).generator("data.cap"))]
    weights, arch = cut(labels[rows], 0.5, generator=Streams(3).generator("data.arch"))
    assert values(splits.test.open()) == test.tolist()
    assert values(splits.weights) == rows[weights].tolist()
    assert values(splits.arch) == rows[arch].tolist()


def test_loading_leaves_the_global_random_stream_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    load(DataSettings(train_images=100), seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_a_cap_does_not_change_which_images_are_test_images() -> None:
    whole, capped = load(DataSettings(), seed=4), load(DataSettings(train_images=100), seed=4)
    assert same(whole.test.open(), capped.test.open())
    assert (len(capped.weights), len(capped.arch)) == (50, 50)
    assert set(torch.bincount(capped.train.labels).tolist()) <= {9, 10, 11}
    assert "100 of 1438 training images are used (train_images = 100)" in capped.notes


def test_only_images_that_a_cap_keeps_are_read(tmp_path: Path) -> None:
    folder(tmp_path, train=10)
    kept = set(values(read(tmp_path, train_images=6).train))
    assert len(kept) == 6
    for file in (tmp_path / "train").rglob("*.png"):
        if int(file.stem) + 20 * (file.parent.name == "dog") not in kept:
            file.write_bytes(b"poison")
    assert set(values(read(tmp_path, train_images=6).train)) == kept


def test_a_cap_below_two_images_a_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train_images = 3 is too few for the 2 classes .* 4, is the least"):
        read(folder(tmp_path), train_images=3)


def test_a_cap_above_the_number_of_images_changes_nothing(tmp_path: Path) -> None:
    folder(tmp_path)
    assert read(tmp_path).fingerprint == read(tmp_path, train_images=1000).fingerprint


@pytest.mark.parametrize(
    ("sizes", "wanted", "expected"),
    [
        ([(32, 32)], None, 32),  # one small size is kept
        ([(64, 48), (48, 64)], None, 48),  # a turned image has the same size; the crop is square
        ([(65, 65)], None, 64),
        ([(100, 300), (90, 90), (400, 130)], None, 96),  # the median shorter side is 100
        ([(20, 30), (40, 24)], None, 20),
        ([(300, 400), (500, 300)], None, 224),
        ([(300, 400), (500, 300)], 40, 40),
        ([(8, 8)], 16, 16),
    ],
)
def test_images_of_these_sizes_are_kept_at(
    tmp_path: Path, sizes: list[tuple[int, int]], wanted: int | None, expected: int
) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "train" / name).mkdir(parents=True)
        (tmp_path / "test" / name).mkdir(parents=True)
        for i in range(6):
            image(i, size=sizes[i % len(sizes)]).save(tmp_path / "train" / name / f"{i}.png")
        image(size=(50, 70)).save(tmp_path / "test" / name / "a.png")
    splits = read(tmp_path, image_size=wanted)
    assert splits.weights.pixels.shape == (6, 3, expected, expected)
    assert splits.test.open().pixels.shape == (2, 3, expected, expected)
    resized = any(f"brought to {expected}x{expected}" in note for note in splits.notes)
    assert resized == (sizes != [(expected, expected)])


def test_grey_images_stay_one_channel(tmp_path: Path) -> None:
    splits = read(folder(tmp_path, mode="L"))
    assert splits.channels == 1
    assert splits.test.open().pixels.shape == (4, 1, 8, 8)


def test_one_colour_image_among_grey_ones_makes_all_three_channels(tmp_path: Path) -> None:
    folder(tmp_path, mode="L")
    Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / "train" / "cat" / "red.png")
    splits = read(tmp_path)
    assert splits.channels == 3
    assert len(splits.normalisation.mean) == 3


def test_transparent_images_are_noted(tmp_path: Path) -> None:
    folder(tmp_path)
    Image.new("RGBA", (8, 8)).save(tmp_path / "train" / "cat" / "clear.png")
    assert "1 training images are transparent: they are laid on white" in read(tmp_path).notes


def test_normalisation_is_measured_on_weights_and_arch_together(tmp_path: Path) -> None:
    splits = read(folder(tmp_path))
    assert splits.normalisation == Normalisation.measure(splits.train.pixels)
    # Values 0, 1, 2, 3 and 20, 21, 22, 23 have the mean 11.5.
    assert splits.normalisation.mean == pytest.approx([11.5 / 255] * 3)


def test_test_images_change_nothing_but_themselves_and_the_fingerprint(tmp_path: Path) -> None:
    clean, poisoned = folder(tmp_path / "clean", mode="L"), folder(tmp_path / "poisoned", mode="L")
    for file in (poisoned / "test").rglob("*.png"):
        Image.new("RGB", (90, 120), (255, 0, 0)).save(file)
    one, other = read(clean), read(poisoned)
    assert same(one.weights, other.weights)
    assert same(one.arch, other.arch)
    assert one.normalisation == other.normalisation
    assert (one.image_size, one.channels, one.notes) == (other.image_size, other.channels, other.notes)
    assert one.fingerprint != other.fingerprint


def test_nothing_but_open_gives_test_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def poisoned(self: SealedImages) -> Images:
        raise AssertionError("the test images were opened")

    monkeypatch.setattr(SealedImages, "open", poisoned)
    splits = read(folder(tmp_path))
    assert not [name for name in vars(SealedImages) if not name.startswith("_") and name != "open"]
    assert [name for name in vars(splits.test) if not name.startswith("_")] == ["opened"]
    batches = Batches(
        splits.train,
        batch_size=2,
        generator=Streams(0).generator("batches"),
        normalisation=splits.normalisation,
        augment=Augment.resolve(AugmentSettings(cutout=2), splits),
        drop_last=True,
        device="cpu",
    )
    seen = [len(batches.next()) for _ in range(len(batches))]
    assert seen == [2, 2, 2, 2]
    assert len(splits.test) == 4
    with pytest.raises(AssertionError, match="were opened"):
        splits.test.open()


def test_images_too_many_for_the_memory_are_refused_before_they_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edgewise.data.parallel_decoding.free_bytes", lambda device: 10**9)
    with pytest.raises(DataError, match=r"8 images of 16000x16000x3 need .* GiB of memory"):
        read(folder(tmp_path), image_size=16_000)


def test_a_path_that_does_not_exist_is_refused_with_the_nearest_one(tmp_path: Path) -> None:
    folder(tmp_path / "photos")
    with pytest.raises(DataError, match=rf"no folder or file .*; did you mean {tmp_path / 'photos'}\?"):
        read(tmp_path / "photo")


def test_a_mistyped_name_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(DataError, match=r"'digitz' .*did you mean digits\?"):
        load(DataSettings(source="digitz"), seed=0)


def test_a_mistyped_path_in_a_folder_that_exists_is_not_sought_on_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder(tmp_path / "data" / "photos")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"no folder or file 'data/photo' .*did you mean data/photos\?"):
        load(DataSettings(source="data/photo"), seed=0)


@pytest.mark.parametrize("source", ["{0}/notes.txt", "{0}/*.txt"])
def test_a_file_that_is_no_image_data_set_is_refused_and_named(tmp_path: Path, source: str) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(DataError, match=r"notes\.txt is not an image data set: expected a parquet file"):
        load(DataSettings(source=source.format(tmp_path)), seed=0)


def test_a_pattern_without_a_match_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file matches .*\*\.parquet"):
        load(DataSettings(source=f"{tmp_path}/*.parquet"), seed=0)
