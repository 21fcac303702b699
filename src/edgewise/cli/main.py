"""The entry point: the table of commands, and errors without a traceback."""

from __future__ import annotations

import gc
import logging
import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from edgewise.cli import benchmark, examples, explore, lists, new, runs, saved, sizes, study
from edgewise.cli.options import SpacesInHelp
from edgewise.errors import ConfigError, EdgewiseError
from edgewise.plugins import load_installed, load_plugin
from edgewise.runtime.interrupt import Interrupted, listen_early
from edgewise.runtime.launcher import fell_apart, launched
from edgewise.text import printable

# What several processes can share; every other command is one process's work.
TOGETHER = ("run", "search", "select", "train")
EPILOG = (
    "Start with `edgewise run`: it searches on the digits of scikit-learn, trains what it found, "
    "and writes a report, in minutes on a CPU."
)


class _PluginsAnywhere(TyperGroup):
    """Takes `--plugin` before and behind the name of a command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Moves the option with its value to the front."""
        front, rest = [], list(args)
        end = rest.index("--") if "--" in rest else len(rest)
        i = 0
        while i < end:
            count = 2 if rest[i] == "--plugin" else int(rest[i].startswith("--plugin="))
            if count:
                front += rest[i : i + count]
                del rest[i : i + count]
                end -= count
            else:
                i += 1
        return super().parse_args(ctx, front + rest)


app = typer.Typer(
    name="edgewise",
    cls=_PluginsAnywhere,
    help="Finds small convolutional networks for labelled images by differentiable architecture search.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
recipes = typer.Typer(no_args_is_help=True, help="The methods: list them, show their settings, cite them.")
devices = typer.Typer(no_args_is_help=True, help="The devices that `--for` knows.")
spaces = typer.Typer(no_args_is_help=True, help="The spaces that can be searched or read.")
studies = typer.Typer(
    cls=study.StudyGroup, no_args_is_help=True, help="Many runs with statistics, and the thesis's tables."
)

app.command("run", cls=SpacesInHelp, epilog=examples.RUN_EXAMPLES)(runs.run)
app.command("search", cls=SpacesInHelp, epilog=examples.SEARCH_EXAMPLES)(runs.search)
app.command("derive", epilog=saved.DERIVE_EXAMPLES)(saved.derive)
app.command("select", epilog=examples.SELECT_EXAMPLES)(runs.select)
app.command("train", epilog=examples.TRAIN_EXAMPLES)(runs.train)
app.command("test", epilog=saved.TEST_EXAMPLES)(saved.run_test)
app.command("export", epilog=saved.EXPORT_EXAMPLES)(saved.export)
app.command("report", epilog=saved.REPORT_EXAMPLES)(saved.report)
app.command("fit", epilog=sizes.FIT_EXAMPLES)(sizes.fit)
app.command("explore", epilog=explore.EXPLORE_EXAMPLES)(explore.explore)
app.command("benchmark", epilog=benchmark.BENCHMARK_EXAMPLES)(benchmark.benchmark)
app.command("check", epilog=lists.CHECK_EXAMPLES)(lists.check)
app.command("new", epilog=new.NEW_EXAMPLES)(new.new)
app.command("plugins", epilog=lists.PLUGINS_EXAMPLES)(lists.list_plugins)
app.command("cite", epilog=lists.CITE_EXAMPLES)(lists.cite_recipe)
recipes.command("ls", epilog=lists.LS_EXAMPLES)(lists.list_recipes)
recipes.command("show", epilog=lists.SHOW_EXAMPLES)(lists.show_recipe)
recipes.command("cite", epilog=lists.RECIPES_CITE_EXAMPLES)(lists.cite_recipe)
devices.command("ls", epilog=sizes.DEVICES_EXAMPLES)(sizes.list_devices)
spaces.command("ls", epilog=lists.SPACES_EXAMPLES)(lists.list_spaces)
studies.command("run", epilog=study.RUN_EXAMPLES)(study.run)
studies.command("ls", epilog=study.LS_EXAMPLES)(study.list_studies)
studies.command("show", epilog=study.SHOW_EXAMPLES)(study.show)
studies.command("report", epilog=study.REPORT_EXAMPLES)(study.report)
app.add_typer(recipes, name="recipes")
app.add_typer(spaces, name="spaces")
app.add_typer(devices, name="devices")
app.add_typer(studies, name="study")


def _print_version(wanted: bool) -> None:
    if wanted:
        from edgewise import __version__

        typer.echo(f"edgewise {__version__}")
        raise typer.Exit


@app.callback()
def common(
    ctx: typer.Context,
    plugin: Annotated[
        list[str] | None,
        typer.Option(
            "--plugin",
            metavar="FILE.py|MODULE",
            help="Load a plug-in that adds recipes, parts, spaces, strategies or scores; may stand behind the "
            "command too, and be repeated. Installed plug-ins need no option.",
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    """Finds small convolutional networks for labelled images by differentiable architecture search."""
    for one in plugin or ():
        load_plugin(one)
    load_installed()
    world = launched()[1]
    if world > 1 and ctx.invoked_subcommand not in TOGETHER:
        raise ConfigError(
            f"`edgewise {ctx.invoked_subcommand}` runs in one process, and {world} were launched: start it "
            f"without the launcher ({', '.join(TOGETHER)} are those that several processes share)"
        )
    if fell_apart():
        print(
            "note: `accelerate launch --cpu` starts one process, whatever --num_processes says; for several "
            "on the CPU: torchrun --nproc_per_node N -m edgewise ... --device cpu",
            file=sys.stderr,
        )


class _Printable(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return printable(super().format(record))


def _show_news() -> None:
    """Lets the package's own news, such as "downloading ...", through to the terminal, and nobody else's."""
    news = logging.getLogger("edgewise")
    if not news.handlers and launched()[0] == 0:
        handler = logging.StreamHandler()
        handler.setFormatter(_Printable("%(message)s"))
        news.addHandler(handler)
        news.setLevel(logging.INFO)


def main() -> None:
    """Runs the command line; exits with 0, 1 for an error that was explained, or 130 after Ctrl-C."""
    listen_early()
    _show_news()
    code = _run()
    if code:
        # What an error kept alive goes while Python still runs: threads of a reader that is given up in the middle
        # abort the process when they call Python after its end.
        gc.collect()
    sys.exit(code)


def _run() -> int | str | None:
    try:
        app()
    except SystemExit as ended:
        return ended.code
    except EdgewiseError as error:
        from edgewise.runtime.distributed import Followed

        stopped = isinstance(error, Interrupted)
        rank = launched()[0]
        # What the first process says as well need not be said twice.
        if rank == 0 or not isinstance(error, (Followed, Interrupted, ConfigError)):
            who = f"process {rank}: " if rank else ""
            print(str(error) if stopped else f"{who}error: {error}", file=sys.stderr)
        return 130 if stopped else 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    main()
