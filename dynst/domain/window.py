"""Window: steps of history, steps of prediction, and the stride between windows."""

from __future__ import annotations

from dataclasses import dataclass

from dynst.errors import ConfigError, DataError

__all__ = ["Window"]

_LENGTH_BY_RECORD = ((2000, 12), (120, 4), (40, 2), (20, 1))
# (at least so many steps, history = horizon). Chosen: 12 -> 12 is the field's usual task; below about 2000
# steps 12 steps of history forecast no better than 4 and cost three times as much (docs/method.md).


@dataclass(frozen=True)
class Window:
    """How much of the past is read and how much of the future is forecast, in time steps.

    Examples
    --------
    >>> Window(history=12, prediction=12).length
    24
    >>> Window.for_record(399)
    Window(history=4, prediction=4, stride=1)
    """

    history: int
    prediction: int
    stride: int = 1

    def __post_init__(self) -> None:
        for name in ("history", "prediction", "stride"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1 step; {getattr(self, name)} came.")

    @property
    def length(self) -> int:
        """Steps from the first of the history to the last of the prediction."""
        return self.history + self.prediction

    @property
    def embargo(self) -> int:
        """Steps kept free between two splits, so that no window of one touches the other."""
        return self.length - 1

    @classmethod
    def for_record(
        cls,
        steps: int,
        *,
        history: int | None = None,
        prediction: int | None = None,
        stride: int = 1,
        longest: int | None = None,
    ) -> Window:
        """A window that suits a record of `steps` time steps, for whatever is not given.

        Where the record is cut into runs, `longest` is the length of the longest: a window fits into a half of it.

        Raises
        ------
        DataError
            If the record is too short for any window to be trained, validated and tested.
        """
        length = next((length for least, length in _LENGTH_BY_RECORD if steps >= least), None)
        if length is None and (history is None or prediction is None):
            raise DataError(
                f"{steps} time steps are too few to train, validate and test a forecast: at least "
                f"{_LENGTH_BY_RECORD[-1][0]} are needed. Give a longer record."
            )
        if length is not None and longest is not None:
            length = max(1, min(length, longest // 4))
        return cls(history or length or 1, prediction or length or 1, stride)
