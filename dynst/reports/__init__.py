"""Curve and Plan into words and pictures."""

from dynst.reports.curve_chart import curve_chart
from dynst.reports.explore import budget_map, comparison_map, verdict_chart
from dynst.reports.map_chart import importance_map
from dynst.reports.tables import csv_text, markdown

__all__ = [
    "budget_map",
    "comparison_map",
    "csv_text",
    "curve_chart",
    "importance_map",
    "markdown",
    "verdict_chart",
]
