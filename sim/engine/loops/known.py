"""Which systems are plain loops: closed ones with pauses, on one medium, before plain servers.

Whoever does not stand here is played event by event (sim.engine.kernel): what is added to that
kernel needs nothing here.
"""

import numpy as np

from sim.engine import layout as at
from sim.engine.loops.layout import DEVICE_BITS
from sim.engine.system import Arrays

_LINKS = (at.FIFO_LINK, at.SHARED_LINK, at.CONTENDED_LINK)
_SERVERS = (at.PLAIN, at.SINGLE, at.TAKE_ALL, at.DYNAMIC)
_NONE_OF = (
    at.RADIO_CHANNEL, at.SHARED_DOWN, at.VARIES, at.VARYING_ANSWERS, at.CHURNS, at.ADAPTS, at.FAILS,
    at.SPREADS, at.DROP_EXPIRED,
)  # fmt: skip


def knows(system: Arrays) -> bool:
    """Whether a system is plain enough."""
    sn = system.sn
    is_plain = (
        sn[at.LINK] in _LINKS
        and sn[at.SERVER] in _SERVERS
        and not sn[list(_NONE_OF)].any()
        and sn[at.TARGET] < 0  # runs that end by a number of requests
        and sn[at.QUEUE_LIMIT] < 0
        and sn[at.LAW] == at.CONSTANT
        and not system.has_sessions
        and len(system.dn) < 1 << DEVICE_BITS
    )
    return bool(is_plain and _are_loops(system) and _cost_the_same(system))


def _are_loops(system: Arrays) -> bool:
    """Whether all devices wait for an answer, then pause."""
    gf, gn = system.gf[system.present], system.gn[system.present]
    kinds = gn[:, at.KIND]
    closed = ((kinds == at.THINKS) | (kinds == at.PAUSES)) & (gf[:, at.MEAN] > 0.0)
    return bool(np.all(closed & (gn[:, at.LIMIT] != 0)))


def _cost_the_same(system: Arrays) -> bool:
    """Whether what a request costs is known with its row, and a batch by how many it has."""
    rows, is_single = system.rows, system.sn[at.SERVER] == at.PLAIN
    is_whole = (rows[:, at.R_SENT] != 0.0) | (rows[:, at.R_SERVER] == 0.0)
    known = is_whole & (rows[:, at.R_MEAN] == 0.0)
    by_number = system.sn[at.ONE_KEY] == 1 and np.all(
        system.iterations[:, at.I_LAW] == at.BY_NUMBER
    )
    return bool(np.all(known) and (is_single or by_number))
