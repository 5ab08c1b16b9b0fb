# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""The server: who waits, who is served, who is lost: twins of sim/server/server.py."""

import math

import numpy as np

from sim.compiling import hot, inner
from sim.engine import tables as t
from sim.engine.batching import alone_s, batch_s, factor, pick, take
from sim.engine.channel import answer_s
from sim.engine.events import at_once, free, schedule, timeout_at
from sim.engine.layout import *
from sim.engine.lists import in_turn
from sim.engine.rooms import room
from sim.engine.stations import replace
from sim.philox import minus_log


@hot
def serve_plain(p: int, s: int) -> None:
    """PlainServer.serve."""
    f, qf = t.f(p), t.qf(p)
    now = f[NOW]
    work_s = alone_s(p, s)
    qf[s, ENTERED] = now
    qf[s, AFTER_S] = answer_s(p, s)
    qf[s, SHARE] = work_s
    if t.sn(p)[N_GPUS] == 1:
        free = f[GPU_FREE]
        start = free if free > now else now
        end = start + work_s
        f[GPU_FREE] = end
    else:
        gpus = t.gpus(p)
        start = max(gpus[0], now)
        end = start + work_s
        replace(gpus, end)
    f[GPU_WORK] += work_s
    qf[s, S_START] = start
    qf[s, S_END] = end
    timeout_at(p, end + qf[s, AFTER_S], (ON_SERVED << SHIFT) | s)


@inner
def refuse(p: int, s: int, outcome: int) -> None:
    """server._refuse: end a visit without service."""
    qn = t.qn(p)
    qn[s, OUTCOME] = outcome
    qn[s, PLACE_NOW] = UNDER_WAY
    at_once(p, (ON_REFUSED << SHIFT) | s)


@inner
def _turn_away(p: int, s: int, outcome: int) -> None:
    """QueueServer._turn_away: end a visit that has waited for nothing."""
    qf = t.qf(p)
    qf[s, S_WAIT] += t.f(p)[NOW] - qf[s, ENTERED]
    refuse(p, s, outcome)


@hot
def serve_queued(p: int, s: int) -> bool:
    """QueueServer.serve, up to the queue: whether the request stands in it."""
    n, qf, waiting = t.n(p), t.qf(p), t.waiting(p)
    qf[s, ENTERED] = t.f(p)[NOW]
    qf[s, AFTER_S] = answer_s(p, s)
    if n[DOWN_NOW] == 1:
        refuse(p, s, SERVER_LOST)
        return False
    if n[TAIL] == waiting.shape[0]:
        for i in range(n[HEAD], n[TAIL]):
            waiting[i - n[HEAD]] = waiting[i]
        n[TAIL] -= n[HEAD]
        n[HEAD] = 0
    waiting[n[TAIL]] = s
    t.qn(p)[s, PLACE_NOW] = AT_SERVER
    n[TAIL] += 1
    return True


@inner
def withdraw_waiting(p: int, s: int) -> None:
    """QueueServer.cancel: a request that waits is taken out."""
    n, waiting = t.n(p), t.waiting(p)
    kept = n[HEAD]
    for i in range(n[HEAD], n[TAIL]):
        if waiting[i] != s:
            waiting[kept] = waiting[i]
            kept += 1
    n[TAIL] = kept


@inner
def turn_away_newest(p: int, newest: int) -> None:
    """QueueServer.serve, at its end: more would have to wait than may."""
    n, limit = t.n(p), t.sn(p)[QUEUE_LIMIT]
    if limit >= 0 and n[TAIL] - n[HEAD] > limit and t.waiting(p)[n[TAIL] - 1] == newest:
        n[TAIL] -= 1
        refuse(p, newest, REJECTED)


@inner
def _drop_expired(p: int) -> bool:
    """QueueServer._drop_expired: drop what is past its deadline; whether there was any."""
    n, qf, waiting = t.n(p), t.qf(p), t.waiting(p)
    now = t.f(p)[NOW]
    kept = n[HEAD]
    dropped = False
    for i in range(n[HEAD], n[TAIL]):
        s = waiting[i]
        if qf[s, DUE_AT] < now:
            dropped = True
            _turn_away(p, s, EXPIRED)
        else:
            waiting[kept] = s
            kept += 1
    n[TAIL] = kept
    return dropped


@room
def start_batches(p: int) -> bool:
    """QueueServer._start_batches; False: a batch that is too large for its source."""
    n, sn, qf, qn = t.n(p), t.sn(p), t.qf(p), t.qn(p)
    batch_n = t.batch_n(p)
    now = t.f(p)[NOW]
    while n[TAIL] > n[HEAD]:
        g = 0
        while g < sn[N_GPUS] and batch_n[g] > 0:
            g += 1
        if g == sn[N_GPUS]:
            break
        if sn[DROP_EXPIRED] == 1 and _drop_expired(p):
            continue
        size = pick(p, g)
        if size == 0:
            break
        take(p, g, size)
        seconds = batch_s(p, g, size)
        if math.isnan(seconds):
            batch_n[g], n[ASKING] = size, g
            return False
        batch = t.batches(p)[g]
        if sn[LAW] != CONSTANT:
            seconds *= factor(p, qn[batch[0], ROW])
        share_s = seconds / size
        for i in range(size):
            s = batch[i]
            qf[s, SHARE] += share_s
            qf[s, S_START] = now
            qf[s, S_END] = now + seconds
            qn[s, PLACE_NOW] = IN_BATCH
        batch_n[g] = size
        t.batch_at(p)[g] = now
        t.batch_share(p)[g] = share_s
        t.batch_turn(p)[g] = n[ORDER]
        t.f(p)[LAST_SHARE] = share_s
        schedule(p, now + seconds, (ON_BATCH << SHIFT) | g)
    return True


