"""Options of planners: each planner's module owns a frozen class, which refuses values that make no sense.

This module and the classes load no library of networks, so that studies and the command line may ask them.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from dynst.errors import OptionError, unknown_name

__all__ = ["Count", "NetworkOptions", "PlannerOptions", "Positive", "Range", "SaliencyName", "Share", "Weight"]


@dataclass(frozen=True)
class Range:
    """Numbers that an option may have: finite, from `least` to `most`, and more than `above`."""

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf

    def fault(self, value: int | float) -> str | None:
        """What is wrong with a number, if anything."""
        if not math.isfinite(value):
            return f"{value} came; a finite number is expected"
        if value < self.least:
            return f"{value} came; at least {self.least:g} is expected"
        if value <= self.above:
            return f"{value} came; more than {self.above:g} is expected"
        if value > self.most:
            return f"{value} came; at most {self.most:g} is expected"
        return None


Count = Annotated[int, Range(least=1.0)]
Share = Annotated[float, Range(least=0.0, most=1.0)]
Weight = Annotated[float, Range(least=0.0)]
Positive = Annotated[float, Range(above=0.0)]
SaliencyName = Literal["magnitude", "gradient", "benefit", "exact", "random"]  # names in `dynst.sparsity.SALIENCIES`


@dataclass(frozen=True)
class PlannerOptions:
    """Options of a planner; those of a planner without any.

    A planner that has options derives a frozen dataclass `Options` in its module. Types are those of a study file: a
    number with its range (`Count`, `Share`, ...), a ``Literal`` of names, a switch, each with ``| None`` where None
    means that the planner chooses.

    Raises
    ------
    OptionError
        If a value is of the wrong type or outside its range; one line that names the option.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Options(PlannerOptions):
    ...     alpha: Share = 0.3
    >>> Options.of({"alpha": 1})
    Options(alpha=1.0)
    >>> Options(alpha=2.0)
    Traceback (most recent call last):
    ...
    dynst.errors.OptionError: alpha: 2.0 came; at most 1 is expected.
    """

    def __post_init__(self) -> None:
        for name, kind in _kinds(type(self)).items():
            object.__setattr__(self, name, _checked(name, getattr(self, name), kind))

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The options there are, in the order of the class."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def of(cls, given: Mapping[str, object]) -> PlannerOptions:
        """Options from names and values; what is left out has its default.

        Raises
        ------
        OptionError
            If a name is unknown, a value of the wrong type or outside its range.
        """
        names = cls.names()
        for name in given:
            if name not in names:
                raise OptionError(name, unknown_name("option", name, names).rstrip("."))
        kinds = _kinds(cls)
        return cls(**{name: _checked(name, value, kinds[name]) for name, value in given.items()})


@dataclass(frozen=True)
class NetworkOptions(PlannerOptions):
    """Options that all planners with a network share; a study gives them to each of these.

    Parameters
    ----------
    backbone : str or None
        Network to train, a name in `dynst.backbones.BACKBONES`; the one that suits the layout if None.
    steps, batch : int
        Training steps, and windows in each of them; at least 1.
    dim, depth, patch : int or None
        Shape of the network, at least 1, see `dynst.backbones.STLight` and `dynst.backbones.gnn.GNN`; None is its own
        default.
    device : str
        Where to compute, as torch names it, or ``auto``: the GPU if there is one.
    """

    backbone: str | None = None
    steps: Count = 400
    batch: Count = 16
    dim: Count | None = None
    depth: Count | None = None
    patch: Count | None = None
    device: str = "cpu"


def _kinds(cls: type) -> dict[str, Any]:
    return get_type_hints(cls, include_extras=True)


def _checked(name: str, value: object, kind: Any) -> object:
    """The value, a whole number as a fraction where one is wanted."""
    if get_origin(kind) in {Union, UnionType}:
        if value is None:
            return None
        (kind,) = (part for part in get_args(kind) if part is not NoneType)
    if get_origin(kind) is Literal:
        return _named(name, value, get_args(kind))
    if get_origin(kind) is Annotated:
        number, span = get_args(kind)
        return _number(name, value, number, span)
    if type(value) is not kind:
        raise OptionError(name, f"{_written(value)} came; {_WORDS[kind]} is expected")
    return value


_WORDS = {bool: "true or false", str: "text in quotes"}


def _named(name: str, value: object, known: tuple[str, ...]) -> object:
    if value in known:
        return value
    near = difflib.get_close_matches(str(value), known, n=1)
    hint = f'Did you mean "{near[0]}"? ' if near else ""
    raise OptionError(name, f"{_written(value)} is unknown. {hint}Known: {', '.join(known)}")


def _number(name: str, value: object, kind: type, span: Range) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise OptionError(name, f"{_written(value)} is no {'whole ' * (kind is int)}number")
    if kind is int and value != int(value):
        raise OptionError(name, f"{value} is no whole number")
    fault = span.fault(value)
    if fault is not None:
        raise OptionError(name, fault)
    return kind(value)


def _written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, default=str)
