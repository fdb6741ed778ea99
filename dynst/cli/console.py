"""What the terminal shows: progress and complaints on stderr, results on stdout; plain lines where nobody watches."""

from __future__ import annotations

import errno
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

import typer

from dynst.cli.signals import exit_code, no_more

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.progress import Progress, TaskID
    from rich.segment import Segment

    from dynst.study import Event

__all__ = [
    "Watcher",
    "complain",
    "console",
    "out_of_reach",
    "say",
    "show_facts",
    "show_json",
    "show_table",
    "told_how_to_go_on",
]

_PLAIN_WIDTH = 110  # of tables and lines that go to a file or a pipe
_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO}
_QUIET_SECONDS = 10.0  # between two progress lines where there is no terminal


def console(*, stderr: bool) -> Console:
    """A rich console on stdout or stderr: the terminal's own width, or a fixed one without a terminal.

    It shows what is visible of a text: nothing in a file steers a terminal.
    """
    terminal = (sys.stderr if stderr else sys.stdout).isatty()
    return _console_type()(stderr=stderr, width=None if terminal else _PLAIN_WIDTH, highlight=False)


@cache
def _console_type() -> type[Console]:
    from rich.console import Console
    from rich.segment import Segment

    from dynst.domain.plain import visible

    class Visible(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else visible(text), style, control)

    return Visible


def complain(text: str, *, style: str = "red") -> None:
    """One line on stderr, however long; for errors and warnings."""
    from rich.text import Text

    from dynst.domain.plain import plain

    console(stderr=True).print(Text(plain(text), style=style), soft_wrap=True)


def out_of_reach(error: OSError) -> str | None:
    """In words, if what failed is the disk or its rights, and not us."""
    if error.errno not in _DISK:
        return None
    return f"{error.filename or 'the output'}: {error.strerror}. Make room, or choose another place."


def show_json(document: object) -> None:
    """One JSON document on stdout; where that is not Unicode, in ASCII."""
    from dynst.domain.plain import escaped

    bare = "utf" not in (sys.stdout.encoding or "").lower()
    sys.stdout.write(escaped(json.dumps(document, indent=2, ensure_ascii=bare, allow_nan=False)) + "\n")


def show_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    bold: str = "",
    left: int = 1,
    rule: int = 0,
    folded: bool = False,
) -> None:
    """A table on stdout; numbers right, the first `left` columns left; these are broken where it is `folded`.

    Names are shortened, numbers never.

    The row that starts with `bold` is set off, and a rule follows the first `rule` rows.
    """
    from rich.box import SIMPLE_HEAD
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    target = console(stderr=False)
    if title:
        target.print(title, style="bold", markup=False)
    table = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    lines = list(rows)
    for number, column in enumerate(columns):
        first = number < left
        widest = max([cell_len(part) for line in lines for part in line[number].split("\n")], default=0)
        if not first:
            table.add_column(column, justify="right", overflow="fold", min_width=widest)
        elif folded:
            table.add_column(column, justify="left", overflow="fold")
        else:
            table.add_column(column, justify="left", no_wrap=True, max_width=target.width // 2)
    for number, row in enumerate(lines, start=1):
        table.add_row(
            *map(Text, row), style="bold green" if bold and row[0] == bold else None, end_section=number == rule
        )
    target.print(table)


def show_facts(title: str, rows: Iterable[tuple[str, str]], *, on: Console | None = None) -> None:
    """Words and figures in two columns, long ones wrapped; on stdout unless another console is given."""
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    target = on or console(stderr=False)
    if title:
        target.print(title, style="bold", markup=False)
    target.print(table)


def say(text: str) -> None:
    """One line on stdout, never broken."""
    from dynst.domain.plain import visible

    sys.stdout.write(visible(text) + "\n")


class Watcher:
    """Shows the events of a study: one bar with time left on a terminal, a line every few seconds elsewhere."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._console = console(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._board: dict[tuple[str, int], dict[str, tuple[int, int]]] = {}
        self._stage = ""
        self._said = 0.0
        self.resumable = ""

    def __enter__(self) -> Watcher:
        if not self._quiet and self._console.is_terminal:
            self._bar = _bar(self._console, self._board)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the bar off the screen."""
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, event: Event) -> None:
        """Take one event; the `listen` of `dynst.fit`."""
        self.resumable = event.run or self.resumable
        if self._quiet:
            return
        if event.facts is not None:
            from dynst.study.facts import fact_rows

            show_facts(event.text, fact_rows(event.facts), on=self._console)
        elif event.note:
            self._console.print(event.note, markup=False)
        elif self._bar is not None:
            self._move(self._bar, event)
        else:
            self._line(event)

    def _move(self, bar: Progress, event: Event) -> None:
        if event.stage != self._stage or self._task is None:
            if self._task is not None:
                bar.remove_task(self._task)
            self._task = bar.add_task(event.stage, total=None, count="", details="")
            self._stage = event.stage
        count = f"{event.done}/{event.total}" if event.total else ""
        details = f"{'left  ' if event.total else ''}{event.text}{_training(event)}"
        bar.update(self._task, total=event.total or None, completed=event.done, count=count, details=details)
        self._board.clear()
        self._board.update(event.board or {})

    def _line(self, event: Event) -> None:
        now = time.monotonic()
        last = event.total and event.done >= event.total
        if event.stage == self._stage and not last and now - self._said < _QUIET_SECONDS:
            return
        self._stage, self._said = event.stage, now
        share = f" {event.done}/{event.total}" if event.total else ""
        self._console.print(f"{event.stage}{share} {event.text}{_training(event)}".rstrip(), markup=False)


