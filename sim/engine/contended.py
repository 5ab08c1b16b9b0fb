# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""A medium for which stations contend, access by access: twins of ContendedMedium."""

import math

import numpy as np

from sim.compiling import inner
from sim.engine import tables as t
from sim.engine.events import leave, need_s, schedule
from sim.engine.layout import *
from sim.engine.lists import in_turn
from sim.engine.rooms import room

_DIGITS = 1e-9


@inner
def _pause(p: int, c: int) -> None:
    """ContendedMedium._pause: stop the access on the air, note what is left of it."""
    cf, cn, qf = t.cf(p), t.cn(p), t.qf(p)
    if cn[c, TIMER] < 0:
        return
    cn[c, TIMER] = -1
    if cn[c, ASKS] == 1:  # it began in this very instant
        cn[c, ASKS] = 0
        done = 0.0 if cf[c, ACCESS] > 0.0 else cf[c, UNSENT]
    else:
        elapsed_s = t.f(p)[NOW] - cf[c, SINCE]
        cf[c, C_BUSY] += elapsed_s
        whole_s = cf[c, ACCESS] * cf[c, STRETCH]
        done = min(cf[c, UNSENT], elapsed_s / whole_s) if whole_s > 0.0 else cf[c, UNSENT]
    cf[c, UNSENT] -= done
    qf[t.radios(p)[cn[c, SENDER], FIRST], T_ALONE] += done * cf[c, ACCESS]


@inner
def air(p: int, c: int) -> None:
    """ContendedMedium._run: send what is left of the turn. Where nobody knows yet how far as many
    stations as contended for it stretch it (NaN), its end is scheduled, in its turn, once
    `sim.engine.state` does.
    """
    cf, cn, n, qf = t.cf(p), t.cn(p), t.n(p), t.qf(p)
    now = t.f(p)[NOW]
    s = t.radios(p)[cn[c, SENDER], FIRST]
    need = need_s(qf[s, T_WORK], qf[s, T_FIXED], cf[c, C_SPEED])
    cf[c, ACCESS] = need / t.qn(p)[s, TOTAL]
    cf[c, SINCE] = now
    cn[c, FRESH] = 0
    cn[c, TIMER] = n[ORDER]
    time_s = now + cf[c, UNSENT] * cf[c, ACCESS] * cf[c, STRETCH]
    if math.isnan(cf[c, STRETCH]):
        cn[c, ASKS] = 1
        n[SHORT] |= OF_PLACES
        n[ORDER] += 1
    else:
        schedule(p, time_s, (ON_AIR << SHIFT) | c)


@inner
def contend(p: int, c: int) -> None:
    """ContendedMedium._contend: one of those that have something to send wins the next access."""
    cf, cn, sn, qn = t.cf(p), t.cn(p), t.sn(p), t.qn(p)
    radios, members = t.radios(p), t.members(p)
    _pause(p, c)
    m = cn[c, ACTIVE]
    cn[c, CONTENDERS] = m
    if m == 0 or cn[c, SILENT] == 1:
        cn[c, SENDER] = -1
        return
    if m == 1:
        radio = members[c, 0]
        cn[c, TURNS] = qn[radios[radio, FIRST], ACCESSES]
        cf[c, STRETCH] = 1.0
    else:
        u = in_turn(sn[CONTENTION_0], sn[CONTENTION_1], cn[c, DRAWN], c, sn[REPLICATION])
        cn[c, DRAWN] += 1
        radio = members[c, int(u * m)]
        cn[c, TURNS] = 1
        cf[c, STRETCH] = 1.0 / t.ratios(p)[qn[radios[radio, FIRST], SIZE], m]
    cn[c, SENDER] = radio
    cf[c, UNSENT] = float(cn[c, TURNS])
    air(p, c)
    cn[c, FRESH] = 1


@inner
def _advance(p: int, c: int, radio: int) -> None:
    """ContendedMedium._advance: a station's first transfer has gone."""
    cn, radios, members = t.cn(p), t.radios(p), t.members(p)
    following = t.qn(p)[radios[radio, FIRST], NEXT]
    radios[radio, FIRST] = following
    if following >= 0:
        t.qf(p)[following, T_START] = t.f(p)[NOW]
    else:
        cn[c, ACTIVE] -= 1
        last = members[c, cn[c, ACTIVE]]
        if last != radio:
            members[c, radios[radio, PLACE]] = last
            radios[last, PLACE] = radios[radio, PLACE]


@inner
def _end_turn(p: int, c: int) -> None:
    """ContendedMedium._end_turn."""
    cn, qn = t.cn(p), t.qn(p)
    radio = cn[c, SENDER]
    s = t.radios(p)[radio, FIRST]
    qn[s, ACCESSES] -= cn[c, TURNS]
    if qn[s, ACCESSES] == 0:
        _advance(p, c, radio)
        t.qf(p)[s, T_END] = t.f(p)[NOW]
        leave(p, s)
    contend(p, c)


