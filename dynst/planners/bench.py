"""A set of sensors with the exact worth of every site, kept up to date as sensors come and go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from dynst.planners.expected_error import ExpectedError

__all__ = ["Bench"]

_BLOCK = 1 << 22  # numbers of a work block


@dataclass(eq=False)
class Bench:
    """Sensors at `support`, and what is left of the covariances of the `sites` given them.

    Adding or taking a sensor changes everything by the rank of its inputs, so it costs two passes over the
    covariances with the targets and no new inverse.

    Parameters
    ----------
    error : ExpectedError
        Where the numbers come from.
    sites : Int[ndarray, "s"]
        Sites on the bench, increasing; they hold all sensors.
    """

    error: ExpectedError
    sites: Int[ndarray, " s"]

    def __post_init__(self) -> None:
        s, f = len(self.sites), self.error.inputs
        self._noise = self.error.noise[self.sites]
        self._members: list[int] = []  # place of each sensor on the bench, in the order of coming
        self._cross = np.zeros((s * f, 0), np.float32)  # inputs of the sites with those of the sensors
        self._precision = np.zeros((0, 0))
        self._left = self.error.with_targets(self.sites).reshape(s * f, -1)  # with the targets, given the sensors
        self._own = self.error.of_each(self.sites)  # of each site with itself, given the sensors
        self._square = np.empty((s, f, f))  # products of `_left` of each site with itself
        for rows in self._rows():
            left = self._left.reshape(s, f, -1)[rows]
            self._square[rows] = left @ left.transpose(0, 2, 1)
        self.gained = 0.0

    @classmethod
    def of(cls, error: ExpectedError, support: Int[ndarray, " k"], sites: Int[ndarray, " s"] | None = None) -> Bench:
        """A bench over `sites` (all if left out), which hold `support`."""
        bench = cls(error, np.arange(error.sites) if sites is None else np.sort(sites))
        if len(support):
            bench._seat(np.searchsorted(bench.sites, support))
        return bench

    @property
    def support(self) -> Int[ndarray, " k"]:
        """The sensors, increasing."""
        return np.sort(self.sites[self._members])

    @property
    def active(self) -> Bool[ndarray, " s"]:
        """Which sites of the bench carry a sensor."""
        made = np.zeros(len(self.sites), bool)
        made[self._members] = True
        return made

    @property
    def remaining(self) -> float:
        """Expected error that is left."""
        return self.error.total - self.gained

    def gains(self) -> Float[ndarray, " s"]:
        """Fall of the expected error when each site of the bench is added; minus infinity for a sensor."""
        return np.where(self.active, -np.inf, self._gain(self._own, self._square))

    def slopes(self) -> Float[ndarray, " s"]:
        """Fall of the expected error along the gate of each absent site; minus infinity for a sensor."""
        diagonal = np.einsum("sff->sf", self._square)
        return np.where(self.active, -np.inf, (diagonal / self._noise).sum(axis=1))

    def losses(self) -> Float[ndarray, " k"]:
        """Rise of the expected error when each sensor is taken away, in the order of `support`."""
        answer = self._answer()
        loss = np.array([self._loss(place, answer) for place in range(len(self._members))])
        return loss[np.argsort(self.sites[self._members])]

    def gains_without(self, site: int) -> Float[ndarray, " s"]:
        """Fall of the expected error when each site is added after a sensor has left; the left one included."""
        own, square = self._moved(*self._leaving(self._place(site)))
        gains = self._gain(own, square)
        others = [member for member in self._members if self.sites[member] != site]
        gains[others] = -np.inf
        return gains

    def add(self, site: int) -> None:
        """Put a sensor on a site of the bench."""
        at, f = int(np.searchsorted(self.sites, site)), self.error.inputs
        rows = slice(at * f, (at + 1) * f)
        fresh = self.error.with_sensors(self.sites, np.array([site])).reshape(-1, f)
        weights = self._precision @ self._cross[rows].T.astype(float)  # F x f
        given = fresh - self._cross @ weights.astype(np.float32)
        middle = np.linalg.inv(self._own[at] + np.diag(self._noise[at]))
        middle = (middle + middle.T) / 2
        told = self._left[rows].astype(float)
        self.gained += float(np.sum(told * (middle @ told)))
        self._shift(given, -middle, told)
        self._cross = np.concatenate([self._cross, fresh], axis=1)
        self._precision = np.block(
            [[self._precision + weights @ middle @ weights.T, -weights @ middle], [-middle @ weights.T, middle]]
        )
        self._members.append(at)

    def remove(self, site: int) -> None:
        """Take a sensor away."""
        place, f = self._place(site), self.error.inputs
        given, middle, told = self._leaving(place)
        self.gained -= float(np.sum(told * (middle @ told)))
        self._shift(given, middle, told)
        gone = np.arange(place * f, (place + 1) * f)
        keep = np.setdiff1d(np.arange(len(self._precision)), gone)
        between = self._precision[np.ix_(keep, gone)]
        self._precision = self._precision[np.ix_(keep, keep)] - between @ middle @ between.T
        self._cross = np.delete(self._cross, gone, axis=1)
        del self._members[place]

    def _seat(self, places: Int[ndarray, " k"]) -> None:
        """Put the first sensors, all at once."""
        support, (s, f) = self.sites[places], self._own.shape[:2]
        self._members = places.tolist()
        self._cross = self.error.with_sensors(self.sites, support).reshape(s * f, -1)
        precision = np.linalg.inv(self.error.system(support))
        self._precision = (precision + precision.T) / 2
        answer = self._answer(first=True)
        self.gained = float(np.sum(answer * self._members_left()))
        weights = self._precision.astype(np.float32)
        for rows in self._rows():
            cross = self._cross.reshape(s, f, -1)[rows]
            told = cross @ weights
            left = self._left.reshape(s, f, -1)[rows]
            left -= (cross.reshape(-1, cross.shape[2]) @ answer.astype(np.float32)).reshape(left.shape)
            self._own[rows] -= told @ cross.transpose(0, 2, 1)
            self._square[rows] = left @ left.transpose(0, 2, 1)

    def _members_left(self) -> Float[ndarray, "F R"]:
        f = self.error.inputs
        rows = (np.array(self._members)[:, None] * f + np.arange(f)).ravel()
        return self._left[rows].astype(float)

    def _answer(self, *, first: bool = False) -> Float[ndarray, "F R"]:
        """``(C_xx + N)^-1 C_xy``; `first` while `_left` still holds the covariances themselves.

        What is left of ``C_xy`` given the sensors is ``N (C_xx + N)^-1 C_xy``: the signal that noise hides.
        """
        if first:
            return np.asarray(self._precision @ self._members_left())
        return np.asarray(self._members_left() / self._noise[self._members].reshape(-1, 1))

    def _loss(self, place: int, answer: Float[ndarray, "F R"]) -> float:
        rows = slice(place * self.error.inputs, (place + 1) * self.error.inputs)
        middle = np.linalg.inv(self._precision[rows, rows])
        return float(np.sum(answer[rows] * (middle @ answer[rows])))

    def _place(self, site: int) -> int:
        return int(np.flatnonzero(self.sites[self._members] == site)[0])

    def _leaving(self, place: int) -> tuple[Float[ndarray, "sf f"], Float[ndarray, "f f"], Float[ndarray, "f R"]]:
        """Weights of a sensor for all sites, its middle matrix, and what it tells of the targets."""
        f = self.error.inputs
        rows = slice(place * f, (place + 1) * f)
        given = self._cross @ self._precision[:, rows].astype(np.float32)
        middle = np.linalg.inv(self._precision[rows, rows])
        at = self._members[place]
        told = self._left[at * f : (at + 1) * f].astype(float) / self._noise[at][:, None]
        return given, (middle + middle.T) / 2, told

    def _moved(
        self, given: Float[ndarray, "sf f"], middle: Float[ndarray, "f f"], told: Float[ndarray, "f R"]
    ) -> tuple[Float[ndarray, "s f f"], Float[ndarray, "s f f"]]:
        """`_own` and `_square` after ``given middle told`` joins `_left`."""
        s, f = self._own.shape[:2]
        shared = (self._left @ told.T.astype(np.float32)).reshape(s, f, f)
        weighted = (given @ middle.astype(np.float32)).reshape(s, f, f)
        own = self._own + weighted @ given.reshape(s, f, f).transpose(0, 2, 1)
        inner = weighted.reshape(-1, f) @ (told @ told.T / 2).astype(np.float32)
        half = weighted @ (shared + inner.reshape(s, f, f)).transpose(0, 2, 1)
        return own, self._square + half + half.transpose(0, 2, 1)

    def _shift(self, given: Float[ndarray, "sf f"], middle: Float[ndarray, "f f"], told: Float[ndarray, "f R"]) -> None:
        self._own, self._square = self._moved(given, middle, told)
        change, f = (middle @ told).astype(np.float32), self.error.inputs
        for rows in self._rows():
            lines = slice(rows.start * f, rows.stop * f)
            self._left[lines] += given[lines] @ change

    @staticmethod
    def _plus(own: Float[ndarray, "s f f"], noise: Float[ndarray, "s f"]) -> Float[ndarray, "s f f"]:
        made = own.copy()
        places = np.arange(noise.shape[1])
        made[:, places, places] += noise
        return made

    def _gain(self, own: Float[ndarray, "s f f"], square: Float[ndarray, "s f f"]) -> Float[ndarray, " s"]:
        solved = np.linalg.solve(self._plus(own, self._noise), square)
        return np.asarray(np.maximum(np.trace(solved, axis1=1, axis2=2), 0.0))

    def _rows(self) -> list[slice]:
        """Parts of the bench that fit into a work block."""
        s, width = len(self.sites), self.error.inputs * max(self.error.targets, 1)
        size = max(1, _BLOCK // width)
        return [slice(start, min(start + size, s)) for start in range(0, s, size)]
