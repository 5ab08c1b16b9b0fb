# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""What a rule may do to the event list: twins of Environment.schedule and of sim/station.py."""

from sim.compiling import hot, inner
from sim.engine import lists
from sim.engine import tables as t
from sim.engine.belts import put
from sim.engine.layout import *


@inner
def schedule(p: int, time_s: float, code: int) -> None:
    """Environment.schedule: an event later on."""
    n = t.n(p)
    belt = BELT_OF[code >> SHIFT]
    if belt < 0 or not put(p, belt, time_s, n[ORDER], code):
        lists.schedule(n, t.at(p), t.key(p), time_s, n[ORDER], code)
    n[ORDER] += 1


@inner
def at_once(p: int, code: int) -> None:
    """Event.succeed: an event at this very instant, behind all that stands there."""
    n, ring = t.n(p), t.ring(p)
    place = (n[FRONT] + n[QUEUED]) & (ring.shape[0] - 1)
    ring[place, 0] = n[ORDER]
    ring[place, 1] = code
    n[QUEUED] += 1
    n[ORDER] += 1


@hot
def free(p: int, s: int) -> None:
    """Nothing is to come that is about a request: another may have its place."""
    n, qn = t.n(p), t.qn(p)
    qn[s, PLACE_NOW] = GONE
    qn[s, NEXT] = n[FREE]
    n[FREE] = s


@inner
def timeout_at(p: int, time_s: float, code: int) -> None:
    """sim.station.timeout_at: an event at exactly `time_s`, if need be by a hop."""
    now = t.f(p)[NOW]
    if now + (time_s - now) == time_s:
        schedule(p, time_s, code)
        return
    n, hop_code = t.n(p), t.hop_code(p)
    h = n[FREE_HOP]
    n[FREE_HOP] = hop_code[h]
    n[HOPS] += 1
    t.hops(p)[h] = time_s
    hop_code[h] = code
    schedule(p, now + (0.75 * time_s - now), (ON_HOP << SHIFT) | h)


@inner
def leave(p: int, s: int) -> None:
    """sim.station.leave: fire the event of a visit to the medium now, or later."""
    qf = t.qf(p)
    t.qn(p)[s, PLACE_NOW] = UNDER_WAY
    if qf[s, T_AFTER] > 0.0:
        timeout_at(p, qf[s, T_END] + qf[s, T_AFTER], (ON_CARRIED << SHIFT) | s)
    else:
        at_once(p, (ON_SENT << SHIFT) | s)


@hot
def need_s(work_s: float, fixed_s: float, speed: float) -> float:
    """sim.station.need_s: seconds that work takes alone at a speed."""
    return fixed_s + (work_s - fixed_s) / speed if speed != 1.0 else work_s
