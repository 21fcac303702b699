"""Names on the Hugging Face hub; no test here uses the network."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

import datasets
import huggingface_hub
import pytest
from datasets import config as hub_config
from huggingface_hub.errors import RepositoryNotFoundError

from edgewise.data import DataSettings, Splits, load
from edgewise.errors import DataError
from tests.data.helpers import encoded


class Unknown(RepositoryNotFoundError):
    """As the hub's client raises it, without the response of its HTTP library."""

    def __init__(self) -> None:
        Exception.__init__(self, "404")


def read(source: str) -> Splits:
    return load(DataSettings(source=source), seed=0)


def hub_set(labels: list[int], *, parts: tuple[str, ...] = ("train", "test")) -> datasets.DatasetDict:
    features = datasets.Features({"img": datasets.Image(), "label": datasets.ClassLabel(names=["cat", "dog"])})
    cells = [{"bytes": encoded(i), "path": None} for i in range(len(labels))]
    part = datasets.Dataset.from_dict({"img": cells, "label": labels}, features=features)
    return datasets.DatasetDict(dict.fromkeys(parts, part))


def answer(monkeypatch: pytest.MonkeyPatch, info: Callable[..., Any], loaded: Callable[..., Any]) -> None:
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", info)
    monkeypatch.setattr(datasets, "load_dataset", loaded)


def unreachable(*_: Any, **__: Any) -> None:
    raise OSError("Name or service not known")


@pytest.mark.parametrize(
    ("source", "repo", "config"),
    [
        ("cifar10", "uoft-cs/cifar10", None),
        ("cifar100", "uoft-cs/cifar100", None),
        ("someone/pets", "someone/pets", None),
        ("someone/pets:small", "someone/pets", "small"),
    ],
)
def test_a_name_is_looked_up_and_its_download_announced_before_it_begins(
    source: str, repo: str, config: str | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[tuple[str, str | None, str]] = []

    def loaded(name: str, configuration: str | None) -> datasets.DatasetDict:
        asked.append((name, configuration, caplog.text))
        return hub_set([0, 1] * 3)

    answer(monkeypatch, lambda self, name, **_: None, loaded)
    with caplog.at_level(logging.INFO, logger="edgewise.data"):
        splits = read(source)
    assert [(name, configuration) for name, configuration, _ in asked] == [(repo, config)]
    assert f"{repo} comes from the Hugging Face hub: it is downloaded" in asked[0][2]
    assert any("it is downloaded unless it was before" in note for note in splits.notes)
    assert splits.class_names == ("cat", "dog")
    assert (len(splits.train), len(splits.test)) == (6, 6)
    assert splits.flip_safe


def test_handwritten_digits_of_the_hub_must_not_be_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, lambda self, name, **_: None, lambda *_: hub_set([0, 1] * 3))
    assert not read("mnist").flip_safe


def test_a_set_of_the_hub_with_training_images_only_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    answer(monkeypatch, lambda self, name, **_: None, lambda *_: hub_set([0, 1] * 5, parts=("train",)))
    splits = read("someone/pets")
    assert (len(splits.train), len(splits.test)) == (8, 2)


def test_parts_of_the_hub_that_nobody_needs_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = ("extra", "train", "test")
    answer(monkeypatch, lambda self, name, **_: None, lambda *_: hub_set([0, 1] * 3, parts=parts))
    assert "the part extra is not used" in read("someone/pets").notes


def test_parts_of_the_hub_are_known_by_the_same_words_as_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = ("eval", "Training")
    answer(monkeypatch, lambda self, name, **_: None, lambda *_: hub_set([0, 1] * 3, parts=parts))
    splits = read("someone/pets")
    assert (len(splits.train), len(splits.test)) == (6, 6)
    assert "there is no part named test: eval serves as the test set" in splits.notes


def test_without_a_network_the_error_says_so_within_seconds(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    # The hub's client itself, with nothing at the other end: refused at once, tried for half a minute by default.
    monkeypatch.setattr(huggingface_hub.HfApi, "dataset_info", unreachable)
    cache = str(tmp_path_factory.mktemp("cache"))
    monkeypatch.setattr(hub_config, "HF_DATASETS_CACHE", cache)
    started = time.monotonic()
    with pytest.raises(DataError, match=r"no network: .* reached for uoft-cs/cifar10 .*Name or service not known"):
        read("cifar10")
    assert time.monotonic() - started < 5


def test_without_a_network_an_earlier_download_is_used_and_a_note_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[bool] = []

    def loaded(*_: Any) -> datasets.DatasetDict:
        modes.append(hub_config.HF_HUB_OFFLINE)
        return hub_set([0, 1] * 3)

    monkeypatch.setattr(hub_config, "HF_HUB_OFFLINE", False)
    answer(monkeypatch, unreachable, loaded)
    splits = read("cifar10")
    assert modes == [True]
    assert not hub_config.HF_HUB_OFFLINE
    assert any("uoft-cs/cifar10 is taken from an earlier download" in note for note in splits.notes)


def test_a_name_that_the_hub_does_not_know_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> None:
        raise Unknown

    answer(monkeypatch, unknown, lambda *_: pytest.fail("the download was begun"))
    with pytest.raises(DataError, match="the Hugging Face hub has no data set 'nobody/nothing'"):
        read("nobody/nothing")


def test_a_set_with_several_configurations_is_refused_with_the_way_to_name_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def several(*_: Any) -> None:
        raise ValueError("Config name is missing. Please pick one among the available configs: ['small', 'full']")

    answer(monkeypatch, lambda self, name, **_: None, several)
    with pytest.raises(DataError, match=r"someone/pets:NAME.*'small', 'full'"):
        read("someone/pets")


def test_a_download_that_breaks_off_is_an_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ConnectionError("reset by peer")

    answer(monkeypatch, lambda self, name, **_: None, broken)
    with pytest.raises(DataError, match=r"someone/pets can't be loaded .*reset by peer"):
        read("someone/pets")