@inner
def _cut(p: int, c: int) -> None:
    """ContendedMedium._cut: the turn of a station alone ends with the access on the air."""
    cf, cn = t.cf(p), t.cn(p)
    _pause(p, c)
    rest = cf[c, UNSENT] - math.floor(cf[c, UNSENT] + _DIGITS)
    if rest > _DIGITS:
        cn[c, TURNS] -= int(np.rint(cf[c, UNSENT] - rest))
        cf[c, UNSENT] = rest
        air(p, c)
    else:
        cn[c, TURNS] -= int(np.rint(cf[c, UNSENT]))
        _end_turn(p, c)


@room
def finish_air(p: int, c: int, turn: int) -> None:
    """ContendedMedium._finish."""
    cf, cn, qf = t.cf(p), t.cn(p), t.qf(p)
    if turn == cn[c, TIMER]:
        cn[c, TIMER] = -1
        cf[c, C_BUSY] += t.f(p)[NOW] - cf[c, SINCE]
        qf[t.radios(p)[cn[c, SENDER], FIRST], T_ALONE] += cf[c, UNSENT] * cf[c, ACCESS]
        _end_turn(p, c)


@room
def join(p: int, c: int, s: int) -> None:
    """ContendedMedium.enter."""
    cf, cn, n, qf, qn = t.cf(p), t.cn(p), t.n(p), t.qf(p), t.qn(p)
    radios, members = t.radios(p), t.members(p)
    radio = t.dn(p).shape[0] + c if qn[s, DOWN] == 1 else qn[s, DEVICE]
    qn[s, NEXT] = -1
    qn[s, PLACE_NOW] = AT_MEDIUM
    qn[s, ACCESSES] = qn[s, TOTAL]
    qf[s, T_START] = np.nan
    qf[s, T_ALONE] = 0.0
    if radios[radio, FIRST] >= 0:
        qn[radios[radio, LAST], NEXT] = s
        radios[radio, LAST] = s
        return
    radios[radio, FIRST] = s
    radios[radio, LAST] = s
    qf[s, T_START] = t.f(p)[NOW]
    radios[radio, PLACE] = cn[c, ACTIVE]
    members[c, cn[c, ACTIVE]] = radio
    cn[c, ACTIVE] += 1
    if cn[c, ACTIVE] + 1 >= min(t.ratios(p).shape[1], members.shape[1]):
        n[SHORT] |= OF_PLACES
    if cn[c, TIMER] < 0:
        if cn[c, SENDER] < 0:
            contend(p, c)
    elif cn[c, FRESH] == 1 and cf[c, SINCE] == t.f(p)[NOW]:
        contend(p, c)
    elif cn[c, TURNS] > 1:
        _cut(p, c)


@inner
def take_out(p: int, queue: int, s: int) -> None:
    """Take a transfer out of a queue in which it waits."""
    qn, radios = t.qn(p), t.radios(p)
    before, other = -1, radios[queue, FIRST]
    while other != s:
        before, other = other, qn[other, NEXT]
    if before < 0:
        radios[queue, FIRST] = qn[s, NEXT]
    else:
        qn[before, NEXT] = qn[s, NEXT]
    if radios[queue, LAST] == s:
        radios[queue, LAST] = before


@room
def withdraw_radio(p: int, c: int, s: int) -> float:
    """ContendedMedium.withdraw."""
    cn, qn, radios = t.cn(p), t.qn(p), t.radios(p)
    radio = t.dn(p).shape[0] + c if qn[s, DOWN] == 1 else qn[s, DEVICE]
    if radios[radio, FIRST] != s:
        take_out(p, radio, s)
        return 0.0
    on_air = radio == cn[c, SENDER]
    if on_air:
        _pause(p, c)
        cn[c, SENDER] = -1
    _advance(p, c, radio)
    if on_air:
        contend(p, c)
    return float(t.qf(p)[s, T_ALONE])


@room
def set_air_speed(p: int, c: int, speed: float) -> None:
    """ContendedMedium.set_speed."""
    cf, cn = t.cf(p), t.cn(p)
    _pause(p, c)
    if cn[c, SENDER] >= 0 and cf[c, UNSENT] <= _DIGITS:  # done at this very instant
        _end_turn(p, c)
        _pause(p, c)
    cn[c, SILENT] = 1 if speed == 0.0 else 0
    if speed == 0.0:
        return
    cf[c, C_SPEED] = speed
    if cn[c, SENDER] < 0:
        contend(p, c)
    else:
        air(p, c)
        if cn[c, TURNS] > 1 and cn[c, ACTIVE] > 1:
            _cut(p, c)
