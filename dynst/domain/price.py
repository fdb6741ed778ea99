"""What rules of deployment cost: the error with all of them against the error without each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from dynst.domain.change import Change
from dynst.domain.words import UNCLEAR, vague
from dynst.errors import DataError

__all__ = ["ALL_RULES", "PriceOfRules", "RulePrice"]

ALL_RULES = "all rules"
"""Name of the row in which no rule is left."""


@dataclass(frozen=True)
class RulePrice:
    """What one rule costs.

    Attributes
    ----------
    rule : str
        The rule that was left out, or `ALL_RULES`.
    change : Change or None
        The error with all rules against that without this one: above zero, the rule costs. `Change.error` is the
        error without it. None if there is no plan without it.
    reason : str
        Why there is none.
    """

    rule: str
    change: Change | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """The rule as a user reads it."""
        return self.rule.replace("_", " ")

    @property
    def price(self) -> str:
        """The price with its interval; the reason where there is none."""
        if self.change is None:
            return self.reason
        return "?" if self.verdict == UNCLEAR else str(self.change)

    @property
    def verdict(self) -> str:
        """What is known of the price.

        Examples
        --------
        >>> RulePrice("allow", Change(2.0, 5.0, 1.0, 9.0, 0.01)).verdict
        'costs'
        """
        if self.change is None:
            return "not known"
        if vague(self.change.low, self.change.high):
            return UNCLEAR
        return {"worse": "costs", "better": "lowers the error", "tie": "tie"}[self.change.verdict]


@dataclass(frozen=True)
class PriceOfRules:
    """The price of all rules of a study.

    Attributes
    ----------
    planner : str
        Who made all of these plans.
    budget : int
        Sensors of each plan.
    error : float
        RMSE over lead times with all rules, in `units`.
    units : str
        Of all errors.
    rows : tuple of RulePrice
        A row for each rule; where there are several, one for all of them together comes first.
    """

    planner: str
    budget: int
    error: float
    units: str
    rows: tuple[RulePrice, ...]

    def words(self) -> str:
        """The price in sentences.

        Examples
        --------
        >>> row = RulePrice("allow", Change(2.0, 5.0, 1.0, 9.0, 0.01))
        >>> PriceOfRules("dynst_linear", 20, 2.1, "K", (row,)).words()
        'The rule allow costs +5.0 % (95 %: +1.0 to +9.0) of error.'
        """
        sentences = [f"{_subject(row)} {row.change} of error." for row in self._rows_of("costs")]
        if not sentences:
            sentences.append("No rule costs an error that is beyond luck of the test period.")
        lower, unclear = self._rows_of("lowers the error"), self._rows_of(UNCLEAR)
        if lower:
            sentences.append(f"The error is lower with than without: {_named(lower)}.")
        if unclear:
            sentences.append(f"What these cost {UNCLEAR}, the test windows differ too much: {_named(unclear)}.")
        return " ".join(sentences)

    def _rows_of(self, verdict: str) -> list[RulePrice]:
        return [row for row in self.rows if row.verdict == verdict]

    def table(self) -> list[dict[str, object]]:
        """A row for each rule, for a table."""
        rows = []
        for row in self.rows:
            line: dict[str, object] = {"without": row.name}
            line[f"error ({self.units})"] = None if row.change is None else row.change.error
            line["price of the rule"] = row.price
            line["verdict"] = row.verdict
            rows.append(line)
        return rows

    def to_json(self) -> dict[str, Any]:
        """All of it in JSON types."""
        rows = [asdict(row) | {"verdict": row.verdict} for row in self.rows]
        return asdict(self) | {"rows": rows, "words": self.words()}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> PriceOfRules:
        """What `to_json` described.

        Raises
        ------
        DataError
            If a part is missing or of another kind.
        """
        try:
            rows = tuple(
                RulePrice(
                    str(row["rule"]),
                    None if row["change"] is None else Change(**row["change"]),
                    str(row["reason"]),
                )
                for row in content["rows"]
            )
            facts = str(content["planner"]), int(content["budget"]), float(content["error"])
            return cls(*facts, str(content["units"]), rows)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"this is no price of rules that dynst wrote ({error}).") from error


def _named(rows: list[RulePrice]) -> str:
    return ", ".join(row.name for row in rows)


def _subject(row: RulePrice) -> str:
    return "All rules together cost" if row.rule == ALL_RULES else f"The rule {row.name} costs"
