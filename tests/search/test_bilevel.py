"""Who reads what, who moves what, and what the optimisers get, in the steps of a search."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from edgewise.data import Batch
from edgewise.methods import (
    DARTS_V1,
    PC_DARTS,
    PC_DARTS_GP,
    ArchSettings,
    Projection,
    WarmUp,
    WeightsSettings,
)
from edgewise.search import BilevelSearch
from tests.search.problem import (
    feeds,
    gradients_of,
    make_batch,
    make_search,
    poisoned,
    same,
    snapshot,
    tiny,
    weights_of,
)

WEIGHTS, ARCH = make_batch(1), make_batch(2)


def arch_gradients(search: BilevelSearch, batch: Batch) -> tuple[Tensor, list[Tensor]]:
    """autograd's own gradients of alpha, [cell types, edges, primitives], and of beta, at the present state."""
    arch = search.arch
    logits = search.supernet(batch.x, arch.mixture(search.recipe.relaxation), arch.edge_weights())
    loss = F.cross_entropy(logits, batch.y)
    gradients = torch.autograd.grad(loss, list(arch.parameters()))
    return torch.stack(gradients[: len(arch.alpha)]), list(gradients[len(arch.alpha) :])


def projected(search: BilevelSearch, rows: Tensor) -> Tensor:
    """The projection of these rows with the random numbers that the search's next step will draw."""
    projection = search.recipe.projection
    assert projection is not None
    stream = torch.Generator()
    stream.set_state(search._projector_stream.get_state())
    return projection.on(search.supernet.space.topology)(rows, stream)


def test_the_arch_step_reads_only_the_arch_batch() -> None:
    clean, poison = make_search(tiny()), make_search(tiny())
    clean.step(feeds(WEIGHTS, ARCH), 0)
    poison.step(feeds(poisoned(WEIGHTS), ARCH), 0)
    assert not any(torch.isfinite(w).all() for w in poison.supernet.cells.parameters())
    assert all(torch.isfinite(p).all() for p in poison.arch.parameters())
    assert same(weights_of(poison.arch), weights_of(clean.arch))


def test_the_weight_step_reads_only_the_weights_batch() -> None:
    clean, poison = make_search(tiny()), make_search(tiny())
    for search in (clean, poison):
        search.arch_optimizer.step = lambda: None  # type: ignore[method-assign,assignment]
    clean.step(feeds(WEIGHTS, ARCH), 0)
    poison.step(feeds(WEIGHTS, poisoned(ARCH)), 0)
    gradient = next(poison.arch.parameters()).grad
    assert gradient is not None
    assert not torch.isfinite(gradient).all()
    assert same(weights_of(poison.supernet), weights_of(clean.supernet))


def test_a_step_reads_one_batch_of_each_split_and_the_arch_step_comes_first() -> None:
    search, batches = make_search(tiny()), feeds(WEIGHTS, ARCH)
    order: list[str] = []
    arch_step, weights_step = search.arch_step, search.weights_step

    def noted_arch(batch: Batch, **more: Any):
        order.append("arch")
        return arch_step(batch, **more)

    def noted_weights(batch: Batch, lr: float, **more: Any):
        order.append("weights")
        return weights_step(batch, lr, **more)

    search.arch_step, search.weights_step = noted_arch, noted_weights  # type: ignore[method-assign]
    search.step(batches, 0)
    assert order == ["arch", "weights"]
    assert (batches.weights.reads, batches.arch.reads) == (1, 1)  # type: ignore[attr-defined]


def test_alpha_and_beta_are_frozen_and_the_arch_split_unread_until_warm_up_ends() -> None:
    recipe = replace(tiny(), warm_up=WarmUp(epochs=2))
    search, batches = make_search(recipe), feeds(WEIGHTS, ARCH)
    start = snapshot(search.arch)
    for epoch in (0, 1):
        report = search.step(batches, epoch)
        assert report.arch is None
    assert same(snapshot(search.arch), start)
    assert all(p.grad is None for p in search.arch.parameters())
    assert not search.arch_optimizer.state
    assert batches.arch.reads == 0  # type: ignore[attr-defined]
    assert search.step(batches, 2).arch is not None
    assert batches.arch.reads == 1  # type: ignore[attr-defined]
    assert all(not torch.equal(now, start[name]) for name, now in snapshot(search.arch).items())


