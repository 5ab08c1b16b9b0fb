# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""A channel that fades or loses frames: twins of sim/medium/fading.py.

Of a payload's frames, some have never been sent, from FRESH_FRAME on; those that were lost and are
to go out again come before them in the same order, chained from OLD_FRAMES on in the table
`frames`. A run takes RUN_OLD of these and RUN_FRESH of those.
"""

import math

import numpy as np

from sim.compiling import inner
from sim.engine import tables as t
from sim.engine.channel import put, silence_s
from sim.engine.events import at_once, schedule
from sim.engine.groups import way_of
from sim.engine.layout import *
from sim.engine.lists import in_turn
from sim.engine.rooms import room
from sim.philox import minus_log


@inner
def _uniform(p: int, d: int) -> float:
    """The next number of a device's stream."""
    sn, fading = t.sn(p), t.fading(p)
    fading[d, LINK_DRAWN] += 1
    return float(in_turn(sn[LINK_0], sn[LINK_1], fading[d, LINK_DRAWN] - 1, d, sn[REPLICATION]))


@inner
def enter_block(p: int, d: int, block: int) -> None:
    """RadioChannel._enter."""
    t.fading(p)[d, BLOCK] = block
    t.fades(p)[d, GAIN] = minus_log(_uniform(p, d))


@inner
def _gain_now(p: int, d: int) -> float:
    """RadioChannel._gain_now."""
    if t.sn(p)[RAYLEIGH] == 1:
        block = math.floor(t.f(p)[NOW] / t.sf(p)[COHERENCE] + 1e-9)
        if block > t.fading(p)[d, BLOCK]:
            enter_block(p, d, block)
    return float(t.fades(p)[d, GAIN])


@inner
def _rate_bps(p: int, d: int, gain: float) -> float:
    """sim.medium.channel.rate_bps at a fading gain."""
    sn, ways, way = t.sn(p), t.ways(p), way_of(p, d)
    if sn[RATE] == SHANNON:
        capacity = t.sf(p)[BANDWIDTH] * math.log1p(ways[way, RATIO] * gain)
        return float(capacity / 0.6931471805599453)
    if sn[RATE] == BY_SCHEME:
        schemes = t.schemes(p)
        now_db = ways[way, RATIO] + 10.0 * math.log10(max(gain, 1e-30))
        found = 0.0
        for k in range(schemes.shape[0]):
            if schemes[k, 0] <= now_db:
                found = schemes[k, 1]
        return found
    return float(ways[way, RATE_BPS])


@inner
def _together(p: int, rate_bps: float) -> int:
    """LinkSpec.frames_per_access."""
    sf, most = t.sf(p), t.sn(p)[AGGREGATION]
    if most == 1 or sf[ACCESS_LIMIT] == np.inf:
        return int(most)
    frame_s = 8.0 * (sf[MTU_BYTES] + sf[HEADER_BYTES]) / rate_bps
    return int(max(1, min(most, int(sf[ACCESS_LIMIT] / frame_s + 1e-9))))


@room
def begin(p: int, s: int) -> bool:
    """RadioChannel.send: whether a payload's first run may go; else it waits in its device's
    queue.
    """
    qn, d = t.qn(p), t.qn(p)[s, DEVICE]
    qn[s, FRESH_FRAME] = 0
    qn[s, OLD_FRAMES] = -1
    qn[s, STARTED] = 0
    if t.sn(p)[OWN_QUEUES] == 0:
        return True
    fading = t.fading(p)
    qn[s, NEXT_IN_LINE] = -1
    if fading[d, LINE_FIRST] < 0:
        fading[d, LINE_FIRST] = s
        fading[d, LINE_LAST] = s
        return True
    qn[fading[d, LINE_LAST], NEXT_IN_LINE] = s
    fading[d, LINE_LAST] = s
    t.qf(p)[s, ENTERED] = t.f(p)[NOW]
    qn[s, PLACE_NOW] = IN_LINE
    return False


@room
def leave_line(p: int, s: int) -> None:
    """RadioChannel.send, at its end: the next payload's turn."""
    if t.qn(p)[s, NEXT_IN_LINE] == NOT_IN_LINE:
        return
    fading, qn, d = t.fading(p), t.qn(p), t.qn(p)[s, DEVICE]
    if fading[d, LINE_FIRST] != s:  # it leaves before its turn
        before = fading[d, LINE_FIRST]
        while qn[before, NEXT_IN_LINE] != s:
            before = qn[before, NEXT_IN_LINE]
        qn[before, NEXT_IN_LINE] = qn[s, NEXT_IN_LINE]
        if fading[d, LINE_LAST] == s:
            fading[d, LINE_LAST] = before
        qn[s, NEXT_IN_LINE] = NOT_IN_LINE
        return
    following = qn[s, NEXT_IN_LINE]
    qn[s, NEXT_IN_LINE] = NOT_IN_LINE
    fading[d, LINE_FIRST] = following
    if following >= 0:
        qn[following, PLACE_NOW] = UNDER_WAY
        at_once(p, (ON_LINE << SHIFT) | following)


