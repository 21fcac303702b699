"""Sizes of runs: `tiny` for CPU minutes, `small` for CPU under an hour on CIFAR-10, `paper` for the thesis's."""

from __future__ import annotations

from typing import Any

OPTIONAL = ("stages",)
"""Sections that change a part's size and leave a recipe without that part alone."""

LEAST_OF_AN_OPERATION = 4
"""Channels that each operation of a supernet's first cells has at least in `tiny` and `small`: partial channels of
K 4 get 16 channels there. With two, alphas of different seeds agree less (docs/selection.md)."""

# A network is chosen among these by a short training; cells that are read off alpha are one of them.
CANDIDATES = {"last": 1, "epochs": 0, "sampled": 2, "published": 2, "random": 2, "hand": 1}
SELECTION = {"rungs": 3, "keep": 0.5, "epochs": 8, "early": "loss", "last": "accuracy"}

PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {
        "search": {"epochs": 10, "batch_size": 64, "channels": 8, "layers": 3},
        "stages": {"add_layers": [0, 1, 2]},
        "arch": {"lr": 0.03, "weight_decay": 0.0},
        "train": {
            "epochs": 10,
            "batch_size": 64,
            "channels": 8,
            "layers": 5,
            "lr": 0.05,
            "auxiliary": 0.0,
            "drop_path": 0.0,
        },
        "candidates": CANDIDATES,
        "selection": SELECTION | {"epochs": 6},
    },
    "small": {
        "data": {"train_images": 6000},
        "search": {"epochs": 8, "batch_size": 64, "channels": 8, "layers": 5},
        "stages": {"add_layers": [0, 2, 4]},
        "weights": {"lr": 0.05},
        "arch": {"lr": 0.01, "weight_decay": 0.0},
        "train": {
            "epochs": 10,
            "batch_size": 64,
            "channels": 10,
            "layers": 5,
            "lr": 0.05,
            "auxiliary": 0.0,
            "drop_path": 0.0,
        },
        "candidates": CANDIDATES,
        "selection": SELECTION,
    },
    "paper": {"train_augment": {"cutout": "half"}},
}
