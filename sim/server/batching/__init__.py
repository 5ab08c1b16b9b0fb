"""Which waiting requests the GPU takes next: one file per rule, one line per rule here.

A rule looks at the queue (never empty, in order of arrival) and the time, and returns the jobs
of the next batch; an empty list with a time means "look again then".
"""

from collections.abc import Callable

from sim.server.batching import continuous, dynamic, edf, fifo, take_all
from sim.server.batching.job import Job, Pick, Rule
from sim.specs import ServerSpec

__all__ = ["RULES", "Job", "Pick", "Rule"]

RULES: dict[str, Callable[[ServerSpec], Rule]] = {
    "continuous": continuous.rule,
    "dynamic": dynamic.rule,
    "edf": edf.rule,
    "fifo": fifo.rule,
    "take_all": take_all.rule,
}
