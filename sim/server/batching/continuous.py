"""Continuous batching: every iteration of the GPU takes the tokens that are ready.

Decode steps go first, prompts fill what is left of `max_batch` and `max_batch_tokens` (Orca, Yu et
al. 2022, iteration-level scheduling; a prompt is not chunked).
"""

from collections.abc import Sequence

from sim.server.batching.job import Job, Pick, Rule
from sim.specs import ServerSpec


def rule(spec: ServerSpec) -> Rule:
    """Decode steps, then prompts, of the head's model; a prompt above the limit runs alone."""

    def pick(queue: Sequence[Job], now: float) -> Pick:
        key = queue[0].source.key
        ready = [job for job in queue if job.source.key == key]
        ready.sort(key=_is_prompt)
        chosen: list[Job] = []
        room = spec.max_batch_tokens
        for job in ready[: spec.max_batch]:
            room -= job.request.draw.new_tokens
            if room < 0 and chosen:
                break
            chosen.append(job)
        return Pick(chosen)

    return pick


def _is_prompt(job: Job) -> bool:
    return job.request.draw.new_tokens > 1
