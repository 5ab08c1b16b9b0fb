"""Payloads that run out of retransmissions, known before anything is played.

Frames are lost independently of how many devices there are: a quantile whose share of late requests
is smaller than that of the lost ones is infinite at every N.
"""

import math
from collections.abc import Sequence

from sim import Source, SystemSpec
from sim.medium.fading import arrival_share
from sim.planning.limits.budget import Missed
from sim.planning.limits.goal import Goal
from sim.sources.source import Sources, rows_of
from sim.specs import LinkSpec


def refuse_lost(spec: SystemSpec, sources: Sources, goals: Sequence[Goal]) -> None:
    """Refuse quantiles of the latency that lost payloads alone make infinite.

    Raises:
        Missed: which goal, and how much is lost of what every source sends.
    """
    late = {goal: 1.0 - goal.probability for goal in goals if goal.probability is not None
            and goal.column.startswith("latency_")}  # fmt: skip
    if not late or spec.link.plain:
        return
    found = [arrivals(spec.link, source) for source in sources.values()]
    lost = min((1.0 - math.fsum(each) / len(each) for each in found if each), default=0.0)
    for goal, share in late.items():
        if lost > share:
            raise Missed(
                f"even one device misses {goal}: {100 * lost:.3g} % of its requests get no answer,"
                f" since a frame of theirs is lost {spec.link.max_retries + 1} times in a row"
            )


def arrivals(link: LinkSpec, source: Source) -> list[float]:
    """How likely each row of a source gets to the server, 1 where it sends nothing; none where
    losses come in bursts (fading) or the source has no rows of one request each.
    """
    rows = (rows_of(source) or []) if link.fading == "none" else []
    arrive = {size: arrival_share(link, size) for size in {row.payload_bytes for row in rows}}
    return [arrive[row.payload_bytes] if row.is_sent else 1.0 for row in rows]
