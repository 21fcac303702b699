"""The whole of edgewise in a few calls, for Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from edgewise.budget import Budget
from edgewise.export import Classifier, load_network
from edgewise.pipeline.explore import Explored, start_explore
from edgewise.pipeline.explore_settings import resolve_explore
from edgewise.pipeline.front import picked
from edgewise.pipeline.possible_sizes import designs_of
from edgewise.pipeline.run import Options, RunResult, start
from edgewise.pipeline.scores import Scorer, scored_by
from edgewise.pipeline.settings import resolve, selecting
from edgewise.progress.protocol import Progress
from edgewise.runtime.compute import Precision
from edgewise.spaces import Genotype, name_genotype, read_genotype
from edgewise.strategies import StrategySettings


def run(
    data: str = "digits",
    *,
    out: Path | str,
    recipe: str = "pc-darts-gp",
    preset: str | None = None,
    budget: Budget | Sequence[Budget] | None = None,
    sets: Sequence[str] = (),
    seed: int = 0,
    device: str = "auto",
    precision: Precision = "fp32",
    compile: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Searches, derives, trains, tests, exports and reports.

    Args:
        data: "digits", a hub name, a folder of images, or a folder or glob of parquet files.
        out: the run folder.
        recipe: a recipe's name or a TOML file.
        preset: "tiny", "small" or "paper".
        budget: what the networks may need, such as `Budget(params=100_000)`; several for a network each.
        sets: single settings, such as "search.epochs=30".
        seed: of every random stream.
        device: "auto", "cpu", "cuda", ...
        precision: "fp32", "bf16" or "fp16".
        compile: whether to compile (see docs/speed.md).
        progress: `edgewise.progress.choose.make_progress()` shows bars; silent by default.

    Raises:
        EdgewiseError: see `edgewise.pipeline.start`.
    """
    settings = resolve(recipe, preset=preset, data=data, budget=budget, sets=sets)
    options = Options(seed=seed, device=device, precision=precision, compile=compile)
    return start(settings, out, options=options, command="run", progress=progress)


def run_search(
    data: str = "digits",
    *,
    out: Path | str,
    recipe: str = "pc-darts-gp",
    preset: str | None = None,
    sets: Sequence[str] = (),
    seed: int = 0,
    device: str = "auto",
    precision: Precision = "fp32",
    compile: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Searches only: ends with a genotype. Arguments as `run`."""
    settings = resolve(recipe, preset=preset, data=data, sets=sets)
    options = Options(seed=seed, device=device, precision=precision, compile=compile)
    return start(settings, out, options=options, command="search", progress=progress)


def run_training(
    genotype: Genotype | Path | str,
    data: str = "digits",
    *,
    out: Path | str,
    recipe: str = "pc-darts-gp",
    preset: str | None = None,
    budget: Budget | None = None,
    sets: Sequence[str] = (),
    seed: int = 0,
    device: str = "auto",
    precision: Precision = "fp32",
    compile: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Trains, tests and exports the network of a genotype; `recipe.train` says how.

    Args:
        genotype: a genotype, or how it is given, see `edgewise.spaces.read_genotype`.
        data, out, recipe, preset, budget, sets, seed, device, precision, compile, progress: as `run`.
    """
    cells, given = read_genotype(genotype), name_genotype(genotype)
    settings = resolve(recipe, preset=preset, data=data, budget=budget, sets=sets)
    options = Options(seed=seed, device=device, precision=precision, compile=compile)
    return start(settings, out, options=options, command="train", genotype=cells, given=given, progress=progress)


def run_selection(
    given: Sequence[Genotype | str],
    data: str = "digits",
    *,
    out: Path | str,
    recipe: str = "pc-darts-gp",
    preset: str | None = None,
    budget: Budget | Sequence[Budget] | None = None,
    sets: Sequence[str] = (),
    seed: int = 0,
    device: str = "auto",
    precision: Precision = "fp32",
    compile: bool = False,
    progress: Progress | None = None,
) -> RunResult:
    """Chooses one of given networks by training them a little, without a look at test images.

    Args:
        given: genotypes, how they are given (see `edgewise.spaces.read_genotype`), or names of hand-made networks.
        data, out, recipe, preset, budget, sets, seed, device, precision, compile, progress: as `run`.

    Raises:
        EdgewiseError: see `start`.
    """
    designs = designs_of(given)
    settings = selecting(resolve(recipe, preset=preset, data=data, budget=budget, sets=sets))
    options = Options(seed=seed, device=device, precision=precision, compile=compile)
    return start(settings, out, options=options, command="select", designs=designs, progress=progress)


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
