"""The training of a network: its loss, its tables, its trace and its checkpoint."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgewise.data import Augment, Images, Splits
from edgewise.errors import DivergedError, NonFiniteError
from edgewise.methods import TrainSettings
from edgewise.nn import DropPath, Network, NetworkSpec
from edgewise.runs.checkpoint import load_checkpoint, save_checkpoint
from edgewise.runtime.compute import Compute
from edgewise.runtime.random import seeded
from edgewise.spaces import Cell, Genotype
from edgewise.train import TrainTask
from tests.search.problem import make_images, make_splits, same, snapshot

SETTINGS = TrainSettings(epochs=4, batch_size=8, channels=4, layers=3, lr=0.1, drop_path=0.4)
CELL = Cell.from_pairs(
    [
        ("sep_conv_3x3", 0),
        ("skip_connect", 1),
        ("max_pool_3x3", 0),
        ("skip_connect", 2),
        ("avg_pool_3x3", 1),
        ("dil_conv_3x3", 0),
        ("sep_conv_3x3", 3),
        ("skip_connect", 0),
    ],
    concat=[2, 3, 4, 5],
)
GENOTYPE = Genotype("darts", {"normal": CELL, "reduce": CELL})


def network(*, auxiliary: bool = False, seed: int = 0) -> Network:
    with seeded(seed):
        return Network(GENOTYPE, NetworkSpec(channels=4, layers=3, classes=3, auxiliary=auxiliary))


class Stub(nn.Module):
    """Two linear classifiers on the image's channel means; notes the drop-path it was given."""

    def __init__(self) -> None:
        super().__init__()
        with seeded(0):
            self.main, self.side = nn.Linear(3, 3), nn.Linear(3, 3)
        self.calls: list[DropPath | None] = []
        self.modes: list[bool] = []

    def training_forward(self, x: Tensor, drop_path: DropPath | None) -> tuple[Tensor, Tensor | None]:
        self.calls.append(drop_path)
        self.modes.append(self.training)
        means = x.mean((2, 3))
        return self.main(means), self.side(means)


def make_task(
    module: nn.Module,
    settings: TrainSettings = SETTINGS,
    splits: Splits | None = None,
    *,
    augment: Augment | None = None,
    seed: int = 5,
) -> TrainTask:
    return TrainTask(
        module, "found", settings, splits or make_splits(), augment, seed=seed, compute=Compute("cpu")
    )


def run_epoch(task: TrainTask, epoch: int = 0) -> dict[str, Any]:
    for step in range(task.steps):
        task.step(epoch, step)
    task.check_finite(epoch)
    return task.finish_epoch(epoch)


@pytest.mark.parametrize(("epoch", "p"), [(0, 0.0), (1, 0.1), (2, 0.2), (3, 0.3)])
def test_drop_path_rises_linearly_from_zero(epoch: int, p: float) -> None:
    module = Stub()
    task = make_task(module)
    task.step(epoch, 0)
    assert task.drop_path_probability(epoch) == pytest.approx(p, abs=1e-15)
    given = module.calls[0]
    assert given is not None
    assert given.probability == pytest.approx(p, abs=1e-15)


@pytest.mark.parametrize(
    ("epoch", "lr"), [(0, 0.1), (1, 0.06 + 0.04 * 0.5**0.5), (2, 0.06), (3, 0.06 - 0.04 * 0.5**0.5)]
)
def test_the_learning_rate_falls_along_half_a_cosine_an_epoch_a_step(epoch: int, lr: float) -> None:
    task = make_task(Stub(), replace(SETTINGS, lr_min=0.02))
    task.step(epoch, 0)
    assert [group["lr"] for group in task.optimizer.param_groups] == [pytest.approx(lr, rel=1e-12)]
    assert task.learning_rate(epoch) == pytest.approx(lr, rel=1e-12)


