"""The tables of the page, as rows of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgewise.budget import show_bytes, show_figure
from edgewise.report.names import are_given, network_names, short_names
from edgewise.report.numbers import comparison, count, duration, interval, megabytes, percent
from edgewise.report.record import RunRecord
from edgewise.spaces import cell_name

MEASURED = ("size", "RAM", "latency", "training")
# A space at which no line breaks.
NARROW = "\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Table:
    """A table: column heads, rows whose first entry heads the row, a caption; a plain one shows rows alone."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    plain: bool = False


def short_cell_name(cell: str) -> str:
    """What people call a cell type, in a word."""
    return {"reduce": "reduction"}.get(cell, cell)


def cell_title(cell: str) -> str:
    """A cell type as a heading."""
    return cell_name(cell).capitalize()


def results_table(record: RunRecord) -> Table | None:
    """The trained networks side by side; None before any was tested."""
    if not record.results:
        return None
    cell_types = sorted({cell for entry in record.results.values() for cell in entry["cells"] or {}})
    measured = any("size" in entry for entry in record.results.values())
    heads = (
        "network",
        "test accuracy",
        "95 % interval",
        "test images",
        "test loss",
        "parameters",
        "multiply-adds",
        *(MEASURED if measured else ()),
    )
    names = network_names(record.run)
    rows = [
        (
            names.get(name, name),
            percent(entry["top1"]),
            " to ".join(percent(share) for share in interval(entry["top1"], entry["test_images"])),
            count(entry["test_images"]),
            f"{entry['loss']:.4f}",
            count(entry["params"]),
            count(entry["macs"]),
            *(_measured(entry) if measured else ()),
            *(_cell(entry["cells"], cell) for cell in cell_types),
        )
        for name, entry in record.results.items()
    ]
    caption = (
        "Same training images, budget and seed for each network; the test images were classified once, after "
        "training. The interval is the sampling error of the test images alone (Wilson). Multiply-adds: "
        "convolutions and linear layers, one image."
    )
    return Table(caption, (*heads, *map(cell_name, cell_types)), tuple(rows))


