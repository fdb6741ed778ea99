"""``python -m dynst`` and the ``dynst`` command."""

from dynst.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
