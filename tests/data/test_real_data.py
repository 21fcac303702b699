"""Real data sets, where they lie beside the repository."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgewise.data import DataSettings, load


def test_two_thousand_images_of_cifar10_have_its_known_mean_and_deviation(shared_data: Path) -> None:
    splits = load(DataSettings(source=str(shared_data / "cifar10"), train_images=2000), seed=0)
    assert splits.class_names[:3] == ("airplane", "automobile", "bird")
    assert (len(splits.weights), len(splits.arch), len(splits.test)) == (1000, 1000, 10000)
    assert (splits.image_size, splits.channels) == (32, 3)
    assert splits.train.labels.bincount().tolist() == [200] * 10
    assert splits.normalisation.mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=0.01)
    assert splits.normalisation.std == pytest.approx((0.2470, 0.2435, 0.2616), abs=0.01)


def test_cifar100_takes_its_hundred_fine_classes(shared_data: Path) -> None:
    splits = load(DataSettings(source=f"{shared_data}/cifar100/*.parquet", train_images=1000), seed=0)
    assert splits.classes == 100
    assert splits.train.labels.bincount().tolist() == [10] * 100
    assert splits.test.open().labels.bincount().tolist() == [20] * 100
    assert splits.image_size == 32


def test_photos_load_with_no_option_but_the_folder(shared_data: Path) -> None:
    splits = load(DataSettings(source=str(shared_data / "photos")), seed=0)
    assert splits.classes == 10
    assert (splits.image_size, splits.channels) == (224, 3)
    assert splits.weights.labels.bincount().tolist() == [20] * 10
    assert splits.arch.labels.bincount().tolist() == [20] * 10
    assert splits.test.open().labels.bincount().tolist() == [10] * 10
    assert splits.notes == ()
