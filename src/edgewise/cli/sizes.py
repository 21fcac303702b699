"""Commands about the sizes of networks: fit, devices."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgewise.cli import options as opt
from edgewise.cli.budget_options import takes_budget
from edgewise.errors import ConfigError

FIT_EXAMPLES = """Examples:

`edgewise fit DARTS_V2 PC_DARTS_cifar resnet8 --max-params 80k --max-macs 12.5M` (CIFAR-10's images)

`edgewise fit runs/photos inverted --for pico --int8`

`edgewise fit DARTS_V2 --max-latency 2ms --image-size 96 --classes 2`
"""
DEVICES_EXAMPLES = """Examples:

`edgewise devices ls`

`edgewise devices ls boards.toml` (and those of a file of yours)
"""


@takes_budget
def fit(
    genotypes: opt.Networks,
    layers: Annotated[
        int | None,
        typer.Option("--layers", min=3, max=250, help="Cells of the network; fitted (about 5) if left out."),
    ] = None,
    data: opt.Data = None,
    image_size: Annotated[
        int | None, typer.Option("--image-size", metavar="PIXELS", min=1, max=16_384, help="Side of the images.")
    ] = None,
    classes: Annotated[
        int | None, typer.Option("--classes", min=2, max=100_000, help="Number of classes.")
    ] = None,
    channels: Annotated[
        int | None, typer.Option("--channels", min=1, max=64, help="3 for RGB images, 1 for grey ones.")
    ] = None,
    *,
    limits: list[str],
) -> None:
    """Say how large networks may be within limits; nothing is trained."""
    from dataclasses import replace

    from edgewise.pipeline.possible_sizes import LAYERS, fit_budget, fit_networks, fit_table, subject_of
    from edgewise.progress.choose import make_progress

    budget = replace(fit_budget(limits), fit_layers=layers is None)
    subject = subject_of(
        genotypes,
        data=data,
        layers=layers or LAYERS,
        sizes={"classes": classes, "image_size": image_size, "channels": channels},
    )
    fits = fit_networks(genotypes, budget, subject)
    heads, rows = fit_table(fits, budget.limits)
    side, spec = subject.image_size, subject.spec
    progress = make_progress()
    progress.table(
        f"Largest networks for images {side}x{side}x{spec.in_channels} of {spec.classes} classes: "
        f"{budget.sentence()}",
        heads,
        rows,
    )
    for failed in fits:
        if failed.failure:
            progress.say(failed.failure)
    if all(one.failure for one in fits):
        raise ConfigError("none of these networks fits the budget")


def list_devices(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE.toml", help="A file of devices of your own, shown first.")
    ] = None,
) -> None:
    """List the devices that --for knows, and what a network may need there."""
    from edgewise.budget import devices, show_bytes, show_count
    from edgewise.text import in_line

    for name, device in devices(file).items():
        limits = device.limits
        macs = f", {show_count(limits['macs'])} multiply-adds" if "macs" in limits else ""
        typer.echo(
            in_line(
                f"{name}: {device.title}; RAM {show_bytes(limits['ram'])}, size {show_bytes(limits['size'])}"
                f"{macs} ({device.reserve_sentence}); {device.source}"
            )
        )
