"""Sizes of runs: `tiny` for CPU minutes, `small` for CPU under an hour on CIFAR-10, `paper` for the thesis's."""

from __future__ import annotations

from typing import Any

OPTIONAL = ("stages",)
"""Sections that change a part's size and leave a recipe without that part alone."""

PRESETS: dict[str, dict[str, Any]] = {
    "tiny": {
        "search": {"epochs": 10, "batch_size": 64, "channels": 8, "layers": 4},
        "stages": {"add_layers": [0, 1, 2]},
        "arch": {"lr": 3e-3},
        "train": {
            "epochs": 12,
            "batch_size": 64,
            "channels": 8,
            "layers": 5,
            "lr": 0.05,
            "auxiliary": 0.0,
            "drop_path": 0.0,
        },
    },
    "small": {
        "data": {"train_images": 6000},
        "search": {"epochs": 8, "batch_size": 64, "channels": 8, "layers": 5},
        "stages": {"add_layers": [0, 2, 4]},
        "weights": {"lr": 0.05},
        "arch": {"lr": 3e-3},
        "train": {
            "epochs": 10,
            "batch_size": 64,
            "channels": 10,
            "layers": 5,
            "lr": 0.05,
            "auxiliary": 0.0,
            "drop_path": 0.0,
        },
    },
    "paper": {"train_augment": {"cutout": "half"}},
}
