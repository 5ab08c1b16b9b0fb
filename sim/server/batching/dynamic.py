"""Dynamic batches: wait until `max_batch` are there or the oldest has waited `max_wait_s`."""

from collections.abc import Sequence

from sim.server.batching.job import Job, Pick, Rule, same_key
from sim.specs import ServerSpec


def rule(spec: ServerSpec) -> Rule:
    """A full batch at once; a partial one when its oldest request has waited long enough.

    A full batch of a later model does not wait behind a partial one of an earlier model.
    """

    def pick(queue: Sequence[Job], now: float) -> Pick:
        rest: Sequence[Job] = queue
        while rest:
            batch = same_key(rest, spec.max_batch)
            if len(batch) == spec.max_batch:
                return Pick(batch)
            key = batch[0].source.key
            rest = [job for job in rest if job.source.key != key]
        due_s = queue[0].queued_s + spec.max_wait_s
        return Pick(same_key(queue, spec.max_batch)) if now >= due_s else Pick([], due_s)

    return pick
