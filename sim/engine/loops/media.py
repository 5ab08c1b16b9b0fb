# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""The ways of sharing a medium: twins of FifoStation, SharedStation and ContendedMedium, as those
of sim.engine.stations, sim.engine.shared and sim.engine.contended are. `due`, a number for each
cell, is when its first transfer leaves, its timer is due or the access on the air is over.
"""

import math

import numpy as np

from sim.compiling import hot, inner
from sim.engine import layout as at
from sim.engine.lists import draw, fsum
from sim.engine.loops import tables as t
from sim.engine.loops.layout import *

_CLOCK_DIGITS, _LIGHT, _DIGITS = 1e-12, 1e-3, 1e-9


@hot
def serve_fifo(p: int, c: int, s: int, now: float) -> None:
    """FifoStation.serve."""
    cf, cn, slots, slot_n, due = t.cf(p), t.cn(p), t.slots(p), t.slot_n(p), t.due(p)
    air_s = t.costs(p)[slot_n[s, COST], AIR_S]
    free = cf[c, at.C_FREE]
    start = free if free > now else now
    end = start + air_s
    cf[c, at.C_FREE] = end
    cf[c, at.C_WORK] += air_s
    slots[s, L_START] = start
    slots[s, L_END] = end
    slots[s, ALONE] = air_s
    slot_n[s, NEXT] = -1
    if due[c] == np.inf:
        cn[c, at.Q_FIRST] = s
        due[c] = end
    else:
        slot_n[cn[c, at.Q_LAST], NEXT] = s
    cn[c, at.Q_LAST] = s


@hot
def leave_fifo(p: int, c: int) -> int:
    """The first transfer of a cell leaves."""
    cn, slot_n = t.cn(p), t.slot_n(p)
    s = cn[c, at.Q_FIRST]
    following = slot_n[s, NEXT]
    cn[c, at.Q_FIRST] = following
    t.due(p)[c] = t.slots(p)[following, L_END] if following >= 0 else np.inf
    slot_n[s, NEXT] = -1
    return int(s)


@hot
def _rise(p: int, c: int, m: int, tag: float, turn: int) -> None:
    """Put a transfer onto a cell's heap of m, by finish tag, then by arrival."""
    tags, turns = t.tags(p)[c], t.turns(p)[c]
    j = m
    while j > 0:
        above = (j - 1) >> 1
        if tags[above] < tag or (tags[above] == tag and turns[above] < turn):
            break
        tags[j] = tags[above]
        turns[j] = turns[above]
        j = above
    tags[j] = tag
    turns[j] = turn


@hot
def _sift(p: int, c: int, m: int) -> None:
    """Fill the top of a heap that shall hold m by the one that stood last."""
    tags, turns = t.tags(p)[c], t.turns(p)[c]
    tag, turn = tags[m], turns[m]
    j = 0
    while True:
        k = 2 * j + 1
        if k >= m:
            break
        if k + 1 < m and (
            tags[k + 1] < tags[k] or (tags[k + 1] == tags[k] and turns[k + 1] < turns[k])
        ):
            k += 1
        if tag < tags[k] or (tag == tags[k] and turn < turns[k]):
            break
        tags[j] = tags[k]
        turns[j] = turns[k]
        j = k
    tags[j] = tag
    turns[j] = turn


@hot
def _advance(p: int, c: int, now: float) -> None:
    """SharedStation._advance: move the virtual clock to the present."""
    cf = t.cf(p)
    if t.cn(p)[c, at.FLOWS] > 0:
        elapsed_s = now - cf[c, at.SINCE]
        cf[c, at.C_BUSY] += elapsed_s
        cf[c, at.CLOCK] += elapsed_s * cf[c, at.PACE]
    cf[c, at.SINCE] = now


@hot
def _plan(p: int, c: int, now: float) -> None:
    """SharedStation._plan: the clock's pace, and a timer if the next departure is earlier."""
    cf, due = t.cf(p), t.due(p)
    capacity = float(t.cn(p)[c, at.FLOWS]) if t.sn(p)[at.OWN] == 1 else 1.0
    cf[c, at.PACE] = capacity / cf[c, at.WEIGHTS]
    time_s = now + max(0.0, t.tags(p)[c, 0] - cf[c, at.CLOCK]) / cf[c, at.PACE]
    if time_s < due[c]:
        due[c] = time_s


@hot
def _weight(p: int, s: int) -> float:
    """A device's weight on a weighted medium."""
    return float(t.kinds(p)[int(t.costs(p)[t.slot_n(p)[s, COST], KIND]), WEIGHT])


