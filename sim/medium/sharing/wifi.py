"""802.11 contention: stations take turns frame by frame, and the channel loses with their number.

The n active transfers get equal frame rates, not equal airtime (the anomaly of Heusse et al. 2003),
and together `efficiency(n) / efficiency(1)` of the channel; the overhead of one station alone is
in the frames' own fixed airtime. `efficiency` comes from ns-3 runs or from Bianchi's fixed point.
"""

from collections.abc import Callable

from simpy import Environment

from sim.medium.shared import SharedStation
from sim.specs import LinkSpec
from sim.station import Station


def contention(spec: LinkSpec) -> Callable[[int], float]:
    """Capacity against the number of active stations, 1 for one."""
    from sim.radio.contention import EFFICIENCY  # special functions that no other rule needs

    efficiency = EFFICIENCY[spec.contention]
    alone = efficiency(1)
    known: dict[int, float] = {}

    def capacity(n: int) -> float:
        if n not in known:
            known[n] = efficiency(n) / alone
        return known[n]

    return capacity


def medium(env: Environment, spec: LinkSpec, explicit: bool) -> Station:
    """One basic service set."""
    return SharedStation(env, contention(spec), by_frames=True)
