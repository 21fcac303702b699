"""What the phases of a run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgewise.data import Augment, Splits
from edgewise.loop import Loop
from edgewise.nn import StemName
from edgewise.pipeline.candidates import Design
from edgewise.pipeline.networks import Candidate, build_candidate
from edgewise.pipeline.settings import RANDOM_SEARCH, Settings
from edgewise.progress.protocol import Progress
from edgewise.report import are_given, ranked, short_names
from edgewise.runs import folder as files
from edgewise.runs.folder import RunFolder
from edgewise.runtime.compute import Compute
from edgewise.spaces import Genotype


@dataclass(frozen=True)
class Context:
    """What every phase needs."""

    folder: RunFolder
    settings: Settings
    splits: Splits
    compute: Compute
    seed: int
    stem: StemName
    augment: Augment
    train_augment: Augment
    loop: Loop
    progress: Progress
    truth: Callable[[Genotype], dict[str, Any]] | None = None
    networks: Sequence[str] = ("found",)

    def genotype(self) -> Genotype:
        """The genotype of the run."""
        return Genotype.from_json(
            self.folder.read_text(files.GENOTYPE), where=str(self.folder.file(files.GENOTYPE))
        )

    def searched(self) -> Genotype:
        """The search's own cells, whatever a selection chose."""
        name = files.SEARCHED if self.folder.has(files.SEARCHED) else files.GENOTYPE
        return Genotype.from_json(self.folder.read_text(name), where=str(self.folder.file(name)))

    def searched_epochs(self) -> list[dict[str, Any]]:
        """The epochs of the search, as the trace tells them."""
        trace = self.folder.read_trace()
        return [record for record in trace if record["phase"] == "search" and "genotype" in record]

    def selection(self, file: str = files.SELECTION) -> dict[str, Any] | None:
        """The content of selection.json, or of another file like it; None where there is none."""
        return self.folder.read_json(file) if self.folder.has(file) else None

    def contender(self, name: str) -> Mapping[str, Any] | None:
        """The candidate of a finished selection that a network of the run is made of, if there is one.

        Args:
            name: "found" is the winner, "searched" the search's cells, "random" the best random candidate,
                "random-search" the winner of the selection that is compared with.
        """
        selection = self.selection(files.RANDOM_SEARCH if name == RANDOM_SEARCH else files.SELECTION)
        if selection is None or "winner" not in selection:
            return None
        best = ranked(selection)
        if name in ("found", RANDOM_SEARCH):
            return best[0]
        kind = {"searched": "last", "random": "random"}.get(name)
        return next((one for one in best if (one["kind"] == kind if kind else one["name"] == name)), None)

    def is_winner(self, name: str) -> bool:
        """Whether a network to compare with is the winner of the selection itself."""
        contender = self.contender(name)
        return name != "found" and contender is not None and contender == self.contender("found")

    def note_cost(self, phase: str) -> float:
        """Writes a phase's seconds and peak memory into run.json; returns the seconds."""
        timings = [line for line in self.folder.read_timings() if line["phase"] == phase]
        seconds = round(sum(line["seconds"] for line in timings), 3)
        peak = max((line["peak_memory_bytes"] for line in timings), default=0)
        self.folder.update_run({"phases": {phase: {"seconds": seconds, "peak_memory_bytes": peak}}})
        return seconds

    def results(self) -> dict[str, Any]:
        """The content of results.json; empty while there is none."""
        return self.folder.read_json(files.RESULTS) if self.folder.has(files.RESULTS) else {}

    def sizes(self) -> Mapping[str, Mapping[str, Any]]:
        """What was fitted for each network; empty where nothing was, as in runs that version 0.1 began."""
        return self.folder.read_run().get("fitted", {})

    def candidate(self, name: str) -> Candidate:
        """One of the run's networks, with its start weights."""
        return self.build(name, self.sizes().get(name), self.contender(name))

    def build(
        self, name: str, size: Mapping[str, Any] | None, contender: Mapping[str, Any] | None = None
    ) -> Candidate:
        """A network of a size with its start weights, which follow from the seed and its name.

        Args:
            name: of the network.
            size: see `build_candidate`.
            contender: the candidate of the selection that it is made of, if it is one.
        """
        design: Genotype | str | None = self.searched() if name == "searched" else None
        if contender is not None:
            design = Design.of(contender, where=files.SELECTION).made_of
        return build_candidate(
            name,
            self.genotype() if design is None else None,
            self.settings,
            self.splits,
            stem=self.stem,
            seed=self.seed,
            size=size,
            design=design,
        )

    def called(self, name: str) -> str:
        """What lines call a network: cells that were given were not found."""
        run = self.folder.read_run()
        return short_names(run)[name] if name == "found" and (are_given(run) or "won" in run) else name
