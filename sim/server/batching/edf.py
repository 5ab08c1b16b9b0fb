"""Earliest deadline first, with batches of up to `max_batch`."""

from collections.abc import Sequence

from sim.server.batching.job import Job, Pick, Rule, same_key
from sim.specs import ServerSpec


def rule(spec: ServerSpec) -> Rule:
    """The most urgent request and the most urgent of its kind; ties in order of arrival."""

    def pick(queue: Sequence[Job], now: float) -> Pick:
        if spec.max_batch == 1:
            return Pick([min(queue, key=_deadline)])
        return Pick(same_key(sorted(queue, key=_deadline), spec.max_batch))

    return pick


def _deadline(job: Job) -> float:
    return job.request.deadline_s
