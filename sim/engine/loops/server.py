# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""Decoding cores, the server and its batches: twins of PoolStation, QueuePool, PlainServer and
QueueServer, as sim.engine.stations, sim.engine.server and sim.engine.batching are.
"""

import math
from typing import Any

import numpy as np

from sim.compiling import hot, inner
from sim.engine import layout as at
from sim.engine.batching import beside_s
from sim.engine.lists import fsum
from sim.engine.loops import tables as t
from sim.engine.loops.layout import *
from sim.engine.loops.windows import slot_in
from sim.engine.stations import replace


@hot
def earliest(times_s: Any) -> int:
    """Where the least of some times stands: the cell, or the GPU, where something happens first."""
    found = 0
    for i in range(1, times_s.shape[0]):
        if times_s[i] < times_s[found]:
            found = i
    return found


@inner
def _on_core(p: int, s: int, start: float, end: float) -> bool:
    """A core decodes a request; whether another ends in the same instant."""
    mf, mn, slots = t.mf(p), t.mn(p), t.slots(p)
    slots[s, C_START] = start
    slots[s, C_END] = end
    mf[CORE_S] = end if mn[N_DECODING] == 0 else min(mf[CORE_S], end)
    other = slot_in(t.core_at(p), t.core_who(p), mn[CORE_FRONT], mn[N_DECODING], end, s)
    mn[N_DECODING] += 1
    return bool(other >= 0)


@inner
def decode(p: int, s: int, decode_s: float, now: float) -> bool:
    """PoolStation.serve, QueuePool.serve; False: two end in the same instant."""
    f, sn, mn, slot_n = t.f(p), t.sn(p), t.mn(p), t.slot_n(p)
    slot_n[s, PLACE] = AT_CORES
    if sn[at.SERVER] == at.PLAIN:
        cores = t.cores(p)
        start = max(cores[0], now)
        end = start + decode_s
        replace(cores, end)
        f[at.DECODER_WORK] += decode_s
        return not _on_core(p, s, start, end)
    if mn[N_DECODING] < sn[at.N_DECODERS]:
        return not _on_core(p, s, now, now + decode_s)
    slot_n[s, NEXT] = -1
    if mn[CORE_QUEUE] < 0:
        mn[CORE_QUEUE] = s
    else:
        slot_n[mn[CORE_LAST], NEXT] = s
    mn[CORE_LAST] = s
    return True


@inner
def finish_decoding(p: int, now: float) -> int:
    """QueuePool._finish: who is decoded."""
    f, sn, mf, mn, slots, slot_n = t.f(p), t.sn(p), t.mf(p), t.mn(p), t.slots(p), t.slot_n(p)
    mask = t.core_at(p).shape[0] - 1
    s = t.core_who(p)[mn[CORE_FRONT] & mask]
    mn[CORE_FRONT] += 1
    mn[N_DECODING] -= 1
    if sn[at.SERVER] != at.PLAIN:
        f[at.DECODER_BUSY] += now - slots[s, C_START]
        following = mn[CORE_QUEUE]
        if following >= 0:
            mn[CORE_QUEUE] = slot_n[following, NEXT]
            _on_core(p, following, now, now + t.costs(p)[slot_n[following, COST], DECODE_S])
    mf[CORE_S] = t.core_at(p)[mn[CORE_FRONT] & mask] if mn[N_DECODING] > 0 else np.inf
    return int(s)


@hot
def _go_back(p: int, s: int) -> bool:
    """When its answer is back is known as soon as it is served; False: so is one of a batch that is
    over at another time, in the same instant (of batches over at one, LAST_END tells).
    """
    mf, mn, slots, slot_n = t.mf(p), t.mn(p), t.slots(p), t.slot_n(p)
    time_s = slots[s, S_END] + t.costs(p)[slot_n[s, COST], AFTER_S]
    slot_n[s, PLACE] = SERVED
    other = slot_in(t.back_at(p), t.back_who(p), mn[BACK_FRONT], mn[N_BACK], time_s, s)
    if mn[N_BACK] == 0 or time_s < mf[BACK_S]:
        mf[BACK_S] = time_s
    mn[N_BACK] += 1
    if other < 0:
        return True
    return bool(slots[other, S_END] == slots[s, S_END] and t.sn(p)[at.SERVER] != at.PLAIN)


@hot
def serve(p: int, s: int, now: float) -> bool:
    """PlainServer.serve; False: another comes back in the same instant."""
    f, slots = t.f(p), t.slots(p)
    work_s = t.costs(p)[t.slot_n(p)[s, COST], ALONE_S]
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
    slots[s, SHARE] = work_s
    slots[s, S_START] = start
    slots[s, S_END] = end
    return bool(_go_back(p, s))


@hot
def _wait(p: int, s: int) -> None:
    """QueueServer.serve, up to the queue."""
    mn, slot_n = t.mn(p), t.slot_n(p)
    slot_n[s, PLACE] = AT_SERVER
    slot_n[s, NEXT] = -1
    if mn[N_WAITING] == 0:
        mn[WAIT_FIRST] = s
    else:
        slot_n[mn[WAIT_LAST], NEXT] = s
    mn[WAIT_LAST] = s
    mn[N_WAITING] += 1


@hot
def _size(p: int, now: float) -> int:
    """batching.rule: how many of those that wait make a batch now, none: look again later."""
    f, sn, mf, mn = t.f(p), t.sn(p), t.mf(p), t.mn(p)
    size = min(mn[N_WAITING], sn[at.MAX_BATCH])
    if sn[at.SERVER] == at.DYNAMIC and size < sn[at.MAX_BATCH]:
        s = mn[WAIT_FIRST]
        entered_s = t.slots(p)[s, L_END]
        if sn[at.N_DECODERS] > 0 and t.costs(p)[t.slot_n(p)[s, COST], DECODE_S] > 0.0:
            entered_s = t.slots(p)[s, C_END]
        due_s = entered_s + t.sf(p)[at.MAX_WAIT]
        if now < due_s:
            if due_s < f[at.AGAIN]:
                f[at.AGAIN] = due_s
                mf[WAKE_S] = now + max(0.0, due_s - now)
            return 0
    return int(size)


@hot
def _batch_s(p: int, first: int, size: int) -> float:
    """service.batch_s and ServerSpec.gpu_s, of those that wait from `first` on; NaN where the
    source does not know such a batch.
    """
    sf, sn, slot_n, work = t.sf(p), t.sn(p), t.slot_n(p), t.work(p)
    costs, shared = t.costs(p), t.shared(p)
    cost = slot_n[first, COST]
    if size == 1:
        return float(costs[cost, ALONE_S])
    tail_s, s = t.tails(p)[int(shared[cost, TAIL]), size], first
    if sn[at.ON_GPU] == 1:
        for i in range(size):
            work[i] = costs[slot_n[s, COST], DECODE_S]
            s = slot_n[s, NEXT]
        tail_s = fsum(work, size, t.parts(p)) + tail_s
    copied, s = 0.0, first
    if sf[at.COPY_RATE] > 0.0:
        for i in range(size):
            work[i] = shared[slot_n[s, COST], COPIED]
            s = slot_n[s, NEXT]
        copied = fsum(work, size, t.parts(p))
    return float(tail_s / sf[at.SPEED] + beside_s(sf, size, copied))


@hot
def _start(p: int, g: int, first: int, size: int, now: float) -> bool:
    """QueueServer._start_batches, one of them, of those that wait from `first` on; False: it is for
    the other kernel to say.
    """
    slots, slot_n = t.slots(p), t.slot_n(p)
    seconds = _batch_s(p, first, size)
    if math.isnan(seconds):
        return False
    end_s, share_s = now + seconds, seconds / size
    s, is_sure = first, True
    for _ in range(size):
        slots[s, SHARE] = share_s
        slots[s, S_START] = now
        slots[s, S_END] = end_s
        is_sure = _go_back(p, s) and is_sure
        s = slot_n[s, NEXT]
    t.mn(p)[WAIT_FIRST] = s
    t.batch_n(p)[g] = size
    t.batch_at(p)[g] = now
    t.batch_end(p)[g] = end_s
    return is_sure


@hot
def start_batches(p: int, now: float) -> bool:
    """QueueServer._start_batches; False: it is for the other kernel to say."""
    mn, n_gpus, batch_n = t.mn(p), t.sn(p)[at.N_GPUS], t.batch_n(p)
    is_sure = True
    while mn[N_WAITING] > 0:
        g = 0
        while g < n_gpus and batch_n[g] > 0:
            g += 1
        size = _size(p, now) if g < n_gpus else 0
        if size == 0:
            break
        mn[N_WAITING] -= size
        is_sure = _start(p, g, mn[WAIT_FIRST], size, now) and is_sure
    return is_sure


@hot
def finish_batch(p: int, g: int) -> bool:
    """QueueServer._finish; False: another batch was over in the same instant."""
    mf, ends = t.mf(p), t.batch_end(p)
    end_s, last_s = ends[g], mf[LAST_END]
    t.f(p)[at.GPU_BUSY] += end_s - t.batch_at(p)[g]
    t.batch_n(p)[g] = 0
    ends[g] = np.inf
    mf[LAST_END] = end_s
    return bool(end_s != last_s)


@hot
def finish_batches(p: int, before_s: float) -> bool:
    """finish_batch of all that are over before `before_s`, behind which nobody waits."""
    ends, is_sure = t.batch_end(p), True
    g = earliest(ends)
    while ends[g] < before_s:
        is_sure = finish_batch(p, g) and is_sure
        g = earliest(ends)
    return is_sure


@hot
def serve_queued(p: int, s: int, now: float) -> bool:
    """QueueServer.serve; False: it is for the other kernel to say."""
    sn, ends = t.sn(p), t.batch_end(p)
    is_sure = finish_batches(p, now) and ends[earliest(ends)] != now
    if sn[at.N_GPUS] == 1 and t.batch_n(p)[0] == 0 and sn[at.SERVER] != at.DYNAMIC:
        return bool(_start(p, 0, s, 1, now) and is_sure)  # nobody waits before it
    _wait(p, s)
    return bool(start_batches(p, now) and is_sure)
