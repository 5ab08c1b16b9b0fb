# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""The loop over the events of plain loops.

What comes next is the earliest of: an arrival at the medium, a cell, a core that has decoded, a
batch, a look at who waits; two of these at one instant are for the event-by-event kernel to play,
but for arrivals that were drawn in the same instant (by who was drawn first). A request that is
back meets nobody, so that several are taken together, in their order: once the first of them could
be at the medium again, with all who are back before that request, or whatever comes later, could.
"""

import numpy as np

from sim.compiling import compiled, hot
from sim.engine import layout as at
from sim.engine.loops import tables as t
from sim.engine.loops.layout import *
from sim.engine.loops.media import finish_access, join, leave_fifo, release, serve_fifo, share
from sim.engine.loops.server import (
    decode,
    earliest,
    finish_batch,
    finish_batches,
    finish_decoding,
    serve,
    serve_queued,
    start_batches,
)
from sim.engine.loops.windows import chain, draw_next, next_window, put


@hot
def _draw(p: int, d: int, kind: int, now: float) -> None:
    """workload.closed_loop, Device.create, Device.step: the next request, from its pause to its
    arrival at the medium.
    """
    loops, loop_n, kinds, costs = t.loops(p), t.loop_n(p), t.kinds(p), t.costs(p)
    drawn = loop_n[d, D_NUMBER]
    pause, cost = loops[d, D_AT], (drawn >> DRAWN_BITS) - 1
    if cost < 0:
        pause, cost = draw_next(p, d, kind, drawn)
    loop_n[d, D_NUMBER] = (drawn & ((1 << DRAWN_BITS) - 1)) + 1
    pause_s = kinds[kind, MEAN]
    if kinds[kind, DRAWS] > 0.0:
        pause_s *= pause
    created_s = now + pause_s
    end_s = created_s + costs[cost, WORK_S]
    loops[d, D_CREATED] = created_s
    loops[d, D_AT] = end_s + (t.sf(p)[at.BEFORE] if costs[cost, N_ACCESSES] >= 0.0 else 0.0)
    loop_n[d, D_COST] = cost
    loop_n[d, D_SLOT] = -1


@compiled
def begin(p: int, kind_of: np.ndarray, start_s: np.ndarray, born: np.ndarray) -> None:
    """The first request of every device, whose first pause begins at `start_s`; `born`: in which
    order.
    """
    for i in range(born.shape[0]):
        d = born[i]
        t.loop_n(p)[d, D_BORN] = i
        _draw(p, d, kind_of[d], start_s[d])
        chain(p, d)
    t.mn(p)[BORN_NOW] = born.shape[0]


@hot
def _take_slot(p: int, d: int) -> int:
    """Device.step, behind the processor: a slot for the request, the one that was free last."""
    mn, loop_n, slots = t.mn(p), t.loop_n(p), t.slots(p)
    s = t.free(p)[mn[IN_SYSTEM]]
    mn[IN_SYSTEM] += 1
    loop_n[d, D_SLOT] = s
    t.slot_n(p)[s, DEVICE] = d
    t.slot_n(p)[s, COST] = loop_n[d, D_COST]
    slots[s, CREATED] = t.loops(p)[d, D_CREATED]
    return int(s)


@hot
def _keep(p: int, s: int, done_s: float) -> None:
    """Request.row, what of it costs do not tell; its slot is free again."""
    f, mn, slots = t.f(p), t.mn(p), t.slots(p)
    kept = t.records(p)[mn[ROWS]]
    for i in range(DONE):
        kept[i] = slots[s, i]
    kept[DONE] = done_s
    mn[ROWS] += 1
    mn[IN_SYSTEM] -= 1
    t.free(p)[mn[IN_SYSTEM]] = s
    f[at.LEFT_SUM] += done_s


@hot
def _depart(p: int, s: int, now: float) -> None:
    """Meter.count_departure, and the device's next request."""
    mn, d = t.mn(p), t.slot_n(p)[s, DEVICE]
    kind = int(t.costs(p)[t.slot_n(p)[s, COST], KIND])
    _keep(p, s, now)
    t.loop_n(p)[d, D_BORN] = mn[BORN_NOW]
    mn[BORN_NOW] += 1
    _draw(p, d, kind, now)
    if t.loops(p)[d, D_AT] < t.mf(p)[WINDOW_END]:
        put(p, d)
    else:
        chain(p, d)


