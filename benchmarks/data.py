"""Training batches: edgewise's against a loop over images with PIL: `python -m benchmarks.data [--data SOURCE]`.

Both make the same batches: random crop of the padded image, mirror, normalisation, cutout, float32. `batches`
works on uint8 tensors in memory, a batch at a time; `streamed` decodes each image from its file or table in worker
threads, as sets do that don't fit into memory; `pil` takes decoded images one by one, as a loader with transforms
does, in one process: it decodes nothing. They take turns. The floor is bytes: a batch is read as uint8 and written
as float32, which `copy` does and nothing else.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor

from edgewise.data import Augment, AugmentSettings, Batches, DataSettings, Images, Normalisation, Splits, load
from edgewise.runs.provenance import device_name


def batches(splits: Splits, augment: Augment, options: argparse.Namespace) -> Callable[[], object]:
    """Edgewise's own."""
    made = Batches(
        splits.train,
        batch_size=options.batch,
        generator=torch.Generator().manual_seed(0),
        normalisation=splits.normalisation,
        augment=augment,
        drop_last=True,
        device="cpu",
    )
    return made.next


def pil_image(
    image: Image.Image, augment: Augment, normalisation: Normalisation, draw: np.random.Generator
) -> Tensor:
    """One image, augmented with PIL and normalised."""
    side, padding = image.size[0], augment.crop_padding
    left, top = draw.integers(0, 2 * padding + 1, 2)
    image = ImageOps.expand(image, padding).crop((left, top, left + side, top + side))
    if augment.flip and draw.random() < 0.5:
        image = ImageOps.mirror(image)
    array = np.array(image)
    x = torch.from_numpy(np.ascontiguousarray(array[None] if array.ndim == 2 else array.transpose(2, 0, 1)))
    x = x.float() / 255
    x = (x - torch.tensor(normalisation.mean)[:, None, None]) / torch.tensor(normalisation.std)[:, None, None]
    if augment.cutout:
        row, column = (int(one) - augment.cutout // 2 for one in draw.integers(0, side, 2))
        x[:, max(0, row) : row + augment.cutout, max(0, column) : column + augment.cutout] = 0
    return x


def pil(splits: Splits, augment: Augment, options: argparse.Namespace) -> Callable[[], object]:
    """A loop over decoded images."""
    draw, images = np.random.default_rng(0), splits.train
    count = min(len(images), 10_000)
    arrays = [one.permute(1, 2, 0).squeeze(-1).numpy() for one in images.pixels[:count]]
    decoded = [Image.fromarray(array) for array in arrays]

    def following() -> Tensor:
        rows = draw.integers(0, count, options.batch)
        return torch.stack([pil_image(decoded[row], augment, splits.normalisation, draw) for row in rows])

    return following


def copy(images: Images, options: argparse.Namespace) -> Callable[[], object]:
    """The floor: bytes read and written."""
    pixels = images.pixels[: options.batch]
    return lambda: pixels.float()


def rate(action: Callable[[], object], options: argparse.Namespace) -> float:
    """Images a second over one round."""
    action()
    started = time.perf_counter()
    for _ in range(options.batches):
        action()
    return options.batches * options.batch / (time.perf_counter() - started)


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="digits", metavar="SOURCE")
    parser.add_argument("--image-size", type=int)
    parser.add_argument("--images", type=int, help="training images, at most")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--batches", type=int, default=10, help="of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--crop-padding", type=int)
    parser.add_argument("--cutout", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    return parser.parse_args()


def main() -> None:
    """Measures and prints."""
    options = parse()
    torch.set_num_threads(options.threads)
    settings = DataSettings(options.data, options.image_size, train_images=options.images, stream="never")
    splits = load(settings, seed=0)
    streamed = load(replace(settings, stream="always"), seed=0)
    augment = Augment.resolve(AugmentSettings(options.crop_padding, cutout=options.cutout), splits)
    kinds = {
        "copy": copy(splits.train, options),
        "batches": batches(splits, augment, options),
        "streamed": batches(streamed, augment, options),
        "pil": pil(splits, augment, options),
    }
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(options.rounds):
        for kind, action in kinds.items():
            found[kind].append(rate(action, options))
    print(f"{device_name('cpu')}, {options.threads} threads, torch {torch.__version__}")
    print(
        f"{splits.source}: {len(splits.train)} images, {splits.image_size}x{splits.image_size}x{splits.channels}, "
        f"batch {options.batch}, {augment}"
    )
    for kind, rates in found.items():
        times = [a / b for a, b in zip(rates, found["pil"], strict=True)]
        print(
            f"{kind:<9} {statistics.median(rates):>12,.0f} images/s ({min(rates):,.0f} to {max(rates):,.0f}, "
            f"n {len(rates)}), {statistics.median(times):.1f} times pil"
        )


if __name__ == "__main__":
    main()
