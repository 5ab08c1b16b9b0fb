# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""Belts beside the event list: what is put on later comes off later.

Events of one kind mostly follow each other at times that only grow, since what they wait for is the
same for all: an answer's way back, a FIFO medium, a batch. Such an event goes to the end of its
kind's belt, from whose front it is taken again, in a few steps instead of the logarithm's many; one
that would come before the last goes into the list. Which of the two holds an event changes nothing
else: the first by (time, order) comes next, wherever it stands.
"""

import numpy as np

from sim.compiling import inner
from sim.engine import tables as t
from sim.engine.layout import *


@inner
def put(p: int, belt: int, time_s: float, order: int, code: int) -> bool:
    """Put an event onto a belt; False: it does not belong behind the last, or there is no room."""
    at, key, belts = t.belt_at(p), t.belt_key(p), t.belts(p)
    room = at.shape[0] // N_BELTS
    first, count = belts[belt, B_FRONT], belts[belt, B_COUNT]
    base, mask = belt * room, room - 1
    if count > 0:
        if count == room or time_s < at[base + ((first + count - 1) & mask)]:
            return False
    elif time_s == np.inf:
        return False
    else:
        t.belt_head(p)[belt] = time_s
    place = base + ((first + count) & mask)
    at[place] = time_s
    key[place, 0] = order
    key[place, 1] = code
    belts[belt, B_COUNT] = count + 1
    return True


@inner
def front(p: int, belt: int) -> int:
    """Where the first event of a belt stands."""
    room = t.belt_at(p).shape[0] // N_BELTS
    return int(belt * room + (t.belts(p)[belt, B_FRONT] & (room - 1)))


@inner
def take(p: int, belt: int) -> None:
    """Take the first event off a belt."""
    belts = t.belts(p)
    belts[belt, B_FRONT] += 1
    belts[belt, B_COUNT] -= 1
    following = t.belt_at(p)[front(p, belt)]
    t.belt_head(p)[belt] = following if belts[belt, B_COUNT] > 0 else np.inf
