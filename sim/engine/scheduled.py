# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""A scheduled uplink: twins of ScheduledStation and of OwnQueue.

A lane's transfers are a heap of their own, in the row of its number. A device has two queues, one
for payloads and, behind those of all devices, one for answers: FIRST waits behind PLACE, which is
on the medium.
"""

import math

import numpy as np

from sim.compiling import inner
from sim.engine import tables as t
from sim.engine.contended import take_out
from sim.engine.events import at_once, leave, need_s, timeout_at
from sim.engine.layout import *
from sim.engine.rooms import room
from sim.engine.shared import heap_again, remove, rescale, rise, sift

_CLOCK_DIGITS = 1e-12


@inner
def _need_s(p: int, s: int, speed: float) -> float:
    """ScheduledStation._need_s: whole slots."""
    qf, slot_s = t.qf(p), t.sf(p)[SLOT]
    slots = math.ceil(need_s(qf[s, T_WORK], qf[s, T_FIXED], speed) / slot_s - 1e-9)
    return float(slots * slot_s)


@inner
def _advance(p: int, c: int) -> None:
    """ScheduledStation._advance: move all clocks to the present."""
    cf, cn, now = t.cf(p), t.cn(p), t.f(p)[NOW]
    elapsed_s = now - cf[c, SINCE]
    cf[c, SINCE] = now
    if cn[c, FLOWS] > 0 and cn[c, SILENT] == 0:
        cf[c, C_BUSY] += elapsed_s
        lanes, lane_n = t.lanes(p), t.lane_n(p)
        for lane in range(cn[c, LANE_0], cn[c, LANE_0] + cn[c, N_LANES]):
            if lane_n[lane] > 0:
                lanes[lane, L_CLOCK] += elapsed_s * lanes[lane, L_PACE]


@inner
def _plan(p: int, c: int) -> None:
    """ScheduledStation._plan."""
    cf, cn, qf, now = t.cf(p), t.cn(p), t.qf(p), t.f(p)[NOW]
    if cn[c, SILENT] == 1:
        return
    lanes, lane_n, gains, members = t.lanes(p), t.lane_n(p), t.gains(p), t.members(p)
    due = np.inf
    n_users = min(cn[c, USERS], gains.shape[1] - 1)
    for lane in range(cn[c, LANE_0], cn[c, LANE_0] + cn[c, N_LANES]):
        if lane_n[lane] > 0:
            lanes[lane, L_PACE] = gains[lane, n_users] / cn[c, FLOWS]
            left = max(0.0, qf[members[lane, 0], TAG] - lanes[lane, L_CLOCK])
            due = min(due, now + left / lanes[lane, L_PACE])
    if due < cf[c, DUE]:
        cf[c, DUE] = due
        timeout_at(p, due, (ON_SCHEDULED << SHIFT) | c)


@inner
def _enter(p: int, c: int, s: int) -> None:
    """ScheduledStation.enter."""
    cf, cn, n, qf, qn = t.cf(p), t.cn(p), t.n(p), t.qf(p), t.qn(p)
    lane_n, d = t.lane_n(p), t.qn(p)[s, DEVICE]
    _advance(p, c)
    lane = t.lane_of(p)[d]
    alone_s = _need_s(p, s, cf[c, C_SPEED])
    qf[s, T_START] = t.f(p)[NOW]
    qf[s, T_ALONE] = alone_s
    qf[s, TAG] = t.lanes(p)[lane, L_CLOCK] + alone_s
    qn[s, TURN] = n[ORDER]
    n[ORDER] += 1
    rise(p, lane, lane_n[lane], s)
    lane_n[lane] += 1
    if lane_n[lane] + 1 >= t.members(p).shape[1]:
        n[SHORT] |= OF_PLACES
    cn[c, FLOWS] += 1
    radios = t.radios(p)
    radios[d, IN_AIR] += 1
    if radios[d, IN_AIR] == 1:
        cn[c, USERS] += 1
    _plan(p, c)


@inner
def _forget(p: int, c: int, s: int) -> None:
    """ScheduledStation._forget."""
    cn, radios, d = t.cn(p), t.radios(p), t.qn(p)[s, DEVICE]
    cn[c, FLOWS] -= 1
    radios[d, IN_AIR] -= 1
    if radios[d, IN_AIR] == 0:
        cn[c, USERS] -= 1


@inner
def _restart(p: int, c: int) -> None:
    """ScheduledStation._restart."""
    cn, lanes, lane_n = t.cn(p), t.lanes(p), t.lane_n(p)
    t.cf(p)[c, DUE] = np.inf
    for lane in range(cn[c, LANE_0], cn[c, LANE_0] + cn[c, N_LANES]):
        if lane_n[lane] == 0:
            lanes[lane, L_CLOCK] = 0.0
    if cn[c, FLOWS] > 0:
        _plan(p, c)


@inner
def _release(p: int, c: int) -> None:
    """ScheduledStation._release."""
    cn, qf, qn, now = t.cn(p), t.qf(p), t.qn(p), t.f(p)[NOW]
    lanes, lane_n, members = t.lanes(p), t.lane_n(p), t.members(p)
    for lane in range(cn[c, LANE_0], cn[c, LANE_0] + cn[c, N_LANES]):
        clock = lanes[lane, L_CLOCK]
        reach = clock + _CLOCK_DIGITS * (clock + lanes[lane, L_PACE] * now)
        while lane_n[lane] > 0 and qf[members[lane, 0], TAG] <= reach:
            s = members[lane, 0]
            lane_n[lane] -= 1
            sift(p, lane, lane_n[lane], members[lane, lane_n[lane]])
            _forget(p, c, s)
            qf[s, T_END] = now
            qn[s, PLACE_NOW] = UNDER_WAY
            at_once(p, ((ON_INNER if qn[s, INNER] == 1 else ON_SENT) << SHIFT) | s)


@room
def finish_scheduled(p: int, c: int) -> None:
    """ScheduledStation._fire."""
    if t.f(p)[NOW] == t.cf(p)[c, DUE]:
        _advance(p, c)
        _release(p, c)
        _restart(p, c)


@room
def set_scheduled_speed(p: int, c: int, speed: float) -> None:
    """ScheduledStation.set_speed."""
    cf, cn = t.cf(p), t.cn(p)
    _advance(p, c)
    _release(p, c)
    cn[c, SILENT] = 1 if speed == 0.0 else 0
    before = cf[c, C_SPEED]
    if speed not in (0.0, before):
        for lane in range(cn[c, LANE_0], cn[c, LANE_0] + cn[c, N_LANES]):
            m = t.lane_n(p)[lane]
            for i in range(m):
                s = t.members(p)[lane, i]
                was_s, is_s = _need_s(p, s, before), _need_s(p, s, speed)
                rescale(p, s, t.lanes(p)[lane, L_CLOCK], 1.0, was_s, is_s)
            heap_again(p, lane, m)
        cf[c, C_SPEED] = speed
    _restart(p, c)


@inner
def _withdraw(p: int, c: int, s: int) -> float:
    """ScheduledStation.withdraw."""
    qf, lane_n = t.qf(p), t.lane_n(p)
    lane = t.lane_of(p)[t.qn(p)[s, DEVICE]]
    _advance(p, c)
    remove(p, lane, lane_n[lane], s)
    lane_n[lane] -= 1
    _forget(p, c, s)
    done_s = qf[s, T_ALONE] - (qf[s, TAG] - t.lanes(p)[lane, L_CLOCK])
    _restart(p, c)
    return float(max(0.0, done_s))


@inner
def _queue_of(p: int, s: int) -> int:
    """The queue that a transfer is in: of its device's payloads, or of its answers."""
    qn = t.qn(p)
    return int(qn[s, DEVICE] + qn[s, DOWN] * t.dn(p).shape[0])


