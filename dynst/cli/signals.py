"""What ends a command from outside: SIGTERM of a batch queue and SIGHUP of a closed terminal, as Ctrl-C does."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["Ended", "exit_code", "heard", "no_more"]

_HEARD = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]  # Windows has no SIGHUP

_STOPPED = 130  # how typer ends after Ctrl-C and everything like it

_TOGETHER = 1.0  # seconds, chosen: queues and service managers send two signals at once, which are one


class Ended(KeyboardInterrupt):
    """A signal came; everybody who cleans up after Ctrl-C cleans up after it.

    Attributes
    ----------
    number : int
        Of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


@contextmanager
def heard() -> Iterator[Callable[[int], int]]:
    """Inside, these signals raise `Ended`, but for those that the caller wants ignored, as ``nohup`` does.

    Gives what makes the exit code of a command the one of the signal that ended it: typer takes all for Ctrl-C.
    """
    before = {number: signal.getsignal(number) for number in (*_HEARD, signal.SIGINT)}
    end = _End()
    for number in _HEARD:
        if before[number] == signal.SIG_DFL:
            signal.signal(number, end)
    try:
        yield end.code
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def no_more() -> None:
    """We are on the way out: no other signal is to disturb that."""
    for number in (*_HEARD, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def exit_code(error: BaseException | None) -> int:
    """As shells have it: 128 and the number of the signal; 130 for Ctrl-C.

    Examples
    --------
    >>> exit_code(Ended(15)), exit_code(KeyboardInterrupt())
    (143, 130)
    """
    return 128 + (error.number if isinstance(error, Ended) else int(signal.SIGINT))


class _End:
    """Raises `Ended`, once for signals that come together."""

    def __init__(self) -> None:
        self._last, self._number = float("-inf"), int(signal.SIGINT)

    def code(self, found: int) -> int:
        """The exit code for the one that was found."""
        return 128 + self._number if found == _STOPPED else found

    def __call__(self, number: int, _: FrameType | None) -> None:
        last, self._last = self._last, time.monotonic()
        if self._last - last > _TOGETHER:
            self._number = number
            raise Ended(number)