@pytest.mark.parametrize("auxiliary", [0.4, 0.0, 1.5])
def test_the_auxiliary_loss_counts_with_its_weight_and_the_reported_loss_is_the_main_one(
    auxiliary: float,
) -> None:
    module, reference = Stub(), Stub()
    settings = replace(SETTINGS, auxiliary=auxiliary, momentum=0.0, weight_decay=0.0, clip=1e9)
    task = make_task(module, settings)
    batch = make_task(Stub(), settings).batches.next()
    means = batch.x.mean((2, 3))
    main = F.cross_entropy(reference.main(means), batch.y)
    (main + auxiliary * F.cross_entropy(reference.side(means), batch.y)).backward()
    task.step(0, 0)
    for mine, wanted in zip(module.parameters(), reference.parameters(), strict=True):
        assert wanted.grad is not None
        torch.testing.assert_close(mine.detach(), wanted.detach() - 0.1 * wanted.grad, rtol=1e-6, atol=1e-7)
    assert task.figures()["loss"] == pytest.approx(main.item(), rel=1e-6)


def test_the_step_is_sgd_with_momentum_weight_decay_and_clipping() -> None:
    module, reference = Stub(), Stub()
    settings = replace(SETTINGS, auxiliary=0.0, momentum=0.5, weight_decay=0.1, clip=0.05)
    task = make_task(module, settings)
    batches = make_task(Stub(), settings).batches
    weights = [w.detach().double().requires_grad_() for w in reference.main.parameters()]
    buffers: list[Tensor] = []
    for step in range(2):
        batch = batches.next()
        logits = batch.x.double().mean((2, 3)) @ weights[0].T + weights[1]
        gradients = torch.autograd.grad(F.cross_entropy(logits, batch.y), weights)
        norm = torch.cat([g.flatten() for g in gradients]).norm()
        factor = min(1.0, 0.05 / norm.item())
        assert factor < 1.0
        decayed = [g * factor + 0.1 * w.detach() for g, w in zip(gradients, weights, strict=True)]
        buffers = decayed if step == 0 else [0.5 * b + d for b, d in zip(buffers, decayed, strict=True)]
        weights = [(w.detach() - 0.1 * b).requires_grad_() for w, b in zip(weights, buffers, strict=True)]
        task.step(0, step)
        for mine, wanted in zip(module.main.parameters(), weights, strict=True):
            torch.testing.assert_close(mine.detach().double(), wanted.detach(), rtol=1e-4, atol=1e-5)


def test_the_record_holds_means_over_images_and_the_epochs_settings() -> None:
    module = Stub()
    settings = replace(SETTINGS, batch_size=10, lr=1e-9, weight_decay=0.0)
    task = make_task(module, settings)
    losses, right, norms = [], [], []
    plain = task.batches.next

    def noted():
        batch = plain()
        logits = module.main(batch.x.mean((2, 3)))
        side = module.side(batch.x.mean((2, 3)))
        losses.append(F.cross_entropy(logits, batch.y).item() * len(batch.y))
        right.append((logits.argmax(1) == batch.y).sum().item())
        total = F.cross_entropy(logits, batch.y) + 0.4 * F.cross_entropy(side, batch.y)
        gradients = torch.autograd.grad(total, list(module.parameters()))
        norms.append(torch.cat([g.flatten() for g in gradients]).norm().item() * len(batch.y))
        return batch

    task.batches.next = noted  # type: ignore[method-assign]
    record = run_epoch(task, 2)
    assert len(losses) == task.steps == 3
    assert list(record) == ["phase", "network", "epoch", "loss", "accuracy", "lr", "drop_path", "grad_norm"]
    assert (record["phase"], record["network"], record["epoch"]) == ("train", "found", 2)
    assert record["loss"] == pytest.approx(sum(losses) / 24, rel=1e-6)
    assert record["accuracy"] == sum(right) / 24
    assert record["grad_norm"] == pytest.approx(sum(norms) / 24, rel=1e-5)
    assert record["drop_path"] == pytest.approx(0.2)
    assert record["lr"] == task.learning_rate(2)


def test_each_epoch_is_counted_from_nothing() -> None:
    module = Stub()
    task = make_task(module)
    run_epoch(task, 0)
    batch = task.batches.next()
    loss = F.cross_entropy(module.main(batch.x.mean((2, 3))), batch.y).item()
    task.batches.next = lambda: batch  # type: ignore[method-assign]
    task.step(1, 0)
    assert task.figures()["loss"] == pytest.approx(loss, rel=1e-5)


