"""Forward selection that refits the ridge for every candidate and every pick."""

import importlib.util
from pathlib import Path

_SPEC = importlib.util.spec_from_file_location("ridge_whatif", Path(__file__).with_name("ridge_whatif.py"))
ridge = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(ridge)


def forward(evidence, legal, fixed, count):
    """The first `count` sites: fixed ones, then always the site whose refit has the lowest objective."""
    chosen = list(fixed)
    while len(chosen) < count:
        left = [s for s in legal if s not in chosen]
        chosen.append(min(left, key=lambda s: ridge.score(evidence, [*chosen, s])))
    return chosen
