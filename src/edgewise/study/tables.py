"""A study's tables: summary, paired tests, published figures beside ours, single runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgewise.progress.pace import duration
from edgewise.report.selection import KINDS
from edgewise.study.compare import published_table
from edgewise.study.results import CellResult, Results
from edgewise.study.runner import Study
from edgewise.study.statistics import PairedTest, Spread, smallest_wilcoxon
from edgewise.study.table import NONE, Entry, Table, number


@dataclass(frozen=True)
class Tables:
    """All tables of a study.

    Args:
        summary: a row for each cell of the design.
        tests: a row for each pair; None where nothing can be paired.
        published: published rows beside ours; None where the study has none.
        selections: which kind of candidate won, a row for each cell of the design; None without selections.
        runs: a row for each finished run.
    """

    summary: Table
    tests: Table | None
    published: Table | None
    selections: Table | None
    runs: Table

    def all(self) -> list[Table]:
        """Those that there are."""
        tables = (self.summary, self.published, self.tests, self.selections, self.runs)
        return [table for table in tables if table is not None]


def make_tables(study: Study, results: Results) -> Tables:
    """The tables of a study as far as it has come."""
    return Tables(
        summary=_summary(results),
        tests=_tests(results),
        published=published_table(study, results),
        selections=_selections(results),
        runs=_runs(results),
    )


def several(results: Results) -> tuple[bool, bool]:
    """Whether there is more than one space, and more than one source of images."""
    spaces = {result.cell.space for result in results.cells}
    return len(spaces) > 1, len({result.cell.data for result in results.cells}) > 1


def name_of(result: CellResult, results: Results) -> str:
    """A cell in words, with space and data where they tell cells apart."""
    spaces, data = several(results)
    parts = [result.cell.space] if spaces else []
    parts += [result.cell.data] if data else []
    return f"{result.cell.label()} ({', '.join(parts)})" if parts else result.cell.label()


def in_percent(metric: str, spread: Spread | None) -> Spread | None:
    """A spread of accuracies, 0 to 1, as the metric's percentages: test errors, or arch accuracies."""
    if spread is None:
        return None
    turn = (lambda a: 100 * (1 - a)) if metric == "test" else (lambda a: 100 * a)
    swap = metric == "test"
    low, high = (spread.high, spread.low) if swap else (spread.low, spread.high)
    return Spread(
        n=spread.n,
        mean=turn(spread.mean),
        sd=None if spread.sd is None else 100 * spread.sd,
        median=turn(spread.median),
        low=None if low is None else turn(low),
        high=None if high is None else turn(high),
        minimum=turn(spread.maximum if swap else spread.minimum),
        maximum=turn(spread.minimum if swap else spread.maximum),
    )


def metric_name(metric: str) -> str:
    """The figure that cells are compared by, in words."""
    return "test error, %" if metric == "test" else "supernet accuracy on the arch split, %"


def _summary(results: Results) -> Table:
    name = metric_name(results.metric)
    heads = ["method", "searches", f"mean over searches: {name}", "median", "95 % interval of the mean"]
    heads += ["best, retrained: test error, %", "parameters, M", "search time"]
    rows = []
    for result in results.cells:
        found = in_percent(results.metric, result.spread(results.metric))
        rows.append(
            [
                Entry(name_of(result, results)),
                Entry(f"{len(result.runs)} of {result.planned}", len(result.runs)),
                mean_and_sd(found),
                number(None if found is None else found.median),
                _interval(found),
                _retrained(result),
                _params(result),
                _seconds(result.spread("search_seconds")),
            ]
        )
    return Table("summary", "Summary", heads, rows, _summary_notes(results))


def _summary_notes(results: Results) -> list[str]:
    notes = [
        "Mean over searches: mean ± standard deviation (n - 1) over one search for each seed"
        + (", each trained and tested once." if results.metric == "test" else "; nothing was trained or tested."),
        "95 % interval: scipy's bootstrap of the mean over seeds, 9,999 resamples; BCa, percentile below 4 runs. "
        "With so few runs it is too narrow rather than too wide.",
    ]
    if any(result.retrained for result in results.cells):
        notes.append(
            "Best, retrained: the search whose supernet did best on the arch split (never the "
            "test images), its network "
            "trained anew; mean ± standard deviation over trainings. It is another number than "
            "the mean over searches, "
            "and not to be compared with it."
        )
    else:
        notes.append("Best, retrained: nothing was retrained (--retrain-best N does).")
    changed = [run for result in results.cells for run in result.runs if run.changed]
    notes += [f"{run.name} was gone on with other settings ({', '.join(run.changed)})." for run in changed]
    devices = sorted({run.device for result in results.cells for run in result.runs})
    return [*notes, f"Measured on {', '.join(devices)}."] if devices else notes


