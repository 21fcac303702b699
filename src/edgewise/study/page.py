"""The page of a study: its tables and the curves of its runs side by side; it loads nothing but itself."""

from __future__ import annotations

from html import escape
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edgewise.citations import CITATIONS
from edgewise.config.build import to_toml
from edgewise.report.assets import asset, plotly
from edgewise.report.figures import rounded
from edgewise.study.results import Results
from edgewise.study.runner import Study
from edgewise.study.tables import Tables, name_of
from edgewise.text import visible

COLOURS = 8
LONGEST = 48
DASHES = ("solid", "dash", "dot", "dashdot", "longdash")


def render(study: Study, results: Results, tables: Tables) -> str:
    """The page as text.

    Args:
        study: the study.
        results: what is known so far.
        tables: its tables.
    """
    environment = Environment(
        loader=PackageLoader("edgewise.study", "templates"),
        autoescape=True,
        finalize=visible,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    measured = any(result.runs for result in results.cells)
    return environment.get_template("study.html.j2").render(
        spec=study.spec,
        spec_text=to_toml(study.spec),
        tables=tables.all(),
        finished=sum(len(result.runs) + len(result.retrained) for result in results.cells),
        unfinished=results.unfinished,
        methods=[name_of(result, results) for result in results.cells],
        curve_names=_curve_names(results),
        page_data={"methods": _methods(results), "metric": results.metric, "colours": COLOURS}
        if measured
        else None,
        style=_style(environment),
        script=asset(environment, "study.js"),
        plotly=plotly() if measured else None,
        citations=_citations(study, results),
    )


def _citations(study: Study, results: Results) -> list[str]:
    entries = [CITATIONS["thesis"].bibtex] if study.spec.published else []
    entries += [text for result in results.cells for text in result.cell.settings.bibtex()]
    return list(dict.fromkeys(entries))


def _methods(results: Results) -> list[dict[str, Any]]:
    """For every cell of the design its runs, with what the plots draw."""
    return [
        {
            "name": name_of(result, results),
            "short": _plot_text(name_of(result, results)),
            "colour": i % COLOURS,
            "dash": DASHES[i // COLOURS % len(DASHES)],
            "runs": [
                {
                    "seed": run.seed,
                    "kind": kind,
                    "value": _value(results.metric, run.test, run.arch),
                    "curves": {name: [rounded(v) for v in values] for name, values in run.curves.items()},
                }
                for kind, runs in (("search", result.runs), ("retrained", result.retrained))
                for run in runs
            ],
        }
        for i, result in enumerate(results.cells)
    ]


def _plot_text(text: str) -> str:
    """A name as plotly prints it letter by letter; what tells names apart often stands at their end."""
    return escape(text if len(text) <= LONGEST else f"{text[: LONGEST - 20]} … {text[-17:]}", quote=False)


def _value(metric: str, test: float | None, arch: float | None) -> float | None:
    if metric == "test":
        return None if test is None else rounded(100 * (1 - test))
    return None if arch is None else rounded(100 * arch)


def _curve_names(results: Results) -> list[str]:
    known: dict[str, None] = {}
    for result in results.cells:
        known |= dict.fromkeys(name for run in result.runs for name in run.curves)
    return list(known)


def _style(environment: Environment) -> Markup:
    shared = PackageLoader("edgewise.report", "templates").get_source(environment, "page.css")[0]
    return Markup(shared) + asset(environment, "study.css")
