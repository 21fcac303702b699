"""scikit-learn's handwritten digits: 1,797 real images that come with a dependency."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image

from edgewise.data.source import Part, Source


def digits_source() -> Source:
    """8x8 grey digits, without a test part.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI (its test set).
    """
    from sklearn.datasets import load_digits

    bunch: Any = load_digits()
    # Values run from 0 to 16.
    pixels = np.round(np.asarray(bunch.images) * (255 / 16)).astype(np.uint8)
    part = Part(
        labels=torch.as_tensor(np.asarray(bunch.target), dtype=torch.int64),
        open=lambda row: Image.fromarray(pixels[row]),
        where=lambda row: f"digit {row}",
    )
    return Source("digits", part, None, tuple(str(digit) for digit in range(10)), flip_safe=False)