def test_an_epoch_trains_on_every_image_of_both_splits_once() -> None:
    task = make_task(Stub(), replace(SETTINGS, batch_size=7))
    seen: list[int] = []
    plain = task.batches.next

    def noted():
        batch = plain()
        seen.extend(batch.index.tolist())
        return batch

    task.batches.next = noted  # type: ignore[method-assign]
    run_epoch(task)
    assert sorted(seen) == list(range(24))
    assert torch.equal(task.batches._images.pixels, make_splits().train.pixels)


def test_the_network_is_in_training_mode_in_every_step_also_after_an_evaluation() -> None:
    module = Stub()
    task = make_task(module)
    task.step(0, 0)
    module.eval()
    task.step(0, 1)
    assert module.modes == [True, True]


def test_networks_with_the_same_seed_see_the_same_images_in_the_same_order() -> None:
    augment = Augment(crop_padding=1, flip=True, cutout=2)
    first, second = make_task(Stub(), augment=augment), make_task(network(), augment=augment)
    for _ in range(4):
        assert torch.equal(first.batches.next().x, second.batches.next().x)
    other = make_task(Stub(), augment=augment, seed=6)
    assert not torch.equal(make_task(Stub(), augment=augment).batches.next().x, other.batches.next().x)


def test_drop_path_changes_the_training_and_draws_nothing_while_its_probability_is_zero() -> None:
    results = []
    for drop_path in (0.0, 0.9):
        task = make_task(network(), replace(SETTINGS, auxiliary=0.0, drop_path=drop_path))
        task.step(0, 0)
        first = snapshot(task.network)
        task.step(3, 1)
        results.append((first, snapshot(task.network)))
    assert same(results[0][0], results[1][0])
    assert not same(results[0][1], results[1][1])


def test_an_identity_edge_is_never_dropped() -> None:
    skips = Cell.from_pairs([("skip_connect", 0), ("skip_connect", 1)] * 4, concat=[2, 3, 4, 5])
    convs = Cell.from_pairs([("sep_conv_3x3", 0), ("sep_conv_3x3", 1)] * 4, concat=[2, 3, 4, 5])
    changed = []
    for cell in (skips, convs):
        with seeded(0):
            module = Network(
                Genotype("darts", {"normal": cell, "reduce": skips}),
                NetworkSpec(channels=4, layers=3, classes=3),
            )
        x = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        before, previous = module.stem(x)
        inside = module.cells[0]
        dropped = inside(before, previous, DropPath(0.9, torch.Generator().manual_seed(1)))
        changed.append(not torch.equal(dropped, inside(before, previous, None)))
    assert changed == [False, True]


def test_a_training_neither_uses_nor_moves_torchs_global_stream() -> None:
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        task = make_task(network(), replace(SETTINGS, auxiliary=0.0))
        task.step(2, 0)
        assert torch.equal(torch.get_rng_state(), before)
        results.append(snapshot(task.network))
    assert same(results[0], results[1])


def test_a_training_never_opens_the_test_images() -> None:
    splits = make_splits()
    run_epoch(make_task(Stub(), splits=splits))
    assert splits.test.opened == 0


def test_other_test_images_change_nothing_in_a_training() -> None:
    results = []
    for test in (
        make_images(9, 3),
        Images(torch.zeros(2, 3, 8, 8, dtype=torch.uint8), torch.zeros(2).long()),
    ):
        task = make_task(network(), replace(SETTINGS, auxiliary=0.0), make_splits(test=test))
        results.append((run_epoch(task), snapshot(task.network)))
    assert same(results[0], results[1])


def test_the_last_network_is_the_result_and_not_the_best_one() -> None:
    module = Stub()
    task = make_task(module, replace(SETTINGS, lr=50.0, clip=1e9))
    losses = [run_epoch(task, 0)["loss"], run_epoch(task, 1)["loss"]]
    assert losses[1] > losses[0]
    last = snapshot(module)
    assert task.network is module
    assert same(task.state_dict()["network"], last)


