"""How a run is carried out."""

from __future__ import annotations

from dataclasses import dataclass

from edgewise.config.limits import MOST_SEED
from edgewise.config.schema import shown
from edgewise.errors import ConfigError
from edgewise.pipeline.track import check_tracker
from edgewise.runtime.compute import Precision


@dataclass(frozen=True)
class Options:
    """How a run is carried out; none of it is part of the method.

    Args:
        seed: of every random stream.
        device: see `Compute`.
        precision: see `Compute`.
        compile: see `Compute`.
        checkpoint_seconds: age of a checkpoint at which a new one is written within an epoch.
        overwrite: whether a finished run in the folder may be replaced.
        estimate: whether to measure a few steps first and say what the run will cost.
        truth: a table of NAS-Bench-201: each epoch of a search says what its cell really reaches.
        began_in: the folder that relative paths of images are relative to; empty for the working folder.
        track: a tracker that curves are sent to as well: one of `TRACKERS`; empty for none.

    Raises:
        ConfigError: the seed is too large, the tracker is unknown, or its package is not installed.
    """

    seed: int = 0
    device: str = "auto"
    precision: Precision = "fp32"
    compile: bool = False
    checkpoint_seconds: float = 60.0
    overwrite: bool = False
    estimate: bool = False
    truth: str | None = None
    began_in: str = ""
    track: str = ""

    def __post_init__(self) -> None:
        if abs(self.seed) > MOST_SEED:
            raise ConfigError(f"seed {shown(self.seed)}: a seed is a whole number of up to 63 bits")
        if self.track:
            check_tracker(self.track)
