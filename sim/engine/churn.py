# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""Devices that join and leave: twins of workload.presence, of Device.leave and Device.withdraw.

Whoever leaves is taken out of wherever it waits. Where an event of its own is still to come, it
keeps its slot until then (GONE), so that the event meets nobody else.
"""

import math

from sim.compiling import inner
from sim.engine import tables as t
from sim.engine.contended import withdraw_radio
from sim.engine.devices import depart
from sim.engine.events import free, schedule
from sim.engine.fading import forget_frames, leave_line
from sim.engine.groups import cell_of, talks_of
from sim.engine.layout import *
from sim.engine.lists import in_turn
from sim.engine.rooms import room
from sim.engine.scheduled import withdraw_own
from sim.engine.server import withdraw_waiting
from sim.engine.sessions import break_off
from sim.engine.shared import withdraw_shared
from sim.engine.stations import withdraw_decoding, withdraw_queued
from sim.philox import minus_log


@inner
def _stay_s(p: int, d: int, mean_s: float) -> float:
    """How long a device is there, or is not."""
    sn, crew = t.sn(p), t.crew(p)
    u = in_turn(sn[PRESENCE_0], sn[PRESENCE_1], crew[d, STAYS_DRAWN], d, sn[REPLICATION])
    crew[d, STAYS_DRAWN] += 1
    return float(mean_s * minus_log(u))


@room
def come(p: int, d: int) -> bool:
    """workload.presence, at its beginning: whether a device is there from the start."""
    join_s = t.churns(p)[t.dn(p)[d, GROUP], C_JOIN]
    if join_s > 0.0:
        schedule(p, t.f(p)[NOW] + join_s, (ON_JOIN << SHIFT) | d)
        return False
    return True


@room
def join_fleet(p: int, d: int) -> None:
    """Device.join; workload.presence, up to when the device leaves, if ever."""
    now, churns, g = t.f(p)[NOW], t.churns(p), t.dn(p)[d, GROUP]
    t.stays(p)[d, THERE_SINCE] = now
    if churns[g, C_MEAN_UP] > 0.0:
        schedule(p, now + _stay_s(p, d, churns[g, C_MEAN_UP]), (ON_LEAVE << SHIFT) | d)
    elif now < churns[g, C_LEAVE]:
        schedule(p, now + (churns[g, C_LEAVE] - now), (ON_LEAVE << SHIFT) | d)


@room
def leave_fleet(p: int, d: int) -> None:
    """Device.leave; workload.presence, up to when the device joins again, if ever."""
    df, dn, stays, now = t.df(p), t.dn(p), t.stays(p), t.f(p)[NOW]
    churns, g = t.churns(p), t.dn(p)[d, GROUP]
    stays[d, THERE_S] += now - stays[d, THERE_SINCE]
    stays[d, THERE_SINCE] = math.inf
    df[d, P_WORK] -= max(0.0, df[d, P_FREE] - now)  # FifoStation.clear
    df[d, P_FREE] = min(df[d, P_FREE], now)
    dn[d, LIFE] = -1
    if churns[g, C_MEAN_UP] > 0.0:
        schedule(p, now + _stay_s(p, d, churns[g, C_MEAN_DOWN]), (ON_JOIN << SHIFT) | d)
    elif churns[g, C_BACK] > 0.0:
        schedule(p, now + (churns[g, C_BACK] - now), (ON_JOIN << SHIFT) | d)
    s = t.crew(p)[d, OPEN_FIRST]
    while s >= 0:
        younger = t.mates(p)[s, YOUNGER]
        _withdraw(p, d, s)
        dn[d, IN_FLIGHT] -= 1
        s = younger


@inner
def _withdraw(p: int, d: int, s: int) -> None:
    """Device.handle and Conversation.handle, interrupted; what a request computed and sent so far
    is done.
    """
    talks = talks_of(p, d) == 1
    if not talks or t.talk_n(p)[s, STEP] >= 0:
        _withdraw_step(p, d, s)
    if talks:
        break_off(p, s)
    depart(p, s, HAS_LEFT)
    if t.qn(p)[s, PLACE_NOW] <= FOR_REPAIR:
        t.qn(p)[s, PLACE_NOW] = GONE
    else:
        free(p, s)


@inner
def _withdraw_step(p: int, d: int, s: int) -> None:
    """Device.withdraw of a request, or of the step of a session that is under way."""
    qf, qn, now = t.qf(p), t.qn(p), t.f(p)[NOW]
    if t.sn(p)[RADIO_CHANNEL] == 1:  # RadioChannel.send, interrupted
        leave_line(p, s)
        forget_frames(p, s)
    qf[s, D_START] = min(qf[s, D_START], now)
    qf[s, D_END] = min(qf[s, D_END], now)
    on_air_s = _leave_medium(p, cell_of(p, d), s)
    if qn[s, DOWN] == 0:  # else it was the answer's
        qf[s, AIRTIME] += on_air_s
    if qn[s, PLACE_NOW] == AT_SERVER:
        withdraw_waiting(p, s)
    elif qn[s, PLACE_NOW] == AT_CORES:
        withdraw_decoding(p, s)


@inner
def _leave_medium(p: int, c: int, s: int) -> float:
    """Take a transfer out of its cell, wherever it is there. Seconds of its work that were done."""
    link = t.sn(p)[LINK]
    if link == SCHEDULED_LINK:
        return float(withdraw_own(p, c, s))
    if t.qn(p)[s, PLACE_NOW] != AT_MEDIUM:
        return 0.0
    if link == QUEUE_LINK:
        return float(withdraw_queued(p, c, s))
    if link == SHARED_LINK:
        return float(withdraw_shared(p, c, s))
    return float(withdraw_radio(p, c, s))
