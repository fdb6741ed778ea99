"""Windows of a field as standardised torch batches: the one place where NumPy becomes torch."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from numpy import ndarray
from torch import Tensor

from dynst.domain import Field, Window
from dynst.domain.split import window_starts
from dynst.errors import DataError
from dynst.windows.reader import WindowReader, forecast_origin_times
from dynst.windows.scaling import Scaling

__all__ = ["WindowBatch", "WindowDataset"]


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """History and future of some windows, standardised; a missing value is 0 (its climatology) and not observed.

    Parameters
    ----------
    inputs : Float[Tensor, "b t n c_in"]
        The observed channels of the history.
    targets : Float[Tensor, "b p n c_out"]
        The predicted channels of the future.
    inputs_observed, targets_observed : Bool[Tensor, "..."] or None
        Which values are measured rather than missing; None when the field misses none. What a site never measured in
        the training block stays unobserved later: it has no climatology, and nothing was learnt of it.
    """

    inputs: Float[Tensor, "b t n c_in"]
    targets: Float[Tensor, "b p n c_out"]
    inputs_observed: Bool[Tensor, "b t n c_in"] | None = None
    targets_observed: Bool[Tensor, "b p n c_out"] | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def __repr__(self) -> str:
        missing = "" if self.targets_observed is None else ", with missing values"
        return f"WindowBatch({tuple(self.inputs.shape)} -> {tuple(self.targets.shape)}{missing})"


class WindowDataset:
    """The windows of a field, by number, as standardised batches.

    Parameters
    ----------
    field : Field
        The block of the record to read.
    window : Window
        Steps of history and of prediction.
    scaling : Scaling
        Fitted on the training block.
    starts : Int[ndarray, "m"] or None
        First steps of the windows; all of `window_starts` if left out.

    Raises
    ------
    DataError
        If there is no window.

    Examples
    --------
    >>> from dynst.domain import GridLayout, Sites
    >>> sites = Sites(np.array([0.0, 1.0]), np.zeros(2))
    >>> values = np.arange(10.0).reshape(5, 2, 1)
    >>> field = Field.of(values, sites, GridLayout((1, 2), np.arange(2)))
    >>> data = WindowDataset(field, Window(2, 1), Scaling.fit(field))
    >>> len(data), data.batch(np.array([2, 0]))
    (3, WindowBatch((2, 2, 2, 1) -> (2, 1, 2, 1)))
    """

    def __init__(
        self, field: Field, window: Window, scaling: Scaling, starts: Int[ndarray, " m"] | None = None
    ) -> None:
        self.field, self.window, self.scaling = field, window, scaling
        self.starts = window_starts(field, window) if starts is None else np.asarray(starts)
        if not len(self.starts):
            raise DataError(
                f"{field.steps} steps in {len(field.runs)} run(s) hold no window of {window.length} steps. "
                f"Shorten history and prediction, or give a longer record."
            )
        self._memory, self._readers = _Memory(), deque[WindowReader](maxlen=2)

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return f"WindowDataset({len(self)} windows of {self.window.history} + {self.window.prediction} steps)"

    @property
    def origin_times(self) -> Shaped[ndarray, " m"]:
        """Time of the last history step of each window: when its forecast is made."""
        return forecast_origin_times(self.field, self.window, self.starts)

    def batch(self, indices: Int[ndarray, " b"]) -> WindowBatch:
        """The windows of the given numbers, in the order given."""
        return self._read(indices)

    def batches(
        self,
        size: int,
        *,
        generator: torch.Generator | None = None,
        drop_last: bool = False,
        prefetch: bool = True,
    ) -> Iterator[WindowBatch]:
        """Every window once, `size` at a time; in order, or in a random order if a `generator` is given.

        With `prefetch` a background thread reads one batch ahead; the batches are the same.
        """
        order = self._order(generator)
        if drop_last:
            order = order[: len(order) // size * size]
        yield from self._load((order[i : i + size] for i in range(0, len(order), size)), prefetch)

    def stream(
        self, size: int, *, generator: torch.Generator, skip: int = 0, prefetch: bool = True
    ) -> Iterator[WindowBatch]:
        """Batches without end, each of ``min(size, len(self))`` windows: one random order of the windows after another.

        Parameters
        ----------
        size : int
            Windows in a batch.
        generator : torch.Generator
            Draws the orders. Give it to nothing else, so that the order depends on its seed alone.
        skip : int
            Leave out so many batches first, unread: with a generator of the same seed a run resumes where it stopped.
        prefetch : bool
            Read one batch ahead in a background thread.
        """
        yield from self._load(islice(self._endless(min(size, len(self)), generator), skip, None), prefetch)

    def _endless(self, size: int, generator: torch.Generator) -> Iterator[Int[ndarray, " b"]]:
        while True:
            order = self._order(generator)
            for i in range(0, len(order) - size + 1, size):
                yield order[i : i + size]

    def _order(self, generator: torch.Generator | None) -> Int[ndarray, " m"]:
        if generator is None:
            return np.arange(len(self))
        shuffled: ndarray = torch.randperm(len(self), generator=generator, device=generator.device).cpu().numpy()
        return shuffled

    def _load(self, orders: Iterable[Int[ndarray, " b"]], prefetch: bool) -> Iterator[WindowBatch]:
        if not prefetch:
            yield from map(self._read, orders)
            return
        with ThreadPoolExecutor(1, thread_name_prefix="windows") as thread:
            coming = None
            for indices in orders:
                ready, coming = coming, thread.submit(self._read, indices)
                if ready is not None:
                    yield ready.result()
            if coming is not None:
                yield coming.result()

    def _read(self, indices: Int[ndarray, " b"]) -> WindowBatch:
        n = self.field.series.shape[1]
        shapes = (
            (len(indices), self.window.history, n, len(self.field.observed)),
            (len(indices), self.window.prediction, n, len(self.field.predicted)),
        )
        arrays = [self._memory.take(shape, np.float32) for shape in shapes]
        if self.field.has_missing:
            arrays += [self._memory.take(shape, bool) for shape in shapes]
        try:
            reader = self._readers.pop()
        except IndexError:  # none yet, or another thread reads with it
            reader = WindowReader(self.field, self.window, self.scaling)
        for row, start in enumerate(self.starts[indices]):
            reader.read(int(start), *(array[row] for array in arrays))
        self._readers.append(reader)
        return WindowBatch(*map(torch.from_numpy, arrays))


class _Memory:
    """Memory of batches that nobody holds any more, handed out again: new pages cost more than reading into them."""

    def __init__(self) -> None:
        self._free: dict[tuple[tuple[int, ...], object], deque[ndarray]] = {}

    def take(self, shape: tuple[int, ...], dtype: type) -> ndarray:
        """An array whose memory returns here when the array, and every tensor made from it, is gone."""
        free = self._free.setdefault((shape, dtype), deque(maxlen=4))
        try:
            owner = free.pop()
        except IndexError:
            owner = np.empty(shape, dtype)
        lent = owner.view()  # a tensor from it keeps this very object alive
        weakref.finalize(lent, free.append, owner).atexit = False
        return lent
