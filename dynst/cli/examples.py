"""Two examples for the help of each command."""

from __future__ import annotations

__all__ = ["EXAMPLES", "epilog"]

EXAMPLES = {
    "inspect": ("dynst inspect era5.nc", "dynst inspect readings.csv --stations places.csv"),
    "init": ("dynst init era5.nc", "dynst init readings.csv --stations places.csv --sensors 12 -o network.toml"),
    "fit": ("dynst fit --data era5.nc --sensors 20", "dynst fit winter.toml --existing stations.geojson --new 5"),
    "compare": ("dynst compare latest", "dynst compare RUN --budgets 10,20 --judges linear"),
    "report": ("dynst report", "dynst report RUN -o page.html"),
    "export-map": ("dynst export-map -o sensors.gpkg", "dynst export-map RUN --format html --top 30"),
    "score": ("dynst score era5.nc --stations mine.geojson", "dynst score RUN --add 3 -o review.csv"),
    "forecast": (
        "dynst forecast latest --obs readings.csv -o field.nc",
        "dynst forecast RUN --obs archive.nc --from 2026-01 --to 2026-02 --truth era5.nc -o hindcast.zarr",
    ),
    "runs": ("dynst runs", "dynst runs --json"),
    "diff": ("dynst diff winter-2025", "dynst diff RUN1 RUN2 --radius 50"),
}
"""By the name of the command."""


def epilog(command: str) -> str | None:
    """The examples as the help shows them; None where a command has none."""
    lines = EXAMPLES.get(command, ())
    return "\n\n".join(["Examples:", *(f"$ {line}" for line in lines)]) if lines else None
