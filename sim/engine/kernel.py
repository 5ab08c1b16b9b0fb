# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""The kernel: plays the events of a system in the order in which SimPy would.

One event list for all by (time, order of scheduling), and a queue of what happens at this very
instant. Every event that SimPy schedules and whose order matters is scheduled here, in the
same place of the same step, so that ties fall alike; every sum is taken in the model's order. The
marks name the method that a passage is the twin of.
"""

import math
from typing import Any

import numpy as np

from sim.compiling import compiled, inlined
from sim.engine.gaps import next_gap
from sim.engine.layout import *
from sim.engine.lists import draw, fsum, in_turn, next_window, pop, schedule
from sim.engine.server import batch_s, factor, full, most_urgent, without
from sim.philox import minus_log

_NONE, _CREATE, _SEND, _DECODE, _SERVE, _DONE, _ENTER, _CONTEND, _END_TURN, _RUN, _ANSWER = range(
    11
)
_CLOCK_DIGITS, _LIGHT, _DIGITS = 1e-12, 1e-3, 1e-9
_ANSWERED, _BUSY, _REJECTED, _EXPIRED = 1, 2, 3, 4


@compiled
def play(
    until: float, stop: int, f: Any, n: Any, sf: Any, sn: Any, at: Any, key: Any, now_list: Any,
    hops: Any, hop_code: Any, df: Any, dn: Any, qf: Any, qn: Any, rows: Any, ways: Any, tails: Any,
    cf: Any, cn: Any, members: Any, ratios: Any, waiting: Any, batches: Any, batch_n: Any,
    batch_at: Any, gpus: Any, cores: Any, cored: Any, work: Any, parts: Any, records: Any,
    loads: Any, times: Any, radios: Any, law: Any,
) -> int:  # fmt: skip
    """Play what is due before `until`, or to the event `stop`; returns why it came back."""
    ring = now_list.shape[0] - 1
    core_ring = cored.shape[0] - 1
    half_s = sf[HALF_RTT]
    link, server, n_gpus = sn[LINK], sn[SERVER], sn[N_GPUS]
    k0, k1, replication = sn[REQUESTS_0], sn[REQUESTS_1], sn[REPLICATION]
    one = np.int64(1)
    arg_mask = (one << SHIFT) - 1
    burst = sn[MAX_BATCH] + n_gpus + sn[N_DECODERS] + 8
    listed = key.shape[0] >> 1
    while True:
        # ---- room for what one event may need
        if n[FREE] < 0 or n[HEAP] + n[KEPT] + burst > listed or n[HOPS] + burst > hops.shape[0]:
            return GROW
        if n[WIDE] == 1:
            return GROW_CONTENTION
        if n[ROWS] + 2 > records.shape[0]:
            return GROW_ROWS
        # ---- the next event
        queued = n[QUEUED] > 0
        now = f[NOW]
        if n[HEAP] == 0 and n[KEPT] > 0 and not queued:
            next_window(n, at, key)
        if n[HEAP] > 0 and not (
            queued and (at[0] > now or key[0, 0] > now_list[n[FRONT] & ring, 0])
        ):
            if at[0] >= until:
                return REACHED
            now = at[0]
            order = key[0, 0]
            code = key[0, 1]
            pop(at, key, n[HEAP])
            n[HEAP] -= 1
            f[NOW] = now
        elif queued:
            if now >= until:
                return REACHED
            p = n[FRONT] & ring
            order = now_list[p, 0]
            code = now_list[p, 1]
            n[FRONT] += 1
            n[QUEUED] -= 1
        else:
            return EMPTY
        n[EVENTS] += 1
        if n[EVENTS] > sn[MAX_EVENTS]:
            return BUDGET
        kind = code >> SHIFT
        a = code & arg_mask
        act = _NONE
        batch_due = False
        gap_due = False
        newest = -1
        s = a  # of a request
        d = a  # of a device
        c = a  # of a cell
        # ---- what it is
        if kind == ON_THOUGHT:
            act = _CREATE
        elif kind == ON_START:
            act = _RUN
        elif kind == ON_BIRTH:
            act = _NONE
            if dn[d, KIND] >= COMES:
                gap_due = True
            elif df[d, SPREAD] >= 0.0:
                _schedule(n, at, key, now + df[d, SPREAD], (ON_START << SHIFT) | d)
            else:
                act = _RUN
        elif kind == ON_ARRIVAL:  # workload.open_loop: the next gap, then the request
            gap_due = True
            act = _CREATE
        elif kind == ON_DEVICE:  # Device.step, behind the processor
            d = qn[s, DEVICE]
            r = qn[s, ROW]
            qf[s, D_WAIT] += qf[s, D_START] - qf[s, ENTERED]
            if rows[r, R_SENT] != 0.0:
                qf[s, NETWORK] += half_s
                act = _SEND
            elif rows[r, R_SERVER] > 0.0:
                act = _DECODE
            else:
                act = _DONE
        elif kind == ON_SENT and qn[s, DOWN] == 1:  # Device._download, behind the medium
            alone_s = qf[s, T_ALONE]
            qf[s, NETWORK] += alone_s
            qf[s, A_WAIT] += qf[s, T_END] - qf[s, ENTERED] - alone_s
            act = _DONE
        elif kind == ON_SENT:  # Device._book_upload
            qf[s, L_START] = qf[s, T_START]
            qf[s, L_END] = qf[s, T_END]
            alone_s = qf[s, T_ALONE]
            qf[s, AIRTIME] += alone_s
            qf[s, L_WAIT] += qf[s, T_END] - qf[s, ENTERED] - alone_s
            act = _DECODE
        elif kind == ON_SHARED:  # SharedStation._fire
            if now == cf[c, DUE]:
                m = cn[c, FLOWS]
                if m > 0:
                    elapsed_s = now - cf[c, SINCE]
                    cf[c, C_BUSY] += elapsed_s
                    cf[c, CLOCK] += elapsed_s * cf[c, PACE]
                cf[c, SINCE] = now
                clock = cf[c, CLOCK]
                reach = clock + _CLOCK_DIGITS * (clock + cf[c, PACE] * now)
                while m > 0 and qf[members[c, 0], TAG] <= reach:
                    s = members[c, 0]
                    m -= 1
                    _sift(members[c], qf, qn, m, members[c, m])
                    weight = df[qn[s, DEVICE], WEIGHT]
                    cf[c, WEIGHTS] -= weight
                    if cf[c, WEIGHTS] < _LIGHT * weight:
                        for i in range(m):
                            work[i] = df[qn[members[c, i], DEVICE], WEIGHT]
                        cf[c, WEIGHTS] = fsum(work, m, parts)
                    qf[s, T_END] = now
                    _leave(f, n, at, key, now_list, hops, hop_code, qf, s)
                cn[c, FLOWS] = m
                cf[c, DUE] = np.inf
                if m > 0:
                    cf[c, PACE] = (m if sn[OWN] == 1 else 1.0) / cf[c, WEIGHTS]
                    due = now + max(0.0, qf[members[c, 0], TAG] - clock) / cf[c, PACE]
                    cf[c, DUE] = due
                    _timeout_at(f, n, at, key, hops, hop_code, due, (ON_SHARED << SHIFT) | c)
                else:
                    cf[c, CLOCK] = 0.0
                    cf[c, WEIGHTS] = 0.0
        elif kind == ON_AIR:  # ContendedMedium._finish
            if order == cn[c, TIMER]:
                cn[c, TIMER] = -1
                cf[c, C_BUSY] += now - cf[c, SINCE]
                qf[radios[cn[c, SENDER], FIRST], T_ALONE] += cf[c, UNSENT] * cf[c, ACCESS]
                act = _END_TURN
        elif kind == ON_DECODED:  # Device._decode
            qf[s, C_WAIT] += qf[s, T_START] - qf[s, ENTERED]
            qf[s, C_SERVICE] += qf[s, T_END] - qf[s, T_START]
            act = _SERVE
        elif kind in (ON_SERVED, ON_DONE):
            d = qn[s, DEVICE]
            qf[s, S_WAIT] += qf[s, S_START] - qf[s, ENTERED]
            qf[s, S_SERVICE] += qf[s, S_END] - qf[s, S_START]
            qf[s, NETWORK] += ways[dn[d, WAY], qn[s, ROW], W_AFTER]
            act = _ANSWER if sn[SHARED_DOWN] == 1 else _DONE
        elif kind == ON_BATCH:  # QueueServer._finish
            f[GPU_BUSY] += now - batch_at[a]
            for i in range(batch_n[a]):
                s = batches[a, i]
                after_s = ways[dn[qn[s, DEVICE], WAY], qn[s, ROW], W_AFTER]
                if after_s > 0.0:
                    _timeout_at(f, n, at, key, hops, hop_code, now + after_s,
                                (ON_ANSWER << SHIFT) | s)  # fmt: skip
                else:
                    _at_once(n, now_list, (ON_DONE << SHIFT) | s)
            batch_n[a] = 0
            batch_due = True
        elif kind == ON_WAKE:
            f[AGAIN] = np.inf
            batch_due = True
        elif kind == ON_CORE:  # QueuePool._finish
            f[DECODER_BUSY] += now - qf[s, T_START]
            n[DECODING] -= 1
            qf[s, T_END] = now
            _at_once(n, now_list, (ON_DECODED << SHIFT) | s)
            while n[DECODER_QUEUED] > 0 and n[DECODING] < sn[N_DECODERS]:
                s = cored[n[DECODER_FRONT] & core_ring]
                n[DECODER_FRONT] += 1
                n[DECODER_QUEUED] -= 1
                n[DECODING] += 1
                qf[s, T_START] = now
                _schedule(n, at, key, now + rows[qn[s, ROW], R_DECODE], (ON_CORE << SHIFT) | s)
        elif kind == ON_HOP:  # timeout_at: the rest of the way
            _schedule(n, at, key, now + (hops[a] - now), (ON_LATER << SHIFT) | a)
        elif kind in (ON_LATER, ON_ANSWER, ON_CARRIED):  # Event.trigger
            following = ((ON_DONE if kind == ON_ANSWER else ON_SENT) << SHIFT) | s
            if kind == ON_LATER:
                following = hop_code[a]
                hop_code[a] = n[FREE_HOP]
                n[FREE_HOP] = a
                n[HOPS] -= 1
            _at_once(n, now_list, following)
        elif kind == ON_PROPAGATED:
            act = _DONE
        elif kind == ON_FAILURE:
            return NO_TIME
        elif kind in (ON_TARGET, ON_ALL):
            n[TARGET_PASSED if kind == ON_TARGET else ALL_PASSED] = 1
            if stop == kind:
                return STOPPED
        outcome = _REJECTED if kind == ON_REFUSED else _EXPIRED if kind == ON_EXPIRED else _ANSWERED
        if kind in (ON_REFUSED, ON_EXPIRED):
            act = _DONE
        if gap_due:
            request = dn[d, COUNT] + (one if act == _CREATE else 0)
            if dn[d, KIND] == COMES:
                u, _ = draw(k0, k1, request, d, replication)
                _schedule(n, at, key, now + df[d, MEAN] * minus_log(u), (ON_ARRIVAL << SHIFT) | d)
            else:
                gap_s, turn = next_gap(d, request, now, sn, df, dn, loads, times)
                if gap_s >= 0.0:
                    turn = turn if turn > 0 else n[ORDER]
                    schedule(n, at, key, now + gap_s, turn, (ON_ARRIVAL << SHIFT) | d)
                    n[ORDER] += 1
        # ---- what follows in the same instant
        while act != _NONE:
            if act == _RUN:  # closed_loop: think
                act = _CREATE
                if df[d, MEAN] > 0.0:
                    pause_s = df[d, MEAN]
                    if dn[d, KIND] == THINKS:
                        u, _ = draw(k0, k1, dn[d, COUNT], d, replication)
                        pause_s = df[d, MEAN] * minus_log(u)
                    _schedule(n, at, key, now + pause_s, (ON_THOUGHT << SHIFT) | d)
                    act = _NONE
            elif act == _CREATE:  # Device.handle
                df[d, BEGAN] = now
                _, u = draw(k0, k1, dn[d, COUNT], d, replication)
                dn[d, COUNT] += 1
                s = n[FREE]
                if s < 0:
                    return NO_TIME
                n[FREE] = qn[s, NEXT]
                r = dn[d, ROW_0] + np.int64(u * dn[d, N_ROWS])
                for i in range(N_BOOKED):
                    qf[s, i] = 0.0
                for i in range(D_START, S_END + 1):
                    qf[s, i] = np.nan
                qf[s, CREATED] = now
                qn[s, DEVICE] = d
                qn[s, ROW] = r
                qn[s, NUMBER] = n[MADE]
                n[MADE] += 1
                n[ARRIVED] += 1
                f[ARRIVAL_SUM] += now
                if dn[d, LIMIT] >= 0 and dn[d, IN_FLIGHT] >= dn[d, LIMIT]:
                    outcome = _BUSY
                    act = _DONE
                else:
                    dn[d, IN_FLIGHT] += 1
                    work_s = rows[r, R_DEVICE] * df[d, SLOWDOWN]
                    free = df[d, P_FREE]
                    start = free if free > now else now
                    end = start + work_s
                    qf[s, ENTERED] = now
                    qf[s, D_START] = start
                    qf[s, D_END] = end
                    df[d, P_FREE] = end
                    df[d, P_WORK] += work_s
                    after_s = sf[BEFORE] if rows[r, R_SENT] != 0.0 else 0.0
                    _timeout_at(f, n, at, key, hops, hop_code, end + after_s,
                                (ON_DEVICE << SHIFT) | s)  # fmt: skip
                    act = _NONE
            elif act == _SEND:  # Channel.send
                d = qn[s, DEVICE]
                way, r = dn[d, WAY], qn[s, ROW]
                qf[s, AIR_BYTES] += ways[way, r, W_BYTES]
                qf[s, T_WORK] = ways[way, r, W_AIRTIME]
                qf[s, T_AFTER] = 0.0
                qn[s, TOTAL] = np.int64(ways[way, r, W_ACCESSES])
                qn[s, FRAMES_EACH] = np.int64(ways[way, r, W_FRAMES])
                qn[s, DOWN] = 0
                act = _ENTER
            elif act == _ANSWER:  # Device._download, Link.send_answer
                d = qn[s, DEVICE]
                way, r = dn[d, WAY], qn[s, ROW]
                qf[s, NETWORK] += half_s
                act = _DONE
                if rows[r, R_ANSWER] > 0.0:
                    qf[s, T_WORK] = ways[way, r, W_DOWN_AIRTIME]
                    qf[s, T_AFTER] = half_s
                    qn[s, TOTAL] = np.int64(ways[way, r, W_DOWN_ACCESSES])
                    qn[s, FRAMES_EACH] = np.int64(ways[way, r, W_DOWN_FRAMES])
                    qn[s, DOWN] = 1
                    act = _ENTER
                elif half_s > 0.0:
                    _schedule(n, at, key, now + half_s, (ON_PROPAGATED << SHIFT) | s)
                    act = _NONE
            elif act == _ENTER:
                d = qn[s, DEVICE]
                c = dn[d, CELL]
                airtime_s = qf[s, T_WORK]
                qf[s, ENTERED] = now
                act = _NONE
                if link == FIFO_LINK:  # FifoStation.serve
                    free = cf[c, C_FREE]
                    start = free if free > now else now
                    end = start + airtime_s
                    cf[c, C_FREE] = end
                    cf[c, C_WORK] += airtime_s
                    qf[s, T_START] = start
                    qf[s, T_END] = end
                    qf[s, T_ALONE] = airtime_s
                    _timeout_at(f, n, at, key, hops, hop_code, end + qf[s, T_AFTER],
                                (ON_SENT << SHIFT) | s)  # fmt: skip
                elif link == SHARED_LINK:  # SharedStation.serve
                    m = cn[c, FLOWS]
                    if m > 0:
                        elapsed_s = now - cf[c, SINCE]
                        cf[c, C_BUSY] += elapsed_s
                        cf[c, CLOCK] += elapsed_s * cf[c, PACE]
                    cf[c, SINCE] = now
                    weight = df[d, WEIGHT]
                    qf[s, T_START] = now
                    qf[s, T_ALONE] = airtime_s
                    qf[s, TAG] = cf[c, CLOCK] + airtime_s / weight
                    qn[s, TURN] = n[ORDER]  # ties between tags go by arrival
                    n[ORDER] += 1
                    _rise(members[c], qf, qn, m, s)
                    m += 1
                    cn[c, FLOWS] = m
                    if m + 1 >= members.shape[1]:
                        n[WIDE] = 1
                    cf[c, WEIGHTS] += weight
                    cf[c, PACE] = (m if sn[OWN] == 1 else 1.0) / cf[c, WEIGHTS]
                    first_s = max(0.0, qf[members[c, 0], TAG] - cf[c, CLOCK])
                    due = now + first_s / cf[c, PACE]
                    if due < cf[c, DUE]:
                        cf[c, DUE] = due
                        _timeout_at(f, n, at, key, hops, hop_code, due, (ON_SHARED << SHIFT) | c)
                else:  # ContendedMedium.enter
                    radio = dn.shape[0] + c if qn[s, DOWN] == 1 else d
                    qn[s, NEXT] = -1
                    qn[s, ACCESSES] = qn[s, TOTAL]
                    qf[s, T_START] = np.nan
                    qf[s, T_ALONE] = 0.0
                    if radios[radio, FIRST] >= 0:
                        qn[radios[radio, LAST], NEXT] = s
                        radios[radio, LAST] = s
                    else:
                        radios[radio, FIRST] = s
                        radios[radio, LAST] = s
                        qf[s, T_START] = now
                        radios[radio, PLACE] = cn[c, ACTIVE]
                        members[c, cn[c, ACTIVE]] = radio
                        cn[c, ACTIVE] += 1
                        if cn[c, ACTIVE] + 1 >= min(ratios.shape[1], members.shape[1]):
                            n[WIDE] = 1
                        if cn[c, TIMER] < 0:
                            if cn[c, SENDER] < 0:
                                act = _CONTEND
                        elif cn[c, FRESH] == 1 and cf[c, SINCE] == now:
                            act = _CONTEND
                        elif cn[c, TURNS] > 1:  # _cut
                            _pause(cf[c], cn[c], qf, radios, now)
                            rest = cf[c, UNSENT] - math.floor(cf[c, UNSENT] + _DIGITS)
                            if rest > _DIGITS:
                                cn[c, TURNS] -= np.int64(np.rint(cf[c, UNSENT] - rest))
                                cf[c, UNSENT] = rest
                                _air(f, n, at, key, cf[c], cn[c], qf, qn, radios, c)
                            else:
                                cn[c, TURNS] -= np.int64(np.rint(cf[c, UNSENT]))
                                act = _END_TURN
            elif act == _END_TURN:  # ContendedMedium._end_turn
                radio = cn[c, SENDER]
                s = radios[radio, FIRST]
                qn[s, ACCESSES] -= cn[c, TURNS]
                if qn[s, ACCESSES] == 0:
                    following = qn[s, NEXT]  # _advance
                    radios[radio, FIRST] = following
                    if following >= 0:
                        qf[following, T_START] = now
                    else:
                        cn[c, ACTIVE] -= 1
                        last = members[c, cn[c, ACTIVE]]
                        if last != radio:
                            members[c, radios[radio, PLACE]] = last
                            radios[last, PLACE] = radios[radio, PLACE]
                    qf[s, T_END] = now
                    _leave(f, n, at, key, now_list, hops, hop_code, qf, s)
                act = _CONTEND
            elif act == _CONTEND:  # ContendedMedium._contend
                act = _NONE
                _pause(cf[c], cn[c], qf, radios, now)
                m = cn[c, ACTIVE]
                if m == 0:
                    cn[c, SENDER] = -1
                else:
                    if m == 1:
                        radio = members[c, 0]
                        cn[c, TURNS] = qn[radios[radio, FIRST], ACCESSES]
                        cf[c, STRETCH] = 1.0
                    else:
                        u = in_turn(
                            sn[CONTENTION_0], sn[CONTENTION_1], cn[c, DRAWN], c, replication
                        )
                        cn[c, DRAWN] += 1
                        radio = members[c, np.int64(u * m)]
                        cn[c, TURNS] = 1
                        cf[c, STRETCH] = 1.0 / ratios[qn[radios[radio, FIRST], FRAMES_EACH], m]
                    cn[c, SENDER] = radio
                    cf[c, UNSENT] = float(cn[c, TURNS])
                    _air(f, n, at, key, cf[c], cn[c], qf, qn, radios, c)
                    cn[c, FRESH] = 1
            elif act == _DECODE:
                decode_s = rows[qn[s, ROW], R_DECODE]
                act = _SERVE
                if sn[N_DECODERS] > 0 and decode_s > 0.0:
                    act = _NONE
                    qf[s, ENTERED] = now
                    if server == PLAIN:  # PoolStation.serve
                        start = max(cores[0], now)
                        end = start + decode_s
                        _replace(cores, end)
                        f[DECODER_WORK] += decode_s
                        qf[s, T_START] = start
                        qf[s, T_END] = end
                        _timeout_at(f, n, at, key, hops, hop_code, end + 0.0,
                                    (ON_DECODED << SHIFT) | s)  # fmt: skip
                    elif n[DECODING] < sn[N_DECODERS]:  # QueuePool.serve
                        n[DECODING] += 1
                        qf[s, T_START] = now
                        _schedule(n, at, key, now + decode_s, (ON_CORE << SHIFT) | s)
                    else:
                        cored[(n[DECODER_FRONT] + n[DECODER_QUEUED]) & core_ring] = s
                        n[DECODER_QUEUED] += 1
            elif act == _SERVE:
                d = qn[s, DEVICE]
                act = _NONE
                qf[s, ENTERED] = now
                if server == PLAIN:  # PlainServer.serve
                    work_s = rows[qn[s, ROW], R_ALONE]
                    qf[s, SHARE] = work_s
                    if n_gpus == 1:
                        free = f[GPU_FREE]
                        start = free if free > now else now
                        end = start + work_s
                        f[GPU_FREE] = end
                    else:
                        start = max(gpus[0], now)
                        end = start + work_s
                        _replace(gpus, end)
                    f[GPU_WORK] += work_s
                    qf[s, S_START] = start
                    qf[s, S_END] = end
                    after_s = ways[dn[d, WAY], qn[s, ROW], W_AFTER]
                    _timeout_at(f, n, at, key, hops, hop_code, end + after_s,
                                (ON_SERVED << SHIFT) | s)  # fmt: skip
                else:  # QueueServer.serve
                    if n[TAIL] == waiting.shape[0]:
                        for i in range(n[HEAD], n[TAIL]):
                            waiting[i - n[HEAD]] = waiting[i]
                        n[TAIL] -= n[HEAD]
                        n[HEAD] = 0
                    waiting[n[TAIL]] = s
                    n[TAIL] += 1
                    newest = s
                    batch_due = True
            elif act == _DONE:  # Meter.count_departure
                d = qn[s, DEVICE]
                if outcome != _BUSY:
                    dn[d, IN_FLIGHT] -= 1
                n[LEFT] += 1
                f[LEFT_SUM] += now
                _record(records, n[ROWS], qf, qn, dn, df, rows, s, outcome, now)
                n[ROWS] += 1
                qn[s, NEXT] = n[FREE]
                n[FREE] = s
                if sn[TARGET] >= 0:
                    dn[d, BEHIND] += 1
                    if dn[d, BEHIND] == sn[TARGET]:
                        if d == 0:
                            f[TARGET_AT] = now
                            _at_once(n, now_list, one * ON_TARGET << SHIFT)
                        n[UNREADY] -= 1
                        if n[UNREADY] == 0:
                            f[ALL_AT] = now
                            _at_once(n, now_list, one * ON_ALL << SHIFT)
                act = _NONE
                if dn[d, KIND] < COMES:
                    outcome = _ANSWERED
                    act = _RUN
                    if df[d, MEAN] == 0.0 and now == df[d, BEGAN]:  # the process fails
                        _at_once(n, now_list, one * ON_FAILURE << SHIFT)
                        act = _NONE
        # ---- QueueServer._start_batches
        if batch_due:
            while n[TAIL] > n[HEAD]:
                g = -1
                for i in range(n_gpus):
                    if batch_n[i] == 0:
                        g = i
                        break
                if g < 0:
                    break
                if sn[DROP_EXPIRED] == 1:
                    kept = n[HEAD]
                    dropped = 0
                    for i in range(n[HEAD], n[TAIL]):
                        s = waiting[i]
                        if qf[s, CREATED] + df[qn[s, DEVICE], DEADLINE] < now:
                            dropped += 1
                            qf[s, S_WAIT] += now - qf[s, ENTERED]
                            _at_once(n, now_list, (ON_EXPIRED << SHIFT) | s)
                        else:
                            waiting[kept] = s
                            kept += 1
                    n[TAIL] = kept
                    if dropped > 0:
                        continue
                # the rule: how many, of which kind
                size = 0
                k = dn[qn[waiting[n[HEAD]], DEVICE], KEY]
                most = sn[MAX_BATCH]
                if server == DYNAMIC:
                    if sn[ONE_KEY] == 1:
                        size = most if n[TAIL] - n[HEAD] >= most else 0
                    else:
                        k, size = full(waiting, n[HEAD], n[TAIL], qn, dn, most)
                    if size == 0:
                        due = qf[waiting[n[HEAD]], ENTERED] + sf[MAX_WAIT]
                        if now < due:
                            if due < f[AGAIN]:
                                f[AGAIN] = due
                                wake = now + max(0.0, due - now)
                                _schedule(n, at, key, wake, one * ON_WAKE << SHIFT)
                            break
                size = 0
                if server == URGENT:
                    size = most_urgent(waiting, n[HEAD], n[TAIL], batches[g], most, qf, qn, df, dn)
                for i in range(n[HEAD], n[TAIL] if size == 0 else n[HEAD]):  # same_key
                    s = waiting[i]
                    if dn[qn[s, DEVICE], KEY] == k:
                        batches[g, size] = s
                        size += 1
                        if size == most:
                            break
                if server == URGENT:
                    n[TAIL] = without(waiting, n[HEAD], n[TAIL], batches[g], size, qn)
                elif batches[g, size - 1] == waiting[n[HEAD] + size - 1]:
                    n[HEAD] += size  # they stood in front, all of them
                else:
                    taken = 0
                    kept = n[HEAD]
                    for i in range(n[HEAD], n[TAIL]):
                        s = waiting[i]
                        if taken < size and batches[g, taken] == s:
                            taken += 1
                        else:
                            waiting[kept] = s
                            kept += 1
                    n[TAIL] = kept
                r = qn[batches[g, 0], ROW]
                seconds = rows[r, R_ALONE]
                if size > 1:
                    seconds = batch_s(batches[g], size, sf, sn, rows, qn, dn, tails, work, parts)
                    if math.isnan(seconds):
                        return NO_TAIL
                if sn[LAW] != CONSTANT:
                    seconds *= factor(n, sn, law, r)
                share_s = seconds / size
                for i in range(size):
                    s = batches[g, i]
                    qf[s, SHARE] += share_s
                    qf[s, S_START] = now
                    qf[s, S_END] = now + seconds
                batch_n[g] = size
                batch_at[g] = now
                _schedule(n, at, key, now + seconds, (ON_BATCH << SHIFT) | g)
            limited = newest >= 0 and sn[QUEUE_LIMIT] >= 0
            if limited and n[TAIL] - n[HEAD] > sn[QUEUE_LIMIT] and waiting[n[TAIL] - 1] == newest:
                n[TAIL] -= 1
                _at_once(n, now_list, (ON_REFUSED << SHIFT) | newest)


@inlined
def _schedule(n: Any, at: Any, key: Any, time_s: float, code: int) -> None:
    """Environment.schedule: an event later on."""
    schedule(n, at, key, time_s, n[ORDER], code)
    n[ORDER] += 1


@inlined
def _at_once(n: Any, now_list: Any, code: int) -> None:
    """Event.succeed: an event at this very instant, behind all that stands there."""
    p = (n[FRONT] + n[QUEUED]) & (now_list.shape[0] - 1)
    now_list[p, 0] = n[ORDER]
    now_list[p, 1] = code
    n[QUEUED] += 1
    n[ORDER] += 1


@inlined
def _timeout_at(
    f: Any, n: Any, at: Any, key: Any, hops: Any, hop_code: Any, time_s: float, code: int
) -> None:
    """sim.station.timeout_at: an event at exactly `time_s`, if need be by a hop."""
    now = f[NOW]
    if now + (time_s - now) == time_s:
        _schedule(n, at, key, time_s, code)
        return
    h = n[FREE_HOP]
    n[FREE_HOP] = hop_code[h]
    n[HOPS] += 1
    hops[h] = time_s
    hop_code[h] = code
    _schedule(n, at, key, now + (0.75 * time_s - now), (ON_HOP << SHIFT) | h)


@inlined
def _leave(
    f: Any, n: Any, at: Any, key: Any, now_list: Any, hops: Any, hop_code: Any, qf: Any, s: int
) -> None:
    """sim.station.leave: fire the event of a visit to the medium now, or later."""
    if qf[s, T_AFTER] > 0.0:
        _timeout_at(f, n, at, key, hops, hop_code, qf[s, T_END] + qf[s, T_AFTER],
                    (ON_CARRIED << SHIFT) | s)  # fmt: skip
    else:
        _at_once(n, now_list, (ON_SENT << SHIFT) | s)


@inlined
def _pause(cf: Any, cn: Any, qf: Any, radios: Any, now: float) -> None:
    """ContendedMedium._pause: stop the access on the air, note what is left of it."""
    if cn[TIMER] < 0:
        return
    elapsed_s = now - cf[SINCE]
    cn[TIMER] = -1
    cf[C_BUSY] += elapsed_s
    whole_s = cf[ACCESS] * cf[STRETCH]
    done = min(cf[UNSENT], elapsed_s / whole_s) if whole_s > 0.0 else cf[UNSENT]
    cf[UNSENT] -= done
    qf[radios[cn[SENDER], FIRST], T_ALONE] += done * cf[ACCESS]


@compiled
def _air(
    f: Any, n: Any, at: Any, key: Any, cf: Any, cn: Any, qf: Any, qn: Any, radios: Any, cell: int
) -> None:  # fmt: skip
    """ContendedMedium._run: send what is left of the turn."""
    s = radios[cn[SENDER], FIRST]
    cf[ACCESS] = qf[s, T_WORK] / qn[s, TOTAL]
    cf[SINCE] = f[NOW]
    cn[FRESH] = 0
    cn[TIMER] = n[ORDER]
    time_s = f[NOW] + cf[UNSENT] * cf[ACCESS] * cf[STRETCH]
    _schedule(n, at, key, time_s, (ON_AIR << SHIFT) | cell)


@inlined
def _rise(flows: Any, qf: Any, qn: Any, m: int, s: int) -> None:
    """Put a transfer onto the heap of m, by finish tag, then by arrival."""
    tag, turn = qf[s, TAG], qn[s, TURN]
    j = m
    while j > 0:
        p = (j - 1) >> 1
        other = flows[p]
        if qf[other, TAG] < tag or (qf[other, TAG] == tag and qn[other, TURN] < turn):
            break
        flows[j] = other
        j = p
    flows[j] = s


@inlined
def _sift(flows: Any, qf: Any, qn: Any, m: int, s: int) -> None:
    """Fill the top of a heap that shall hold m transfers by the one that stood last."""
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


@compiled
def _replace(free: Any, end: float) -> None:
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


@inlined
def _record(
    records: Any, at: int, qf: Any, qn: Any, dn: Any, df: Any, rows: Any, s: int, outcome: int,
    done_s: float,
) -> None:  # fmt: skip
    """Request.row: the columns of sim.engine.layout.RECORDED, and RECORDED_TOO."""
    d, r = qn[s, DEVICE], qn[s, ROW]
    records[at, 0] = d
    records[at, 1] = dn[d, GROUP]
    records[at, 2] = outcome
    records[at, 3] = rows[r, R_SAMPLE]
    records[at, 4] = qf[s, CREATED]
    records[at, 5] = qf[s, CREATED] + df[d, DEADLINE]
    for i in range(D_START, S_END + 1):
        records[at, 6 + i - D_START] = qf[s, i]
    records[at, 12] = done_s
    records[at, 13] = rows[r, R_PAYLOAD]
    records[at, 14] = qf[s, AIR_BYTES]
    records[at, 15] = qf[s, SHARE]
    records[at, 16] = rows[r, R_CORRECT]
    for i in range(D_WAIT, NETWORK + 1):
        records[at, 17 + i - D_WAIT] = qf[s, i]
    if records.shape[1] > 25:
        records[at, 25] = qf[s, A_WAIT]
