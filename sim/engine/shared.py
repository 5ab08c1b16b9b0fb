# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""Processor sharing by a virtual clock: twins of SharedStation, and the heap of transfers that a
scheduled cell uses as well.
"""

import numpy as np

from sim.compiling import hot, inlined, inner
from sim.engine import tables as t
from sim.engine.events import leave, need_s, timeout_at
from sim.engine.groups import weight_of
from sim.engine.layout import *
from sim.engine.lists import fsum
from sim.engine.rooms import room

_CLOCK_DIGITS, _LIGHT = 1e-12, 1e-3


@inner
def rise(p: int, heap: int, m: int, s: int) -> None:
    """Put a transfer onto a heap of m, by finish tag, then by arrival."""
    flows, qf, qn = t.members(p)[heap], t.qf(p), t.qn(p)
    tag, turn = qf[s, TAG], qn[s, TURN]
    j = m
    while j > 0:
        above = (j - 1) >> 1
        other = flows[above]
        if qf[other, TAG] < tag or (qf[other, TAG] == tag and qn[other, TURN] < turn):
            break
        flows[j] = other
        j = above
    flows[j] = s


@inner
def sift(p: int, heap: int, m: int, s: int) -> None:
    """Fill the top of a heap that shall hold m transfers by the one that stood last."""
    flows, qf, qn = t.members(p)[heap], t.qf(p), t.qn(p)
    tag, turn = qf[s, TAG], qn[s, TURN]
    j = 0
    while True:
        c = 2 * j + 1
        if c >= m:
            break
        if c + 1 < m:
            a, b = flows[c], flows[c + 1]
            if qf[b, TAG] < qf[a, TAG] or (qf[b, TAG] == qf[a, TAG] and qn[b, TURN] < qn[a, TURN]):
                c += 1
        a = flows[c]
        if tag < qf[a, TAG] or (tag == qf[a, TAG] and turn < qn[a, TURN]):
            break
        flows[j] = a
        j = c
    flows[j] = s


@inner
def heap_again(p: int, heap: int, m: int) -> None:
    """heapify: all m transfers anew, after their tags have changed."""
    flows = t.members(p)[heap]
    for j in range(m):
        rise(p, heap, j, flows[j])


@inner
def remove(p: int, heap: int, m: int, s: int) -> None:
    """Take a transfer out of a heap of m, wherever it stands."""
    flows = t.members(p)[heap]
    for j in range(m):
        if flows[j] == s:
            flows[j] = flows[m - 1]
            break
    heap_again(p, heap, m - 1)


@hot
def _advance(p: int, c: int) -> None:
    """SharedStation._advance: move the virtual clock to the present."""
    cf, cn, now = t.cf(p), t.cn(p), t.f(p)[NOW]
    if cn[c, FLOWS] > 0 and cn[c, SILENT] == 0:
        elapsed_s = now - cf[c, SINCE]
        cf[c, C_BUSY] += elapsed_s
        cf[c, CLOCK] += elapsed_s * cf[c, PACE]
    cf[c, SINCE] = now


@hot
def _plan(p: int, c: int) -> None:
    """SharedStation._plan: the clock's pace, and a timer if the next departure is earlier."""
    cf, cn, now = t.cf(p), t.cn(p), t.f(p)[NOW]
    if cn[c, SILENT] == 1:
        return
    capacity = float(cn[c, FLOWS]) if t.sn(p)[OWN] == 1 else 1.0
    cf[c, PACE] = capacity / cf[c, WEIGHTS]
    first = t.members(p)[c, 0]
    due = now + max(0.0, t.qf(p)[first, TAG] - cf[c, CLOCK]) / cf[c, PACE]
    if due < cf[c, DUE]:
        cf[c, DUE] = due
        timeout_at(p, due, (ON_SHARED << SHIFT) | c)


@room
def share(p: int, c: int, s: int) -> None:
    """SharedStation.serve."""
    cf, cn, n, qf, qn = t.cf(p), t.cn(p), t.n(p), t.qf(p), t.qn(p)
    _advance(p, c)
    weight = weight_of(p, qn[s, DEVICE])
    alone_s = need_s(qf[s, T_WORK], qf[s, T_FIXED], cf[c, C_SPEED])
    qf[s, T_START] = t.f(p)[NOW]
    qf[s, T_ALONE] = alone_s
    qf[s, TAG] = cf[c, CLOCK] + alone_s / weight
    qn[s, TURN] = n[ORDER]  # ties between tags go by arrival
    qn[s, PLACE_NOW] = AT_MEDIUM
    n[ORDER] += 1
    m = cn[c, FLOWS]
    rise(p, c, m, s)
    cn[c, FLOWS] = m + 1
    if m + 2 >= t.members(p).shape[1]:
        n[SHORT] |= OF_PLACES
    cf[c, WEIGHTS] += weight
    _plan(p, c)


