"""One request at a time, in order of arrival."""

from collections.abc import Sequence

from sim.server.batching.job import Job, Pick, Rule
from sim.specs import ServerSpec


def rule(spec: ServerSpec) -> Rule:
    """The head of the queue, alone."""

    def pick(queue: Sequence[Job], now: float) -> Pick:
        return Pick([queue[0]])

    return pick
