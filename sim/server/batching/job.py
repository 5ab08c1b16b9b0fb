"""A request that waits at the server, and what a rule may say about it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from simpy import Event

from sim.request import Request
from sim.sources.source import Source


@dataclass(slots=True, eq=False)
class Job:
    """A visit to the GPU; `source.key` says what may share its batch."""

    request: Request
    source: Source
    event: Event
    after_s: float
    queued_s: float
    share_s: float = 0.0


class Pick(NamedTuple):
    """The next batch, or (empty) the time at which to look again."""

    jobs: list[Job]
    again_s: float = 0.0


Rule = Callable[[Sequence[Job], float], Pick]


def same_key(queue: Sequence[Job], limit: int) -> list[Job]:
    """The first job and those behind it that may share its batch, at most `limit`."""
    key = queue[0].source.key
    chosen = []
    for job in queue:
        if job.source.key == key:
            chosen.append(job)
            if len(chosen) == limit:
                break
    return chosen
