"""What the phases of a run share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgewise.core import folder as files
from edgewise.core.compute import Compute
from edgewise.core.folder import RunFolder
from edgewise.core.loop import Loop
from edgewise.core.progress import Progress
from edgewise.data import Augment, Splits
from edgewise.nn import StemName
from edgewise.pipeline.networks import Candidate, build_candidate
from edgewise.pipeline.settings import Settings
from edgewise.report import are_given
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

    def results(self) -> dict[str, Any]:
        """The content of results.json; empty while there is none."""
        return self.folder.read_json(files.RESULTS) if self.folder.has(files.RESULTS) else {}

    def sizes(self) -> Mapping[str, Mapping[str, Any]]:
        """What was fitted for each network; empty where nothing was, as in runs that version 0.1 began."""
        return self.folder.read_run().get("fitted", {})

    def candidate(self, name: str) -> Candidate:
        """One of the run's networks, with its start weights."""
        return build_candidate(
            name,
            self.genotype(),
            self.settings,
            self.splits,
            stem=self.stem,
            seed=self.seed,
            size=self.sizes().get(name),
        )

    def called(self, name: str) -> str:
        """What lines call a network: cells that were given were not found."""
        return "given" if name == "found" and are_given(self.folder.read_run()) else name