@hot
def share(p: int, c: int, s: int, now: float) -> None:
    """SharedStation.serve."""
    cf, cn, mn, slots = t.cf(p), t.cn(p), t.mn(p), t.slots(p)
    _advance(p, c, now)
    weight = _weight(p, s)
    alone_s = t.costs(p)[t.slot_n(p)[s, COST], AIR_S]
    slots[s, L_START] = now
    slots[s, ALONE] = alone_s
    mn[TURN] += 1
    m = cn[c, at.FLOWS]
    _rise(p, c, m, cf[c, at.CLOCK] + alone_s / weight, (mn[TURN] << DEVICE_BITS) | s)
    cn[c, at.FLOWS] = m + 1
    cf[c, at.WEIGHTS] += weight
    _plan(p, c, now)


@inner
def _weigh(p: int, c: int) -> None:
    """SharedStation._weigh: sum the weights anew."""
    turns, work = t.turns(p)[c], t.work(p)
    m = t.cn(p)[c, at.FLOWS]
    for i in range(m):
        work[i] = _weight(p, turns[i] & ((1 << DEVICE_BITS) - 1))
    t.cf(p)[c, at.WEIGHTS] = fsum(work, m, t.parts(p))


@hot
def release(p: int, c: int, now: float) -> int:
    """SharedStation._fire: the first of those whose tag is reached, the others chained to it."""
    cf, cn, slot_n, due = t.cf(p), t.cn(p), t.slot_n(p), t.due(p)
    tags, turns = t.tags(p)[c], t.turns(p)[c]
    _advance(p, c, now)
    clock = cf[c, at.CLOCK]
    reach = clock + _CLOCK_DIGITS * (clock + cf[c, at.PACE] * now)
    first, last = -1, -1
    while cn[c, at.FLOWS] > 0 and tags[0] <= reach:
        s = turns[0] & ((1 << DEVICE_BITS) - 1)
        m = cn[c, at.FLOWS] - 1
        cn[c, at.FLOWS] = m
        _sift(p, c, m)
        weight = _weight(p, s)
        cf[c, at.WEIGHTS] -= weight
        if cf[c, at.WEIGHTS] < _LIGHT * weight:
            _weigh(p, c)
        slot_n[s, NEXT] = -1
        if first < 0:
            first = s
        else:
            slot_n[last, NEXT] = s
        last = s
    due[c] = np.inf
    if cn[c, at.FLOWS] > 0:
        _plan(p, c, now)
    else:
        cf[c, at.CLOCK] = 0.0
        cf[c, at.WEIGHTS] = 0.0
    return int(first)


@inner
def _pause(p: int, c: int, now: float) -> None:
    """ContendedMedium._pause: stop the access on the air, note what is left of it."""
    cf, due = t.cf(p), t.due(p)
    if due[c] == np.inf:
        return
    due[c] = np.inf
    elapsed_s = now - cf[c, at.SINCE]
    cf[c, at.C_BUSY] += elapsed_s
    whole_s = cf[c, at.ACCESS] * cf[c, at.STRETCH]
    done = min(cf[c, at.UNSENT], elapsed_s / whole_s) if whole_s > 0.0 else cf[c, at.UNSENT]
    cf[c, at.UNSENT] -= done
    t.slots(p)[t.cn(p)[c, at.SENDER], ALONE] += done * cf[c, at.ACCESS]


@hot
def _air(p: int, c: int, now: float) -> None:
    """ContendedMedium._run: send what is left of the turn. How far as many stations as contend for
    it stretch it may not be known yet (NaN); then `sim.engine.loops.state` sees to `due`.
    """
    cf, cn = t.cf(p), t.cn(p)
    cf[c, at.ACCESS] = t.costs(p)[t.slot_n(p)[cn[c, at.SENDER], COST], AIR_S]
    cf[c, at.SINCE] = now
    cn[c, at.FRESH] = 0
    if math.isnan(cf[c, at.STRETCH]):
        cn[c, at.ASKS] = 1
        t.mn(p)[SHORT] = ASKS
    else:
        t.due(p)[c] = now + cf[c, at.UNSENT] * cf[c, at.ACCESS] * cf[c, at.STRETCH]


