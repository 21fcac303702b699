"""A black-box search in its folder: ask, score, tell; resumable after every query."""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgewise.config.build import build, to_toml
from edgewise.config.toml import from_toml
from edgewise.errors import ConfigError, RunError
from edgewise.pipeline.explore_settings import ExploreSettings
from edgewise.pipeline.facts import plugin_facts
from edgewise.pipeline.record_failure import noting_end
from edgewise.pipeline.run import Options
from edgewise.pipeline.scores import Scorer, ScoringPlace, Stopped
from edgewise.pipeline.sources import path_facts, path_of_run, source_of_run
from edgewise.pipeline.speed_advice import announce_kernels
from edgewise.progress.plain import SilentProgress
from edgewise.progress.protocol import Phase, Progress
from edgewise.report import write_report
from edgewise.runs import folder as files
from edgewise.runs.folder import RunFolder
from edgewise.runs.provenance import device_name, git_state, now, versions
from edgewise.runtime.compute import Compute
from edgewise.runtime.interrupt import Interrupted, StopRequest
from edgewise.spaces import Genotype, space
from edgewise.strategies import Strategy

SPACE_NEEDED = 16 * 2**20
COMMAND = "explore"
CHECKPOINT_SECONDS = 10.0


@dataclass(frozen=True)
class Explored:
    """What a black-box search left behind.

    Args:
        folder: the run folder.
        genotype: the best one.
        score: its score, 0 to 1.
        results: the content of results.json.
    """

    folder: Path
    genotype: Genotype
    score: float
    results: dict[str, Any]


def start_explore(
    settings: ExploreSettings,
    out: Path | str,
    *,
    options: Options | None = None,
    workers: int = 1,
    scorer: Scorer | None = None,
    progress: Progress | None = None,
) -> Explored:
    """Makes a run folder and searches.

    Args:
        settings: strategy, space and score.
        out: the run folder; new, empty, or with `options.overwrite` a run.
        options: seed, device and the like.
        workers: processes that train; the result does not depend on it.
        scorer: scores genotypes in the place of what the settings name.
        progress: what the user sees; silent by default.

    Raises:
        EdgewiseError: table, data, settings or folder are not fit.
        Interrupted: the user stopped the run; it can be resumed.
    """
    options, progress = options or Options(), progress or SilentProgress()
    RunFolder.check_new(out, SPACE_NEEDED, overwrite=options.overwrite)
    device = str(Compute(options.device, options.precision).device)
    with StopRequest() as stop:
        place = ScoringPlace(options.seed, device, options.precision, _checked(workers), lambda: stop.requested)
        scorer = scorer or settings.scored_by.scorer(settings, place)
        with RunFolder.create(out, overwrite=options.overwrite) as folder:
            folder.write_text(files.RECIPE, to_toml(settings))
            file = settings.scored_by.file
            named = {"data": settings.data.source, "table": file and str(file)}
            folder.update_run(_facts(settings, place, scorer) | {"paths": path_facts(named, folder.path)})
            return _guarded(folder, settings, place, scorer, stop, progress)


def resume_explore(
    path: Path | str, *, workers: int = 1, scorer: Scorer | None = None, progress: Progress | None = None
) -> Explored:
    """Goes on with a search; its end is that of a search that was never stopped.

    Args:
        path: the run folder.
        workers: processes that train.
        scorer: see `start_explore`; needed again where it was given then.
        progress: what the user sees; silent by default.

    Raises:
        RunError: the folder is no black-box search, or its table or images are not those that it began with.
    """
    progress = progress or SilentProgress()
    with StopRequest() as stop, RunFolder.open(path, lock=True) as folder:
        run = folder.read_run()
        if run.get("command") != COMMAND:
            raise RunError(
                f"{path} is no run of `edgewise explore`: go on with it by `edgewise run --resume {path}`"
            )
        if run["status"] == "done":
            return _result(folder)
        settings = build(ExploreSettings, from_toml(folder.file(files.RECIPE)))
        place = ScoringPlace(
            run["seed"], run["device"], run["precision"], _checked(workers), lambda: stop.requested
        )
        here = _found_again(settings, run, folder.path)
        scorer = scorer or here.scored_by.scorer(here, place)
        same_name = {"source": settings.data.source}
        if scorer.facts() | same_name != run["scored_by"] | same_name:
            raise RunError(
                f"{path}: scores come from {scorer.facts()}, but the run began with {run['scored_by']}: restore "
                "the table or the images, or start a new run"
            )
        run.pop("error", None)
        folder.write_json(files.RUN, run | {"status": "running"})
        return _guarded(folder, settings, place, scorer, stop, progress)


def _found_again(settings: ExploreSettings, run: dict[str, Any], folder: Path) -> ExploreSettings:
    """The settings with table or images as they are found from here."""
    score = settings.scored_by
    if score.file is None:
        return replace(settings, data=source_of_run(settings.data, run, folder))
    return replace(settings, score=score.moved(str(path_of_run("table", str(score.file), run, folder))))


def _checked(workers: int) -> int:
    if workers < 1:
        raise ConfigError(f"--workers {workers}: at least one process is needed")
    return workers


