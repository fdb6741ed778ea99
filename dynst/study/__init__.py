"""A study, from its data to a run folder: read, decide, plan, judge, write."""

from dynst.study.compare import compare
from dynst.study.event import Event, Listener
from dynst.study.prepare import Prepared, prepare
from dynst.study.work import fit, resume

__all__ = ["Event", "Listener", "Prepared", "compare", "fit", "prepare", "resume"]
