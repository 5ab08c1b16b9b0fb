# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""A medium for one transfer at a time: twins of FifoStation and QueueStation, and of the pools of
sim/station.py.
"""

from typing import Any

import numpy as np

from sim.compiling import hot, inner
from sim.engine import tables as t
from sim.engine.events import at_once, free, leave, need_s, schedule, timeout_at
from sim.engine.layout import *
from sim.engine.rooms import room


@hot
def serve_fifo(p: int, c: int, s: int) -> None:
    """FifoStation.serve."""
    cf, qf, now = t.cf(p), t.qf(p), t.f(p)[NOW]
    work_s = qf[s, T_WORK]
    free = cf[c, C_FREE]
    start = free if free > now else now
    end = start + work_s
    cf[c, C_FREE] = end
    cf[c, C_WORK] += work_s
    qf[s, T_START] = start
    qf[s, T_END] = end
    qf[s, T_ALONE] = work_s
    timeout_at(p, end + qf[s, T_AFTER], (ON_SENT << SHIFT) | s)


@room
def queue_up(p: int, c: int, s: int) -> None:
    """QueueStation.serve."""
    cn, qf, qn = t.cn(p), t.qf(p), t.qn(p)
    need = need_s(qf[s, T_WORK], qf[s, T_FIXED], t.cf(p)[c, C_SPEED])
    qf[s, T_LEFT] = need
    qf[s, T_ALONE] = need
    qf[s, T_START] = np.nan
    qn[s, NEXT] = -1
    qn[s, PLACE_NOW] = AT_MEDIUM
    if cn[c, Q_FIRST] < 0:
        cn[c, Q_FIRST] = s
        cn[c, Q_LAST] = s
        _begin(p, c)
    else:
        qn[cn[c, Q_LAST], NEXT] = s
        cn[c, Q_LAST] = s


@inner
def _resume(p: int, c: int) -> None:
    """QueueStation._resume: serve what is left of the first visit."""
    cf, cn, now = t.cf(p), t.cn(p), t.f(p)[NOW]
    cf[c, SINCE] = now
    if cn[c, SILENT] == 0:
        cn[c, TIMER] = t.n(p)[ORDER]
        schedule(p, now + t.qf(p)[cn[c, Q_FIRST], T_LEFT], (ON_QUEUE << SHIFT) | c)


@inner
def _begin(p: int, c: int) -> None:
    """QueueStation._begin."""
    t.qf(p)[t.cn(p)[c, Q_FIRST], T_START] = t.f(p)[NOW]
    _resume(p, c)


@inner
def _stop(p: int, c: int) -> None:
    """QueueStation._pause: stop the visit in service and note what is left of it."""
    cf, cn, qf = t.cf(p), t.cn(p), t.qf(p)
    if cn[c, TIMER] >= 0:
        elapsed_s = t.f(p)[NOW] - cf[c, SINCE]
        cf[c, C_BUSY] += elapsed_s
        s = cn[c, Q_FIRST]
        qf[s, T_LEFT] = max(0.0, qf[s, T_LEFT] - elapsed_s)
        cn[c, TIMER] = -1


@inner
def _depart(p: int, c: int) -> None:
    """QueueStation._depart: let the first visit go, and begin the next."""
    cn, qn = t.cn(p), t.qn(p)
    s = cn[c, Q_FIRST]
    cn[c, Q_FIRST] = qn[s, NEXT]
    t.qf(p)[s, T_END] = t.f(p)[NOW]
    leave(p, s)
    if cn[c, Q_FIRST] >= 0:
        _begin(p, c)


@room
def finish_queue(p: int, c: int, turn: int) -> None:
    """QueueStation._finish."""
    cf, cn = t.cf(p), t.cn(p)
    if turn == cn[c, TIMER]:
        cf[c, C_BUSY] += t.f(p)[NOW] - cf[c, SINCE]
        cn[c, TIMER] = -1
        _depart(p, c)


@room
def withdraw_queued(p: int, c: int, s: int) -> float:
    """QueueStation.cancel."""
    cn, qf, qn = t.cn(p), t.qf(p), t.qn(p)
    first = cn[c, Q_FIRST] == s
    if first:
        _stop(p, c)
        cn[c, Q_FIRST] = qn[s, NEXT]
        if qn[s, NEXT] >= 0:
            _begin(p, c)
    else:
        before = cn[c, Q_FIRST]
        while qn[before, NEXT] != s:
            before = qn[before, NEXT]
        qn[before, NEXT] = qn[s, NEXT]
        if cn[c, Q_LAST] == s:
            cn[c, Q_LAST] = before
    return float(qf[s, T_ALONE] - qf[s, T_LEFT])


@room
def set_queue_speed(p: int, c: int, speed: float) -> None:
    """QueueStation.set_speed, with _Visit.rescale."""
    cf, cn, qf, qn = t.cf(p), t.cn(p), t.qf(p), t.qn(p)
    if cn[c, TIMER] >= 0:
        _stop(p, c)
        if qf[cn[c, Q_FIRST], T_LEFT] == 0.0:  # done at this very instant
            _depart(p, c)
            if cn[c, Q_FIRST] >= 0:
                _stop(p, c)
    cn[c, SILENT] = 1 if speed == 0.0 else 0
    if speed != 0.0:
        before = cf[c, C_SPEED]
        s = cn[c, Q_FIRST]
        while s >= 0:
            whole_s = need_s(qf[s, T_WORK], qf[s, T_FIXED], before)
            if whole_s > 0.0:
                done_s = qf[s, T_ALONE] - qf[s, T_LEFT]
                qf[s, T_LEFT] *= need_s(qf[s, T_WORK], qf[s, T_FIXED], speed) / whole_s
                qf[s, T_ALONE] = done_s + qf[s, T_LEFT]
            s = qn[s, NEXT]
        cf[c, C_SPEED] = speed
    if cn[c, Q_FIRST] >= 0:
        _resume(p, c)


@inner
def replace(free: Any, end: float) -> None:
    """heapreplace: the server that falls free first is busy until `end`."""
    m = free.shape[0]
    j = 0
    while True:
        c = 2 * j + 1
        if c >= m:
            break
        if c + 1 < m and free[c + 1] < free[c]:
            c += 1
        if end <= free[c]:
            break
        free[j] = free[c]
        j = c
    free[j] = end


@room
def decode(p: int, s: int, decode_s: float) -> None:
    """One of the server's cores decodes: PoolStation.serve, QueuePool.serve."""
    f, n, sn, qf = t.f(p), t.n(p), t.sn(p), t.qf(p)
    now = f[NOW]
    qf[s, ENTERED] = now
    if sn[SERVER] == PLAIN:
        cores = t.cores(p)
        start = max(cores[0], now)
        end = start + decode_s
        replace(cores, end)
        f[DECODER_WORK] += decode_s
        qf[s, T_START] = start
        qf[s, T_END] = end
        timeout_at(p, end + 0.0, (ON_DECODED << SHIFT) | s)
    elif n[DECODING] < sn[N_DECODERS]:
        n[DECODING] += 1
        qf[s, T_START] = now
        t.qn(p)[s, PLACE_NOW] = IN_CORE
        schedule(p, now + decode_s, (ON_CORE << SHIFT) | s)
    else:
        cored = t.cored(p)
        cored[(n[DECODER_FRONT] + n[DECODER_QUEUED]) & (cored.shape[0] - 1)] = s
        n[DECODER_QUEUED] += 1
        t.qn(p)[s, PLACE_NOW] = AT_CORES


