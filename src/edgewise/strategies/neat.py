"""NEAT: species of genomes that share their fitness, and generations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgewise.errors import ConfigError
from edgewise.spaces import CellSpace, Genotype
from edgewise.spaces.decisions import choices_of, genotype_of
from edgewise.strategies.neat_genome import Body, Genome, cross, distance
from edgewise.strategies.neat_mutation import mutate
from edgewise.strategies.neat_settings import NeatConstants
from edgewise.strategies.strategy import Asked, Strategy, load_stream, own_stream, register_strategy, stream_state

Member = tuple[Genome, float]


@dataclass
class Species:
    """Genomes that compete with each other.

    Args:
        representative: whoever is near enough to it belongs to the species.
        members: of this generation.
        best: the best score so far.
        improved: the generation in which that was reached.
    """

    representative: Genome
    members: list[Member]
    best: float
    improved: int


@register_strategy
@dataclass(frozen=True)
class NeatSettings(NeatConstants):
    """NeuroEvolution of Augmenting Topologies on cells; see `NeatConstants`."""

    def make(self, space: CellSpace, *, seed: int) -> Strategy:
        """See `StrategySettings.make`."""
        return Neat(self, space, seed)


class Neat:
    """See `NeatSettings`.

    Args:
        settings: all of NEAT's constants.
        space: what is searched.
        seed: the run's seed.
    """

    def __init__(self, settings: NeatConstants, space: CellSpace, seed: int) -> None:
        self.settings = settings
        self.space = space
        self.generation = 0
        self.species: list[Species] = []
        self._rng = own_stream(seed, "neat")
        self._body = Body(space)
        self._asked = Asked(lambda plain: self._body.genotype(Genome.from_plain(plain)))
        self._scored: list[Member] = []
        self._known: set[Genotype] = set()
        minimal = settings.start == "minimal"
        self._todo = [self._body.first(self._rng, minimal=minimal) for _ in range(settings.population)]

    @property
    def width(self) -> int:
        """What is left of the generation."""
        return len(self._todo)

    def ask(self) -> Genotype:
        """The next genotype of the generation.

        Raises:
            ConfigError: all of the generation was asked for, and scores are missing.
        """
        if not self._todo:
            raise ConfigError(
                f"NEAT's generation {self.generation} waits for {len(self._asked)} scores: tell them before asking"
            )
        return self._asked.add(self._todo.pop(0).plain())

    def tell(self, genotype: Genotype, score: float) -> None:
        """Takes a score; the last one of a generation breeds the next. Raises as `Strategy.tell`."""
        self._scored.append((Genome.from_plain(self._asked.take(genotype, score)), score))
        self._known.add(genotype)
        while not self._todo and not len(self._asked):
            self._next_generation()

    def _next_generation(self) -> None:
        self._speciate()
        self._drop_stagnant()
        worst = min(score for _, score in self._scored)
        shared = [sum(score - worst for _, score in s.members) / len(s.members) for s in self.species]
        pools = [sorted(species.members, key=lambda member: -member[1]) for species in self.species]
        self._scored = []
        for pool, children in zip(pools, _shares(shared, self.settings.population), strict=True):
            if children and len(pool) >= self.settings.champion:
                self._scored.append(pool[0])
                children -= 1
            self._todo += [self._child(pool, pools) for _ in range(children)]
        self.generation += 1

    def _speciate(self) -> None:
        """Each genome joins the first species whose representative is near; then others represent."""
        for species in self.species:
            species.members = []
        for genome, score in self._scored:
            species = next((s for s in self.species if self._near(genome, s.representative)), None)
            if species is None:
                species = Species(genome, [], score, self.generation)
                self.species.append(species)
            species.members.append((genome, score))
            if score > species.best:
                species.best, species.improved = score, self.generation
        self.species = [species for species in self.species if species.members]
        for species in self.species:
            species.representative = self._rng.choice(species.members)[0]

    def _near(self, genome: Genome, representative: Genome) -> bool:
        return distance(genome, representative, self.settings) < self.settings.threshold

    def _drop_stagnant(self) -> None:
        best = max(self.species, key=lambda species: species.best)
        self.species = [
            species
            for species in self.species
            if species is best or self.generation - species.improved < self.settings.stagnation
        ]

    def _child(self, pool: list[Member], pools: list[list[Member]]) -> Genome:
        """A child of the best of a species; one that was scored already is mutated again."""
        settings, rng = self.settings, self._rng
        parents = pool[: max(1, round(settings.survival * len(pool)))]
        genome, score = rng.choice(parents)
        if rng.random() < settings.crossover:
            others = rng.choice(pools)[:1] if rng.random() < settings.interspecies else parents
            other, its_score = rng.choice(others)
            fitter, less = (genome, other) if score >= its_score else (other, genome)
            genome = cross(fitter, less, equal=score == its_score, settings=settings, rng=rng)
        child = mutate(genome, self._body, settings, rng)
        for _ in range(settings.retries):
            if self._body.genotype(child) not in self._known:
                break
            child = mutate(child, self._body, settings, rng)
        return child

    def state_dict(self) -> dict[str, Any]:
        """The stream, innovations, species, and the generation so far."""
        return {
            "rng": stream_state(self._rng),
            "generation": self.generation,
            "innovations": [list(structure) for structure in self._body.innovations.structures],
            "species": [
                [s.representative.plain(), [[g.plain(), score] for g, score in s.members], s.best, s.improved]
                for s in self.species
            ],
            "scored": [[genome.plain(), score] for genome, score in self._scored],
            "todo": [genome.plain() for genome in self._todo],
            "asked": self._asked.state(),
            "known": sorted(choices_of(genotype, self.space) for genotype in self._known),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores `state_dict`."""
        load_stream(self._rng, state["rng"])
        self.generation = state["generation"]
        self._body.innovations.load([(cell_type, edge) for cell_type, edge in state["innovations"]])
        self.species = [
            Species(Genome.from_plain(head), _members(members), best, improved)
            for head, members, best, improved in state["species"]
        ]
        self._scored = _members(state["scored"])
        self._todo = [Genome.from_plain(plain) for plain in state["todo"]]
        self._asked.load(state["asked"])
        self._known = {genotype_of(self.space, choices) for choices in state["known"]}


def _members(plain: list[Any]) -> list[Member]:
    return [(Genome.from_plain(genome), score) for genome, score in plain]


def _shares(fitness: list[float], total: int) -> list[int]:
    """Children for each species in proportion to its shared fitness, by largest remainders; `total` together."""
    whole = sum(fitness)
    exact = [total * value / whole if whole > 0 else total / len(fitness) for value in fitness]
    shares = [int(value) for value in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: shares[i] - exact[i])
    for i in by_remainder[: total - sum(shares)]:
        shares[i] += 1
    return shares