@inner
def _next(p: int, c: int, queue: int) -> None:
    """OwnQueue._next: the first of those that wait goes on the medium."""
    radios = t.radios(p)
    s = radios[queue, FIRST]
    radios[queue, PLACE] = s
    if s >= 0:
        radios[queue, FIRST] = t.qn(p)[s, NEXT]
        _enter(p, c, s)


@room
def hand_over(p: int, c: int, s: int) -> None:
    """OwnQueue.serve: one transfer at a time goes on the medium. INNER: the medium's event is not
    the visit's own.
    """
    qn, radios, queue = t.qn(p), t.radios(p), _queue_of(p, s)
    qn[s, PLACE_NOW] = AT_MEDIUM
    qn[s, INNER] = 0
    if radios[queue, PLACE] < 0 and t.qf(p)[s, T_AFTER] == 0.0:
        radios[queue, PLACE] = s
        _enter(p, c, s)
        return
    qn[s, INNER] = 1
    qn[s, NEXT] = -1
    if radios[queue, FIRST] >= 0:
        qn[radios[queue, LAST], NEXT] = s
    else:
        radios[queue, FIRST] = s
    radios[queue, LAST] = s
    if radios[queue, PLACE] < 0:
        _next(p, c, queue)


@room
def finish_own(p: int, c: int, s: int) -> None:
    """OwnQueue._finish: a transfer is through."""
    queue = _queue_of(p, s)
    if t.radios(p)[queue, PLACE] == s:
        if t.qn(p)[s, INNER] == 1:
            leave(p, s)
        _next(p, c, queue)


@room
def withdraw_own(p: int, c: int, s: int) -> float:
    """OwnQueue.cancel: out of the queue or off the medium, which may have let go of it just now."""
    qn, radios, queue = t.qn(p), t.radios(p), _queue_of(p, s)
    if radios[queue, PLACE] == s:
        on_air_s = _withdraw(p, c, s) if qn[s, PLACE_NOW] == AT_MEDIUM else 0.0
        _next(p, c, queue)
        return float(on_air_s)
    if qn[s, PLACE_NOW] == AT_MEDIUM:
        take_out(p, queue, s)
    return 0.0
