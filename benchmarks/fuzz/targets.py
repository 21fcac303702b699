"""What is fuzzed: each target makes a case from a generator and gives it to a reader."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.fuzz.mutate import NUMBERS, WORDS, damage_bytes, damage_text
from edgewise.config.build import to_toml
from edgewise.config.schema import known_paths
from edgewise.config.toml import from_toml
from edgewise.data import DataSettings, load
from edgewise.errors import RunError
from edgewise.export import load_network
from edgewise.methods import RECIPES
from edgewise.pipeline import Options, Settings, resolve, start
from edgewise.runs.checkpoint import load_checkpoint
from edgewise.spaces import PUBLISHED, Genotype, published
from edgewise.spaces.notation import genotype_from_text
from edgewise.study.plan import make_cells
from edgewise.study.shipped import shipped_text
from edgewise.study.spec import spec_from_table
from edgewise.tabular import ACCURACIES, Table

Target = Callable[[random.Random, Path], None]
FORMATS = {
    **{"PNG": "png", "JPEG": "jpg", "WEBP": "webp", "GIF": "gif"},
    **{"BMP": "bmp", "TIFF": "tif", "PPM": "ppm", "ICO": "ico"},
}
SMALL = (
    *("data.train_images=60", "search.epochs=2", "search.batch_size=16", "search.channels=8", "search.layers=3"),
    *("warm_up=none", "train.epochs=1", "train.batch_size=30", "train.channels=4", "train.layers=3"),
    *("train.auxiliary=0", "train.drop_path=0", "compare=[]"),
)


def genotypes(rng: random.Random, folder: Path) -> None:
    """Texts of genotypes in every notation."""
    genotype = published(rng.choice(list(PUBLISHED)))
    text = rng.choice((genotype.to_json(), f"PDARTS = {_darts(genotype)}", NB201_TEXT))
    genotype_from_text(damage_text(text, rng))


def recipes(rng: random.Random, folder: Path) -> None:
    """Recipe files."""
    file = folder / "recipe.toml"
    text = to_toml(resolve(rng.choice(list(RECIPES))))
    file.write_text(damage_text(text, rng), errors="surrogateescape", encoding="utf-8")
    resolve(str(file))


def settings(rng: random.Random, folder: Path) -> None:
    """Texts of `--set`."""
    paths = known_paths(Settings)
    values = (*NUMBERS, *WORDS, "none", "[]", "[1,2]", "{}", "true", "1979-05-27", "softmax")
    sets = [f"{rng.choice(paths)}={rng.choice(values)}" for _ in range(rng.choice((1, 1, 3)))]
    resolve(
        rng.choice(list(RECIPES)), sets=[damage_text(text, rng) if rng.random() < 0.3 else text for text in sets]
    )


def tables(rng: random.Random, folder: Path) -> None:
    """Tables of ground truth."""
    heads = ["index", "arch", "params", "flops", "n_seeds_valid", *ACCURACIES]
    rows = [[str(i), NB201_TEXT, "73306", "7783040", "3", *["90.5"] * len(ACCURACIES)] for i in range(2)]
    rows[1][1] = NB201_TEXT.replace("nor_conv_3x3~0", "none~0", 1)
    file = folder / "table.csv"
    text = "\n".join(",".join(row) for row in (heads, *rows))
    file.write_text(damage_text(text, rng), errors="surrogateescape", encoding="utf-8")
    Table.read(file, partial=True)


def studies(rng: random.Random, folder: Path) -> None:
    """Study files."""
    text = shipped_text(rng.choice(("table-2.1", "table-4.1", "table-4.2", "table-4.3")))
    make_cells(spec_from_table(from_toml(damage_text(text, rng)), folder, {"scale": "tiny"}))


def parquet(rng: random.Random, folder: Path) -> None:
    """Parquet files."""
    file = folder / "train.parquet"
    file.write_bytes(damage_bytes(_parquet(rng.randrange(4)), rng))
    load(DataSettings(str(file), stream=rng.choice(("never", "auto"))), seed=0)


def images(rng: random.Random, folder: Path) -> None:
    """Image files of every format that Pillow writes."""
    for name in ("a", "b"):
        (folder / name).mkdir()
        for i in range(4):
            form = rng.choice(list(FORMATS))
            content = _image(form, i, rng.choice(("RGB", "L", "P")))
            if i == 0 or rng.random() < 0.3:
                content = damage_bytes(content, rng)
            (folder / name / f"{i}.{FORMATS[form]}").write_bytes(content)
    load(DataSettings(str(folder), skip_bad=rng.random() < 0.5), seed=0)


def networks(rng: random.Random, folder: Path) -> None:
    """Saved networks."""
    file = folder / "network.safetensors"
    file.write_bytes(damage_bytes((_run() / file.name).read_bytes(), rng))
    load_network(file)


class Evil:
    """What runs code when it is unpickled carelessly."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def checkpoints(rng: random.Random, folder: Path) -> None:
    """Checkpoints, damaged or made to run code."""
    file, mark = folder / "checkpoint.pt", folder / "ran"
    if rng.random() < 0.2:
        import torch

        if rng.random() < 0.5:
            file.write_bytes(pickle.dumps({"phase": "search", "task": Evil(mark)}))
        else:
            torch.save({"phase": "search", "task": Evil(mark)}, file)
    else:
        file.write_bytes(damage_bytes((_run() / file.name).read_bytes(), rng))
    try:
        load_checkpoint(file)
    finally:
        if mark.exists():
            raise AssertionError("a checkpoint ran code")


