"""Charts inside an HTML page that needs no network: Vega as one script, JSON that nothing can break out of."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import lru_cache

import vl_convert

__all__ = ["json_for_script", "script_hash", "vega"]

# Vega compiles the expressions of a chart into functions, for which a page must allow "eval"; its interpreter (the
# option "ast") reads them instead, so that a page may forbid it. No action opens an editor on the network.
_DRAW = """window.dynstDraw = (place, chart, options) => vegaEmbed(place, chart, {
  mode: "vega-lite", renderer: "svg", ast: true,
  actions: {export: true, source: false, compiled: false, editor: false}, ...options});"""


@lru_cache(maxsize=1)
def vega() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script, in which nothing can end the script element early.

    It defines ``dynstDraw(place, chart, options)``, which draws a chart as SVG and promises its view.
    """
    bundle: str = vl_convert.javascript_bundle(_DRAW)
    bundle = re.sub(r"</(script)", r"<\\/\1", bundle, flags=re.IGNORECASE).replace("<!--", "<\\!--")
    return bundle.replace("\r\n", "\n")  # as HTML reads it, so that its hash is the one of this text


def json_for_script(json_text: str) -> str:
    r"""JSON that means the same inside a script element, whatever names the data hold.

    Examples
    --------
    >>> print(json_for_script('{"name": "</script><!--"}'))
    {"name": "\u003c/script\u003e\u003c!--"}
    """
    json.loads(json_text)
    for character in "<>&\u2028\u2029":
        json_text = json_text.replace(character, f"\\u{ord(character):04x}")
    return json_text


def script_hash(script: str) -> str:
    """How a Content-Security-Policy names an inline script that may run: nothing else does then.

    Examples
    --------
    >>> script_hash("")
    "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
    """
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
