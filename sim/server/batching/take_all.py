"""Greedy batches: an idle GPU takes everything that waits, up to `max_batch`."""

from collections.abc import Sequence

from sim.server.batching.job import Job, Pick, Rule, same_key
from sim.specs import ServerSpec


def rule(spec: ServerSpec) -> Rule:
    """All that share the head's model and cut (Inoue 2021, take-all batching with a cap)."""

    def pick(queue: Sequence[Job], now: float) -> Pick:
        return Pick(same_key(queue, spec.max_batch))

    return pick
