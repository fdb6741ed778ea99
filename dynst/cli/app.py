"""Assembles the commands, and turns whatever ends them into an exit code."""

from __future__ import annotations

import errno
import sys
import warnings
from pathlib import Path
from typing import Annotated, TextIO

import typer

from dynst.cli.console import complain
from dynst.cli.export_map import export_map
from dynst.cli.fit import fit
from dynst.cli.inspect import inspect
from dynst.errors import DynstError

__all__ = ["app", "main"]

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}

app = typer.Typer(
    name="dynst",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("inspect")(inspect)
app.command("fit")(fit)
app.command("export-map")(export_map)


def main() -> None:
    """Run the command line; 0 done, 1 a bug (traceback), 2 the user can mend it (one line), 130 stopped by Ctrl-C."""
    warnings.showwarning = _one_line_warning
    try:
        app(prog_name="dynst")
    except DynstError as error:
        complain(f"{type(error).__name__}: {error}")
        sys.exit(2)
    except BrokenPipeError:  # `dynst ... | head` closed the pipe: no error of ours, and nobody is left to read more
        sys.stderr.close()
        sys.exit(0)
    except (OSError, RuntimeError) as error:
        reason = _no_room(error)
        if reason is None:
            raise
        complain(f"{reason} Make room or choose another place; a stopped run goes on with: dynst fit --resume latest")
        sys.exit(2)


def _no_room(error: OSError | RuntimeError) -> str | None:
    """In words, if what failed is the disk and not us; netCDF reports a full disk as a bare HDF error."""
    if isinstance(error, OSError) and error.errno in _DISK:
        return f"{error.filename or 'the output'}: {error.strerror}."
    return "a netCDF file cannot be written; the disk may be full." if "NetCDF: HDF error" in str(error) else None


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