@pytest.mark.parametrize(("epoch", "step"), [(0, 1), (2, 2)])
@pytest.mark.parametrize("auxiliary", [0.0, 0.4])
def test_a_training_resumed_within_an_epoch_goes_on_bit_for_bit(tmp_path, epoch, step, auxiliary) -> None:
    settings = replace(SETTINGS, epochs=epoch + 1, batch_size=7, auxiliary=auxiliary)
    augment = Augment(crop_padding=1, flip=True, cutout=2)

    def fresh(seed: int) -> TrainTask:
        return make_task(network(auxiliary=auxiliary > 0, seed=seed), settings, augment=augment, seed=5)

    def finish(task: TrainTask) -> tuple[dict[str, Any], dict[str, Any]]:
        for s in range(step, task.steps):
            task.step(epoch, s)
        return task.finish_epoch(epoch), task.state_dict()

    task = fresh(0)
    for s in range(step):
        task.step(epoch, s)
    save_checkpoint(tmp_path / "c.pt", task.state_dict())
    whole = finish(task)
    torch.manual_seed(99)
    state = load_checkpoint(tmp_path / "c.pt")
    assert state is not None
    resumed = fresh(1)
    resumed.load_state_dict(state)
    record, final = finish(resumed)
    assert record == whole[0]
    assert same(final, whole[1])
    if epoch:
        assert "train.drop_path" in state["streams"]


def test_a_loss_that_is_not_finite_is_named_with_epoch_and_network() -> None:
    task = make_task(Stub())
    plain = task.batches.next

    def poisoned():
        batch = plain()
        batch.x.fill_(float("inf"))
        return batch

    task.batches.next = poisoned  # type: ignore[method-assign]
    task.step(1, 0)
    said = r"^the training \(found\) diverged: its loss is nan in epoch 2 .*: lower train\.lr \(it is "
    with pytest.raises(NonFiniteError, match=said):
        task.check_finite(1)


def test_a_gradient_norm_that_is_not_finite_is_named() -> None:
    module = Stub()
    module.main.weight.register_hook(lambda gradient: gradient * float("inf"))
    task = make_task(module)
    task.step(0, 0)
    with pytest.raises(NonFiniteError, match=r"training \(found\) diverged: its gradient norm is (inf|nan)"):
        task.check_finite(0)


def test_the_phase_names_the_network() -> None:
    task = make_task(Stub())
    assert (task.phase, task.title, task.epochs, task.steps) == ("train:found", "training (found)", 4, 3)


def test_a_training_in_bf16_differs_from_one_in_fp32_by_rounding_and_keeps_its_weights_in_fp32() -> None:
    losses = []
    for precision in ("fp32", "bf16"):
        task = TrainTask(
            network(auxiliary=True),
            "found",
            SETTINGS,
            make_splits(),
            None,
            seed=5,
            compute=Compute("cpu", precision),  # type: ignore[arg-type]
        )
        losses.append(run_epoch(task)["loss"])
        assert {p.dtype for p in task.network.parameters()} == {torch.float32}
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)


def test_a_gradient_that_overflows_under_the_loss_scaler_skips_a_step_and_does_not_stop_the_run() -> None:
    module, compute = Stub(), Compute("cpu")
    compute._accelerator.scaler = torch.amp.GradScaler("cpu")
    factors = iter([float("inf"), 1.0])
    module.main.weight.register_hook(lambda gradient: gradient * next(factors))
    task = TrainTask(module, "found", SETTINGS, make_splits(), None, seed=5, compute=compute)
    start = module.main.weight.detach().clone()
    task.step(0, 0)
    assert torch.equal(module.main.weight, start)
    task.step(0, 1)
    assert not torch.equal(module.main.weight, start)
    task.check_finite(0)


@pytest.mark.parametrize(("loss", "diverged"), [(49.0, False), (51.0, True)])
def test_a_loss_beyond_all_use_is_a_divergence_though_it_is_finite(loss: float, diverged: bool) -> None:
    task = make_task(Stub())
    task.step(0, 0)
    task._sums[0] = loss * task._sums[3]
    with pytest.raises(DivergedError, match="its loss is 51 in epoch 1") if diverged else nullcontext():
        task.check_finite(0)