@hot
def _lot(p: int, c: int) -> float:
    """The next number of a cell's stream, `N_LOTS` of which are made at a time (lists.in_turn)."""
    sn, drawn, lots = t.sn(p), t.cn(p)[c, at.DRAWN], t.lots(p)[c]
    t.cn(p)[c, at.DRAWN] = drawn + 1
    place = drawn & (N_LOTS - 1)
    if place == 0:
        k0, k1 = sn[at.CONTENTION_0], sn[at.CONTENTION_1]
        for i in range(N_LOTS // 2):
            lots[2 * i], lots[2 * i + 1] = draw(k0, k1, (drawn >> 1) + i, c, sn[at.REPLICATION])
    return float(lots[place])


@hot
def _contend(p: int, c: int, now: float) -> None:
    """ContendedMedium._contend: one of those that have something to send wins the next access."""
    cf, cn, slot_n = t.cf(p), t.cn(p), t.slot_n(p)
    members = t.members(p)[c]
    _pause(p, c, now)
    m = cn[c, at.ACTIVE]
    cn[c, at.CONTENDERS] = m
    if m == 0:
        cn[c, at.SENDER] = -1
        return
    if m == 1:
        s = members[0]
        cn[c, at.TURNS] = slot_n[s, ACCESSES]
        cf[c, at.STRETCH] = 1.0
    else:
        s = members[int(_lot(p, c) * m)]
        cn[c, at.TURNS] = 1
        size = int(t.costs(p)[slot_n[s, COST], SIZE])
        cf[c, at.STRETCH] = t.stretches(p)[size, m]
    cn[c, at.SENDER] = s
    cf[c, at.UNSENT] = float(cn[c, at.TURNS])
    _air(p, c, now)
    cn[c, at.FRESH] = 1


@hot
def _end_turn(p: int, c: int, now: float) -> int:
    """ContendedMedium._end_turn, _advance: who leaves with it, none: -1."""
    cn, slot_n, members = t.cn(p), t.slot_n(p), t.members(p)[c]
    s = cn[c, at.SENDER]
    gone = -1
    slot_n[s, ACCESSES] -= cn[c, at.TURNS]
    if slot_n[s, ACCESSES] == 0:
        cn[c, at.ACTIVE] -= 1
        last = members[cn[c, at.ACTIVE]]
        members[slot_n[s, NEXT]] = last
        slot_n[last, NEXT] = slot_n[s, NEXT]
        slot_n[s, NEXT] = -1
        gone = s
    _contend(p, c, now)
    return int(gone)


@inner
def _cut(p: int, c: int, now: float) -> int:
    """ContendedMedium._cut: the turn of a station alone ends with the access on the air."""
    cf, cn = t.cf(p), t.cn(p)
    _pause(p, c, now)
    rest = cf[c, at.UNSENT] - math.floor(cf[c, at.UNSENT] + _DIGITS)
    if rest > _DIGITS:
        cn[c, at.TURNS] -= int(np.rint(cf[c, at.UNSENT] - rest))
        cf[c, at.UNSENT] = rest
        _air(p, c, now)
        return -1
    cn[c, at.TURNS] -= int(np.rint(cf[c, at.UNSENT]))
    return int(_end_turn(p, c, now))


@hot
def finish_access(p: int, c: int, now: float) -> int:
    """ContendedMedium._finish."""
    cf, cn = t.cf(p), t.cn(p)
    t.due(p)[c] = np.inf
    cf[c, at.C_BUSY] += now - cf[c, at.SINCE]
    t.slots(p)[cn[c, at.SENDER], ALONE] += cf[c, at.UNSENT] * cf[c, at.ACCESS]
    return int(_end_turn(p, c, now))


@hot
def join(p: int, c: int, s: int, now: float) -> int:
    """ContendedMedium.enter: a station has something to send; who leaves by that, none: -1."""
    cf, cn, slots, slot_n = t.cf(p), t.cn(p), t.slots(p), t.slot_n(p)
    slot_n[s, ACCESSES] = int(t.costs(p)[slot_n[s, COST], N_ACCESSES])
    slots[s, L_START] = now
    slots[s, ALONE] = 0.0
    slot_n[s, NEXT] = cn[c, at.ACTIVE]
    t.members(p)[c, cn[c, at.ACTIVE]] = s
    cn[c, at.ACTIVE] += 1
    if t.due(p)[c] == np.inf:
        if cn[c, at.SENDER] < 0:
            _contend(p, c, now)
    elif cn[c, at.FRESH] == 1 and cf[c, at.SINCE] == now:
        _contend(p, c, now)
    elif cn[c, at.TURNS] > 1:
        return int(_cut(p, c, now))
    return -1
