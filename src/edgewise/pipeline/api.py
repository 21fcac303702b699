"""The whole of edgewise in a few calls, for Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edgewise.budget import Budget
from edgewise.export import Classifier, load_network
from edgewise.pipeline.candidates import Design
from edgewise.pipeline.explore import Explored, start_explore
from edgewise.pipeline.explore_settings import resolve_explore
from edgewise.pipeline.front import picked
from edgewise.pipeline.possible_sizes import designs_of
from edgewise.pipeline.run import Options, RunResult, start
from edgewise.pipeline.run_options import RunOptions, made_of, made_of_one_and
from edgewise.pipeline.scores import Scorer, scored_by
from edgewise.pipeline.settings import Settings, selecting
from edgewise.progress.protocol import Progress
from edgewise.spaces import Genotype, name_genotype, read_genotype
from edgewise.strategies import StrategySettings


@made_of(RunOptions)
def run(options: RunOptions) -> RunResult:
    """Searches, derives, trains, tests, exports and reports.

    Raises:
        EdgewiseError: see `edgewise.pipeline.start`.
    """
    return start_with(options, options.settings(), "run")


@made_of(RunOptions)
def run_search(options: RunOptions) -> RunResult:
    """Searches only: ends with a genotype."""
    return start_with(options, options.settings(), "search")


@made_of_one_and(RunOptions)
def run_training(genotype: Genotype | Path | str, options: RunOptions) -> RunResult:
    """Trains, tests and exports the network of a genotype; `recipe.train` says how.

    Args:
        genotype: a genotype, or how it is given, see `edgewise.spaces.read_genotype`.
        options: of the run.
    """
    cells, given = read_genotype(genotype), name_genotype(genotype)
    return start_with(options, options.settings(), "train", genotype=cells, given=given)


@made_of_one_and(RunOptions)
def run_selection(given: Sequence[Genotype | str], options: RunOptions) -> RunResult:
    """Chooses one of given networks by training them a little, without a look at test images.

    Args:
        given: genotypes, how they are given (see `edgewise.spaces.read_genotype`), or names of hand-made networks.
        options: of the run.

    Raises:
        EdgewiseError: see `start`.
    """
    return start_with(options, selecting(options.settings()), "select", designs=designs_of(given))


def start_with(
    options: RunOptions,
    settings: Settings,
    command: str,
    *,
    genotype: Genotype | None = None,
    given: str = "",
    designs: Sequence[Design] = (),
) -> RunResult:
    """Starts a run with its options; arguments as `edgewise.pipeline.start`."""
    return start(
        settings,
        options.out,
        options=options.options(),
        command=command,
        genotype=genotype,
        given=given,
        designs=designs,
        progress=options.progress,
    )


def explore(
    strategy: str | StrategySettings = "evolution",
    *,
    score: str | Scorer | Callable[[Genotype], float],
    out: Path | str,
    space: str = "nb201",
    queries: int = 300,
    data: str | None = None,
    preset: str | None = None,
    budget: Budget | None = None,
    sets: Sequence[str] = (),
    seed: int = 0,
    workers: int = 1,
    progress: Progress | None = None,
) -> Explored:
    """Searches without gradients.

    Args:
        strategy: "random", "evolution", "reinforce", "nasnet", "neat", or the settings of a strategy.
        score: "table:FILE", "table:FILE:COLUMN", "train:EPOCHS", a function from a genotype to a score (larger is
            better), or an object that scores, see `edgewise.pipeline.Scorer`.
        out: the run folder.
        space: the name of the space.
        queries: how many genotypes are scored.
        data: see `run`; for trainings.
        preset: "tiny", "small" or "paper": sizes of trainings.
        budget: what each trained network may need; see `run`.
        sets: single settings, such as "strategy.population=30".
        seed: of every random stream.
        workers: processes that train.
        progress: see `run`.

    Raises:
        EdgewiseError: see `edgewise.pipeline.start_explore`.
    """
    text, scorer = scored_by(score)
    settings = resolve_explore(
        strategy, score=text, space=space, queries=queries, preset=preset, data=data, budget=budget, sets=sets
    )
    options = Options(seed=seed)
    return start_explore(settings, out, options=options, workers=workers, scorer=scorer, progress=progress)


def load(run: Path | str, *, pick: str | None = None) -> Classifier:
    """Reads a trained network: images in, logits or class names out.

    Args:
        run: a run folder, or a `network.safetensors`.
        pick: of a run with several budgets, the name of one, or "knee".

    Raises:
        RunError: there is no network, or the file is damaged.
    """
    return load_network(picked(Path(run), pick) if Path(run).is_dir() else run)