def _facts(settings: ExploreSettings, place: ScoringPlace, scorer: Scorer) -> dict[str, Any]:
    return {
        "status": "running",
        "command": COMMAND,
        "seed": place.seed,
        "device": place.device,
        "device_name": device_name(place.device),
        "precision": place.precision,
        "versions": versions(),
        "git": git_state(),
        "started": now(),
        "scored_by": scorer.facts(),
        "citations": settings.bibtex(),
        **plugin_facts(settings, settings.space),
    }


def _guarded(
    folder: RunFolder,
    settings: ExploreSettings,
    place: ScoringPlace,
    scorer: Scorer,
    stop: StopRequest,
    progress: Progress,
) -> Explored:
    search = _Search(folder, settings, place.seed, scorer, stop)
    progress.say(
        f"{settings.strategy.kind} on space {settings.space}: {settings.queries} queries, scored by "
        f"{settings.score}; seed {place.seed}"
    )
    if scorer.wants_kernels:
        announce_kernels(folder, progress)
    try:
        title = f"search ({settings.strategy.kind})"
        with noting_end(folder), progress.phase(title, epochs=1, steps=settings.queries) as view:
            search.run(view)
    finally:
        scorer.close()
    search.conclude()
    return _result(folder)


class _Search:
    """The loop. Checkpoints hold the strategy between two rounds; the trace brings the scores of later queries."""

    def __init__(
        self, folder: RunFolder, settings: ExploreSettings, seed: int, scorer: Scorer, stop: StopRequest
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._scorer = scorer
        self._stop = stop
        self._strategy: Strategy = settings.strategy.make(space(settings.space), seed=seed)
        self._trace = folder.read_trace()
        self._scores = {Genotype.from_dict(r["genotype"]): r["score"] for r in self._trace}
        self._done = 0
        self._best: tuple[float, int, Genotype] | None = None
        state = folder.load_checkpoint()
        if state is not None:
            self._strategy.load_state_dict(state["strategy"])
            self._done = state["queries"]
        for query, record in enumerate(self._trace[: self._done]):
            self._note(query, Genotype.from_dict(record["genotype"]), record["score"])
        self._saved = time.monotonic()

    def run(self, view: Phase) -> None:
        """Rounds of queries until all are told."""
        while self._done < self._settings.queries:
            self._round(view)
            if time.monotonic() - self._saved > CHECKPOINT_SECONDS:
                self._folder.save_checkpoint({"strategy": self._strategy.state_dict(), "queries": self._done})
                self._saved = time.monotonic()
        view.epoch(0, self._figures)

    def _round(self, view: Phase) -> None:
        """Asks for as many genotypes as the strategy gives before it hears a score, and tells them in order."""
        count = min(self._strategy.width, self._settings.queries - self._done)
        genotypes = [self._strategy.ask() for _ in range(count)]
        new = [genotype for genotype in dict.fromkeys(genotypes) if genotype not in self._scores]
        answers = self._scorer.scores(new)
        try:
            for genotype in genotypes:
                if self._stop.requested:
                    raise Stopped
                if genotype not in self._scores:
                    self._scores[genotype] = next(answers)
                self._tell(genotype, self._scores[genotype])
                view.step(0, self._done - 1, self._figures)
        except Stopped:
            self._interrupt()

    def _tell(self, genotype: Genotype, score: float) -> None:
        query = self._done
        self._note(query, genotype, score)
        assert self._best is not None
        record = {
            "phase": COMMAND,
            "query": query,
            "genotype": genotype.to_dict(),
            "score": score,
            "best": self._best[0],
            "best_query": self._best[1],
        }
        if query < len(self._trace):
            if Genotype.from_dict(self._trace[query]["genotype"]) != genotype:
                raise RunError(
                    f"{self._folder.path}: query {query} is another genotype now than the trace records: the "
                    "strategy does not repeat itself here (another version of torch?); start a new run"
                )
        else:
            self._folder.append_trace(record)
        self._strategy.tell(genotype, score)
        self._done += 1

    def _note(self, query: int, genotype: Genotype, score: float) -> None:
        if self._best is None or score > self._best[0]:
            self._best = (score, query, genotype)

    def _figures(self) -> dict[str, float]:
        assert self._best is not None
        return {"best accuracy": self._best[0], "distinct": len(self._scores)}

    def _interrupt(self) -> None:
        path = shlex.quote(str(self._folder.path))
        raise Interrupted(
            f"stopped after {self._done} of {self._settings.queries} queries; all of it is saved: go on with "
            f"`edgewise explore --resume {path}`"
        )

    def conclude(self) -> None:
        """Writes the best genotype and what is known of it."""
        assert self._best is not None
        score, query, genotype = self._best
        self._folder.write_text(files.GENOTYPE, genotype.to_json())
        self._folder.write_json(
            files.RESULTS,
            {
                "strategy": self._settings.strategy.kind,
                "queries": self._done,
                "distinct": len(self._scores),
                "score": score,
                "query": query,
                **self._scorer.verdict(genotype),
            },
        )
        self._folder.update_run({"status": "done", "finished": now()})
        write_report(self._folder.path)


def _result(folder: RunFolder) -> Explored:
    results = folder.read_json(files.RESULTS)
    genotype = Genotype.from_json(folder.read_text(files.GENOTYPE), where=str(folder.file(files.GENOTYPE)))
    return Explored(folder.path, genotype, results["score"], results)
