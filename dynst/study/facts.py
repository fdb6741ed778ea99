"""What was found in the data and decided from it, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dynst.domain.durations import window_words
from dynst.planners import row_of
from dynst.windows.choice import climatology_words

__all__ = ["budget_words", "data_card", "fact_rows", "rule_rows", "window_words"]


def fact_rows(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Rows of words and figures on the data and on what is decided from them; `found` is `Prepared.facts`."""
    data = found["data"]
    kind = "experiments" if data.get("cases") else "runs (gaps between them)"
    runs = f" in {data['runs']} {kind}" if data["runs"] > 1 else ""
    rows = [
        ("sites", _sites(data)),
        ("time", f"{data['steps']} steps of {data['cadence']}{runs}, {data['first']} to {data['last']}"),
        ("channels", _channels(data["channels"])),
    ]
    if data.get("missing_share"):
        rows.append(("missing", f"{data['missing_share']:.1%} of the values: masked in input and target"))
    if data.get("covariates"):
        rows.append(("covariates", ", ".join(data["covariates"])))
    rows += [("note", note) for note in data.get("notes", ())]
    if "window" in found:
        window, split, budget, planner = (found[key] for key in ("window", "split", "budget", "planner"))
        rows.append(("window", window_words(window["history"], window["horizon"], data["cadence"])))
        if "gain_by_lead" in window:
            rows.append(("lead times", gain_words(window["gain_by_lead"])))
        if "climatology" in found:
            rows.append(("climatology", climatology_words(found["climatology"])))
        rows += [
            (
                "split",
                ", ".join(f"{name} {split[name]['windows']}" for name in ("train", "validation", "test"))
                + f" windows, {split['how']}",
            ),
            ("budget", budget_words(budget)),
            *rule_rows(found.get("rules")),
            ("planner", f"{planner['name']} ({planner['why']})"),
            *([("backbone", planner["backbone"])] if row_of(planner["name"]).trains else []),
        ]
    return rows


def budget_words(budget: Mapping[str, Any]) -> str:
    """How many sensors, and how many of them are new where some stand already.

    Examples
    --------
    >>> budget_words({"sensors": 32, "sparsity": 0.9, "new": 20, "existing": 12})
    '32 sensors: 20 new sensors beside 12 existing (sparsity 0.9)'
    """
    sensors = f"{budget['sensors']} sensors"
    if budget.get("existing"):
        sensors += f": {budget['new']} new sensor{'s' * (budget['new'] != 1)} beside {budget['existing']} existing"
    return f"{sensors} (sparsity {budget['sparsity']:.4g})"


def rule_rows(found: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """What the rules of deployment leave, and what was done with their files."""
    if not found:
        return []
    return [("rules", found["words"]), *(("note", note) for note in found["notes"])]


def gain_words(gain: Sequence[float]) -> str:
    """What sensors win at the lead times that were tried.

    Examples
    --------
    >>> gain_words([0.22, 0.06, 0.01])
    "a sensor at every site wins 22 % of the climatology's error at 1 step, 6 % at 2, 1 % at 3"
    """
    shown = sorted({0, 1, len(gain) // 2, len(gain) - 1} & set(range(len(gain))))
    percent = [f"{100 * max(gain[i], 0.0):.0f} %" for i in shown]
    first = f"{percent[0]} of the climatology's error at 1 step"
    later = [f"{value} at {i + 1}" for value, i in zip(percent[1:], shown[1:], strict=True)]
    return "a sensor at every site wins " + ", ".join([first, *later])


def data_card(found: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The rows of `fact_rows`, and what a reader of a report asks besides: gaps, the split in steps, the embargo.

    Examples
    --------
    >>> channel = {"name": "u", "units": "m s-1", "observe": True, "predict": True}
    >>> data = {"name": "lake", "sites": 9, "layout": "9 of a 3 x 3 grid", "on_grid": True, "frame": "planar"}
    >>> data |= {"steps": 40, "runs": 2, "cadence": "1 h", "first": "0", "last": "39", "channels": [channel]}
    >>> for name, text in data_card({"data": data}):
    ...     print(f"{name}: {text}")
    data: lake
    sites: 9 of a 3 x 3 grid
    time: 40 steps of 1 h in 2 runs (gaps between them), 0 to 39
    channels: u (m s-1)
    missing: nothing
    gaps: 1
    """
    data = found["data"]
    rows = [("data", str(data.get("name", ""))), *fact_rows(found)]
    if not data.get("missing_share"):
        at = next(i for i, (name, _) in enumerate(rows) if name == "channels")
        rows.insert(at + 1, ("missing", "nothing"))
    if data["runs"] > 1 and not data.get("cases"):
        rows.append(("gaps", str(data["runs"] - 1)))
    if data.get("cases"):
        rows.append(("experiments", ", ".join(map(str, data["cases"]))))
    rows += [("channel", f"{channel['name']}: {channel['long_name']}") for channel in _explained(data["channels"])]
    if "window" in found:
        rows += _cut(found["split"], found["window"])
    if data.get("fingerprint"):
        rows.append(("fingerprint", str(data["fingerprint"])))
    return rows


def _explained(channels: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [channel for channel in channels if channel.get("long_name") not in (None, "", channel["name"])]


def _cut(split: Mapping[str, Any], window: Mapping[str, Any]) -> list[tuple[str, str]]:
    parts = (("training", "train"), ("validation", "validation"), ("test", "test"))
    steps = ", ".join(f"{name} {split[key]['steps']}" for name, key in parts)
    rows = [("steps", f"{steps}; windows begin every {window['stride']} step{'s' if window['stride'] > 1 else ''}")]
    by_time = split.get("kind") == "time" or split.get("by_run") is False  # the latter in runs of an older form
    if by_time:
        embargo = window["history"] + window["horizon"] - 1
        rows.append(("embargo", f"{embargo} steps between the parts, so that no window reads from two of them"))
    return rows


def _sites(data: Mapping[str, Any]) -> str:
    """``864 of a 24 x 36 grid``, or ``207, geographic, given graph``."""
    words = str(data["layout"])  # of a grid they begin with the number of sites
    if data.get("on_grid"):
        return words
    where = "nobody says where" if data["frame"] == "schematic" else data["frame"]
    return f"{data['sites']}, {where}, {words}"


def _channels(channels: list[dict[str, Any]]) -> str:
    """Names with units; the unit once where all share it."""
    units = {channel["units"] for channel in channels}
    if len(channels) == 1 or len(units) > 1:
        return ", ".join(_channel(channel) for channel in channels)
    whole = {channel["observe"] and channel["predict"] for channel in channels}
    if whole == {True}:
        return f"{', '.join(channel['name'] for channel in channels)} ({units.pop()})"
    return ", ".join(_channel(channel) for channel in channels)


def _channel(channel: dict[str, Any]) -> str:
    use = (
        ""
        if channel["observe"] and channel["predict"]
        else " observed only"
        if channel["observe"]
        else " forecast only"
    )
    return f"{channel['name']} ({channel['units']}){use}"
