"""Data sets on the Hugging Face hub."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from edgewise.data.settings import DataSettings
from edgewise.data.source import Source
from edgewise.data.tables import table_source
from edgewise.errors import DataError

LOG = logging.getLogger("edgewise.data")
SHORT_NAMES = {
    "cifar10": "uoft-cs/cifar10",
    "cifar100": "uoft-cs/cifar100",
    "mnist": "ylecun/mnist",
    "fashion_mnist": "zalando-datasets/fashion_mnist",
}
_FLIP_UNSAFE = frozenset({"ylecun/mnist", "ufldl-stanford/svhn"})
_TIMEOUT = 10.0  # seconds; the hub's client by itself tries for minutes


def hub_source(settings: DataSettings) -> Source:
    """A data set of the hub: "owner/name", "owner/name:config", or one of SHORT_NAMES.

    What is downloaded is logged before the download begins, and noted.

    Raises:
        DataError: there is no network and no earlier download, no such data set, or it has no labelled images.
    """
    repo, _, config = settings.source.partition(":")
    repo = SHORT_NAMES.get(repo, repo)
    offline = _reach(repo)
    if offline is None:
        note = f"{repo} comes from the Hugging Face hub: it is downloaded unless it was before"
    else:
        note = f"the Hugging Face hub can't be reached ({offline}): {repo} is taken from an earlier download"
    LOG.info("%s", note)
    dataset = _load(repo, config or None, offline)
    tables = {part: rows.data.table for part, rows in dataset.items()}
    features = dict(dataset.get("train", next(iter(dataset.values()))).features)
    return table_source(
        settings,
        tables,
        features,
        where=lambda part, row: f"{repo}, part {part}, row {row}",
        notes=[note],
        flip_safe=repo not in _FLIP_UNSAFE,
    )


def _reach(repo: str) -> str | None:
    """None if the hub answers for `repo`, else why not; one quick request, before anything that retries."""
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        HfApi().dataset_info(repo, timeout=_TIMEOUT)
    except GatedRepoError as error:
        raise DataError(
            f"{repo} is a gated data set: ask for access at https://huggingface.co/datasets/{repo}, then log "
            f"in with `hf auth login`"
        ) from error
    except RepositoryNotFoundError as error:
        raise DataError(
            f"the Hugging Face hub has no data set {repo!r}, or it is private: check its name at "
            f"https://huggingface.co/datasets, or give the path of a folder that exists"
        ) from error
    except Exception as error:  # the HTTP client's types change between versions
        return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:150]}"
    return None


def _load(repo: str, config: str | None, offline: str | None) -> Any:
    import datasets

    try:
        with _offline_mode(on=offline is not None):
            return datasets.load_dataset(repo, config)
    except Exception as error:  # as above, and ValueError for a missing configuration
        reason = str(error).strip()[:500]
        if offline is not None:
            raise DataError(
                f"no network: the Hugging Face hub can't be reached for {repo} ({offline}), and there is no "
                f"earlier download of it on this machine: connect, or give a folder that exists"
            ) from error
        if "onfig" in reason:
            raise DataError(
                f"{repo} has several configurations; name one as {repo}:NAME. The hub's library says: {reason}"
            ) from error
        raise DataError(
            f"{repo} can't be loaded from the Hugging Face hub ({type(error).__name__}: {reason}): try again, or "
            f"download it and give the folder"
        ) from error


@contextmanager
def _offline_mode(*, on: bool) -> Iterator[None]:
    """Has the hub's library look at earlier downloads only, without half a minute of retries."""
    from datasets import config

    before = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = on or before
    try:
        yield
    finally:
        config.HF_HUB_OFFLINE = before