@contextmanager
def told_how_to_go_on(watcher: Watcher, again: Callable[[], str], *, stopped: str = "Stopped.") -> Iterator[None]:
    """One line with what `again` says, and the exit code, if a signal (Ctrl-C) or the disk ends what is done inside."""
    try:
        yield
    except KeyboardInterrupt as stop:
        no_more()
        watcher.close()
        complain(f"{stopped}{again()}", style="yellow")
        raise typer.Exit(exit_code(stop)) from stop
    except OSError as error:
        reason = out_of_reach(error)
        if reason is None:
            raise
        watcher.close()
        complain(f"{reason}{again()}")
        raise typer.Exit(2) from error


def _bar(target: Console, board: Mapping[tuple[str, int], Mapping[str, tuple[int, int]]]) -> Progress:
    """A bar with time left, and above it how far a comparison is as long as `board` holds one."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    class Bar(Progress):
        def get_renderables(self) -> Iterable[RenderableType]:
            now = dict(board)  # another thread draws while this one goes on
            if now:
                yield _board_table(now)
            yield from super().get_renderables()

    return Bar(
        TextColumn("{task.description:<9}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[count]}"),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[details]}", style="dim", markup=False),
        console=target,
        transient=True,
    )


def _board_table(board: Mapping[tuple[str, int], Mapping[str, tuple[int, int]]]) -> RenderableType:
    """Planner x budget: scores that are done and all, for each judge."""
    from rich.table import Table
    from rich.text import Text

    judges, budgets = next(iter(board.values())), sorted({budget for _, budget in board})
    table = Table(title=f"scores: {', '.join(judges)} judge", title_justify="left", box=None, pad_edge=False)
    table.add_column("sensors")
    for budget in budgets:
        table.add_column(str(budget), justify="right")
    for planner in dict.fromkeys(planner for planner, _ in board):
        counts = [board[planner, budget].values() for budget in budgets]
        words = ["  ".join(f"{done}/{total}" for done, total in count) for count in counts]
        full = [all(done == total for done, total in count) for count in counts]
        row = [Text(word, style="green" if done else "") for word, done in zip(words, full, strict=True)]
        table.add_row(Text(planner), *row)
    return table


def _training(event: Event) -> str:
    """Loss, sparsity and swaps of a training step, in words."""
    if event.loss is None:
        return ""
    return f"  loss {event.loss:.3f}  sparsity {event.sparsity:.3f}  swaps {event.swaps}"