@hot
def finish_batch(p: int, g: int, turn: int) -> bool:
    """QueueServer._finish: whether a batch is through; a failure may have taken it away before."""
    f, qf, batch_n = t.f(p), t.qf(p), t.batch_n(p)
    if batch_n[g] == 0 or turn != t.batch_turn(p)[g]:
        return False
    now = f[NOW]
    f[GPU_BUSY] += now - t.batch_at(p)[g]
    for i in range(batch_n[g]):
        s = t.batches(p)[g, i]
        if t.qn(p)[s, PLACE_NOW] == GONE:
            free(p, s)
            continue
        t.qn(p)[s, PLACE_NOW] = UNDER_WAY
        if qf[s, AFTER_S] > 0.0:
            timeout_at(p, now + qf[s, AFTER_S], (ON_ANSWER << SHIFT) | s)
        else:
            at_once(p, (ON_DONE << SHIFT) | s)
    batch_n[g] = 0
    return True


@room
def fail(p: int) -> None:
    """QueueServer.fail: lose what waits and what is in service; refuse everything."""
    f, n, sn, qf = t.f(p), t.n(p), t.sn(p), t.qf(p)
    batch_n, turns, now = t.batch_n(p), t.batch_turn(p), t.f(p)[NOW]
    n[DOWN_NOW] = 1
    while True:
        g = -1  # of the batches that are left the one that began first
        for other in range(sn[N_GPUS]):
            if batch_n[other] > 0 and (g < 0 or turns[other] < turns[g]):
                g = other
        if g < 0:
            break
        start_s = t.batch_at(p)[g]
        f[GPU_BUSY] += now - start_s
        for i in range(batch_n[g]):
            s = t.batches(p)[g, i]
            if t.qn(p)[s, PLACE_NOW] == GONE:
                free(p, s)
                continue
            qf[s, SHARE] -= t.batch_share(p)[g] - (now - start_s) / batch_n[g]
            qf[s, S_END] = now
            qf[s, S_WAIT] += start_s - qf[s, ENTERED]
            qf[s, S_SERVICE] += now - start_s
            refuse(p, s, SERVER_LOST)
        batch_n[g] = 0
    for i in range(n[HEAD], n[TAIL]):
        _turn_away(p, t.waiting(p)[i], SERVER_LOST)
    n[HEAD] = 0
    n[TAIL] = 0


@room
def wait_for_repair(p: int, s: int) -> None:
    """Device._wait_for_repair: the request is lost and goes out again once the server is back."""
    n, qf, qn = t.n(p), t.qf(p), t.qn(p)
    qn[s, OUTCOME] = 0
    qn[s, RETRIES] += 1
    qf[s, S_START] = np.nan
    qf[s, S_END] = np.nan
    qf[s, ENTERED] = t.f(p)[NOW]
    if n[DOWN_NOW] == 0:
        at_once(p, (ON_UP << SHIFT) | s)
        return
    qn[s, PLACE_NOW] = FOR_REPAIR
    qn[s, NEXT] = -1
    if n[REPAIR_FIRST] < 0:
        n[REPAIR_FIRST] = s
    else:
        qn[n[REPAIR_LAST], NEXT] = s
    n[REPAIR_LAST] = s


@room
def next_failure(p: int) -> None:
    """system.breakdowns: when the server fails next, if ever."""
    f, n, sf, sn, failures = t.f(p), t.n(p), t.sf(p), t.sn(p), t.failures(p)
    now = f[NOW]
    if sf[MEAN_UP] > 0.0:
        u = in_turn(sn[FAILURES_0], sn[FAILURES_1], n[FAILURES_DRAWN], 0, sn[REPLICATION])
        n[FAILURES_DRAWN] += 1
        schedule(p, now + sf[MEAN_UP] * minus_log(u), np.int64(ON_FAILURE) << SHIFT)
    elif n[FAILURE] < failures.shape[0]:
        due_s = failures[n[FAILURE]]
        n[FAILURE] += 1
        schedule(p, now + max(0.0, due_s - now), np.int64(ON_FAILURE) << SHIFT)


@inner
def wait_hint_s(p: int) -> float:
    """PlainServer.wait_hint_s, QueueServer.wait_hint_s: how long who came now would wait."""
    f, n, sn, gpus, now = t.f(p), t.n(p), t.sn(p), t.gpus(p), t.f(p)[NOW]
    n_gpus, batch_n = sn[N_GPUS], t.batch_n(p)
    if sn[SERVER] == PLAIN:
        return float(max(0.0, (f[GPU_FREE] if n_gpus == 1 else gpus[0]) - now))
    if sn[SERVER] != SINGLE:
        present = n[TAIL] - n[HEAD]
        for g in range(n_gpus):
            present += batch_n[g]
        return float(present * f[LAST_SHARE] / n_gpus)
    for g in range(n_gpus):  # QueueServer._backlog_s; what is sorted is a heap
        due_s = t.qf(p)[t.batches(p)[g, 0], S_END] if batch_n[g] > 0 else now
        j = g
        while j > 0 and gpus[j - 1] > due_s:
            gpus[j] = gpus[j - 1]
            j -= 1
        gpus[j] = due_s
    for i in range(n[HEAD], n[TAIL]):
        replace(gpus, gpus[0] + alone_s(p, t.waiting(p)[i]))
    return float(max(0.0, gpus[0] - now))