COMMANDS = (
    ("report",),
    ("test",),
    ("export",),
    ("derive",),
    ("check",),
    ("train",),
    ("run", "--resume"),
)


def run_folders(rng: random.Random, folder: Path) -> None:
    """A run folder in which one file is damaged, and a command that reads it."""
    run = folder / "run"
    shutil.copytree(_run(), run)
    files = sorted(path for path in run.iterdir() if path.name != "report.html")
    _damage_file(rng.choice(files), rng)
    if rng.random() < 0.5:
        _unfinish(run)
    command = list(rng.choice(COMMANDS))
    words = [*command, str(run / "genotype.json" if command == ["check"] else run)]
    if command == ["train"]:
        words += ["--out", str(folder / "trained"), *(f"--set={text}" for text in SMALL)]
    _call(words)


def _damage_file(path: Path, rng: random.Random) -> None:
    content = path.read_bytes()
    kind = rng.randrange(7)
    if kind == 0:
        path.write_bytes(content[: rng.randrange(len(content) + 1)])
    elif kind == 1:
        path.write_bytes(b"")
    elif kind == 2:
        path.write_bytes(rng.randbytes(100))
    elif kind == 3:
        path.unlink()
        path.mkdir()
    elif kind == 4:
        path.unlink()
    elif kind == 5 and path.suffix in (".json", ".toml", ".jsonl"):
        path.write_text(damage_text(content.decode(), rng), errors="surrogateescape", encoding="utf-8")
    elif kind == 6 and path.suffix == ".json":
        path.write_text(json.dumps(_other_type(json.loads(content), rng)))
    else:
        path.write_bytes(damage_bytes(content, rng))


def _other_type(value: Any, rng: random.Random) -> Any:
    """The same JSON with one of its values replaced by one of another type."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        return value | {key: _other_type(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.7:
        at = rng.randrange(len(value))
        return [*value[:at], _other_type(value[at], rng), *value[at + 1 :]]
    return rng.choice((None, True, -1, 1e308, 10**30, "x", [], {}, [[1]], {"a": 1}, "\x1b[2J"))


def _unfinish(run: Path) -> None:
    """Has the run look as it does in its middle, so that a resume reads its files."""
    try:
        table = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps(table | {"status": "running"}))
    except (OSError, ValueError, TypeError):
        return


def _call(words: list[str]) -> None:
    """A command in this process, its output thrown away; usage errors are refusals like others."""
    from edgewise.cli.main import app

    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            app(words)
        except SystemExit as ended:
            if ended.code not in (0, None):
                raise RunError(f"ended with {ended.code}") from None


NB201_TEXT = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|"


def _darts(genotype: Genotype) -> str:
    from edgewise.spaces.darts_text import to_text

    try:
        return to_text(genotype)
    except Exception:
        return "Genotype(normal=[('sep_conv_3x3', 0)], normal_concat=range(2, 6), reduce=[], reduce_concat=[2])"


@cache
def _run() -> Path:
    """A tiny finished run, made once a process."""
    import atexit
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="fuzz-run-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    start(resolve("pc-darts-gp", sets=SMALL), folder / "run", options=Options(device="cpu"))
    return folder / "run"


@cache
def _image(form: str, seed: int, mode: str) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (12, 12, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    plain = mode == "P" and form in ("JPEG", "PPM")  # These hold no palettes.
    Image.fromarray(pixels).convert("RGB" if plain else mode).save(buffer, form)
    return buffer.getvalue()


@cache
def _parquet(kind: int) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    labels: list[Any] = [
        [i % 2 for i in range(12)],
        ["ab"[i % 2] for i in range(12)],
        [float(i % 2) for i in range(12)],
        [[1, 0] if i % 2 else [0, 1] for i in range(12)],
    ]
    buffer = io.BytesIO()
    table = pa.table({"image": [_image("PNG", i, "RGB") for i in range(12)], "label": labels[kind]})
    pq.write_table(table, buffer, row_group_size=5)
    return buffer.getvalue()


TARGETS: dict[str, Target] = {
    "genotypes": genotypes,
    "recipes": recipes,
    "settings": settings,
    "tables": tables,
    "studies": studies,
    "parquet": parquet,
    "images": images,
    "networks": networks,
    "checkpoints": checkpoints,
    "run-folders": run_folders,
}


def names(wanted: list[str]) -> Iterator[str]:
    """The targets of these names; all where none is named."""
    yield from wanted or TARGETS
