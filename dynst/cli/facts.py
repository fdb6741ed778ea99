"""What was found in the data and decided from it, in words."""

from __future__ import annotations

from typing import Any

__all__ = ["fact_rows"]


def fact_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows of words and figures on the data and on what is decided from them."""
    data = found["data"]
    kind = "experiments" if data.get("cases") else "runs (gaps between them)"
    runs = f" in {data['runs']} {kind}" if data["runs"] > 1 else ""
    rows = [
        ("sites", _sites(data)),
        ("time", f"{data['steps']} steps of {data['cadence']}{runs}, {data['first']} to {data['last']}"),
        ("channels", _channels(data["channels"])),
    ]
    if data["missing_share"]:
        rows.append(("missing", f"{data['missing_share']:.1%} of the values: masked in input and target"))
    if data["covariates"]:
        rows.append(("covariates", ", ".join(data["covariates"])))
    rows += [("note", note) for note in data["notes"]]
    if "window" in found:
        window, split, budget, planner = (found[key] for key in ("window", "split", "budget", "planner"))
        rows += [
            ("window", f"{window['history']} steps read, {window['horizon']} forecast"),
            (
                "split",
                ", ".join(f"{name} {split[name]['windows']}" for name in ("train", "validation", "test"))
                + f" windows, {split['how']}",
            ),
            ("budget", f"{budget['sensors']} sensors (sparsity {budget['sparsity']:.4g})"),
            ("planner", f"{planner['name']} ({planner['why']})"),
            *([("backbone", planner["backbone"])] if planner["name"] == "dynst" else []),
        ]
    return rows


def _sites(data: dict[str, Any]) -> str:
    """``864 of a 24 x 36 grid``, or ``207, geographic, given graph``."""
    words = str(data["layout"])
    if words.startswith(str(data["sites"])) and " grid" in words:
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
