"""Quality flags beside values: whose they are, and which values they call bad or missing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

__all__ = ["bad_values", "can_tell", "flag_words", "flags_by_name", "flags_of", "holds_flags"]

_WORD = r"(?:quality_?(?:flag|control|level)?|status_?flag|flags?|qc(?:_?flag|_agg)?|qf|qartod(?:_?flag|_agg\w*)?)"
_ALONE = re.compile(rf"(?:data_|obs_|value_)?{_WORD}", re.IGNORECASE)
_AFTER = re.compile(rf"(.+?)[ _.:-]*(?:seadatanet)?[ _.:-]+{_WORD}", re.IGNORECASE)
_BEFORE = re.compile(rf"{_WORD}[ _.:-]+(.+)", re.IGNORECASE)
_GOOD = re.compile(r"(?:not?_bad|good|pass|best|acceptable)")
_BAD = re.compile(
    r"bad|miss|fail|error|erroneous|suspect|invalid|reject|unreliable|out_of|doubt|wrong|worst|no_data|no_value|not_good"
)
_NUMBERS = (3, 4, 9)  # probably bad, bad, missing, where a flag has no meanings: OceanSITES and Argo
_FINE = (1, 2)  # good, probably good
_SCALE = range(10)
_MOST = 0.5  # of the flags say good or probably good, or the numbers mean something else


def holds_flags(attrs: Mapping[str, object]) -> bool:
    """Whether a variable holds flags and no quantity, by its attributes.

    Examples
    --------
    >>> holds_flags({"flag_values": [1, 4]}), holds_flags({"standard_name": "sea_water_temperature status_flag"})
    (True, True)
    """
    standard = str(attrs.get("standard_name", ""))
    return "flag_values" in attrs or "flag_masks" in attrs or standard.endswith(("status_flag", "quality_flag"))


def flags_by_name(name: str, others: Iterable[str]) -> str | None:
    """The variable or column that another one, called like ``TEMP_QC`` or ``qc_temp``, holds flags of, if there is one.

    Examples
    --------
    >>> flags_by_name("TEMP_QC", ["TEMP"]), flags_by_name("qc flag", []), flags_by_name("air_quality", [])
    ('TEMP', '', None)

    An empty name stands for all: the column speaks of its whole row.
    """
    known = {other.lower(): other for other in others if other != name}
    for pattern in (_AFTER, _BEFORE):
        match = pattern.fullmatch(name.strip())
        if match and match[1].lower() in known:
            return known[match[1].lower()]
    return "" if _ALONE.fullmatch(name.strip().replace(" ", "_")) else None


def flags_of(attributes: Mapping[str, Mapping[str, object]]) -> dict[str, str]:
    """Which variables of a file hold flags, and whose: by ``ancillary_variables``, standard names, and names.

    Parameters
    ----------
    attributes : mapping
        Attributes by the name of each variable.

    Returns
    -------
    dict
        Name of the variable with values by the name of that with flags; empty where nobody says whose they are.

    Examples
    --------
    >>> flags_of({"T": {"ancillary_variables": "T_f"}, "T_f": {"flag_values": [1, 4]}, "u": {}, "u_QC": {}})
    {'T_f': 'T', 'u_QC': 'u'}
    """
    found = {}
    named = {
        flag: name
        for name, attrs in attributes.items()
        for flag in str(attrs.get("ancillary_variables", "")).split()
        if flag in attributes
    }
    standard = {str(attrs["standard_name"]): name for name, attrs in attributes.items() if "standard_name" in attrs}
    for name, attrs in attributes.items():
        by_name = flags_by_name(name, attributes)
        by_standard = standard.get(str(attrs.get("standard_name", "")).rpartition(" ")[0])
        if holds_flags(attrs):
            found[name] = named.get(name) or by_standard or by_name or ""
        elif by_name:
            found[name] = by_name
    return found


def flag_words(owner: str, told: bool) -> str:
    """Why a variable with flags is no channel, and whether it is applied.

    Examples
    --------
    >>> flag_words("TEMP", True), flag_words("", True)
    ('holds quality flags, which are applied to TEMP', 'holds flags, which are not applied')
    """
    return (
        f"holds quality flags, which are applied to {owner}" if owner and told else "holds flags, which are not applied"
    )


def can_tell(flags: ndarray, attrs: Mapping[str, object]) -> bool:
    """Whether some flags say which values are bad: by their meanings, or by numbers that most of them use as usual.

    Examples
    --------
    >>> can_tell(np.array([1, 1, 4]), {}), can_tell(np.array([0, 0, 1]), {}), can_tell(np.array([7, 8, 250]), {})
    (True, False, False)
    """
    if attrs.get("flag_meanings"):
        return True
    numbers = _numbers(flags, attrs)
    known = numbers[~np.isnan(numbers)]
    usual = len(known) > 0 and bool(np.isin(known, _SCALE).all())
    return usual and float(np.isin(known, _FINE).mean()) >= _MOST


def bad_values(flags: ndarray, attrs: Mapping[str, object]) -> Bool[ndarray, "*s"]:
    """Where flags call a value bad or missing: by ``flag_meanings``, else 3, 4 and 9 as in OceanSITES and Argo.

    Examples
    --------
    >>> bad_values(np.array([1, 4, 9]), {})
    array([False,  True,  True])
    >>> bad_values(np.array([0, 5]), {"flag_masks": [1, 4], "flag_meanings": "ice sensor_failed"})
    array([False,  True])
    """
    numbers = _numbers(flags, attrs)
    words = str(attrs.get("flag_meanings", "")).lower().split()
    if not words:
        return np.isin(numbers, _NUMBERS)
    wrong = [bool(_BAD.search(word)) and not _GOOD.match(word) for word in words]
    masks, values = (_listed(attrs.get(key)) for key in ("flag_masks", "flag_values"))
    bad = np.zeros(numbers.shape, bool)
    whole = np.nan_to_num(numbers, nan=0.0).astype(np.int64)
    for i in np.flatnonzero(wrong).tolist():
        if i < len(masks) and masks[i]:
            bits = int(masks[i])
            bad |= (whole & bits) == (int(values[i]) if i < len(values) else bits)
        elif i < len(values):
            bad |= numbers == values[i]
    return bad


def _numbers(flags: ndarray, attrs: Mapping[str, object]) -> ndarray:
    """Flags as numbers, NaN where there is none; characters that are digits, too."""
    if flags.dtype.kind in "iufb":
        lost = np.isin(flags, np.ravel(np.asarray(attrs.get("_FillValue", []))))
        return np.where(lost, np.nan, flags.astype(float))
    text = flags.astype("U8")
    digit = np.char.isdigit(text)
    return np.where(digit, np.where(digit, text, "0").astype(float), np.nan)


def _listed(values: object) -> list[float]:
    if values is None:
        return []
    if isinstance(values, str):
        values = [part.strip(" ,b") for part in values.split()]
    return [float(value) for value in np.ravel(np.asarray(values)).tolist()]
