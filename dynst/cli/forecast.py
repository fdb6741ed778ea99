"""``dynst forecast``: the plan in use, from readings of its sensors to a field with error bars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dynst.study.forecast import Forecasted

__all__ = ["forecast"]

_SHOWN = 5  # names in a line


def forecast(  # noqa: PLR0917  # typer makes an option of each parameter; all are passed by name
    run: Annotated[str, typer.Argument(metavar="RUN", help="Name or folder of a run.")] = "latest",
    obs: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Readings: a long or wide table, netCDF of stations, or a whole record."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option(
            "--out", "-o", metavar="FILE", help="File: .nc, .zarr, .csv, .geojson, .png. Default: RUN-forecast.nc."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--from", metavar="TIME", help="First start. Default: the newest readings."),
    ] = None,
    until: Annotated[str | None, typer.Option("--to", metavar="TIME", help="The last start, like 2026-01-31.")] = None,
    truth: Annotated[str | None, typer.Option(metavar="DATA", help="What became of the field: for scores.")] = None,
    sensors: Annotated[
        str | None, typer.Option(metavar="NAME,NAME,...", help="Use these sensors alone; none for the climatology.")
    ] = None,
    lead: Annotated[
        str | None, typer.Option(metavar="STEPS | TIME", help="Lead of a .png or .geojson. Default: the last one.")
    ] = None,
    channel: Annotated[str | None, typer.Option(metavar="NAME", help="Channel of a .png. Default: the first.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress, only the result.")] = False,
) -> None:
    """Forecast the whole field from readings of the plan's sensors, with error bars.

    Sensors may be silent and readings may lack: what came is used.
    """
    from dynst.cli.console import Watcher, show_json
    from dynst.runs import find
    from dynst.study.event import Event
    from dynst.study.forecast import forecast as made

    source = find(run)
    with Watcher(quiet=quiet or as_json) as watcher:
        found = made(
            source,
            obs,
            out or f"{source.name}-forecast.nc",
            since=since,
            until=until,
            truth=truth,
            sensors=None if sensors is None else [name.strip() for name in sensors.split(",")],
            lead=lead,
            channel=channel,
            progress=lambda done, total: watcher(Event("forecast", "starts", done, total)),
        )
    if as_json:
        show_json(found.to_json())
        return
    _show(found)


def _show(found: Forecasted) -> None:
    from dynst.cli.console import show_facts
    from dynst.domain.durations import said_span

    read, ahead = (said_span(steps, found.cadence) for steps in (found.history - 1, found.leads))
    many = found.starts > 1
    came = f"{len(found.sensors)} of {len(found.sensors) + len(found.silent)} sensors of the plan report"
    within = f", at the start or up to {read} before" if read and not many else ""
    lines = [f"{found.where}: {came}{within}"]
    lines += [f"silent: {_names(found.silent)}"] if found.silent else []
    lines += [f"no sensor of this plan: {_names(found.unknown)}"] if found.unknown else []
    start = f"{found.starts} starts from {found.first} to {found.last}" if many else found.first
    leads = f"the present, then {found.leads} step{'s' * (found.leads > 1)} of {found.cadence}"
    leads += f" (to {ahead} ahead)" if ahead else ""
    rows = [("Readings", "; ".join(lines)), ("Start", start), ("Leads", leads)]
    rows += [("Note", note) for note in found.notes]
    rows += [("File", str(found.file))]
    show_facts("", rows)
    if found.scores:
        _show_scores(found)


def _show_scores(found: Forecasted) -> None:
    from dynst.cli.console import show_table
    from dynst.domain.durations import said_span

    several = len({score.channel for score in found.scores}) > 1
    rows = []
    for score in found.scores:
        lead = "present" if not score.lead else said_span(score.lead, found.cadence) or f"{score.lead}"
        name = f"{score.channel} " if several else ""
        rows.append(
            (
                f"{name}{lead}",
                f"{score.error:.4g}",
                f"{score.unchanged:.4g}" if score.lead else "",
                f"{score.climatology:.4g}",
                f"{score.coverage:.1%}",
                f"{score.crps:.4g}",
                f"{score.usual_crps:.4g}",
            )
        )
    units = {score.units for score in found.scores} - {"", "1"}
    unit = f" ({units.pop()})" if len(units) == 1 else ""
    many = f"{found.compared} start{'s' * (found.compared > 1)}"
    show_table(
        f"Error at all sites{unit}, {many} compared with the truth",
        ("lead", "forecast", "no change", "climatology", "in the 90 % interval", "CRPS", "of the climatology"),
        rows,
    )


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:_SHOWN])
    return f"{shown} and {len(names) - _SHOWN} more" if len(names) > _SHOWN else shown
