"""802.11: stations contend for each access, and the channel loses with their number.

`capacity(n, frames)` is what n stations get together over what one gets, from ns-3 runs or from
Bianchi's fixed point; the overhead of one station alone is in the accesses' own fixed airtime.
"""

from collections.abc import Callable

from simpy import Environment

from sim.medium.contended import ContendedMedium
from sim.specs import LinkSpec


def contention(spec: LinkSpec) -> Callable[[int, float], float]:
    """Capacity against the number of active stations and the frames of an access, 1 for one."""
    from sim.radio.contention import RATIO  # special functions that no other rule needs

    return RATIO[spec.contention]


def medium(env: Environment, spec: LinkSpec, explicit: bool) -> ContendedMedium:
    """One basic service set."""
    return ContendedMedium(env, contention(spec))
