"""One network, two label sets: CIFAR-100's 100 fine and 20 coarse classes, with gradient surgery between tasks.

    python -m examples.two_tasks --data cifar100 --epochs 5

The trunk is a published cell; each task has a linear head. `--combine` says what the trunk learns from: the `sum`
of the two losses, or `pcgrad` (each task's gradient is projected on the normal plane of the other's where they
conflict, then both are summed; Yu et al. 2020). It comes from torchjd (`pip install torchjd`), which is made for
this: few tasks, all of whose gradients reach the same weights. edgewise's own `Projection` is for the other case:
many edges of a cell, each of which keeps its own projected gradient, and nothing is summed.

See docs/gradient-surgery.md.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchjd.aggregation import Aggregator, PCGrad, Sum
from torchjd.autojac import jac_to_grad, mtl_backward

from edgewise.data import Augment, Batches, DataSettings, Images, Normalisation, in_order, load
from edgewise.nn import Network, NetworkSpec
from edgewise.runtime.random import Streams, seeded
from edgewise.spaces import published

# The 20 superclasses of CIFAR-100. Source: Krizhevsky 2009, Learning multiple layers of features from tiny images.
COARSE = (
    "beaver dolphin otter seal whale",
    "aquarium_fish flatfish ray shark trout",
    "orchid poppy rose sunflower tulip",
    "bottle bowl can cup plate",
    "apple mushroom orange pear sweet_pepper",
    "clock keyboard lamp telephone television",
    "bed chair couch table wardrobe",
    "bee beetle butterfly caterpillar cockroach",
    "bear leopard lion tiger wolf",
    "bridge castle house road skyscraper",
    "cloud forest mountain plain sea",
    "camel cattle chimpanzee elephant kangaroo",
    "fox porcupine possum raccoon skunk",
    "crab lobster snail spider worm",
    "baby boy girl man woman",
    "crocodile dinosaur lizard snake turtle",
    "hamster mouse rabbit shrew squirrel",
    "maple_tree oak_tree palm_tree pine_tree willow_tree",
    "bicycle bus motorcycle pickup_truck train",
    "lawn_mower rocket streetcar tank tractor",
)
AGGREGATORS: dict[str, type[Aggregator]] = {"sum": Sum, "pcgrad": PCGrad}


@dataclass(frozen=True)
class Outcome:
    """What a training gave.

    Args:
        combine: how the two gradients were combined.
        fine: test accuracy on the fine classes, 0 to 1.
        coarse: the same on the coarse classes.
        conflicts: share of steps in which the two gradients of the trunk had a negative inner product.
        seconds: wall time of the training.
    """

    combine: str
    fine: float
    coarse: float
    conflicts: float
    seconds: float


def coarse_of(names: tuple[str, ...]) -> Tensor:
    """The coarse class of each fine class, int64 [classes].

    Raises:
        ValueError: a name is no fine class of CIFAR-100.
    """
    group = {name: i for i, line in enumerate(COARSE) for name in line.split()}
    unknown = [name for name in names if name not in group]
    if unknown:
        raise ValueError(f"no classes of CIFAR-100: {', '.join(unknown[:5])}; give --data a copy of cifar100")
    return torch.tensor([group[name] for name in names])


class TwoTasks(nn.Module):
    """A trunk of published cells and a linear head for each task.

    Args:
        channels: C of the first cell.
        layers: number of cells.
        classes: of each task.
    """

    def __init__(self, channels: int, layers: int, classes: tuple[int, int]) -> None:
        super().__init__()
        trunk = Network(published("PC_DARTS_cifar"), NetworkSpec(channels=channels, layers=layers, classes=2))
        width = trunk.classifier.in_features
        trunk.classifier = nn.Identity()
        self.trunk = trunk
        self.heads = nn.ModuleList(nn.Linear(width, count) for count in classes)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Maps images [B, 3, H, W] to features [B, D] and the logits of both tasks."""
        features = self.trunk(x)
        return features, [head(features) for head in self.heads]


def train(
    model: TwoTasks, batches: Batches, coarse: Tensor, aggregator: Aggregator, epochs: int
) -> tuple[float, float]:
    """Trains the model; returns the share of steps in conflict and the seconds."""
    shared = list(model.trunk.parameters())
    optimiser = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=3e-4)
    total = epochs * len(batches)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, total)
    conflicts, started = 0, time.perf_counter()
    for _ in range(total):
        batch = batches.next()
        features, logits = model(batch.x)
        losses = [F.cross_entropy(logits[0], batch.y), F.cross_entropy(logits[1], coarse[batch.y])]
        optimiser.zero_grad()
        # Leaves the trunk's two gradients in .jac, the heads' own in .grad.
        mtl_backward(losses, features=features, shared_params=shared, parallel_chunk_size=1)
        rows = torch.cat([parameter.jac.flatten(1) for parameter in shared], dim=1)
        conflicts += int(rows[0] @ rows[1] < 0)
        jac_to_grad(shared, aggregator)
        nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimiser.step()
        schedule.step()
    return conflicts / total, time.perf_counter() - started


@torch.no_grad()
def accuracies(model: TwoTasks, images: Images, coarse: Tensor, normalisation: Normalisation) -> list[float]:
    """Test accuracy of both tasks."""
    model.eval()
    right = [0, 0]
    for batch in in_order(images, 250, normalisation, "cpu"):
        _, logits = model(batch.x)
        for i, labels in enumerate((batch.y, coarse[batch.y])):
            right[i] += int((logits[i].argmax(1) == labels).sum())
    return [count / len(images) for count in right]


def compare(options: argparse.Namespace) -> list[Outcome]:
    """Trains one model for each way to combine gradients, from the same start and on the same batches."""
    splits = load(DataSettings(source=options.data, train_images=options.train_images), seed=options.seed)
    coarse, test = coarse_of(splits.class_names), splits.test.open()
    outcomes = []
    for combine in options.combine:
        with seeded(options.seed):
            model = TwoTasks(options.channels, options.layers, (splits.classes, len(COARSE)))
        batches = Batches(
            splits.train,
            batch_size=options.batch,
            generator=Streams(options.seed).generator("batches"),
            normalisation=splits.normalisation,
            augment=Augment(crop_padding=4, flip=True),
            drop_last=True,
            device="cpu",
        )
        with seeded(options.seed):
            conflicts, seconds = train(model, batches, coarse, AGGREGATORS[combine](), options.epochs)
        fine, rough = accuracies(model, test, coarse, splits.normalisation)
        outcomes.append(Outcome(combine, fine, rough, conflicts, seconds))
        print(
            f"{combine}: fine {fine:.2%}, coarse {rough:.2%} of {len(test)} test images; "
            f"{conflicts:.1%} of the steps in conflict; {seconds:.0f} s",
            flush=True,
        )
    return outcomes


def main(words: list[str] | None = None) -> list[Outcome]:
    """Reads the command line and compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", default="cifar100", help="as `edgewise run --data`; must be CIFAR-100")
    parser.add_argument("--combine", nargs="+", choices=list(AGGREGATORS), default=list(AGGREGATORS))
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--channels", type=int, default=8)
    parser.add_argument("--layers", type=int, default=5)
    parser.add_argument("--train-images", type=int, default=None)
    parser.add_argument("--seed", type=int, default=0)
    return compare(parser.parse_args(words))


if __name__ == "__main__":
    main()
