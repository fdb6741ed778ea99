"""What was found in the data and decided from it, in words."""

from __future__ import annotations

from typing import Any

__all__ = ["fact_rows"]


def fact_rows(found: dict[str, Any]) -> list[tuple[str, str]]:
    """Rows of words and figures on the data and on what is decided from them."""
    data = found["data"]
    h, w = data["grid"]
    cells = f"{data['sites']} of the {h * w} cells" if data["sites"] < h * w else f"{data['sites']}"
    runs = f" in {data['runs']} runs (gaps between them)" if data["runs"] > 1 else ""
    rows = [
        ("sites", f"{cells} of a {h} x {w} grid"),
        ("time", f"{data['steps']} steps of {data['cadence']}{runs}, {data['first']} to {data['last']}"),
        ("channels", ", ".join(_channel(channel) for channel in data["channels"])),
    ]
    rows += [("note", note) for note in data["notes"]]
    if "window" in found:
        window, split, budget, planner = (found[key] for key in ("window", "split", "budget", "planner"))
        rows += [
            ("window", f"{window['history']} steps read, {window['horizon']} forecast"),
            (
                "split",
                ", ".join(f"{name} {part['windows']}" for name, part in split.items()) + " windows, in time order",
            ),
            ("budget", f"{budget['sensors']} sensors (sparsity {budget['sparsity']:.4g})"),
            ("planner", f"{planner['name']} ({planner['why']})"),
        ]
    return rows


def _channel(channel: dict[str, Any]) -> str:
    use = (
        ""
        if channel["observe"] and channel["predict"]
        else " observed only"
        if channel["observe"]
        else " forecast only"
    )
    return f"{channel['name']} ({channel['units']}){use}"