def mean_and_sd(spread: Spread | None) -> Entry:
    """Mean ± standard deviation, two decimals."""
    if spread is None:
        return NONE
    text = f"{spread.mean:.2f}" if spread.sd is None else f"{spread.mean:.2f} ± {spread.sd:.2f}"
    return Entry(text, spread.mean)


def _interval(spread: Spread | None) -> Entry:
    if spread is None or spread.low is None or spread.high is None:
        return NONE
    return Entry(f"{spread.low:.2f} to {spread.high:.2f}", spread.low)


def _retrained(result: CellResult) -> Entry:
    found = in_percent("test", result.retrained_spread())
    if found is None:
        return NONE
    return Entry(f"{mean_and_sd(found).text} (n = {found.n}, search of seed {result.best})", found.mean)


def _params(result: CellResult) -> Entry:
    found = result.spread("params")
    return NONE if found is None else Entry(f"{found.mean / 1e6:.3f}", found.mean)


def _seconds(found: Spread | None) -> Entry:
    return NONE if found is None else Entry(duration(found.mean), found.mean)


def _tests(results: Results) -> Table | None:
    if not results.tests:
        return None
    names = {result.cell.key: name_of(result, results) for result in results.cells}
    unit = "test error" if results.metric == "test" else "arch accuracy"
    sign = -1 if results.metric == "test" else 1
    heads = ["first", "second", "common seeds", f"difference in {unit}, points", "Wilcoxon p", "Wilcoxon p, Holm"]
    heads += ["paired t p", "paired t p, Holm"]
    rows = [
        [
            Entry(names[test.first]),
            Entry(names[test.second]),
            Entry(str(test.n), test.n),
            _points(100 * sign * test.difference),
            *(number(p, 4) for p in (test.wilcoxon, test.wilcoxon_holm, test.t, test.t_holm)),
        ]
        for test in results.tests
    ]
    return Table("tests", "Paired tests over common seeds", heads, rows, _test_notes(results.tests))


def _points(value: float) -> Entry:
    # No -0.00.
    return Entry(f"{round(value, 2) + 0.0:+.2f}", value)


def _test_notes(tests: Sequence[PairedTest]) -> list[str]:
    fewest = max(test.n for test in tests)
    notes = [
        "First minus second, seed by seed. Two-sided p by scipy: Wilcoxon's signed-rank test, and "
        "the paired t test, "
        f"which takes differences as normal. Holm: corrected for the {len(tests)} pairs tested "
        "here, each test on its own."
    ]
    if fewest < 6:
        notes.append(
            f"With {fewest} common seeds Wilcoxon's p can't be below {smallest_wilcoxon(fewest):g} "
            f"(5 % needs 6 seeds or more, before Holm): this is no evidence that methods are equal."
        )
    return notes


def _selections(results: Results) -> Table | None:
    """How often a candidate of each kind won."""
    won = {result.cell.key: result.won_by() for result in results.cells}
    kinds = [kind for kind in KINDS if any(kind in counts for counts in won.values())]
    if not kinds:
        return None
    rows = []
    for result in results.cells:
        counts = won[result.cell.key]
        if counts:
            each = (Entry(str(counts[kind]), counts[kind]) for kind in kinds)
            total = sum(counts.values())
            seconds = _seconds(result.spread("select_seconds"))
            rows.append([Entry(name_of(result, results)), Entry(str(total), total), *each, seconds])
    heads = ["method", "selections", *(f"won by: {KINDS[kind]}" for kind in kinds), "selection time"]
    note = "Each run chose one of several candidates by training them a little; counted is the winner's kind."
    return Table("selections", "Won by", heads, rows, [note])


def _runs(results: Results) -> Table:
    heads = [
        "method",
        "seed",
        "kind",
        "test error, %",
        "arch accuracy, %",
        "parameters, M",
        "search time",
        "won",
        "cells",
    ]
    rows = []
    for result in results.cells:
        for kind, runs in (("search", result.runs), ("best, retrained", result.retrained)):
            for run in runs:
                rows.append(
                    [
                        Entry(name_of(result, results), link=f"{run.name}/report.html"),
                        Entry(str(run.seed), run.seed),
                        Entry(kind),
                        number(None if run.test is None else 100 * (1 - run.test)),
                        number(None if run.arch is None else 100 * run.arch),
                        NONE if run.params is None else Entry(f"{run.params / 1e6:.3f}", run.params),
                        NONE
                        if run.search_seconds is None
                        else Entry(duration(run.search_seconds), run.search_seconds),
                        Entry(run.won or "-"),
                        Entry(run.cells or "-"),
                    ]
                )
    return Table("runs", "Runs", heads, rows, ["Each method leads to the page of its run, beside this one."])
