"""Networks as safetensors files: written with all facts, read without running any code."""

from __future__ import annotations

import json
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from edgewise.errors import EdgewiseError, RunError
from edgewise.export.classifier import Classifier
from edgewise.export.facts import NetworkFacts, for_inference, from_metadata, to_metadata
from edgewise.export.weights import empty_network, fill, inference_weights, misfits
from edgewise.plugins import require_plugins_of
from edgewise.runs import folder as files
from edgewise.runs.atomic import write_bytes
from edgewise.spaces.genotype import Genotype
from edgewise.text import readable


def save_network(path: Path | str, network: nn.Module, facts: NetworkFacts) -> None:
    """Writes a network for inference: equal networks give equal files, byte for byte.

    Args:
        path: the file; replaced atomically.
        network: the network; the weights of its auxiliary head are left out.
        facts: what the network is; they become the file's metadata.

    Raises:
        ExportError: the facts are another network's.
        RunError: the file could not be written.
    """
    weights = inference_weights(network, facts)
    content = save(weights, metadata=to_metadata(for_inference(facts)))
    write_bytes(Path(path), _with_sorted_header(content))


def load_network(where: Path | str) -> Classifier:
    """Reads a trained network, on the CPU and ready for inference.

    Args:
        where: a run folder, or a file that `save_network` wrote.

    Raises:
        RunError: the file is missing, foreign or damaged, or the folder's genotype is another than the network's.
    """
    where = Path(where)
    in_folder = where.is_dir()
    path = where / files.NETWORK if in_folder else where
    require_plugins_of(path.parent)
    if not path.is_file():
        raise RunError(_missing(where, in_folder=in_folder))
    facts, weights = _read(path)
    if in_folder and facts.genotype is not None:
        _compare_genotype(where / files.GENOTYPE, path, facts.genotype)
    try:
        network = empty_network(facts)
    except EdgewiseError as error:
        raise RunError(f"{path} is damaged: no network can be built from its facts ({error})") from error
    faults = misfits(network, weights)
    if faults:
        raise RunError(
            f"{path}: the weights don't fit the network that the file describes: {'; '.join(faults)}; the file "
            f"was changed after edgewise wrote it: take another copy or train the network anew"
        )
    return Classifier(fill(network, weights), facts).eval()


def _missing(where: Path, *, in_folder: bool) -> str:
    if in_folder:
        return (
            f"{where} has no {files.NETWORK}: no network was trained there to its end; if it is a run, go on with "
            f"it by `edgewise run --resume {where}`, or train its genotype with `edgewise train`"
        )
    return f"{where}: no such file or folder; name a run folder or a {files.NETWORK}"


@contextmanager
def _named_in_utf8(path: Path) -> Iterator[Path]:
    """The file under a name that the library can read."""
    if readable(str(path)) == str(path):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        link = Path(folder) / path.suffix
        link.symlink_to(path.absolute())
        yield link


def _read(path: Path) -> tuple[NetworkFacts, dict[str, Tensor]]:
    try:
        with _named_in_utf8(path) as name, safe_open(name, framework="pt") as file:
            metadata = file.metadata() or {}
            facts = from_metadata(metadata, where=str(path))
            # Copies, because the file is mapped into memory and may be cut off by others later.
            return facts, {name: file.get_tensor(name).clone() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise RunError(
            f"{path} can't be read as safetensors ({error}): it is another kind of file or damaged"
        ) from error


def _compare_genotype(path: Path, network: Path, genotype: Genotype) -> None:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RunError(
            f"{path} is missing, so that it can't be compared with {network.name}: load {network} itself"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: can't be read ({error})") from error
    if Genotype.from_json(text, where=str(path)) != genotype:
        raise RunError(
            f"{path} differs from the genotype inside {network.name}: one of them is another run's; load "
            f"{network} itself, or put the right {path.name} back"
        )


def _with_sorted_header(content: bytes) -> bytes:
    """The same content, its metadata in alphabetical order; the library's order changes from run to run."""
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + content[8 + length :]