@inner
def _weigh(p: int, c: int) -> None:
    """SharedStation._weigh: sum the weights anew."""
    flows, work, qn = t.members(p)[c], t.work(p), t.qn(p)
    m = t.cn(p)[c, FLOWS]
    for i in range(m):
        work[i] = weight_of(p, qn[flows[i], DEVICE])
    t.cf(p)[c, WEIGHTS] = fsum(work, m, t.parts(p))


@inner
def _release(p: int, c: int) -> None:
    """SharedStation._release: let those go whose tag is reached."""
    cf, cn, qf = t.cf(p), t.cn(p), t.qf(p)
    flows, now = t.members(p)[c], t.f(p)[NOW]
    clock = cf[c, CLOCK]
    reach = clock + _CLOCK_DIGITS * (clock + cf[c, PACE] * now)
    while cn[c, FLOWS] > 0 and qf[flows[0], TAG] <= reach:
        s = flows[0]
        m = cn[c, FLOWS] - 1
        cn[c, FLOWS] = m
        sift(p, c, m, flows[m])
        weight = weight_of(p, t.qn(p)[s, DEVICE])
        cf[c, WEIGHTS] -= weight
        if cf[c, WEIGHTS] < _LIGHT * weight:
            _weigh(p, c)
        qf[s, T_END] = now
        leave(p, s)


@inner
def _restart(p: int, c: int) -> None:
    """SharedStation._restart: plan afresh after something else than an arrival has changed."""
    cf = t.cf(p)
    cf[c, DUE] = np.inf
    if t.cn(p)[c, FLOWS] > 0:
        _plan(p, c)
    else:
        cf[c, CLOCK] = 0.0
        cf[c, WEIGHTS] = 0.0


@room
def finish_shared(p: int, c: int) -> None:
    """SharedStation._fire."""
    if t.f(p)[NOW] == t.cf(p)[c, DUE]:
        _advance(p, c)
        _release(p, c)
        _restart(p, c)


@room
def withdraw_shared(p: int, c: int, s: int) -> float:
    """SharedStation.cancel."""
    cf, cn, qf = t.cf(p), t.cn(p), t.qf(p)
    _advance(p, c)
    remove(p, c, cn[c, FLOWS], s)
    cn[c, FLOWS] -= 1
    _weigh(p, c)
    weight = weight_of(p, t.qn(p)[s, DEVICE])
    done_s = qf[s, T_ALONE] - (qf[s, TAG] - cf[c, CLOCK]) * weight
    _restart(p, c)
    return float(max(0.0, done_s))


@inlined
def rescale(p: int, s: int, clock: float, weight: float, before_s: float, after_s: float) -> None:
    """SharedStation._rescale: a transfer at another speed, what is done of it being done."""
    qf = t.qf(p)
    ratio = after_s / before_s if before_s > 0.0 else 1.0
    left_s = (qf[s, TAG] - clock) * weight
    qf[s, T_ALONE] = qf[s, T_ALONE] + left_s * (ratio - 1.0)
    qf[s, TAG] = clock + left_s * ratio / weight


@room
def set_shared_speed(p: int, c: int, speed: float) -> None:
    """SharedStation.set_speed."""
    cf, cn, qf, qn = t.cf(p), t.cn(p), t.qf(p), t.qn(p)
    _advance(p, c)
    _release(p, c)
    cn[c, SILENT] = 1 if speed == 0.0 else 0
    before = cf[c, C_SPEED]
    if speed not in (0.0, before):
        m = cn[c, FLOWS]
        for i in range(m):
            s = t.members(p)[c, i]
            work_s, fixed_s = qf[s, T_WORK], qf[s, T_FIXED]
            was_s, is_s = need_s(work_s, fixed_s, before), need_s(work_s, fixed_s, speed)
            rescale(p, s, cf[c, CLOCK], weight_of(p, qn[s, DEVICE]), was_s, is_s)
        heap_again(p, c, m)
        _weigh(p, c)
        cf[c, C_SPEED] = speed
    _restart(p, c)
