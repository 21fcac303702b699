"""The section Selection: every candidate's curve, who went out when and why, and who won."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edgewise.report.figures import Figure, epoch_axis, plot_text, rounded
from edgewise.report.names import title_of_candidate
from edgewise.report.numbers import count, duration, percent
from edgewise.report.record import RunRecord
from edgewise.report.tables import NARROW, Table

KINDS = {
    **{"last": "search", "epochs": "earlier epochs", "sampled": "drawn from the mixture"},
    **{"published": "published", "random": "random", "hand": "made by hand", "given": "given"},
}
COLOURS = {
    **{"last": "@found", "epochs": "@searched", "sampled": "@weights", "published": "@beta"},
    **{"random": "@random", "hand": "@hand", "given": "@found"},
}
DASHES = {"last": "solid", "epochs": "dash", "sampled": "dashdot", "published": "longdash", "random": "dot"}
HEIGHT = 380
RUNG = {"width": 1, "dash": "dot", "color": "@mark"}


def ranked(selection: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The candidates of a finished selection, the best first: those that stayed longer before those that went out.

    Args:
        selection: the content of selection.json.
    """
    order, out = selection["order"], selection["out"]

    def place(entry: Mapping[str, Any]) -> tuple[float, ...]:
        name = entry["name"]
        if name in order:
            return (0, order.index(name))
        gone = out[name]
        return (1, -gone["rung"], float("inf") if gone["place"] is None else gone["place"])

    return sorted(selection["candidates"], key=place)


def selection_sentences(record: RunRecord) -> list[str]:
    """How the candidates were chosen from, and who won; empty without a selection."""
    selection, settings = record.selection, record.recipe.get("selection")
    if not selection or not selection.get("candidates"):
        return []
    sentences = []
    if isinstance(settings, Mapping):
        said = {"loss": "training loss", "accuracy": "accuracy on the arch split"}
        early, last = (said.get(str(settings.get(which)), "its figures") for which in ("early", "last"))
        keep = settings.get("keep")
        share = f"{keep:.0%}" if isinstance(keep, (int, float)) else "a part"
        sentences.append(
            f"Successive halving: all candidates train on the weights split; at the end of each of "
            f"{settings.get('rungs')} rungs, {share} of them, the best by {early} (in the last rung, by {last}), "
            f"train on from their weights, at most {settings.get('epochs')} epochs. Test images are not read."
        )
    if "winner" in selection:
        best = ranked(selection)[0]
        sentences.append(f"{_upper(title_of_candidate(best))} won, of {len(selection['candidates'])} candidates.")
    for name, reason in selection.get("unfit", {}).items():
        sentences.append(f"{name} was left out: {reason}")
    return [*sentences, *_random_search_sentence(record)]


def _random_search_sentence(record: RunRecord) -> list[str]:
    """How many random cells a selection of equal cost has chosen from."""
    other = record.random_search
    if not other or "winner" not in other:
        return []
    spent = sum(other["seconds"].values())
    return [
        f"Random search at equal cost: {len(other['candidates'])} random cells by the same rungs, in "
        f"{duration(spent)}; search and selection took {duration(other['seconds_to_spend'])}. Its best is "
        f"{other['winner']}."
    ]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def selection_table(record: RunRecord) -> Table | None:
    """One row a candidate, the best first; None before the selection's end."""
    selection = record.selection
    if not selection or "winner" not in selection:
        return None
    rows = []
    for place, entry in enumerate(ranked(selection), 1):
        name = entry["name"]
        figures, gone = selection["figures"].get(name, {}), selection["out"].get(name)
        rows.append(
            (
                title_of_candidate(entry),
                str(place) if gone is None or gone["place"] is not None else "–",
                KINDS.get(entry["kind"], entry["kind"]),
                count(entry["params"]),
                count(entry["macs"]),
                str(selection["epochs"][name]),
                count(selection["images"][name]),
                duration(selection["seconds"].get(name, 0.0)).replace(" ", NARROW),
                f"{figures['loss']:.4f}" if "loss" in figures else "–",
                percent(figures["accuracy"]) if "accuracy" in figures else "–",
                _end(gone),
            )
        )
    heads = (
        *("candidate", "place", "kind", "parameters", "multiply-adds", "epochs", "images seen", "time"),
        *("training loss", "accuracy, arch split", "end"),
    )
    caption = (
        "Training loss is the mean of the candidate's last epoch; accuracy on the arch split, where a rung asked."
    )
    return Table(caption, heads, tuple(rows))


def _end(gone: Mapping[str, Any] | None) -> str:
    if gone is None:
        return "won"
    why = f"place{NARROW}{gone['place']}" if gone["place"] is not None else str(gone["reason"])
    return f"rung{NARROW}{gone['rung'] + 1}, {why}"


def selection_figures(record: RunRecord) -> list[Figure]:
    """The training loss of every candidate over its epochs, with the ends of the rungs; empty without any."""
    curves: dict[str, list[Mapping[str, Any]]] = {}
    for line in record.selecting:
        if "loss" in line:
            curves.setdefault(str(line["network"]), []).append(line)
    if not curves:
        return []
    selection = record.selection or {}
    kinds = {entry["name"]: entry["kind"] for entry in selection.get("candidates", ())}
    titles = {entry["name"]: title_of_candidate(entry) for entry in selection.get("candidates", ())}
    shown: set[str] = set()
    data, words = [], []
    for name, lines in curves.items():
        kind = kinds.get(name, "given")
        title, colour = titles.get(name, name), COLOURS.get(kind, "@found")
        won = name == selection.get("winner")
        last = len(lines) - 1
        data.append(
            {
                "type": "scatter",
                "mode": "lines+markers",
                "name": KINDS.get(kind, kind),
                "legendgroup": kind,
                "showlegend": kind not in shown,
                "x": [line["epoch"] + 1 for line in lines],
                "y": [rounded(line["loss"]) for line in lines],
                "line": {"color": colour, "width": 3 if won else 1.5, "dash": DASHES.get(kind, "solid")},
                "marker": {
                    "color": colour,
                    "symbol": [_symbol(won=won) if at == last else "circle" for at in range(len(lines))],
                    "size": [(13 if won else 8) if at == last else 4 for at in range(len(lines))],
                },
                "hovertemplate": f"{plot_text(title)}<br>epoch %{{x}}: %{{y:.4f}}<extra></extra>",
            }
        )
        shown.add(kind)
        words.append(f"{title} {lines[-1]['loss']:.4g} after {len(lines)} epochs{' (won)' if won else ''}")
    ends = sorted({int(line["epoch"]) + 1 for line in record.selecting if "order" in line})
    most = max(len(lines) for lines in curves.values())
    layout = {
        "xaxis": epoch_axis(most),
        "yaxis": {"title": {"text": "training loss, nats"}, "automargin": True, "type": "log", "nticks": 8},
        "hovermode": "closest",
        "showlegend": True,
        "shapes": [
            {"type": "line", "x0": end, "x1": end, "yref": "paper", "y0": 0, "y1": 1, "line": RUNG} for end in ends
        ],
    }
    summary = f"Training loss of {len(curves)} candidates: {'; '.join(words)}"
    return [Figure("selection-loss", "Selection: training loss", summary, data, layout, HEIGHT)]


def _symbol(*, won: bool) -> str:
    return "star" if won else "x"
