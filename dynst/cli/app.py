"""Assembles the commands, and turns whatever ends them into an exit code."""

from __future__ import annotations

import io
import os
import sys
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Annotated, TextIO

import typer

from dynst.cli.compare import compare
from dynst.cli.console import complain, out_of_reach
from dynst.cli.diff import diff
from dynst.cli.examples import epilog
from dynst.cli.export_map import export_map
from dynst.cli.fit import fit
from dynst.cli.init import init
from dynst.cli.inspect import inspect
from dynst.cli.report import report
from dynst.cli.runs import runs
from dynst.cli.score import score
from dynst.cli.signals import heard
from dynst.errors import DynstError

__all__ = ["app", "main"]

_UsageError: type[Exception] = typer.BadParameter.__bases__[0]  # typer brings its own click or uses the one installed

app = typer.Typer(
    name="dynst",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("inspect", epilog=epilog("inspect"))(inspect)
app.command("fit", epilog=epilog("fit"))(fit)
app.command("compare", epilog=epilog("compare"))(compare)
app.command("report", epilog=epilog("report"))(report)
app.command("export-map", epilog=epilog("export-map"))(export_map)
app.command("score", epilog=epilog("score"))(score)
app.command("init", epilog=epilog("init"))(init)
app.command("runs", epilog=epilog("runs"))(runs)
app.command("diff", epilog=epilog("diff"))(diff)


def main() -> None:
    """Run the command line; 0 done, 1 a bug (traceback), 2 the user can mend it (one line), 128 + n ended by signal n.

    Ctrl-C is signal 2, so that 130 says so.
    """
    warnings.showwarning = _one_line_warning
    _take_any_text()
    with heard() as ended:
        sys.exit(ended(_exit_code()))


def _exit_code() -> int:
    try:
        code = _called()
        sys.stdout.flush()  # while a full disk can still be told
    except (typer.Abort, KeyboardInterrupt):
        return 130
    except DynstError as error:
        complain(f"{type(error).__name__}: {error}")
        return 2
    except OSError as error:
        return _given_up(error)
    except SystemExit as stop:
        if isinstance(stop.__context__, BrokenPipeError):  # typer makes a silent exit of it
            return _given_up(stop.__context__)
        raise
    return code


def _take_any_text() -> None:
    """Where stdout and stderr cannot write a letter, as in ASCII, it comes as its number; closed ones take all."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - open to the end
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _called() -> int:
    try:
        return app(prog_name="dynst", standalone_mode=False) or 0
    except _UsageError as error:
        return _misused(error)


def _misused(error: Exception) -> int:
    """One line for a wrong command line; the help for an empty one."""
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()  # type: ignore[attr-defined]  # of click
    else:
        context = getattr(error, "ctx", None)
        command = context.command_path if context else "dynst"
        complain(f"{error.format_message().rstrip('.')}. See: {command} --help")  # type: ignore[attr-defined]  # of click
    return 2


def _given_up(error: OSError) -> int:
    """One line and exit code 2 if the disk is the reason; nothing at all if nobody reads on (`dynst ... | head`)."""
    closed, reason = isinstance(error, BrokenPipeError), out_of_reach(error)
    if reason is None and not closed:
        raise error
    with suppress(OSError, ValueError):  # what is still in the buffer cannot be delivered: Python is not to try again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if reason is not None:
        complain(reason)
    return 0 if closed else 2


def _version(asked: bool) -> bool:
    if asked:
        from importlib.metadata import PackageNotFoundError, version

        try:
            typer.echo(f"dynst {version('dynst')}")
        except PackageNotFoundError:
            typer.echo("dynst (a source tree, not installed)")
        raise typer.Exit
    return asked


@app.callback()
def _dynst(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and leave.")
    ] = False,
) -> None:
    """Find the places that must be measured so that the forecast of the whole field stays good.

    Start with `dynst fit`: it plans on a real sample and shows what comes out.
    """


def _one_line_warning(  # noqa: PLR0917  # the signature is Python's
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Our own warnings as one line; those of libraries about each other are no news to the user."""
    if Path(filename).is_relative_to(Path(__file__).parents[1]):
        complain(f"Warning: {message}", style="yellow")
