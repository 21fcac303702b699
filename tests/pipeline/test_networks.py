"""The networks that are compared: about one size, one training, one order of images, and chance from the seed."""

from __future__ import annotations

import pytest
import torch

from edgewise.data import Augment, Splits
from edgewise.nn import count_params
from edgewise.pipeline import resolve
from edgewise.pipeline.networks import build_candidate, measure_size, network_spec
from edgewise.runtime.compute import Compute
from edgewise.spaces import PUBLISHED, Genotype, published
from edgewise.train import TrainTask

FOUND = published("PC_DARTS_cifar")
DARTS_CELLS = [name for name in PUBLISHED if published(name).space == "darts"]


def candidate(name: str, splits: Splits, *sets: str, found: Genotype = FOUND, seed: int = 0, preset: str = "tiny"):
    settings = resolve("pc-darts-gp", preset=preset, sets=sets)
    return build_candidate(name, found, settings, splits, stem="cifar", seed=seed)


@pytest.mark.parametrize("preset", ["tiny", "small"])
@pytest.mark.parametrize("name", DARTS_CELLS)
def test_the_hand_made_network_has_about_as_many_weights_as_the_found_one(name: str, preset: str, splits) -> None:
    settings = resolve("pc-darts-gp", preset=preset)
    wanted = measure_size(published(name), network_spec(settings, splits, "cifar"))
    hand = candidate("hand", splits, found=published(name), preset=preset)
    assert hand.cost.params == pytest.approx(wanted, rel=0.15)


def test_at_the_size_of_the_paper_the_hand_made_network_is_within_five_percent(splits) -> None:
    settings = resolve("pc-darts-gp", preset="paper")
    wanted = measure_size(FOUND, network_spec(settings, splits, "cifar"))
    hand = candidate("hand", splits, preset="paper")
    assert hand.cost.params == pytest.approx(wanted, rel=0.05)


def test_the_hand_made_network_has_no_cells(splits) -> None:
    record = candidate("hand", splits).record()
    assert (record["genotype"], record["cells"]) == (None, None)


def test_the_found_network_has_the_cells_that_it_is_given(splits) -> None:
    found = candidate("found", splits)
    assert found.genotype == FOUND
    assert found.record()["cells"] == FOUND.statistics()


def test_the_cost_leaves_the_auxiliary_head_out(splits) -> None:
    plain, headed = (candidate("found", splits, f"train.auxiliary={weight}") for weight in (0.0, 0.4))
    assert plain.cost == headed.cost
    assert count_params(headed.network) >= plain.cost.params


def test_the_random_cell_follows_from_the_seed_alone(splits) -> None:
    other = published("DARTS_V2")
    first = candidate("random", splits, seed=5)
    assert first.genotype == candidate("random", splits, found=other, seed=5).genotype
    assert first.genotype == candidate("random", splits, "train.channels=4", "search.epochs=7", seed=5).genotype
    assert first.genotype != candidate("random", splits, seed=6).genotype
    assert first.genotype != FOUND


def test_drawing_the_random_cell_does_not_move_the_global_random_stream(splits) -> None:
    import random

    before, python = torch.get_rng_state(), random.getstate()
    for name in ("found", "random", "hand"):
        candidate(name, splits)
    assert torch.equal(before, torch.get_rng_state())
    assert python == random.getstate()


@pytest.mark.parametrize("name", ["found", "random", "hand"])
def test_start_weights_follow_from_the_seed(name: str, splits) -> None:
    one, same, other = (list(candidate(name, splits, seed=s).network.parameters()) for s in (5, 5, 6))
    assert all(torch.equal(a, b) for a, b in zip(one, same, strict=True))
    assert len(one) != len(other) or any(not torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_start_weights_do_not_depend_on_the_global_random_stream(splits) -> None:
    one = candidate("found", splits).network
    torch.rand(3)
    two = candidate("found", splits).network
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))


def test_all_candidates_are_trained_on_the_same_batches_and_on_every_training_image(splits) -> None:
    settings = resolve("pc-darts-gp", sets=["train.drop_path=0.3", "train.channels=4", "train.layers=3"])
    seen = {}
    for name in ("found", "random", "hand"):
        network = candidate(name, splits, "train.channels=4", "train.layers=3").network
        augment = Augment.resolve(settings.train_augment, splits)
        task = TrainTask(network, name, settings.train, splits, augment, seed=1, compute=Compute("cpu"))
        batches = []
        inner = task.batches.next

        def note(inner=inner, batches=batches):
            batches.append(inner())
            return batches[-1]

        task.batches.next = note  # type: ignore[method-assign]
        for step in range(task.steps + 1):
            task.step(5, step)
        seen[name] = batches
    for name in ("random", "hand"):
        pairs = list(zip(seen["found"], seen[name], strict=True))
        assert all(torch.equal(a.index, b.index) and torch.equal(a.x, b.x) for a, b in pairs)
    first_pass = torch.cat([batch.index for batch in seen["found"][:-1]]).sort().values
    assert torch.equal(first_pass, torch.arange(len(splits.weights) + len(splits.arch)))
