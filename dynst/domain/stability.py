"""Stability: how much of a plan stays when the seed or the record changes, and what could stand in for what."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.domain.cards import card
from dynst.domain.matching import chance_overlap, matching
from dynst.domain.plan import Plan
from dynst.domain.room import Room, in_turn
from dynst.domain.sites import Frame, Sites
from dynst.domain.words import distance
from dynst.errors import ConfigError, DataError, unknown_name

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["GRADES", "GRADE_WORDS", "KINDS", "UNKNOWN", "Stability", "Variant"]

GRADES = ("always", "usually", "interchangeable")
"""A sensor chosen, at its place or within the radius, in nearly all variants, in most, or in fewer."""

GRADE_WORDS = {"always": "Must stay", "usually": "Usually stay", "interchangeable": "Flexible"}
"""What each of `GRADES` means to those who build."""

UNKNOWN = "unknown"
"""The grade of every sensor where nothing could be varied."""

Kind = Literal["seeds", "halves", "quarters"]
KINDS: tuple[Kind, ...] = ("seeds", "halves", "quarters")
"""What can be varied."""

_ALWAYS, _USUALLY = 0.9, 0.5  # of the variants; chosen: one miss is forgiven from ten variants on; the larger part
_LEAST_DRAWS, _DRAWN = 20, 2000  # pairs of random plans, and sensors in them, for the overlap by chance within the
# radius; chosen: its standard error is about 0.01 at most
_NAMED = 40  # sensors that a sentence names; chosen
_IS = "share of the variants with a sensor at the place or within the radius"


@dataclass(frozen=True)
class Variant:
    """What was changed for a further plan: one of `KINDS`, and its name.

    Examples
    --------
    >>> [variant.name for variant in (Variant.seed(3), Variant.half(2), Variant.without_quarter(4))]
    ['seed 3', 'second half', 'without quarter 4']
    """

    kind: Kind
    name: str

    @classmethod
    def seed(cls, seed: int) -> Variant:
        """Another seed."""
        return cls("seeds", f"seed {seed}")

    @classmethod
    def half(cls, number: int) -> Variant:
        """The first or the second half of the training record alone."""
        return cls("halves", f"{('first', 'second')[number - 1]} half")

    @classmethod
    def without_quarter(cls, number: int) -> Variant:
        """The training record without a quarter, counted from 1."""
        return cls("quarters", f"without quarter {number}")


@dataclass(frozen=True, eq=False)
class Stability:
    """A plan beside the plans that the same planner makes with other seeds and from parts of the training record.

    Parameters
    ----------
    planner : str
        Who planned.
    sites : Sites
        The places.
    selected : Int[ndarray, "k"]
        Sensors of the plan, first sensor first.
    variants : tuple of Variant
        What was changed for each further plan.
    others : Bool[ndarray, "v n"]
        Sites that each of these plans chose.
    radius : float
        Distance within which two sites count as the same place, in `Sites.distance_unit`; 0 where positions are
        unknown.
    left_out : tuple of (str, str)
        Variants that could not be planned, and why.
    by_chance : tuple of (float, float) or None
        `chance` where it was found before; it cannot be found again without the rules of the sites.

    Raises
    ------
    DataError
        If the parts do not fit each other.

    Examples
    --------
    >>> sites = Sites(np.arange(4.0), np.zeros(4))
    >>> others = np.array([[1, 1, 0, 0], [1, 0, 1, 0]], bool)
    >>> seeds = (Variant.seed(1), Variant.seed(2))
    >>> found = Stability("by_hand", sites, np.array([0, 1]), seeds, others, 120.0)
    >>> found.frequency.tolist()
    [1.0, 0.6666666666666666, 0.3333333333333333, 0.0]
    >>> found.grade, found.substitutes  # site 2, a degree or 111 km beside 1, stood in for it once
    (('always', 'always'), ((), ((2, 0.5),)))
    """

    planner: str
    sites: Sites
    selected: Int[ndarray, " k"]
    variants: tuple[Variant, ...]
    others: Bool[ndarray, "v n"]
    radius: float
    left_out: tuple[tuple[str, str], ...] = ()
    by_chance: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        put, n = object.__setattr__, len(self.sites)
        put(self, "selected", np.ascontiguousarray(self.selected, np.int64))
        put(self, "others", np.asarray(self.others, bool).reshape(-1, n))
        if not len(self.selected) or (self.selected < 0).any() or (self.selected >= n).any():
            raise DataError(f"stability needs sensors of a plan, each an index below {n}.")
        if len(np.unique(self.selected)) != len(self.selected):
            raise DataError("a sensor is named twice in the plan whose stability is asked for.")
        if len(self.variants) != len(self.others) or len(set(self.variants)) != len(self.variants):
            raise DataError(
                f"{len(self.others)} variants of a plan need as many names of their own; {len(self.variants)} came."
            )
        if not (np.isfinite(self.radius) and self.radius >= 0):
            raise DataError(f"the radius must be 0 or a length; {self.radius:g} came.")
        if self.radius and self.sites.frame is Frame.SCHEMATIC:
            raise DataError("the positions of the sites are unknown, so none is near another: the radius must be 0.")

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        return card(
            f"Stability of {len(self.selected)} sensors", [("planner", self.planner), ("finding", self.words())]
        )

    def __repr__(self) -> str:
        return f"Stability({len(self.selected)} sensors by {self.planner}, {len(self.variants)} variants)"

    @property
    def radius_unit(self) -> str:
        """Unit of `radius`."""
        return self.sites.distance_unit

    @property
    def frequency(self) -> Float[ndarray, " n"]:
        """Share of all plans, the plan itself included, that chose each site."""
        share: ndarray = np.concatenate([self._active[None], self.others]).mean(axis=0)
        return share

    @property
    def near_frequency(self) -> Float[ndarray, " k"]:
        """Share of the variants with a sensor at the place of each one of the plan or, one to one, within the radius.

        NaN where nothing could be varied.
        """
        if not self.variants:
            return np.full(len(self.selected), np.nan)
        share: ndarray = (self._partners >= 0).mean(axis=0)
        return share

    @property
    def grade(self) -> tuple[str, ...]:
        """One of `GRADES` for each sensor: in at least 0.9 of the variants, in at least half of them, or in fewer."""
        return tuple(
            UNKNOWN if np.isnan(share) else GRADES[0 if share >= _ALWAYS else 1 if share >= _USUALLY else 2]
            for share in self.near_frequency.tolist()
        )

    @property
    def substitutes(self) -> tuple[tuple[tuple[int, float], ...], ...]:
        """For each sensor the other sites that stood in for it, with the share of the variants, most often first.

        Equally often: the nearer one first. A sensor that no variant moved within the radius has none.
        """
        points, found = self.sites.points, []
        for number, site in enumerate(self.selected.tolist()):
            partners = self._partners[:, number]
            place, count = np.unique(partners[(partners >= 0) & (partners != site)], return_counts=True)
            apart = np.linalg.norm(points[place] - points[site], axis=1)
            best = np.lexsort((place, apart, -count))
            found.append(tuple((int(place[i]), float(count[i]) / len(self.variants)) for i in best))
        return tuple(found)

    def overlap(self, kind: str) -> float:
        """Mean share of common sensors (Jaccard index, as `Plan.overlap`) over pairs of plans.

        Parameters
        ----------
        kind : str
            ``seeds``: all pairs among the plan and those of other seeds. ``halves``: the plans from the two halves of
            the training record, which share no data. ``quarters``: the plan and each one made without a quarter.

        Returns
        -------
        float
            From 0 to 1; NaN if there is no such pair.
        """
        return _mean([float((a & b).sum() / (a | b).sum()) for a, b in self._pairs(kind)])

    def near_overlap(self, kind: str) -> float:
        """As `overlap`, but the mean share of sensors with a partner of their own within the radius in the other plan.

        Of plans of different size the share is that of the larger one's sensors.
        """
        return _mean([self._near(a, b) for a, b in self._pairs(kind)])

    @cached_property
    def chance(self) -> tuple[float, float]:
        """What `overlap` and `near_overlap` of two random plans of this size are on average.

        Random plans obey the same rules. The first is exact where sensors keep no distance, and so is the second where
        the radius is 0; else they are means of pairs drawn with a fixed seed, right to about 0.01.
        """
        if self.by_chance is not None:
            return self.by_chance
        fixed, legal, k = self.sites.fixed, self.sites.legal, len(self.selected)
        exact = chance_overlap(len(legal), len(fixed), k)
        if self.sites.spacing is None and not self.radius:
            return exact, (len(fixed) + (k - len(fixed)) ** 2 / max(1, len(legal) - len(fixed))) / k
        pairs = list(self._random_pairs())
        if self.sites.spacing is not None:
            exact = _mean([float((a & b).sum() / (a | b).sum()) for a, b in pairs])
        return exact, _mean([self._near(a, b) for a, b in pairs])

    def _random_pairs(self) -> Iterator[tuple[Bool[ndarray, " n"], Bool[ndarray, " n"]]]:
        """Pairs of random plans of this size."""
        rng, k = np.random.default_rng(0), len(self.selected)
        for _ in range(max(_LEAST_DRAWS, -(-_DRAWN // k))):
            yield self._mask(self._drawn(rng)), self._mask(self._drawn(rng))

    def _drawn(self, rng: np.random.Generator) -> Int[ndarray, " k"]:
        """A random plan of this size."""
        fixed, k = self.sites.fixed, len(self.selected)
        free = np.setdiff1d(self.sites.legal, fixed)
        if self.sites.spacing is None:
            return np.append(fixed, rng.choice(free, k - len(fixed), replace=False))
        room = Room(self.sites, fixed, budget=k)
        return np.append(fixed, in_turn(rng.permutation(free), room, k - len(fixed)))

    def words(self) -> str:
        """What stays, in sentences.

        Examples
        --------
        >>> sites = Sites(np.arange(0.0, 100.0, 10.0), np.zeros(10))
        >>> others = np.zeros((2, 10), bool)
        >>> others[:, 0], others[0, 1], others[1, 5] = True, True, True
        >>> halves = (Variant.half(1), Variant.half(2))
        >>> found = Stability("by_hand", sites, np.array([0, 1]), halves, others, 50.0)
        >>> found.words().split(". ")[0]
        '1 of 2 sensors stays, within 50 km, whatever the half of the record; 1 usually does'
        """
        k, left = len(self.selected), ", ".join(name for name, _ in self.left_out)
        if not self.variants:
            return f"How stable the plan is is not known: nothing could be varied{f' ({left})' if left else ''}."
        always, usually, free = (self.grade.count(grade) for grade in GRADES)
        near = f"within {distance(self.radius, self.radius_unit)}" if self.radius else "at the same sites"
        kinds = {variant.kind for variant in self.variants}
        varied = [one for kind, one in _ONE.items() if kind in kinds]
        rest = [f"{usually} usually {'does' if usually == 1 else 'do'}"] if usually else []
        rest += [f"{free} {'is' if free == 1 else 'are'} interchangeable"] if free else []
        stay = f"{always} of {k} sensors {'stays' if always == 1 else 'stay'}, {near}, whatever the {_either(varied)}"
        lines = ["; ".join([stay, *rest]) + "."]
        for kind, whose in _WHOSE.items():
            share = self.near_overlap(kind)
            if np.isfinite(share):
                by_chance = f"random plans {100 * self.chance[1]:.0f} %"
                lines.append(f"{whose} share {100 * share:.0f} % of their sensors {near}; {by_chance}.")
        return " ".join(lines + ([f"Left out: {left}."] if left else []))

    def places(self) -> str:
        """Which sensors must stand where they are and which are flexible, by their numbers in the order of building.

        Empty where nothing could be varied, or where they are too many to name.

        Examples
        --------
        >>> sites, others = Sites(np.arange(4.0), np.zeros(4)), np.array([[1, 0, 1, 0], [1, 0, 0, 1]], bool)
        >>> seeds = (Variant.seed(1), Variant.seed(2))
        >>> Stability("by_hand", sites, np.array([0, 1]), seeds, others, 0.0).places()
        'Must stay: 1. Flexible: 2. (Numbers: order of building.)'
        """
        if not self.variants or len(self.selected) > _NAMED:
            return ""
        numbers = {grade: [str(i) for i, one in enumerate(self.grade, 1) if one == grade] for grade in GRADES}
        parts = [f"{GRADE_WORDS[grade]}: {', '.join(found)}." for grade, found in numbers.items() if found]
        return f"{' '.join(parts)} (Numbers: order of building.)"

    def to_dataset(self) -> xr.Dataset:
        """Everything as a labelled dataset, from which `from_dataset` makes the same again."""
        share = np.nan_to_num(self.near_frequency)
        data = Plan(self.selected, share, len(self.selected), self.sites, self.planner, _IS).to_dataset()
        data["variant"] = ("variant", np.array([variant.name for variant in self.variants], dtype=object))
        data["kind"] = ("variant", np.array([variant.kind for variant in self.variants], dtype=object))
        data["chosen"] = (("variant", "site"), self.others.astype(np.int8), {"long_name": "whether a variant chose it"})
        unit = "1" if self.radius_unit == "edges" else self.radius_unit
        data["frequency"] = ("site", self.frequency, {"long_name": "share of all plans that chose the site"})
        data["radius"] = ((), float(self.radius), {"units": unit, "long_name": "what counts as the same place"})
        data.attrs |= {"title": "dynst stability of a plan", "left_out": json.dumps(self.left_out)}
        data.attrs["overlap_by_chance"] = list(self.chance)
        return data

    @classmethod
    def from_dataset(cls, data: xr.Dataset) -> Stability:
        """What `to_dataset` described.

        Raises
        ------
        DataError
            If a part is missing, or was changed so that it no longer fits the others.
        """
        try:
            plan = Plan.from_dataset(data)
            chosen = data["chosen"].transpose("variant", "site").values
            if not np.isin(chosen, (0, 1)).all():
                raise DataError("what the variants of a plan chose must be 0 or 1: the file was changed.")
            left = tuple((str(name), str(reason)) for name, reason in json.loads(data.attrs["left_out"]))
            names = [str(name) for name in data["variant"].values.tolist()]
            words = [str(word) for word in data["kind"].values] if "kind" in data else _words_of(names)
            variants = tuple(Variant(_kind(word), name) for word, name in zip(words, names, strict=True))
            radius = float(data["radius"])
            drawn = [float(share) for share in data.attrs.get("overlap_by_chance", ())]
            by_chance = (drawn[0], drawn[1]) if drawn else None
        except (KeyError, AttributeError, TypeError, ValueError, IndexError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"this is no stability of a plan that dynst wrote ({error}).") from error
        found = cls(plan.planner, plan.sites, plan.selected, variants, chosen.astype(bool), radius, left, by_chance)
        if not np.allclose(found.frequency, data["frequency"].values):
            raise DataError("the selections in the file do not give its frequencies: it was changed after it was made.")
        return found

    @cached_property
    def _active(self) -> Bool[ndarray, " n"]:
        return self._mask(self.selected)

    @cached_property
    def _partners(self) -> Int[ndarray, "v k"]:
        """Which site of each variant stands for each sensor of the plan, -1 for none."""
        found = [matching(self.sites, self.selected, np.flatnonzero(other), self.radius) for other in self.others]
        return np.array(found, np.int64).reshape(-1, len(self.selected))

    def _pairs(self, kind: str) -> list[tuple[Bool[ndarray, " n"], Bool[ndarray, " n"]]]:
        if kind not in KINDS:
            raise ConfigError(unknown_name("kind of variant", kind, KINDS))
        plans = [other for variant, other in zip(self.variants, self.others, strict=True) if variant.kind == kind]
        if kind == "quarters":
            return [(self._active, other) for other in plans]
        return list(combinations([self._active, *plans] if kind == "seeds" else plans, 2))

    def _near(self, a: Bool[ndarray, " n"], b: Bool[ndarray, " n"]) -> float:
        ours, theirs = np.flatnonzero(a), np.flatnonzero(b)
        return int((matching(self.sites, ours, theirs, self.radius) >= 0).sum()) / max(len(ours), len(theirs))

    def _mask(self, chosen: Int[ndarray, " k"]) -> Bool[ndarray, " n"]:
        mask = np.zeros(len(self.sites), bool)
        mask[chosen] = True
        return mask


def _kind(word: str) -> Kind:
    for kind in KINDS:
        if kind == word:
            return kind
    raise DataError(unknown_name("kind of variant", word, KINDS))


def _words_of(names: list[str]) -> list[str]:
    """The kinds of variants in a file of an older form, which holds names alone."""
    kinds = {"seed": "seeds", "half": "halves", "quarter": "quarters"}
    return [next((kinds[word] for word in name.split() if word in kinds), name) for name in names]


_ONE = {"seeds": "seed", "halves": "half of the record", "quarters": "quarter left out"}
_WHOSE = {"seeds": "Plans of different seeds", "halves": "Plans from the two halves of the record before the test"}


def _either(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
