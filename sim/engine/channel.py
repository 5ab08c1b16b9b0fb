# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""What a payload or an answer takes on the air: twins of sim/medium/channel.py, of Link's answers
and of the medium's speeds.
"""

import math

import numpy as np

from sim.compiling import hot, inner
from sim.engine import tables as t
from sim.engine.groups import way_of
from sim.engine.layout import *
from sim.engine.rooms import room


@inner
def _size(p: int, frames: int, together: int) -> int:
    """The place of so many frames, so many of which share an access, among the capacities of a
    medium for which stations contend; a new one where they have never been sent.
    """
    sizes, n = t.sizes(p), t.n(p)
    if sizes[frames, together] < 0:
        sizes[frames, together] = n[SIZES]
        n[SIZES] += 1
        if n[SIZES] + 2 > t.ratios(p).shape[0]:
            n[SHORT] |= OF_PLACES
    return int(sizes[frames, together])


@hot
def put(p: int, s: int, frames: int, together: int) -> None:
    """How many accesses so many frames take, and which capacities hold while they are sent."""
    qn, sn = t.qn(p), t.sn(p)
    if sn[LINK] == CONTENDED_LINK:
        qn[s, TOTAL] = (frames + together - 1) // together
        qn[s, SIZE] = _size(p, frames, together)


@hot
def send(p: int, s: int) -> None:
    """Channel.send: what a payload takes."""
    sf, qf, qn = t.sf(p), t.qf(p), t.qn(p)
    rows, r = t.rows(p), t.qn(p)[s, ROW]
    ways, way = t.ways(p), way_of(p, t.qn(p)[s, DEVICE])
    frames, together = int(rows[r, R_FRAMES]), int(ways[way, TOGETHER])
    accesses = (frames + together - 1) // together
    fixed_s = accesses * sf[FRAME_AIRTIME]
    qf[s, AIR_BYTES] += rows[r, R_AIR]
    qf[s, T_WORK] = fixed_s + rows[r, R_AIR] * ways[way, BYTE_S]
    qf[s, T_FIXED] = fixed_s
    qf[s, T_AFTER] = 0.0
    qn[s, DOWN] = 0
    put(p, s, frames, together)


@inner
def downlink_s(p: int, s: int) -> float:
    """Link.downlink_s: airtime of a request's answer; its fixed part goes to T_FIXED."""
    rows, r = t.rows(p), t.qn(p)[s, ROW]
    if rows[r, R_ANSWER] <= 0.0:
        return 0.0
    sf, ways, way = t.sf(p), t.ways(p), way_of(p, t.qn(p)[s, DEVICE])
    frames, together = int(rows[r, R_DOWN_FRAMES]), int(ways[way, DOWN_TOGETHER])
    accesses = (frames + together - 1) // together
    return float(accesses * sf[FRAME_AIRTIME] + rows[r, R_DOWN_AIR] * ways[way, DOWN_BYTE_S])


@inner
def downlink_fixed_s(p: int, s: int) -> float:
    """Link.downlink_fixed_s."""
    rows, r = t.rows(p), t.qn(p)[s, ROW]
    if t.sn(p)[DOWN_FIXED] == 1:
        return float(downlink_s(p, s))
    ways, way = t.ways(p), way_of(p, t.qn(p)[s, DEVICE])
    frames, together = int(rows[r, R_DOWN_FRAMES]), int(ways[way, DOWN_TOGETHER])
    return float((frames + together - 1) // together * t.sf(p)[FRAME_AIRTIME])


@hot
def answer_s(p: int, s: int) -> float:
    """Link.answer_s: seconds that pass after the server without a wait."""
    sn = t.sn(p)
    if sn[SHARED_DOWN] == 1 or sn[VARYING_ANSWERS] == 1:
        return 0.0
    return float(downlink_s(p, s) + t.sf(p)[HALF_RTT])


@room
def send_answer(p: int, s: int) -> None:
    """Link.send_answer."""
    qf, qn, rows, ways = t.qf(p), t.qn(p), t.rows(p), t.ways(p)
    r, way = qn[s, ROW], way_of(p, qn[s, DEVICE])
    qf[s, T_WORK] = downlink_s(p, s)
    qf[s, T_FIXED] = downlink_fixed_s(p, s)
    qf[s, T_AFTER] = t.sf(p)[HALF_RTT]
    qn[s, DOWN] = 1
    put(p, s, int(rows[r, R_DOWN_FRAMES]), int(ways[way, DOWN_TOGETHER]))


@inner
def _silent_until(p: int, time_s: float) -> float:
    """Speeds._silent_until: seconds of silence up to a time."""
    silences = t.silences(p)
    low, high = 0, t.n(p)[SILENCES]
    while low < high:  # bisect_right
        middle = (low + high) // 2
        if time_s < silences[middle, SILENT_FROM]:
            high = middle
        else:
            low = middle + 1
    if low == 0:
        return 0.0
    k = low - 1
    end_s = min(time_s, silences[k, SILENT_UNTIL])
    return float(silences[k, SILENT_BEFORE] + end_s - silences[k, SILENT_FROM])


@room
def silence_between(p: int, start_s: float, end_s: float) -> float:
    """Speeds.silence_s, where there is any silence."""
    return float(_silent_until(p, end_s) - _silent_until(p, start_s))


@hot
def silence_s(p: int, start_s: float, end_s: float) -> float:
    """Speeds.silence_s: seconds of silence between two instants."""
    return float(silence_between(p, start_s, end_s)) if t.n(p)[SILENCES] > 0 else 0.0


@inner
def end_s(p: int, start_s: float, work_s: float, fixed_s: float) -> float:
    """Speeds.end_s: when work that begins now is done with nobody else there; NaN where that lies
    beyond the changes that are known.
    """
    if work_s == 0.0:
        return start_s
    n, changes = t.n(p), t.changes(p)
    low, high = 0, n[CHANGES]
    while low < high:
        middle = (low + high) // 2
        if start_s < changes[middle, CHANGES_AT]:
            high = middle
        else:
            low = middle + 1
    number, now_s, left = low - 1, start_s, 1.0
    while True:
        speed = changes[number, CHANGES_TO] if number >= 0 else 1.0
        number += 1
        until_s = np.inf
        if number < n[CHANGES]:
            until_s = changes[number, CHANGES_AT]
        elif n[ALL_CHANGES] == 0:
            return math.nan
        if speed > 0.0:
            whole_s = fixed_s + (work_s - fixed_s) / speed if speed != 1.0 else work_s
            if now_s + left * whole_s <= until_s:
                return now_s + left * whole_s
            left -= (until_s - now_s) / whole_s
        if until_s == np.inf:
            return math.inf
        now_s = until_s


@room
def answer_end_s(p: int, s: int) -> float:
    """Link.answer_end_s: when an answer that goes now is there, on a channel of its own."""
    return float(end_s(p, t.f(p)[NOW], downlink_s(p, s), downlink_fixed_s(p, s)))
