# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""Decoding cores, the server and its batches: twins of PoolStation, QueuePool, PlainServer and
QueueServer, as sim.engine.stations, sim.engine.server and sim.engine.batching are.
"""

import math

import numpy as np

from sim.compiling import hot, inner
from sim.engine import layout as at
from sim.engine.batching import beside_s
from sim.engine.lists import fsum
from sim.engine.loops import tables as t
from sim.engine.loops.layout import *
from sim.engine.loops.windows import slot_in
from sim.engine.stations import replace


@inner
def _on_core(p: int, d: int, start: float, end: float) -> bool:
    """A core decodes a request; whether another ends in the same instant."""
    mf, mn, loops = t.mf(p), t.mn(p), t.loops(p)
    loops[d, C_START] = start
    loops[d, C_END] = end
    mf[CORE_S] = end if mn[N_DECODING] == 0 else min(mf[CORE_S], end)
    other = slot_in(t.core_at(p), t.core_who(p), mn[CORE_FRONT], mn[N_DECODING], end, d)
    mn[N_DECODING] += 1
    return bool(other >= 0)


@inner
def decode(p: int, d: int, decode_s: float, now: float) -> bool:
    """PoolStation.serve, QueuePool.serve; False: two end in the same instant."""
    f, sn, mn, loop_n = t.f(p), t.sn(p), t.mn(p), t.loop_n(p)
    loop_n[d, PLACE] = AT_CORES
    if sn[at.SERVER] == at.PLAIN:
        cores = t.cores(p)
        start = max(cores[0], now)
        end = start + decode_s
        replace(cores, end)
        f[at.DECODER_WORK] += decode_s
        return not _on_core(p, d, start, end)
    if mn[N_DECODING] < sn[at.N_DECODERS]:
        return not _on_core(p, d, now, now + decode_s)
    loop_n[d, NEXT] = -1
    if mn[CORE_QUEUE] < 0:
        mn[CORE_QUEUE] = d
    else:
        loop_n[mn[CORE_LAST], NEXT] = d
    mn[CORE_LAST] = d
    return True


@inner
def finish_decoding(p: int, now: float) -> int:
    """QueuePool._finish: who is decoded."""
    f, sn, mf, mn, loops, loop_n = t.f(p), t.sn(p), t.mf(p), t.mn(p), t.loops(p), t.loop_n(p)
    mask = t.core_at(p).shape[0] - 1
    d = t.core_who(p)[mn[CORE_FRONT] & mask]
    mn[CORE_FRONT] += 1
    mn[N_DECODING] -= 1
    if sn[at.SERVER] != at.PLAIN:
        f[at.DECODER_BUSY] += now - loops[d, C_START]
        following = mn[CORE_QUEUE]
        if following >= 0:
            mn[CORE_QUEUE] = loop_n[following, NEXT]
            _on_core(p, following, now, now + t.costs(p)[loop_n[following, COST], DECODE_S])
    mf[CORE_S] = t.core_at(p)[mn[CORE_FRONT] & mask] if mn[N_DECODING] > 0 else np.inf
    return int(d)


@hot
def _go_back(p: int, d: int) -> bool:
    """Its answer comes back when it is served; False: so does one that was not served with it, in
    the same instant.
    """
    mf, mn, loops, loop_n = t.mf(p), t.mn(p), t.loops(p), t.loop_n(p)
    time_s = loops[d, S_END] + t.costs(p)[loop_n[d, COST], AFTER_S]
    loop_n[d, PLACE] = SERVED
    other = slot_in(t.back_at(p), t.back_who(p), mn[BACK_FRONT], mn[N_BACK], time_s, d)
    if mn[N_BACK] == 0 or time_s < mf[BACK_S]:
        mf[BACK_S] = time_s
    mn[N_BACK] += 1
    if other < 0:
        return True
    return bool(loops[other, S_START] == loops[d, S_START] and t.sn(p)[at.SERVER] != at.PLAIN)


@hot
def serve(p: int, d: int, now: float) -> bool:
    """PlainServer.serve; False: another comes back in the same instant."""
    f, loops = t.f(p), t.loops(p)
    work_s = t.costs(p)[t.loop_n(p)[d, COST], ALONE_S]
    if t.sn(p)[at.N_GPUS] == 1:
        free = f[at.GPU_FREE]
        start = free if free > now else now
        end = start + work_s
        f[at.GPU_FREE] = end
    else:
        gpus = t.gpus(p)
        start = max(gpus[0], now)
        end = start + work_s
        replace(gpus, end)
    f[at.GPU_WORK] += work_s
    loops[d, SHARE] = work_s
    loops[d, S_START] = start
    loops[d, S_END] = end
    return bool(_go_back(p, d))


@hot
def wait(p: int, d: int) -> None:
    """QueueServer.serve, up to the queue."""
    mn, loop_n = t.mn(p), t.loop_n(p)
    loop_n[d, PLACE] = AT_SERVER
    loop_n[d, NEXT] = -1
    if mn[N_WAITING] == 0:
        mn[WAIT_FIRST] = d
    else:
        loop_n[mn[WAIT_LAST], NEXT] = d
    mn[WAIT_LAST] = d
    mn[N_WAITING] += 1


@hot
def _size(p: int, now: float) -> int:
    """batching.rule: how many of those that wait make a batch now, none: look again later."""
    f, sn, mf, mn = t.f(p), t.sn(p), t.mf(p), t.mn(p)
    size = min(mn[N_WAITING], sn[at.MAX_BATCH])
    if sn[at.SERVER] == at.DYNAMIC and size < sn[at.MAX_BATCH]:
        d = mn[WAIT_FIRST]
        entered_s = t.loops(p)[d, L_END]
        if sn[at.N_DECODERS] > 0 and t.costs(p)[t.loop_n(p)[d, COST], DECODE_S] > 0.0:
            entered_s = t.loops(p)[d, C_END]
        due_s = entered_s + t.sf(p)[at.MAX_WAIT]
        if now < due_s:
            if due_s < f[at.AGAIN]:
                f[at.AGAIN] = due_s
                mf[WAKE_S] = now + max(0.0, due_s - now)
            return 0
    return int(size)


@hot
def _batch_s(p: int, g: int, size: int) -> float:
    """service.batch_s and ServerSpec.gpu_s; NaN where the source does not know such a batch."""
    sf, sn, loop_n, work, batch = t.sf(p), t.sn(p), t.loop_n(p), t.work(p), t.batches(p)[g]
    costs, shared = t.costs(p), t.shared(p)
    first = loop_n[batch[0], COST]
    if size == 1:
        return float(costs[first, ALONE_S])
    tail_s = t.tails(p)[int(shared[first, TAIL]), size]
    if sn[at.ON_GPU] == 1:
        for i in range(size):
            work[i] = costs[loop_n[batch[i], COST], DECODE_S]
        tail_s = fsum(work, size, t.parts(p)) + tail_s
    copied = 0.0
    if sf[at.COPY_RATE] > 0.0:
        for i in range(size):
            work[i] = shared[loop_n[batch[i], COST], COPIED]
        copied = fsum(work, size, t.parts(p))
    return float(tail_s / sf[at.SPEED] + beside_s(sf, size, copied))


@hot
def start_batches(p: int, now: float) -> bool:
    """QueueServer._start_batches; False: it is for the other kernel to say."""
    mn, sn, loops, loop_n = t.mn(p), t.sn(p), t.loops(p), t.loop_n(p)
    batch_n, ends = t.batch_n(p), t.batch_end(p)
    while mn[N_WAITING] > 0:
        g = 0
        while g < sn[at.N_GPUS] and batch_n[g] > 0:
            g += 1
        if g == sn[at.N_GPUS]:
            break
        size = _size(p, now)
        if size == 0:
            break
        batch, d = t.batches(p)[g], mn[WAIT_FIRST]
        for i in range(size):
            batch[i] = d
            d = loop_n[d, NEXT]
        mn[WAIT_FIRST] = d
        mn[N_WAITING] -= size
        seconds = _batch_s(p, g, size)
        if math.isnan(seconds):
            return False
        share_s = seconds / size
        for i in range(size):
            d = batch[i]
            loops[d, SHARE] = share_s
            loops[d, S_START] = now
            loops[d, S_END] = now + seconds
            loop_n[d, PLACE] = SERVED
        batch_n[g] = size
        t.batch_at(p)[g] = now
        ends[g] = now + seconds
    return True


@hot
def finish_batch(p: int, g: int, now: float) -> bool:
    """QueueServer._finish; False: one comes back in the same instant as one of another batch."""
    batch, batch_n = t.batches(p)[g], t.batch_n(p)
    t.f(p)[at.GPU_BUSY] += now - t.batch_at(p)[g]
    t.batch_end(p)[g] = np.inf
    size = batch_n[g]
    batch_n[g] = 0
    is_sure = True
    for i in range(size):
        is_sure = _go_back(p, batch[i]) and is_sure
    return is_sure
