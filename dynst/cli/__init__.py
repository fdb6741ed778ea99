"""The command line: options in, one library call, results shown. The only floor that prints."""

from dynst.cli.app import main

__all__ = ["main"]
