# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""The kernel: plays the events of a system in the order in which SimPy would.

One event list for all by (time, order of scheduling), and a queue of what happens at this very
instant. Every event that SimPy schedules and whose order matters is scheduled here, in the
same place of the same step, so that ties fall alike; every sum is taken in the model's order. The
marks name the method that a passage is the twin of.
"""

import math

import numpy as np

from sim.compiling import compiled, hot, inner
from sim.engine import tables as t
from sim.engine.adaptive import observe
from sim.engine.belts import front, take
from sim.engine.channel import answer_end_s, send, send_answer, silence_s
from sim.engine.churn import come, join_fleet, leave_fleet
from sim.engine.contended import finish_air, join, set_air_speed
from sim.engine.devices import begin_life, depart, handle, think, wait_for_next
from sim.engine.events import at_once, free, schedule, timeout_at
from sim.engine.fading import arrive, begin, hear_turn, leave_line, move, pass_block
from sim.engine.groups import cell_of, kind_of, talks_of
from sim.engine.layout import *
from sim.engine.lists import next_window, pop, push
from sim.engine.rooms import room
from sim.engine.scheduled import finish_own, finish_scheduled, hand_over, set_scheduled_speed
from sim.engine.server import (
    fail,
    finish_batch,
    next_failure,
    serve_plain,
    serve_queued,
    start_batches,
    turn_away_newest,
    wait_for_repair,
)
from sim.engine.sessions import get_in, go_on, hold
from sim.engine.shared import finish_shared, set_shared_speed, share
from sim.engine.stations import (
    decode,
    finish_decoding,
    finish_queue,
    queue_up,
    serve_fifo,
    set_queue_speed,
)

_ARG = (1 << SHIFT) - 1


@hot
def _room(p: int) -> int:
    """Whether there is room for what one event may need, and if not, of what there is none."""
    n, sn = t.n(p), t.sn(p)
    leaving = (n[ARRIVED] - n[LEFT]) * sn[CHURNS]  # all of them may leave at once
    burst = n[ARRIVED] - n[LEFT] + leaving + sn[BURST]
    if n[HEAP] + n[KEPT] + burst > t.key(p).shape[0] >> 1 or n[FREE] < 0:
        return GROW
    if n[HOPS] + burst > t.hops(p).shape[0]:
        return GROW
    if n[ROWS] + leaving + 2 > t.records(p).shape[0]:
        return GROW_ROWS
    if n[STEPS] + leaving + 2 > t.steps(p).shape[0]:
        return GROW_STEPS
    return GOES_ON if n[SHORT] == 0 else IS_SHORT


@room
def change_speed(p: int) -> None:
    """Link._vary: the medium follows the plan of speeds."""
    n, sn, changes, now = t.n(p), t.sn(p), t.changes(p), t.f(p)[NOW]
    while n[CHANGE] < n[CHANGES]:
        time_s, speed = changes[n[CHANGE], CHANGES_AT], changes[n[CHANGE], CHANGES_TO]
        if time_s > now and n[IS_DUE] == 0:
            n[IS_DUE] = 1
            schedule(p, now + (time_s - now), np.int64(ON_CHANGE) << SHIFT)
            break
        n[IS_DUE] = 0
        for c in range(sn[N_CELLS]):
            if sn[LINK] == QUEUE_LINK:
                set_queue_speed(p, c, speed)
            elif sn[LINK] == SHARED_LINK:
                set_shared_speed(p, c, speed)
            elif sn[LINK] == CONTENDED_LINK:
                set_air_speed(p, c, speed)
            else:
                set_scheduled_speed(p, c, speed)
        n[CHANGE] += 1
    if n[ALL_CHANGES] == 0 and n[CHANGE] + 16 > n[CHANGES]:
        n[SHORT] |= OF_CHANGES


@hot
def _enter(p: int, s: int) -> None:
    """A payload or an answer is handed over to the medium of its cell."""
    link, c = t.sn(p)[LINK], cell_of(p, t.qn(p)[s, DEVICE])
    t.qf(p)[s, ENTERED] = t.f(p)[NOW]
    if link == FIFO_LINK:
        serve_fifo(p, c, s)
    elif link == SHARED_LINK:
        share(p, c, s)
    elif link == CONTENDED_LINK:
        join(p, c, s)
    elif link == QUEUE_LINK:
        queue_up(p, c, s)
    else:
        hand_over(p, c, s)


@hot
def _book_upload(p: int, s: int) -> None:
    """Device._book_upload."""
    qf = t.qf(p)
    end, alone_s = qf[s, T_END], qf[s, T_ALONE]
    qf[s, L_START] = qf[s, T_START]
    qf[s, L_END] = end
    qf[s, AIRTIME] += alone_s
    wait_s = end - qf[s, ENTERED] - alone_s
    if t.sn(p)[VARIES] == 1:
        silent_s = silence_s(p, qf[s, ENTERED], end)
        qf[s, SILENCE] += silent_s
        wait_s -= silent_s
    qf[s, L_WAIT] += wait_s


@room
def book_answer(p: int, s: int) -> None:
    """Device._download, behind the medium."""
    qf = t.qf(p)
    end, alone_s = qf[s, T_END], qf[s, T_ALONE]
    silent_s = silence_s(p, qf[s, ENTERED], end)
    qf[s, NETWORK] += alone_s
    qf[s, SILENCE] += silent_s
    qf[s, A_WAIT] += end - qf[s, ENTERED] - alone_s - silent_s


@room
def receive(p: int, s: int, end: float) -> None:
    """Device._receive: the answer on a channel of its own whose speed changes, there at `end`."""
    qf, now, half_s = t.qf(p), t.f(p)[NOW], t.sf(p)[HALF_RTT]
    silent_s = silence_s(p, now, end)
    qf[s, SILENCE] += silent_s
    qf[s, NETWORK] += end - now - silent_s + half_s
    if end < np.inf:
        timeout_at(p, end + half_s, (ON_PROPAGATED << SHIFT) | s)
    else:
        t.qn(p)[s, PLACE_NOW] = FOR_EVER


@hot
def _computed(p: int, s: int) -> int:
    """Device.step, behind the processor; what follows."""
    sf, qf, rows, r = t.sf(p), t.qf(p), t.rows(p), t.qn(p)[s, ROW]
    qf[s, D_WAIT] += qf[s, D_START] - qf[s, ENTERED]
    if rows[r, R_SENT] != 0.0:
        qf[s, NETWORK] += sf[HALF_RTT]
        qf[s, GRANT_WAIT] += sf[GRANT]
        return SEND
    return DECODE if qf[s, SERVICE] > 0.0 else DONE


@inner
def _lost(p: int, s: int) -> int:
    """Device.step, where the server has not served; what follows."""
    if t.qn(p)[s, OUTCOME] == SERVER_LOST and t.sn(p)[RETRIES_LOST] == 1:
        wait_for_repair(p, s)
        return NOTHING
    return DONE


@room
def hear_repair(p: int, s: int) -> int:
    """Device._wait_for_repair, behind the repair; what follows."""
    sf, qf, rows, r, now = t.sf(p), t.qf(p), t.rows(p), t.qn(p)[s, ROW], t.f(p)[NOW]
    qf[s, REPAIR_WAIT] += now - qf[s, ENTERED]
    if rows[r, R_SENT] == 0.0:
        return DECODE
    if sf[GRANT] > 0.0:
        qf[s, GRANT_WAIT] += sf[GRANT]
        schedule(p, now + sf[GRANT], (ON_GRANTED << SHIFT) | s)
        return NOTHING
    return SEND


@inner
def _answer(p: int, s: int) -> int:
    """Device._download, Link.send_answer: the answer on the shared medium; what follows."""
    half_s = t.sf(p)[HALF_RTT]
    t.qf(p)[s, NETWORK] += half_s
    if t.rows(p)[t.qn(p)[s, ROW], R_ANSWER] > 0.0:
        send_answer(p, s)
        return ENTER
    if half_s > 0.0:
        schedule(p, t.f(p)[NOW] + half_s, (ON_PROPAGATED << SHIFT) | s)
        return NOTHING
    return DONE


@compiled
def play(until: float, stop: int, p: int) -> int:
    """Play what is due before `until`, or to the event `stop`; returns why it came back. `p`: where
    the list of arrays is (sim.engine.tables).
    """
    f, n, sn = t.f(p), t.n(p), t.sn(p)
    at, key, ring, head = t.at(p), t.key(p), t.ring(p), t.belt_head(p)
    df, dn, qf, qn, rows = t.df(p), t.dn(p), t.qf(p), t.qn(p), t.rows(p)
    mask = ring.shape[0] - 1
    while True:
        why = _room(p)
        if why != GOES_ON:
            return int(why)
        # ---- the next event
        queued = n[QUEUED] > 0
        now = f[NOW]
        if n[HEAP] == 0 and n[KEPT] > 0 and not queued:
            next_window(n, at, key)
        first_s, first = (at[0], key[0, 0]) if n[HEAP] > 0 else (np.inf, np.int64(0))
        belt = -1
        for b in range(N_BELTS):
            if head[b] <= first_s and head[b] < np.inf:
                order = t.belt_key(p)[front(p, b), 0]
                if head[b] < first_s or order < first:
                    first_s, first, belt = head[b], order, b
        if n[WAKING] >= 0:  # one more of those whom the same event wakes
            order = -1
            code = (ON_UP << SHIFT) | n[WAKING]
            n[WAKING] = qn[n[WAKING], NEXT]
        elif (belt >= 0 or n[HEAP] > 0) and not (
            queued and (first_s > now or first > ring[n[FRONT] & mask, 0])
        ):
            if first_s >= until:
                return REACHED
            now, order = first_s, first
            if belt >= 0:
                code = t.belt_key(p)[front(p, belt), 1]
                take(p, belt)
            else:
                code = key[0, 1]
                pop(at, key, n[HEAP])
                n[HEAP] -= 1
            f[NOW] = now
        elif queued:
            if now >= until:
                return REACHED
            order = ring[n[FRONT] & mask, 0]
            code = ring[n[FRONT] & mask, 1]
            n[FRONT] += 1
            n[QUEUED] -= 1
        else:
            return EMPTY
        n[EVENTS] += 1
        if n[EVENTS] > sn[MAX_EVENTS]:
            return BUDGET
        kind = code >> SHIFT
        s = code & _ARG  # of a request, a device, a cell
        act = NOTHING
        batch_due = False
        newest = -1
        # ---- what it is
        if kind <= LAST_OF_DEVICE:
            d = s
            if kind <= LAST_OF_LIFE and order != dn[d, LIFE]:
                continue  # of before it left
            place = dn[d, NEXT_TIME] - 1
            if kind == ON_ARRIVAL:  # workload.open_loop: the next gap, then the request
                wait_for_next(p, d)
                act = CREATE
            elif kind == ON_THOUGHT:
                act = CREATE
            elif kind == ON_START:
                if not think(p, d):
                    act = CREATE
            elif kind == ON_LEAVE:
                leave_fleet(p, d)
            elif kind == ON_PRESENCE:
                if come(p, d):  # its life begins behind the births of all others
                    join_fleet(p, d)
            else:
                if kind == ON_JOIN:
                    join_fleet(p, d)
                if begin_life(p, d):
                    act = CREATE
            if act == CREATE:
                s = hold(p, d, place) if talks_of(p, d) == 1 else handle(p, d)
                act = NOTHING
                if s < 0:
                    s = -1 - s
                    act = DONE
        elif kind >= FIRST_OF_REQUEST and qn[s, PLACE_NOW] == GONE:
            if kind == ON_CORE:  # decoded in vain
                finish_decoding(p, s)
            else:
                free(p, s)
        elif kind == ON_DEVICE:
            act = _computed(p, s)
        elif kind == ON_SENT:
            if sn[LINK] == SCHEDULED_LINK and qn[s, INNER] == 0:
                finish_own(p, cell_of(p, qn[s, DEVICE]), s)
            if qn[s, DOWN] == 1:
                book_answer(p, s)
                act = DONE
            elif sn[RADIO_CHANNEL] == 1:
                act = arrive(p, s)
                if act == DONE:
                    leave_line(p, s)
            else:
                _book_upload(p, s)
                act = DECODE
        elif kind == ON_SHARED:
            finish_shared(p, s)
        elif kind == ON_AIR:
            finish_air(p, s, order)
        elif kind == ON_DECODED:  # Device._decode
            qf[s, C_WAIT] += qf[s, T_START] - qf[s, ENTERED]
            qf[s, C_SERVICE] += qf[s, T_END] - qf[s, T_START]
            act = SERVE
        elif kind in (ON_SERVED, ON_DONE):
            end = 0.0
            if sn[VARYING_ANSWERS] == 1:
                end = answer_end_s(p, s)
                if math.isnan(end):  # as if nothing had been: the event comes once more
                    push(at, key, n[HEAP], now, order, code)
                    n[HEAP] += 1
                    n[SHORT] |= OF_CHANGES
                    return IS_SHORT
            qf[s, S_WAIT] += qf[s, S_START] - qf[s, ENTERED]
            qf[s, S_SERVICE] += qf[s, S_END] - qf[s, S_START]
            qf[s, NETWORK] += qf[s, AFTER_S]
            act = DONE
            if sn[SHARED_DOWN] == 1:
                act = ANSWER
            elif sn[VARYING_ANSWERS] == 1:
                receive(p, s, end)
                act = NOTHING
        elif kind == ON_BATCH:
            batch_due = finish_batch(p, s, order)
        elif kind == ON_WAKE:
            f[AGAIN] = np.inf
            batch_due = True
        elif kind == ON_CORE:
            finish_decoding(p, s)
        elif kind == ON_HOP:  # timeout_at: the rest of the way
            schedule(p, now + (t.hops(p)[s] - now), (ON_LATER << SHIFT) | s)
        elif kind == ON_LATER:  # Event.trigger
            hop_code = t.hop_code(p)
            at_once(p, hop_code[s])
            hop_code[s] = n[FREE_HOP]
            n[FREE_HOP] = s
            n[HOPS] -= 1
        elif kind in (ON_ANSWER, ON_CARRIED):
            at_once(p, ((ON_DONE if kind == ON_ANSWER else ON_SENT) << SHIFT) | s)
        elif kind == ON_PROPAGATED:
            act = DONE
        elif kind == ON_REFUSED:
            act = _lost(p, s)
        elif kind == ON_QUEUE:
            finish_queue(p, s, order)
        elif kind == ON_SCHEDULED:
            finish_scheduled(p, s)
        elif kind == ON_INNER:
            finish_own(p, cell_of(p, qn[s, DEVICE]), s)
        elif kind == ON_BLOCK:
            pass_block(p, s)
            act = MOVE
        elif kind == ON_HEARD:
            act = MOVE
        elif kind == ON_LINE:
            hear_turn(p, s)
            act = MOVE
        elif kind == ON_CHANGE:
            change_speed(p)
        elif kind == ON_FAILURE:
            fail(p)
            schedule(p, now + t.sf(p)[REPAIR], np.int64(ON_REPAIR) << SHIFT)
        elif kind == ON_REPAIR:  # QueueServer.repair
            n[DOWN_NOW] = 0
            at_once(p, (ON_REPAIRED << SHIFT) | (n[REPAIR_FIRST] + 1))
            n[REPAIR_FIRST] = -1
            next_failure(p)
        elif kind == ON_REPAIRED:
            n[WAKING] = s - 1
        elif kind == ON_UP:
            qn[s, PLACE_NOW] = UNDER_WAY
            act = hear_repair(p, s)
        elif kind == ON_GRANTED:
            act = SEND
        elif kind == ON_ROOM:
            get_in(p, s)
        elif kind == ON_WATCH:
            next_failure(p)
        elif kind == ON_ENDLESS:
            return NO_TIME
        elif kind in (ON_TARGET, ON_ALL):
            n[TARGET_PASSED if kind == ON_TARGET else ALL_PASSED] = 1
            if stop == kind:
                return STOPPED
        # ---- what follows in the same instant
        while act != NOTHING:
            if act == SEND:
                if sn[RADIO_CHANNEL] == 1:
                    act = MOVE if begin(p, s) else NOTHING
                else:
                    send(p, s)
                    act = ENTER
            if act == MOVE:
                act = move(p, s)
                if act == DECODE:
                    leave_line(p, s)
            if act == ANSWER:
                act = _answer(p, s)
            if act == ENTER:
                _enter(p, s)
                act = NOTHING
            elif act == DECODE:
                decode_s = rows[qn[s, ROW], R_DECODE]
                act = SERVE
                if sn[N_DECODERS] > 0 and decode_s > 0.0:
                    decode(p, s, decode_s)
                    act = NOTHING
            if act == SERVE:
                act = NOTHING
                if sn[SERVER] == PLAIN:
                    serve_plain(p, s)
                elif serve_queued(p, s):
                    newest = s
                    batch_due = True
            elif act == DONE:
                act = NOTHING
                d = qn[s, DEVICE]
                outcome = qn[s, OUTCOME]
                if sn[ADAPTS] == 1 and outcome == 0:
                    observe(p, s)
                if talks_of(p, d) == 1 and go_on(p, s):
                    continue
                if outcome != BUSY:
                    dn[d, IN_FLIGHT] -= 1
                depart(p, s, ANSWERED if outcome == 0 else outcome)
                free(p, s)
                if kind_of(p, d) < COMES:
                    pause_s = t.gf(p)[dn[d, GROUP], MEAN]
                    if pause_s == 0.0 and now == df[d, BEGAN]:  # the process fails
                        at_once(p, np.int64(ON_ENDLESS) << SHIFT)
                    elif not think(p, d):
                        s = hold(p, d, 0) if talks_of(p, d) == 1 else handle(p, d)
                        if s < 0:  # no room for a session
                            s = -1 - s
                            act = DONE
        if batch_due:
            if not start_batches(p):
                return NO_TAIL
            if newest >= 0:
                turn_away_newest(p, newest)