def test_without_warm_up_alpha_and_beta_move_in_the_first_epoch() -> None:
    search = make_search(tiny())
    start = snapshot(search.arch)
    search.step(feeds(WEIGHTS, ARCH), 0)
    assert all(not torch.equal(now, start[name]) for name, now in snapshot(search.arch).items())


def test_the_weight_step_leaves_alpha_and_beta_and_their_gradients_alone() -> None:
    search = make_search(tiny())
    search.arch_step(ARCH)
    values, gradients, optimiser = (
        snapshot(search.arch),
        gradients_of(search.arch),
        [{k: v.clone() for k, v in state.items()} for state in search.arch_optimizer.state.values()],
    )
    assert all(gradient is not None for gradient in gradients.values())
    before = weights_of(search.supernet)
    search.weights_step(WEIGHTS, 0.1)
    assert not same(weights_of(search.supernet), before)
    assert same(snapshot(search.arch), values)
    assert same(gradients_of(search.arch), gradients)
    assert same([dict(state) for state in search.arch_optimizer.state.values()], optimiser)


def test_the_arch_step_leaves_the_weights_and_their_gradients_alone() -> None:
    search = make_search(tiny())
    search.weights_step(WEIGHTS, 0.1)
    values, gradients = weights_of(search.supernet), gradients_of(search.supernet)
    assert any(gradient is not None for gradient in gradients.values())
    before = snapshot(search.arch)
    search.arch_step(ARCH)
    assert not same(snapshot(search.arch), before)
    assert same(weights_of(search.supernet), values)
    assert same(gradients_of(search.supernet), gradients)


def test_in_an_arch_step_of_first_order_no_weight_asks_for_a_gradient() -> None:
    search, asking = make_search(tiny()), []
    weights = list(search.supernet.parameters())
    search.supernet.register_forward_pre_hook(lambda *_: asking.append(any(w.requires_grad for w in weights)))
    search.arch_step(ARCH)
    search.weights_step(WEIGHTS, 0.1)
    assert asking == [False, True]
    assert all(weight.requires_grad for weight in weights)


@pytest.mark.parametrize("recipe", [DARTS_V1, PC_DARTS_GP], ids=lambda r: r.name)
def test_each_parameter_has_exactly_one_optimiser_and_alpha_and_beta_have_their_own(recipe) -> None:
    search = make_search(tiny(recipe))

    def owned(optimizer) -> list[int]:
        return [id(p) for group in optimizer.param_groups for p in group["params"]]

    weights, arch = owned(search.weights_optimizer), owned(search.arch_optimizer)
    assert sorted(weights) == sorted(id(p) for p in search.supernet.parameters())
    assert sorted(arch) == sorted(id(p) for p in search.arch.parameters())
    assert not set(weights) & set(arch)
    kinds = 1 if recipe.edge_normalisation is None else 2
    assert len(arch) == 2 * kinds


@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("order", ["random", "shortest_to_longest", "longest_to_shortest", "symmetric"])
def test_the_arch_optimiser_gets_alphas_projected_gradient_and_betas_plain_one(direction, order) -> None:
    search = make_search(replace(tiny(), projection=Projection(direction, order)))
    rows, beta = arch_gradients(search, ARCH)
    expected = projected(search, rows)
    assert not torch.equal(expected, rows)
    search.arch_step(ARCH)
    for parameter, row in zip(search.arch.alpha.values(), expected, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, row)
    for parameter, gradient in zip(search.arch.beta.values(), beta, strict=True):
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, gradient)


def test_without_a_projection_the_arch_optimiser_gets_autograds_gradient() -> None:
    search = make_search(tiny(PC_DARTS))
    rows, beta = arch_gradients(search, ARCH)
    search.arch_step(ARCH)
    gradients = [p.grad for p in search.arch.parameters()]
    for gradient, expected in zip(gradients, [*rows, *beta], strict=True):
        assert gradient is not None
        assert torch.equal(gradient, expected)