@hot
def _meets(p: int, now: float, source: int, created_s: float) -> bool:
    """Whether something of another source mattered in the same instant, so that it is for the order
    of scheduling to say which came first. A shared medium may look twice; arrivals of one
    instant whose requests were drawn in one instant go by who was drawn first.
    """
    mf, mn = t.mf(p), t.mn(p)
    is_same = source == mn[LAST_FROM]
    if source == FROM_LIST:
        is_same = is_same and created_s == mf[LAST_CREATED]
        mf[LAST_CREATED] = created_s
    elif source < FROM_CELL or t.sn(p)[at.LINK] != at.SHARED_LINK:
        is_same = False
    meets = now == mf[LAST_S] and not is_same
    mf[LAST_S] = now
    mn[LAST_FROM] = source
    return bool(meets)


@hot
def _enter(p: int, c: int, s: int, now: float) -> int:
    """A payload is handed over to the medium of its cell; who leaves by that, none: -1."""
    link = t.sn(p)[at.LINK]
    t.slot_n(p)[s, PLACE] = AT_MEDIUM
    if link == at.CONTENDED_LINK:
        return int(join(p, c, s, now))
    if link == at.SHARED_LINK:
        share(p, c, s, now)
    else:
        serve_fifo(p, c, s, now)
    return -1


@hot
def _leave(p: int, c: int, now: float) -> int:
    """What a medium does when it is due: who leaves by that, the others chained to it."""
    link = t.sn(p)[at.LINK]
    if link == at.CONTENDED_LINK:
        return int(finish_access(p, c, now))
    if link == at.SHARED_LINK:
        return int(release(p, c, now))
    return int(leave_fifo(p, c))


@hot
def _serve(p: int, s: int, now: float) -> bool:
    """A request reaches the server; False: it is for the other kernel to say."""
    if t.sn(p)[at.SERVER] == at.PLAIN:
        return bool(serve(p, s, now))
    return bool(serve_queued(p, s, now))


@hot
def _arrive(p: int, first: int, now: float) -> bool:
    """Device._decode: those who left the medium together, one by one, to a core or the server."""
    slots, slot_n, costs, cores = t.slots(p), t.slot_n(p), t.costs(p), t.sn(p)[at.N_DECODERS]
    s = first
    while s >= 0:
        following = slot_n[s, NEXT]
        slots[s, L_END] = now
        decode_s = costs[slot_n[s, COST], DECODE_S]
        if cores > 0 and decode_s > 0.0:
            if not decode(p, s, decode_s, now):
                return False
        elif not _serve(p, s, now):
            return False
        s = following
    return True


@hot
def _come_back(p: int, until: float) -> None:
    """The first of those who are back on their devices, and who is back before a request of the
    first could be, one after another, while there is room for what they leave and do next.
    """
    mf, mn, back_at, back_who = t.mf(p), t.mn(p), t.back_at(p), t.back_who(p)
    mask, n_rows, room = back_at.shape[0] - 1, t.records(p).shape[0], t.list_at(p).shape[0]
    before_s, now = min(until, (mf[BACK_S] + mf[NEXT_WORK]) + mf[NEXT_ANSWER]), mf[BACK_S]
    while True:
        s = back_who[mn[BACK_FRONT] & mask]
        mn[PLAYED] += 1
        mn[BACK_FRONT] += 1
        mn[N_BACK] -= 1
        mf[DONE_S] = now
        now = back_at[mn[BACK_FRONT] & mask] if mn[N_BACK] > 0 else np.inf
        mf[BACK_S] = now
        _depart(p, s, mf[DONE_S])
        is_room = mn[ROWS] < n_rows and mn[LIST_END] - mn[LIST_AT] + 1 < room
        if now >= before_s or not is_room:
            break


