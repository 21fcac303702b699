"""The test of a network: figures by hand on a network whose answers are known."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from edgewise.data import Images, Normalisation
from edgewise.methods import TrainSettings
from edgewise.nn import Network, NetworkSpec
from edgewise.runtime.compute import Compute
from edgewise.train import TrainTask, evaluate
from tests.search.problem import make_images, make_splits, same, snapshot
from tests.train.test_task import GENOTYPE

PLAIN = Normalisation((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


class Reader(nn.Module):
    """Answers the class that the first pixel's red value names: its logit is ln 2, the others are 0."""

    def forward(self, x: Tensor) -> Tensor:
        answers = (x[:, 0, 0, 0] * 255).round().long()
        return math.log(2) * nn.functional.one_hot(answers, 4).float()


def said(answers: list[int], labels: list[int]) -> Images:
    """Images on which `Reader` gives these answers."""
    pixels = torch.zeros(len(answers), 3, 2, 2, dtype=torch.uint8)
    pixels[:, 0, 0, 0] = torch.tensor(answers, dtype=torch.uint8)
    return Images(pixels, torch.tensor(labels))


def test_accuracy_loss_classes_and_confusion_are_those_counted_by_hand() -> None:
    images = said(answers=[0, 1, 1, 2, 0, 2], labels=[0, 0, 1, 1, 0, 2])
    result = evaluate(Reader(), images, PLAIN, classes=4, compute=Compute("cpu"))
    assert result.images == 6
    assert result.top1 == 4 / 6
    # exp(ln 2) = 2 against three ones: probabilities 2/5 and 1/5.
    assert result.loss == pytest.approx((4 * math.log(5 / 2) + 2 * math.log(5)) / 6, rel=1e-6)
    assert result.per_class == (2 / 3, 1 / 2, 1.0, None)
    assert result.confusion == ((2, 1, 0, 0), (0, 1, 1, 0), (0, 0, 1, 0), (0, 0, 0, 0))
    assert all(type(count) is int for row in result.confusion for count in row)


def test_the_loss_is_a_mean_over_images_also_when_the_last_batch_is_smaller(monkeypatch) -> None:
    images = said(answers=[0, 0, 0, 0, 1], labels=[0, 0, 0, 0, 0])
    whole = evaluate(Reader(), images, PLAIN, classes=4, compute=Compute("cpu"))
    # The package has a function of the same name, which hides the module from a dotted path.
    monkeypatch.setattr(sys.modules[evaluate.__module__], "EVALUATION_BATCH", 2)
    parts = evaluate(Reader(), images, PLAIN, classes=4, compute=Compute("cpu"))
    assert parts.loss == pytest.approx(whole.loss, rel=1e-12)
    assert parts.loss == pytest.approx((4 * math.log(5 / 2) + math.log(5)) / 5, rel=1e-6)
    assert parts.confusion == whole.confusion == ((4, 1, 0, 0), (0,) * 4, (0,) * 4, (0,) * 4)


def test_the_images_are_normalised_with_what_was_measured_on_the_training_images() -> None:
    seen = []

    class Watcher(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            seen.append(x.clone())
            return torch.zeros(len(x), 4)

    evaluate(
        Watcher(),
        said([51, 255], [0, 0]),
        Normalisation((0.1,) * 3, (0.2,) * 3),
        classes=4,
        compute=Compute("cpu"),
    )
    assert seen[0][:, 0, 0, 0].tolist() == pytest.approx([0.5, 4.5], rel=1e-6)


def tiny_network() -> Network:
    return Network(GENOTYPE, NetworkSpec(channels=4, layers=3, classes=3, auxiliary=True))


def test_an_evaluation_moves_no_running_statistics_and_no_weights() -> None:
    network = tiny_network().train()
    before = snapshot(network)
    evaluate(network, make_images(9, 3), PLAIN, classes=3, compute=Compute("cpu"))
    assert same(snapshot(network), before)
    assert all(p.grad is None for p in network.parameters())


def test_an_evaluation_answers_each_image_on_its_own() -> None:
    network = tiny_network().train()
    images = make_images(9, 3)
    compute = Compute("cpu")
    together = evaluate(network, images, PLAIN, classes=3, compute=compute).loss
    alone = [
        evaluate(
            network,
            Images(images.pixels[i : i + 1], images.labels[i : i + 1]),
            PLAIN,
            classes=3,
            compute=compute,
        )
        for i in range(9)
    ]
    assert together == pytest.approx(sum(one.loss for one in alone) / 9, rel=1e-4)


def test_a_network_is_tested_without_drop_path_without_augmentation_and_without_randomness() -> None:
    settings = TrainSettings(epochs=2, batch_size=8, drop_path=0.9, auxiliary=0.4)
    network = tiny_network()
    task = TrainTask(network, "found", settings, make_splits(), None, seed=1, compute=Compute("cpu"))
    task.step(1, 0)
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        results.append(evaluate(network, make_images(9, 3), PLAIN, classes=3, compute=task.compute))
    assert results[0] == results[1]
    with torch.no_grad():
        logits = network.eval()(PLAIN.apply(make_images(9, 3).pixels))
    expected = nn.functional.cross_entropy(logits, make_images(9, 3).labels)
    assert results[0].loss == pytest.approx(expected.item(), rel=1e-5)


def test_training_after_an_evaluation_goes_on_as_if_there_had_been_none() -> None:
    settings = replace(TrainSettings(epochs=2, batch_size=8), auxiliary=0.4)
    results = []
    for evaluated in (False, True):
        torch.manual_seed(0)
        task = TrainTask(tiny_network(), "found", settings, make_splits(), None, seed=1, compute=Compute("cpu"))
        task.step(0, 0)
        if evaluated:
            evaluate(task.network, make_images(9, 3), PLAIN, classes=3, compute=task.compute)
        task.step(0, 1)
        results.append(snapshot(task.network))
    assert same(results[0], results[1])