def test_the_arch_step_is_adams_and_its_weight_decay_comes_after_the_projection() -> None:
    settings = ArchSettings(lr=0.05, betas=(0.5, 0.9), weight_decay=0.3)
    search = make_search(replace(tiny(), arch=settings))
    moments = {name: (torch.zeros_like(p), torch.zeros_like(p)) for name, p in search.arch.named_parameters()}
    expected = weights_of(search.arch)
    for step in (1, 2):
        rows, beta = arch_gradients(search, ARCH)
        gradients = [*projected(search, rows), *beta]
        for (name, value), gradient in zip(expected.items(), gradients, strict=True):
            decayed = gradient + 0.3 * value
            mean = 0.5 * moments[name][0] + 0.5 * decayed
            square = 0.9 * moments[name][1] + 0.1 * decayed**2
            moments[name] = mean, square
            scale = (square / (1 - 0.9**step)).sqrt() + 1e-8
            expected[name] = value - 0.05 * mean / (1 - 0.5**step) / scale
        search.arch_step(ARCH)
        for name, value in search.arch.named_parameters():
            torch.testing.assert_close(value.detach(), expected[name], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("recipe", [DARTS_V1, PC_DARTS_GP], ids=lambda r: r.name)
def test_arch_steps_lower_the_loss_on_the_arch_batch(recipe) -> None:
    search = make_search(replace(tiny(recipe), arch=ArchSettings(lr=5e-3, weight_decay=0.0)))
    losses = [search.arch_step(ARCH).loss.item() for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] != losses[-1]


def test_weight_steps_lower_the_loss_on_the_weights_batch() -> None:
    search = make_search(tiny())
    losses = [search.weights_step(WEIGHTS, 2e-3)[0].item() for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] != losses[-1]


def test_the_weight_step_is_sgd_with_momentum_weight_decay_and_clipping() -> None:
    search = make_search(replace(tiny(), weights=WeightsSettings(momentum=0.5, weight_decay=0.1, clip=0.5)))
    arch = search.arch
    buffers: dict[str, Tensor] = {}
    for step, lr in enumerate((0.1, 0.05)):
        logits = search.supernet(WEIGHTS.x, arch.mixture(search.recipe.relaxation), arch.edge_weights())
        named = dict(search.supernet.named_parameters())
        gradients = torch.autograd.grad(
            F.cross_entropy(logits, WEIGHTS.y), list(named.values()), allow_unused=True
        )
        norm = torch.cat([g.flatten() for g in gradients if g is not None]).norm()
        assert norm > 0.5
        expected = {}
        for (name, weight), gradient in zip(named.items(), gradients, strict=True):
            if gradient is not None:
                decayed = gradient * 0.5 / norm + 0.1 * weight.detach()
                buffers[name] = decayed if step == 0 else 0.5 * buffers[name] + decayed
                expected[name] = weight.detach() - lr * buffers[name]
        _, _, reported = search.weights_step(WEIGHTS, lr)
        assert reported.item() == pytest.approx(norm.item(), rel=1e-9)
        for name, value in expected.items():
            # The norm that gradients are divided by has 1e-6 added to it.
            torch.testing.assert_close(named[name].detach(), value, rtol=1e-5, atol=1e-7)


def test_the_gradients_of_alpha_and_beta_are_not_clipped() -> None:
    search = make_search(replace(tiny(), weights=WeightsSettings(clip=1e-9)))
    rows, _ = arch_gradients(search, ARCH)
    report = search.step(feeds(WEIGHTS, ARCH), 0).arch
    assert report is not None
    assert rows.norm() > 1e-4
    assert report.alpha_norm.item() > 0.1 * rows.norm().item()


@pytest.mark.parametrize(
    ("epoch", "lr"),
    [(0, 0.1), (1, 0.06 + 0.04 * 0.5**0.5), (2, 0.06), (3, 0.06 - 0.04 * 0.5**0.5)],
)
def test_the_learning_rate_falls_along_half_a_cosine_an_epoch_a_step(epoch: int, lr: float) -> None:
    recipe = replace(tiny(), weights=WeightsSettings(lr=0.1, lr_min=0.02), arch=ArchSettings(lr=7e-3))
    search = make_search(recipe)
    report = search.step(feeds(WEIGHTS, ARCH), epoch)
    assert report.lr == pytest.approx(lr, rel=1e-12)
    assert [g["lr"] for g in search.weights_optimizer.param_groups] == [report.lr]
    assert report.arch_lr == 7e-3
    assert [g["lr"] for g in search.arch_optimizer.param_groups] == [7e-3]


def test_the_report_holds_the_losses_accuracies_and_norms_of_its_own_batches() -> None:
    search = make_search(tiny())
    arch = search.arch
    with torch.no_grad():
        logits = search.supernet(ARCH.x, arch.mixture(search.recipe.relaxation), arch.edge_weights())
    report = search.step(feeds(WEIGHTS, ARCH), 0)
    assert report.arch is not None
    assert report.arch.loss.item() == pytest.approx(F.cross_entropy(logits, ARCH.y).item(), rel=1e-9)
    assert report.arch.accuracy.item() == (logits.argmax(1) == ARCH.y).double().mean().item()
    alpha = torch.cat([p.grad.flatten() for p in arch.alpha.values() if p.grad is not None])
    beta = torch.cat([p.grad for p in arch.beta.values() if p.grad is not None])
    assert report.arch.alpha_norm.item() == pytest.approx(alpha.norm().item(), rel=1e-12)
    assert report.arch.beta_norm.item() == pytest.approx(beta.norm().item(), rel=1e-12)
    assert not any(t.requires_grad for t in (report.loss, report.accuracy, report.grad_norm, report.arch.loss))


def test_without_beta_its_norm_is_reported_as_zero() -> None:
    report = make_search(tiny(DARTS_V1)).step(feeds(WEIGHTS, ARCH), 0)
    assert report.arch is not None
    assert report.arch.beta_norm.item() == 0.0


def test_conflicts_are_measured_before_and_after_the_projection() -> None:
    search = make_search(tiny())
    rows, _ = arch_gradients(search, ARCH)
    before, after = search.meter(rows), search.meter(projected(search, rows))
    report = search.step(feeds(WEIGHTS, ARCH), 0).arch
    assert report is not None
    assert not torch.equal(before, after)
    torch.testing.assert_close(report.before, before, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(report.after, after, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("direction", ["in", "out"])
def test_conflicts_are_measured_between_the_edges_that_the_projection_compares(direction) -> None:
    search = make_search(replace(tiny(), projection=Projection(direction)))
    assert search.meter.groups == search.supernet.space.topology.groups(direction)


def test_without_a_projection_conflicts_are_the_same_before_and_after() -> None:
    report = make_search(tiny(PC_DARTS)).step(feeds(WEIGHTS, ARCH), 0).arch
    assert report is not None
    assert torch.equal(report.before, report.after)
    assert report.before[..., 1].abs().sum() > 0


def test_an_alpha_gradient_that_overflows_under_the_loss_scaler_leaves_alpha_finite() -> None:
    search = make_search(tiny())
    search.compute._accelerator.scaler = torch.amp.GradScaler("cpu")
    for alpha in search.arch.alpha.values():
        alpha.register_hook(lambda gradient: gradient * float("inf"))
    search.arch_step(ARCH)
    assert all(torch.isfinite(p).all() for p in search.arch.parameters())


def test_the_loss_scaler_is_part_of_the_state() -> None:
    searches = [make_search(tiny()), make_search(tiny())]
    for search, scale in zip(searches, (2.0**9, 2.0**16), strict=True):
        search.compute._accelerator.scaler = scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        scaler.scale(torch.zeros(1))
    searches[1].load_state_dict(searches[0].state_dict())
    scaler = searches[1].compute._accelerator.scaler
    assert scaler is not None
    assert scaler.get_scale() == 2.0**9
