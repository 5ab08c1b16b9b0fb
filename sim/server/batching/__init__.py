"""Which waiting requests the GPU takes next: one file per rule, found by its name in
`sim.specs.server.DISCIPLINES`.

A rule looks at the queue (never empty, in order of arrival) and the time, and returns the jobs
of the next batch; an empty list with a time means "look again then".
"""

from collections.abc import Callable
from importlib import import_module

from sim.server.batching.job import Job, Pick, Rule
from sim.specs import ServerSpec

__all__ = ["Job", "Pick", "Rule", "rule"]


def rule(spec: ServerSpec) -> Rule:
    """The rule that the spec names."""
    make: Callable[[ServerSpec], Rule]
    make = import_module(f"sim.server.batching.{spec.discipline}").rule
    return make(spec)