@room
def hear_turn(p: int, s: int) -> None:
    """RadioChannel._wait, at its end."""
    qf, now = t.qf(p), t.f(p)[NOW]
    silent_s = silence_s(p, qf[s, ENTERED], now)
    qf[s, SILENCE] += silent_s
    qf[s, L_WAIT] += now - qf[s, ENTERED] - silent_s


@room
def move(p: int, s: int) -> int:
    """RadioChannel._move: the next run of a payload (ENTER), a wait for a better block (NOTHING),
    or none is left (DECODE).
    """
    sf, qf, qn, frames = t.sf(p), t.qf(p), t.qn(p), t.frames(p)
    d, n_frames = t.qn(p)[s, DEVICE], int(t.rows(p)[t.qn(p)[s, ROW], R_FRAMES])
    last_bytes = t.rows(p)[qn[s, ROW], R_LAST]
    if qn[s, OLD_FRAMES] < 0 and qn[s, FRESH_FRAME] == n_frames:
        return DECODE
    gain = _gain_now(p, d)
    rate = _rate_bps(p, d, gain)
    limit_s = sf[COHERENCE] if t.sn(p)[RAYLEIGH] == 1 else np.inf
    airtime_s, fixed_s, resent_s = 0.0, 0.0, 0.0
    count, accesses, full, sent_last = 0, 0, 0, False
    old, fresh, node = 0, 0, qn[s, OLD_FRAMES]
    together = _together(p, rate) if rate > 0.0 else 1
    while rate > 0.0 and (node >= 0 or qn[s, FRESH_FRAME] + fresh < n_frames):  # _run
        is_last = qn[s, FRESH_FRAME] + fresh == n_frames - 1
        if node >= 0:
            is_last = frames[node, IS_LAST] == 1
        size = last_bytes if is_last else sf[MTU_BYTES]
        begins = count % together == 0
        access_s = sf[FRAME_AIRTIME] if begins else 0.0
        frame_s = access_s + 8.0 * (size + sf[HEADER_BYTES]) / rate
        if airtime_s + frame_s > limit_s:
            break
        count += 1
        full += 0 if is_last else 1
        sent_last = sent_last or is_last
        accesses += 1 if begins else 0
        airtime_s += frame_s
        fixed_s += access_s
        if node >= 0:
            resent_s += frame_s
            old += 1
            node = frames[node, NEXT_FRAME]
        else:
            resent_s += 0.0
            fresh += 1
    qf[s, ENTERED] = t.f(p)[NOW]
    if count == 0:
        wait_s = max(0.0, (t.fading(p)[d, BLOCK] + 1) * sf[COHERENCE] - t.f(p)[NOW])
        schedule(p, t.f(p)[NOW] + wait_s, (ON_BLOCK << SHIFT) | s)
        return NOTHING
    sent_bytes = full * (sf[MTU_BYTES] + sf[HEADER_BYTES])
    if sent_last:
        sent_bytes = sent_bytes + (last_bytes + sf[HEADER_BYTES])
    qf[s, AIR_BYTES] += sent_bytes
    qf[s, T_WORK], qf[s, T_FIXED], qf[s, T_AFTER] = airtime_s, fixed_s, 0.0
    qf[s, RUN_GAIN], qf[s, RUN_RESENT] = gain, resent_s / airtime_s if resent_s != 0.0 else 0.0
    qn[s, RUN_OLD], qn[s, RUN_FRESH], qn[s, DOWN] = old, fresh, 0
    put(p, s, count, together)
    return ENTER


@room
def pass_block(p: int, s: int) -> None:
    """RadioChannel._move: the block is over in which nothing could be sent."""
    qf, d = t.qf(p), t.qn(p)[s, DEVICE]
    enter_block(p, d, t.fading(p)[d, BLOCK] + 1)
    qf[s, SILENCE] += t.f(p)[NOW] - qf[s, ENTERED]


@inner
def _is_lost(p: int, d: int, through: float, gain: float) -> bool:
    """RadioChannel._is_lost."""
    if t.sn(p)[RATE] == OUTAGE and gain < t.sf(p)[DEEP]:
        return True
    return through < 1.0 and _uniform(p, d) >= through