def _measured(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """Size, RAM, latency and seconds of training."""
    latency = entry.get("latency")
    return (
        show_bytes(entry["size"]).replace(" ", NARROW) if "size" in entry else "–",
        show_bytes(entry["ram"]).replace(" ", NARROW) if "ram" in entry else "–",
        show_figure("latency_ms", latency["median_ms"]).replace(" ", NARROW) if latency else "–",
        duration(entry["train_seconds"]).replace(" ", NARROW) if "train_seconds" in entry else "–",
    )


def _cell(cells: Mapping[str, Mapping[str, int]] | None, name: str) -> str:
    if cells is None or name not in cells:
        return "–"
    figures = cells[name]
    return (
        f"{figures['skips']}{NARROW}skip, {figures['pools']}{NARROW}pool, "
        f"{figures['parametrised']}{NARROW}parametrised, depth{NARROW}{figures['depth']}"
    )


def verdicts(record: RunRecord) -> list[str]:
    """A sentence for each network that the found one is compared with."""
    found = record.results.get("found")
    if found is None:
        return []
    subject = "The given cells are" if are_given(record.run) else "The found cells are"
    if record.run.get("won"):
        subject = "The chosen network is"
    others = {
        "searched": "the search's own cells",
        "random": "the random cell of the same space",
        "random-search": "the best of the random search that costs as many seconds",
        "hand": "the hand-made residual network",
        "inverted": "the hand-made network of inverted residual blocks",
        "resnet8": "ResNet-8 of MLPerf Tiny",
    }
    sentences = []
    for name, entry in record.results.items():
        if name != "found":
            word, figures = comparison(found["top1"], entry["top1"], found["test_images"])
            sentences.append(f"{subject} {word} {others.get(name, name)} ({figures}).")
    return sentences


def per_class_table(record: RunRecord) -> Table | None:
    """Test images and accuracy of each class, by network."""
    if not record.results:
        return None
    first = next(iter(record.results.values()))
    names = class_names(record, len(first["per_class"]))
    rows = [
        (
            name,
            count(sum(first["confusion"][i])),
            *(percent(entry["per_class"][i]) for entry in record.results.values()),
        )
        for i, name in enumerate(names)
    ]
    short = short_names(record.run)
    heads = ("class", "test images", *(short.get(name, name) for name in record.results))
    return Table("Share of each class's test images that was classified right.", heads, tuple(rows))


def class_names(record: RunRecord, classes: int) -> list[str]:
    """The classes' names; numbers where run.json does not name them."""
    names = record.classes
    return names if len(names) == classes else [str(i) for i in range(classes)]


def cost_table(record: RunRecord) -> Table | None:
    """Seconds, epochs and peak memory of each phase."""
    phases: dict[str, list[Mapping[str, Any]]] = {}
    for line in record.timings:
        phases.setdefault(str(line["phase"]), []).append(line)
    noted = record.run.get("phases", {})
    names = list(dict.fromkeys([*phases, *noted]))
    if not names:
        return None
    short = short_names(record.run)
    rows, total, peak = [], 0.0, 0
    for name in names:
        lines = phases.get(name, [])
        seconds = noted.get(name, {}).get("seconds", sum(line["seconds"] for line in lines))
        memory = noted.get(name, {}).get(
            "peak_memory_bytes", max((line["peak_memory_bytes"] for line in lines), default=0)
        )
        total, peak = total + seconds, max(peak, memory)
        each = duration(seconds / len(lines)) if lines else "–"
        rows.append(
            (
                _phase(name, short),
                duration(seconds),
                count(len(lines)) if lines else "–",
                each,
                megabytes(memory) if memory else "–",
            )
        )
    rows.append(("all", duration(total), "", "", megabytes(peak)))
    return Table(
        "Measured wall time of the epochs, and the largest memory in use.",
        ("phase", "time", "epochs", "time an epoch", "peak memory"),
        tuple(rows),
    )


def _phase(name: str, short: Mapping[str, str]) -> str:
    kind, _, network = name.partition(":")
    return f"training, {short.get(network, network)}" if kind == "train" else kind


def facts_table(record: RunRecord) -> Table:
    """The machine, the seed and the versions."""
    run = record.run
    git = run.get("git") or {}
    rows = [
        ("edgewise", _text(run.get("edgewise"))),
        *((name, _text(version)) for name, version in run.get("versions", {}).items() if name != "edgewise"),
        ("commit", f"{git['commit']}{' with uncommitted changes' if git.get('dirty') else ''}" if git else ""),
        ("device", ", ".join(dict.fromkeys(_text(run[key]) for key in ("device", "device_name") if run.get(key)))),
        ("precision", _text(run.get("precision"))),
        ("compiled", "yes" if run.get("compile") else ""),
        ("threads", _text(run.get("threads"))),
        ("seed", _text(run.get("seed"))),
        ("command", _text(run.get("command"))),
        ("started", _text(run.get("started"))),
        ("finished", _text(run.get("finished"))),
    ]
    return Table("Versions and machine", ("what", "value"), tuple(row for row in rows if row[1]), plain=True)


def data_table(record: RunRecord) -> Table | None:
    """The images, how they were cut and normalised."""
    data = record.run.get("data")
    if not data:
        return None
    images = data.get("images", {})
    normalisation = data.get("normalisation", {})
    size = data.get("image_size")
    channels = "1 channel" if data.get("channels") == 1 else f"{data.get('channels')} channels"
    rows = [
        ("source", _text(data.get("source"))),
        ("classes", count(len(data.get("classes", [])))),
        *((f"images, {name}", count(number)) for name, number in images.items()),
        (
            "image",
            f"{size} × {size} pixels, {channels}, {record.run.get('stem', '?')} stem",
        ),
        *((name, _numbers(normalisation[name])) for name in ("mean", "std") if name in normalisation),
        ("fingerprint", _text(data.get("fingerprint"))),
    ]
    return Table("Images", ("what", "value"), tuple(rows), plain=True)


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
