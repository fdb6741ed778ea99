"""Charts inside an HTML page that needs no network: Vega as one script, JSON that nothing can break out of."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import vl_convert

from dynst.domain.caches import cache_folder
from dynst.domain.plain import escaped, visible_parts

__all__ = ["chart_for_script", "json_for_script", "script_hash", "vega"]

# Vega compiles the expressions of a chart into functions, for which a page must allow "eval"; its interpreter (the
# option "ast") reads them instead, so that a page may forbid it. Its reader of CSV needs "eval" too: tables travel as
# columns. No action opens an editor on the network.
_DRAW = """window.dynstDraw = (place, chart, options) => {
  for (const [name, table] of Object.entries(chart.datasets ?? {})) {
    if (Array.isArray(table)) continue;
    const columns = Object.entries(table), count = columns.length ? columns[0][1].length : 0;
    const row = (_, i) => Object.fromEntries(columns.map(([key, values]) => [key, values[i]]));
    chart.datasets[name] = Array.from({length: count}, row);
  }
  return vegaEmbed(place, chart, {
    mode: "vega-lite", renderer: "svg", ast: true,
    actions: {export: true, source: false, compiled: false, editor: false}, ...options});
};"""


@lru_cache(maxsize=1)
def vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, in which nothing can end the script element early.

    It defines ``dynstDraw(place, chart, options)``, which draws a chart as SVG and promises its view. It is bundled
    once for each version of its parts and kept in the cache folder, as that takes longer than all charts.
    """
    parts = hashlib.sha256(f"{version('vl-convert-python')} {_DRAW}".encode()).hexdigest()[:16]
    kept = cache_folder() / f"vega-{parts}.js"
    with suppress(OSError):
        return kept.read_bytes().decode()
    bundle = _bundled()
    with suppress(OSError):  # a cache that cannot be written costs time, no more
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, delete=False) as part:
            part.write(bundle.encode())
        Path(part.name).replace(kept)
    return bundle


def _bundled() -> str:
    bundle: str = vl_convert.javascript_bundle(_DRAW)
    bundle = re.sub(r"</(script)", r"<\\/\1", bundle, flags=re.IGNORECASE).replace("<!--", "<\\!--")
    return bundle.replace("\r\n", "\n")  # as HTML reads it, so that its hash is the one of this text


def chart_for_script(chart: Mapping[str, Any]) -> str:
    r"""A chart as JSON for ``dynstDraw``: safe inside a script element, its CSV tables as columns.

    Examples
    --------
    >>> data = {"name": "d", "format": {"type": "csv", "parse": {"x": "number", "name": "string"}}}
    >>> print(chart_for_script({"data": data, "datasets": {"d": "x,name\n1.5,a\n,<b>\n"}}))
    {"data":{"name":"d","format":{"type":"json"}},"datasets":{"d":{"x":[1.5,null],"name":["a","\u003cb\u003e"]}}}
    """
    numbers: dict[str, set[str]] = {}
    chart = visible_parts(chart)
    bare = _without_csv(chart, numbers)
    tables = {
        name: _columns(values, numbers.get(name, set())) if isinstance(values, str) else values
        for name, values in chart.get("datasets", {}).items()
    }
    return json_for_script({**bare, "datasets": tables})


def _without_csv(part: Any, numbers: dict[str, set[str]]) -> Any:
    """The same part of a chart with tables read as JSON; notes which columns of each are numbers."""
    if isinstance(part, Mapping):
        form = part.get("format")
        if isinstance(form, Mapping) and form.get("type") == "csv" and "name" in part:
            numbers[str(part["name"])] = {key for key, kind in (form.get("parse") or {}).items() if kind == "number"}
            return {**part, "format": {"type": "json"}}
        return {key: value if key == "datasets" else _without_csv(value, numbers) for key, value in part.items()}
    return [_without_csv(item, numbers) for item in part] if isinstance(part, list) else part


def _columns(text: str, numbers: set[str]) -> dict[str, list[object]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    return {
        key: [(float(row[key]) if row[key] else None) if key in numbers else row[key] for row in rows]
        for key in (rows[0] if rows else ())
    }


def json_for_script(content: object) -> str:
    r"""JSON that means the same inside a script element, whatever names the data hold.

    Examples
    --------
    >>> print(json_for_script({"name": "</script><!--"}))
    {"name":"\u003c/script\u003e\u003c!--"}
    """
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return escaped(text)


def script_hash(script: str) -> str:
    """How a Content-Security-Policy names an inline script that may run: nothing else does then.

    Examples
    --------
    >>> script_hash("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