@compiled
def play(until: float, p: int) -> int:
    """Play what is due before `until`; returns why it came back."""
    f, sn, mf, mn, loops, loop_n = t.f(p), t.sn(p), t.mf(p), t.mn(p), t.loops(p), t.loop_n(p)
    costs, due, ends = t.costs(p), t.due(p), t.batch_end(p)
    list_at, list_key, cn = t.list_at(p), t.list_key(p), t.cn(p)
    n_cells, n_rows, room = due.shape[0], t.records(p).shape[0], t.back_at(p).shape[0]
    width = t.tags(p).shape[1] if sn[at.LINK] == at.SHARED_LINK else t.members(p).shape[1]
    chains, ahead = t.chains(p), -1
    c, g = earliest(due), earliest(ends)
    while True:
        if mn[SHORT] != 0:
            return int(mn[SHORT])
        if mn[ROWS] == n_rows:
            return GROW_ROWS
        if mn[PLAYED] >= sn[at.MAX_EVENTS]:
            return BUDGET
        if mn[LIST_END] - mn[LIST_AT] + 1 >= list_at.shape[0]:
            return GROW_WINDOW
        list_s = list_at[mn[LIST_AT]] if mn[LIST_AT] < mn[LIST_END] else np.inf
        end_s = ends[g] if mn[N_WAITING] > 0 else np.inf  # else nobody asks before he is there
        now = min(min(list_s, due[c]), min(end_s, min(mf[CORE_S], mf[WAKE_S])))
        known_s = min(now, mf[WINDOW_END])  # what stands in chains comes later than that
        if mf[BACK_S] + mf[NEXT_WORK] <= known_s and mf[BACK_S] < until:
            _come_back(p, until)
            continue
        if now >= mf[WINDOW_END] and mf[WINDOW_END] < until:
            if not next_window(p):
                return GROW_WINDOW
            ahead = chains[(mn[WINDOW_NOW] + 1) & (chains.shape[0] - 1)]
            t.fetch(loops, max(0, ahead), D_AT)
            continue
        if now >= until:
            if mf[BACK_S] >= until:
                return REACHED if finish_batches(p, until) else TIED
            _come_back(p, until)
            continue
        mn[PLAYED] += 1
        if ahead >= 0:  # those of the next window, one by one
            ahead = loop_n[ahead, D_NEXT]
            t.fetch(loops, max(0, ahead), D_AT)
        gone = -1
        starts = False
        if now == list_s:
            d = list_key[mn[LIST_AT]] & ((1 << DEVICE_BITS) - 1)
            k = d % n_cells if n_cells > 1 else 0
            stays = costs[loop_n[d, D_COST], N_ACCESSES] < 0.0
            if mn[IN_SYSTEM] == room:
                return GROW_ROOM
            if not stays and cn[k, at.FLOWS] + cn[k, at.ACTIVE] + 2 > width:
                return GROW_CELL
            mn[LIST_AT] += 1
            if _meets(p, now, FROM_LIST, loops[d, D_CREATED]):
                return TIED
            s = _take_slot(p, d)
            if stays:
                if now in (mf[DONE_S], mf[BACK_S]):
                    return TIED
                _depart(p, s, now)
                continue
            gone = _enter(p, k, s, now)
            if n_cells > 1:
                c = earliest(due) if k == c else k if due[k] < due[c] else c
        elif now == due[c]:
            if _meets(p, now, FROM_CELL + c, 0.0):
                return TIED
            gone = _leave(p, c, now)
            if n_cells > 1:
                c = earliest(due)
        elif now == end_s:
            if _meets(p, now, FROM_GPU + g, 0.0) or not finish_batch(p, g):
                return TIED
            starts = True
        elif now == mf[CORE_S]:
            if _meets(p, now, FROM_CORE, 0.0) or not _serve(p, finish_decoding(p, now), now):
                return TIED
        else:
            if _meets(p, now, FROM_WAKE, 0.0):
                return TIED
            mf[WAKE_S] = np.inf
            f[at.AGAIN] = np.inf
            starts = True
        if not _arrive(p, gone, now) or (starts and not start_batches(p, now)):
            return TIED
        g = earliest(ends)
