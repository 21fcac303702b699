"""Commands on what a run left behind: derive, test, export, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgewise.cli import options as opt
from edgewise.cli.budget_options import takes_budget
from edgewise.errors import RunError
from edgewise.text import in_line, printable

DERIVE_EXAMPLES = """Examples:

`edgewise derive runs/search` (the last epoch)

`edgewise derive runs/search --epoch 20 --out early.json`

`edgewise derive runs/search --max-params 100k` (and how wide and deep a network of these cells may be)

`edgewise derive runs/search --format darts` (as the authors' code prints it, for their genotypes.py)
"""
TEST_EXAMPLES = """Examples:

`edgewise test runs/photos`

`edgewise test runs/photos --data other-photos/ --device cuda`
"""
EXPORT_EXAMPLES = """Examples:

`edgewise export runs/photos`

`edgewise export runs/photos --out photos.onnx`

`edgewise export runs/photos --pick 60k` (of a run with --max-params 20k,60k,200k; knee: where more costs much)
"""
REPORT_EXAMPLES = """Examples:

`edgewise report runs/photos`
"""


@takes_budget
def derive(
    run: opt.RunFolderArgument,
    epoch: Annotated[
        int | None,
        typer.Option("--epoch", help="The search epoch, from 0; by default the one that the search ended with."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Where to write it; printed if left out.")
    ] = None,
    form: Annotated[
        opt.FormatChoice,
        typer.Option(
            "--format", help="edgewise's JSON, DARTS' Genotype(...), or NAS-Bench-201's string (space nb201)."
        ),
    ] = opt.FormatChoice.json,
    *,
    limits: list[str],
) -> None:
    """Derive the cells of an epoch of a search from its alpha and beta; with limits, say what fits them."""
    from edgewise.pipeline.derive import derive_epoch
    from edgewise.spaces import write_genotype

    genotype, found = derive_epoch(run, epoch)
    if limits:
        from edgewise.pipeline.possible_sizes import fit_derived

        typer.echo(printable(fit_derived(run, genotype, limits)), err=True)
    text = write_genotype(genotype, form.value)
    if out is None:
        typer.echo(text, nl=False)
        return
    from edgewise.runs.atomic import write_bytes

    write_bytes(out, text.encode())
    typer.echo(printable(f"{out}: cells of epoch {found} of {run}"))


def run_test(
    run: opt.RunFolderArgument,
    data: opt.Data = None,
    seed: Annotated[
        int | None, typer.Option("--seed", help="The seed that cuts the test images off; the run's by default.")
    ] = None,
    device: opt.Device = "auto",
    precision: opt.Precision = opt.PrecisionChoice.fp32,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write all figures as JSON.")] = None,
) -> None:
    """Test a run's trained network on test images."""
    import json
    from dataclasses import asdict

    from edgewise.pipeline.retest import retest
    from edgewise.runs.atomic import write_bytes
    from edgewise.runtime.compute import Compute

    result, names = retest(run, data=data, seed=seed, compute=Compute(device, precision.value))  # type: ignore[arg-type]
    typer.echo(f"{result.images} test images: accuracy {result.top1:.2%}, loss {result.loss:.4f}")
    for name, share in zip(names, result.per_class, strict=True):
        typer.echo(f"  {in_line(name)}: {'no images' if share is None else f'{share:.2%}'}")
    if out is not None:
        write_bytes(out, (json.dumps(asdict(result), indent=1) + "\n").encode())


def export(
    run: opt.RunFolderArgument,
    pick: Annotated[
        str | None,
        typer.Option(
            "--pick",
            metavar="NAME",
            help="Of a run with several budgets: the budget whose network it is, or knee.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="The ONNX file; network.onnx in the run by default."),
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", help="The seed of the images that the copies are compared on.")
    ] = 0,
) -> None:
    """Export a run's trained network to ONNX and compare it with PyTorch."""
    from edgewise.export import describe_export, export_onnx, load_network
    from edgewise.pipeline.front import picked

    loaded = load_network(picked(run, pick))
    target = out or run / "network.onnx"
    check = export_onnx(loaded.network, loaded.facts, target, seed=seed)
    typer.echo(
        printable(
            f"{target}: batches of {', '.join(map(str, check.batches))} images differ from PyTorch by at most "
            f"{check.max_difference:.1e} (logits up to {check.scale:.1f})"
        )
    )
    facts = loaded.facts
    typer.echo(
        describe_export(
            loaded.network,
            target.read_bytes(),
            image_size=facts.image_size,
            in_channels=facts.spec.in_channels,
        )
    )


def report(
    run: opt.RunFolderArgument,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="The page; report.html in the run by default.")
    ] = None,
) -> None:
    """Write the report page of a run anew."""
    from edgewise.report import write_report
    from edgewise.runs.atomic import write_bytes

    if not run.is_dir():
        raise RunError(f"{run}: no such run folder; check the name")
    page = write_report(run)
    if out is not None:
        write_bytes(out, page.read_bytes())
        page = out
    typer.echo(printable(str(page)))