@inner
def withdraw_decoding(p: int, s: int) -> None:
    """QueuePool.cancel: a request that waits for a core is taken out."""
    n, cored = t.n(p), t.cored(p)
    mask, front = cored.shape[0] - 1, n[DECODER_FRONT]
    kept = 0
    for i in range(n[DECODER_QUEUED]):
        other = cored[(front + i) & mask]
        if other != s:
            cored[(front + kept) & mask] = other
            kept += 1
    n[DECODER_QUEUED] = kept


@room
def finish_decoding(p: int, s: int) -> None:
    """QueuePool._finish."""
    f, n, sn, qf, qn = t.f(p), t.n(p), t.sn(p), t.qf(p), t.qn(p)
    cored = t.cored(p)
    now = f[NOW]
    f[DECODER_BUSY] += now - qf[s, T_START]
    n[DECODING] -= 1
    if qn[s, PLACE_NOW] == GONE:
        free(p, s)
    else:
        qf[s, T_END] = now
        qn[s, PLACE_NOW] = UNDER_WAY
        at_once(p, (ON_DECODED << SHIFT) | s)
    while n[DECODER_QUEUED] > 0 and n[DECODING] < sn[N_DECODERS]:
        s = cored[n[DECODER_FRONT] & (cored.shape[0] - 1)]
        n[DECODER_FRONT] += 1
        n[DECODER_QUEUED] -= 1
        n[DECODING] += 1
        qf[s, T_START] = now
        qn[s, PLACE_NOW] = IN_CORE
        schedule(p, now + t.rows(p)[qn[s, ROW], R_DECODE], (ON_CORE << SHIFT) | s)
