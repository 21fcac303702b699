"""What all strategies promise: valid genotypes, the same ones for the same seed, an exact resume."""

from __future__ import annotations

import copy
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from edgewise.citations import CITATIONS
from edgewise.errors import ConfigError, NonFiniteError
from edgewise.runs.checkpoint import load_checkpoint, save_checkpoint
from edgewise.spaces import SPACES, Genotype, validate
from edgewise.strategies import (
    STRATEGIES,
    EvolutionSettings,
    NasnetSettings,
    NeatSettings,
    PolicySettings,
    RandomSettings,
    ReinforceSettings,
    Strategy,
    StrategySettings,
)
from tests.strategies.tiny import drive

POLICY = PolicySettings(hidden=8, lr=0.05, batch=6)
# Small populations and batches, where the defaults would take long.
SMALL: dict[str, StrategySettings] = {
    "random": RandomSettings(batch=6),
    "evolution": EvolutionSettings(population=8, sample=3, batch=2),
    "reinforce": ReinforceSettings(policy=POLICY),
    "nasnet": NasnetSettings(policy=POLICY, passes=2),
    "neat": NeatSettings(population=12, add_edge=0.5, add_node=0.5),
}
SEARCHABLE = [name for name, space in SPACES.items() if space.searchable]


def small(name: str, space: str = "nb201", seed: int = 0) -> Strategy:
    return SMALL.get(name, STRATEGIES[name]()).make(SPACES[space], seed=seed)


def test_the_table_has_every_strategy_under_its_kind_with_known_sources() -> None:
    assert {name: settings().kind for name, settings in STRATEGIES.items()} == {name: name for name in STRATEGIES}
    assert {key for settings in STRATEGIES.values() for key in settings.sources} <= set(CITATIONS)
    with pytest.raises(ConfigError, match=", ".join(STRATEGIES)):
        STRATEGIES.find("annealing")


@pytest.mark.parametrize("space", SEARCHABLE)
@pytest.mark.parametrize("name", STRATEGIES)
def test_what_is_asked_for_is_valid_in_every_space(name: str, space: str) -> None:
    told = drive(small(name, space), 4)
    assert all(validate(genotype) == genotype for genotype, _ in told)
    assert len({genotype for genotype, _ in told}) > 4


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_same_seed_asks_for_the_same_genotypes_and_another_for_others(name: str) -> None:
    one, same, other = (drive(small(name, seed=seed), 4) for seed in (1, 1, 2))
    assert one == same
    assert one != other


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "random"])
def test_scores_change_what_is_asked_for_next(name: str) -> None:
    def upside_down(genotype: Genotype) -> float:
        return -sum(edge.primitive == "none" for edge in genotype.cells["cell"].edges)

    one, other = drive(small(name), 6), drive(small(name), 6, upside_down)
    assert [genotype for genotype, _ in one] != [genotype for genotype, _ in other]


@pytest.mark.parametrize("name", STRATEGIES)
@pytest.mark.parametrize("pause", [0, 3])
def test_a_search_resumed_from_a_file_goes_on_as_if_it_had_never_stopped(
    name: str, pause: int, tmp_path: Path
) -> None:
    strategy = small(name)
    drive(strategy, 3)
    asked = [strategy.ask() for _ in range(min(pause, strategy.width))]
    save_checkpoint(tmp_path / "checkpoint.pt", copy.deepcopy(strategy.state_dict()))
    state = load_checkpoint(tmp_path / "checkpoint.pt")
    assert state is not None
    resumed = small(name, seed=9)
    resumed.load_state_dict(state)
    for one in (strategy, resumed):
        for i, genotype in enumerate(asked):
            one.tell(genotype, i / 10)
    assert resumed.width == strategy.width
    assert drive(resumed, 4) == drive(strategy, 4)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_score_is_told_once_for_what_was_asked_and_finite(name: str) -> None:
    strategy = small(name)
    genotype = strategy.ask()
    with pytest.raises(NonFiniteError, match="nan"):
        strategy.tell(genotype, float("nan"))
    strategy.tell(genotype, 0.5)
    with pytest.raises(ConfigError, match="second time"):
        strategy.tell(genotype, 0.5)


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_draws_from_no_global_stream(name: str) -> None:
    python, torch_state = random.getstate(), torch.get_rng_state()
    drive(small(name), 2)
    assert random.getstate() == python
    assert torch.equal(torch.get_rng_state(), torch_state)


def test_evolution_fills_its_population_at_random_then_mutates_the_best_of_a_sample() -> None:
    settings = EvolutionSettings(population=6, sample=6)
    strategy = settings.make(SPACES["nb201"], seed=3)
    assert strategy.width == 6
    first = drive(strategy, 1)
    best = max(first, key=lambda member: member[1])[0]
    assert strategy.width == 1
    child = strategy.ask()
    pairs = zip(child.cells["cell"].edges, best.cells["cell"].edges, strict=True)
    assert sum(one != other for one, other in pairs) == 1


def test_the_oldest_member_dies_even_if_it_is_the_best() -> None:
    strategy = EvolutionSettings(population=4, sample=4).make(SPACES["nb201"], seed=0)
    asked = [strategy.ask() for _ in range(4)]
    for genotype, score in zip(asked, (1.0, 0.0, 0.1, 0.2), strict=True):
        strategy.tell(genotype, score)
    strategy.tell(strategy.ask(), 0.05)
    assert [score for _, score in strategy.state_dict()["population"]] == [0.0, 0.1, 0.2, 0.05]


def test_a_sample_larger_than_the_population_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"sample of 25 .* population of 10"):
        replace(EvolutionSettings(), population=10)