@room
def arrive(p: int, s: int) -> int:
    """RadioChannel._transfer and _move behind the medium: books a run, and what of it is lost goes
    out again: at once (MOVE) or after a round trip (NOTHING); DONE: too often.
    """
    sf, sn, qf, qn = t.sf(p), t.sn(p), t.qf(p), t.qn(p)
    end_s, alone_s = qf[s, T_END], qf[s, T_ALONE]
    silent_s = silence_s(p, qf[s, ENTERED], end_s)
    qf[s, AIRTIME] += alone_s
    qf[s, RESEND] += qf[s, RUN_RESENT] * alone_s
    qf[s, SILENCE] += silent_s
    qf[s, L_WAIT] += end_s - qf[s, ENTERED] - alone_s - silent_s
    qf[s, L_END] = end_s
    if qn[s, STARTED] == 0:
        qf[s, L_START] = qf[s, T_START]
        qn[s, STARTED] = 1
    lost, worst = _lose(p, s)
    if t.n(p)[SPARE_FRAMES] < sn[MOST_FRAMES]:
        t.n(p)[SHORT] |= OF_FRAMES
    if sn[EXACT] == 0:
        qf[s, ERASED] += lost / t.rows(p)[qn[s, ROW], R_FRAMES]
        return MOVE
    if worst >= sn[MAX_RETRIES]:
        forget_frames(p, s)
        qn[s, OUTCOME] = LINK_LOST
        return DONE
    qn[s, RESENT] += lost
    if lost > 0 and sn[RATE] == OUTAGE and sf[RTT] > 0.0:  # _hear_of_loss
        qf[s, SILENCE] += sf[RTT]
        schedule(p, t.f(p)[NOW] + sf[RTT], (ON_HEARD << SHIFT) | s)
        return NOTHING
    return MOVE


@inner
def _lose(p: int, s: int) -> tuple[int, int]:
    """Which frames of a run are lost: how many, and how often at most one had been before (-1: no
    frame is); where they are sent again, they stand in front.
    """
    n, sf, sn, qf, qn, frames = t.n(p), t.sf(p), t.sn(p), t.qf(p), t.qn(p), t.frames(p)
    d, r = qn[s, DEVICE], qn[s, ROW]
    n_frames, last_through = int(t.rows(p)[r, R_FRAMES]), t.rows(p)[r, R_THROUGH]
    gain = qf[s, RUN_GAIN]
    lost, worst, tail = 0, -1, -1
    node = qn[s, OLD_FRAMES]
    for i in range(qn[s, RUN_OLD] + qn[s, RUN_FRESH]):
        old = i < qn[s, RUN_OLD]
        if old:
            is_last = frames[node, IS_LAST] == 1
        else:
            is_last = qn[s, FRESH_FRAME] == n_frames - 1
            qn[s, FRESH_FRAME] += 1
        gone = _is_lost(p, d, last_through if is_last else sf[THROUGH], gain)
        following = frames[node, NEXT_FRAME] if old else node
        if gone:
            lost += 1
            if old:
                worst = max(worst, frames[node, TRIES])
                frames[node, TRIES] += 1
                tail = node
            elif sn[EXACT] == 1:
                worst = max(worst, 0)
                made = n[FREE_FRAME]
                n[FREE_FRAME] = frames[made, NEXT_FRAME]
                n[SPARE_FRAMES] -= 1
                frames[made, TRIES] = 1
                frames[made, IS_LAST] = 1 if is_last else 0
                frames[made, NEXT_FRAME] = following
                if tail < 0:
                    qn[s, OLD_FRAMES] = made
                else:
                    frames[tail, NEXT_FRAME] = made
                tail = made
        elif old:
            if tail < 0:
                qn[s, OLD_FRAMES] = following
            else:
                frames[tail, NEXT_FRAME] = following
            frames[node, NEXT_FRAME] = n[FREE_FRAME]
            n[FREE_FRAME] = node
            n[SPARE_FRAMES] += 1
        node = following
    return lost, worst


@room
def forget_frames(p: int, s: int) -> None:
    """Nothing of a payload is sent again."""
    n, qn, frames = t.n(p), t.qn(p), t.frames(p)
    node = qn[s, OLD_FRAMES]
    while node >= 0:
        following = frames[node, NEXT_FRAME]
        frames[node, NEXT_FRAME] = n[FREE_FRAME]
        n[FREE_FRAME] = node
        n[SPARE_FRAMES] += 1
        node = following
    qn[s, OLD_FRAMES] = -1
