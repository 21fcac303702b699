"""What a saved network carries with it: all that is needed to use it on images."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from edgewise.config.build import build
from edgewise.errors import EdgewiseError, ExportError, RunError
from edgewise.nn.hand_made import HAND_MADE
from edgewise.nn.network import NetworkSpec
from edgewise.spaces.genotype import Genotype

FORMAT = "edgewise.network/1"
_KEYS = ("spec", "class_names", "mean", "std", "image_size")


@dataclass(frozen=True)
class NetworkFacts:
    """What a trained network is and what its inputs and outputs mean.

    Args:
        genotype: its cells; None for a network made by hand.
        spec: its size; see `spec_of_design` for a network made by hand.
        class_names: the names of the logits, in order.
        mean: per channel, subtracted from images whose black is 0 and white is 1.
        std: per channel, in the same unit; what is left is divided by it.
        image_size: side of the images in pixels.
        hand_made: which of `HAND_MADE` it is; empty for a network of cells.

    Raises:
        ExportError: the facts contradict each other.
    """

    genotype: Genotype | None
    spec: NetworkSpec
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_size: int
    hand_made: str = ""

    def __post_init__(self) -> None:
        faults = []
        if (self.genotype is None) == (not self.hand_made):
            faults.append("a network has either a genotype or the name of a hand-made one")
        if self.hand_made and self.hand_made not in HAND_MADE:
            faults.append(f"no hand-made network is called {self.hand_made!r}")
        if len(self.class_names) != self.spec.classes:
            faults.append(f"{len(self.class_names)} class names for {self.spec.classes} classes")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.spec.in_channels:
                faults.append(f"{name} has {len(values)} values for {self.spec.in_channels} channels")
            if not all(math.isfinite(value) for value in values):
                faults.append(f"{name} is not finite: {values}")
        if not all(value > 0 for value in self.std):
            faults.append(f"std must be above 0, found {self.std}")
        if self.image_size < 1:
            faults.append(f"image_size is {self.image_size} pixels")
        if faults:
            raise ExportError(f"the facts of the network contradict each other: {'; '.join(faults)}")


@dataclass(frozen=True)
class _Stored:
    """The facts that every network has."""

    spec: NetworkSpec
    class_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    image_size: int


def for_inference(facts: NetworkFacts) -> NetworkFacts:
    """The facts of the same network without its auxiliary head."""
    return replace(facts, spec=replace(facts.spec, auxiliary=False))


def to_metadata(facts: NetworkFacts) -> dict[str, str]:
    """The facts as a file's metadata: a JSON text for each, but for the format and the version."""
    import edgewise

    values = asdict(_Stored(facts.spec, facts.class_names, facts.mean, facts.std, facts.image_size))
    texts = {key: json.dumps(values[key], allow_nan=False) for key in _KEYS}
    if facts.genotype is None:
        own = {"hand_made": facts.hand_made}
    else:
        own = {"genotype": json.dumps(facts.genotype.to_dict())}
    return {"format": FORMAT, "edgewise": edgewise.__version__, **own, **texts}


def from_metadata(metadata: Mapping[str, str], *, where: str) -> NetworkFacts:
    """Reads `to_metadata`'s texts.

    Args:
        metadata: a file's metadata.
        where: the file's name, for error messages.

    Raises:
        RunError: the file is foreign, of another format or damaged.
    """
    found = metadata.get("format")
    if found is None or not found.startswith("edgewise.network/"):
        raise RunError(
            f"{where} holds no network of edgewise (its metadata name the format {found!r}): choose the "
            f"network.safetensors of a run"
        )
    if found != FORMAT:
        raise RunError(
            f"{where}: the format is {found!r}, this version reads {FORMAT!r}: use the edgewise that wrote it"
        )
    own = "hand_made" if "hand_made" in metadata else "genotype"
    missing = [key for key in (own, *_KEYS) if key not in metadata]
    if missing:
        raise RunError(f"{where} is damaged: its metadata lack {', '.join(missing)}; export the network anew")
    try:
        genotype = None if own == "hand_made" else Genotype.from_json(metadata[own], where="genotype")
        stored = build(_Stored, {key: json.loads(metadata[key]) for key in _KEYS})
        return NetworkFacts(
            genotype,
            stored.spec,
            stored.class_names,
            stored.mean,
            stored.std,
            stored.image_size,
            metadata.get("hand_made", ""),
        )
    except (EdgewiseError, ValueError) as error:
        raise RunError(
            f"{where} is damaged: its metadata can't be read ({error}); export the network anew"
        ) from error
