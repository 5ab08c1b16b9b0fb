# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""Which requests make a batch, and how long it takes: twins of sim/server/batching and of what a
batch's seconds are made of (sim/server/service.py, sim/sources).
"""

from typing import Any

import numpy as np

from sim.compiling import hot, inner
from sim.engine import tables as t
from sim.engine.events import schedule
from sim.engine.layout import *
from sim.engine.lists import fsum, in_turn
from sim.engine.rooms import room

_CHOSEN = -2


@hot
def _key(p: int, s: int) -> int:
    """Source.key: what may share a batch, as a number."""
    return int(t.rows(p)[t.qn(p)[s, ROW], R_KEY])


@inner
def _full(p: int) -> tuple[int, int]:
    """dynamic.rule: the first kind of which a full batch waits, in order of arrival, and its size;
    else the kind of the first, and 0.
    """
    n, sn, waiting = t.n(p), t.sn(p), t.waiting(p)
    head, tail, most = n[HEAD], n[TAIL], sn[MAX_BATCH]
    first = _key(p, waiting[head])
    if sn[ONE_KEY] == 1:
        return first, most if tail - head >= most else 0
    for i in range(head, tail):
        k = _key(p, waiting[i])
        seen = False
        for j in range(head, i):
            if _key(p, waiting[j]) == k:
                seen = True
                break
        if seen:
            continue
        count = 0
        for j in range(i, tail):
            if _key(p, waiting[j]) == k:
                count += 1
                if count == most:
                    return k, most
    return first, 0


@inner
def _most_urgent(p: int, g: int) -> int:
    """edf.rule: the most urgent request and the most urgent of its kind, ties in order of arrival;
    how many they are.
    """
    n, qf, waiting = t.n(p), t.qf(p), t.waiting(p)
    size, kind = 0, -1
    last_s, last = -np.inf, -1
    while size < t.sn(p)[MAX_BATCH]:
        best_s, best = np.inf, -1
        for i in range(n[HEAD], n[TAIL]):
            s = waiting[i]
            due_s = qf[s, DUE_AT]
            is_left = due_s > last_s or (due_s == last_s and i > last)
            if is_left and (best < 0 or due_s < best_s) and kind in (-1, _key(p, s)):
                best_s, best = due_s, i
        if best < 0:
            break
        kind = _key(p, waiting[best])
        t.batches(p)[g, size] = waiting[best]
        size += 1
        last_s, last = best_s, best
    return size


@inner
def _same_key(p: int, g: int, kind: int) -> int:
    """job.same_key: those of a kind, in order of arrival; how many they are."""
    n, waiting, batch = t.n(p), t.waiting(p), t.batches(p)[g]
    size, most = 0, t.sn(p)[MAX_BATCH]
    for i in range(n[HEAD], n[TAIL]):
        s = waiting[i]
        if _key(p, s) == kind:
            batch[size] = s
            size += 1
            if size == most:
                break
    return size


@inner
def _join_iteration(p: int, g: int, kind: int) -> int:
    """continuous.rule: of a kind the decode steps, then the prompts, as many as there is room for;
    how many they are.
    """
    n, sn, qn, rows = t.n(p), t.sn(p), t.qn(p), t.rows(p)
    waiting, batch = t.waiting(p), t.batches(p)[g]
    size, room = 0, float(sn[MAX_TOKENS])
    for prompts in (False, True):
        for i in range(n[HEAD], n[TAIL]):
            s = waiting[i]
            tokens = rows[qn[s, ROW], R_TOKENS]
            if _key(p, s) != kind or (tokens > 1.0) != prompts:
                continue
            room -= tokens
            if size == sn[MAX_BATCH] or (room < 0.0 and size > 0):
                return size
            batch[size] = s
            size += 1
    return size


@inner
def take(p: int, g: int, size: int) -> None:
    """QueueServer._run: a batch is taken out of those that wait."""
    n, qn, waiting, batch = t.n(p), t.qn(p), t.waiting(p), t.batches(p)[g]
    in_front = True
    for i in range(size):
        in_front = in_front and waiting[n[HEAD] + i] == batch[i]
    if in_front:
        n[HEAD] += size
        return
    for i in range(size):
        qn[batch[i], NEXT] = _CHOSEN
    kept = n[HEAD]
    for i in range(n[HEAD], n[TAIL]):
        s = waiting[i]
        if qn[s, NEXT] == _CHOSEN:
            qn[s, NEXT] = -1
        else:
            waiting[kept] = s
            kept += 1
    n[TAIL] = kept


@inner
def _tail_s(p: int, g: int, size: int) -> float:
    """Source.batch_s of more than one; NaN where the source does not know such a batch."""
    r = t.qn(p)[t.batches(p)[g, 0], ROW]
    source = int(t.rows(p)[r, R_SOURCE])
    if t.rows(p)[r, R_MEAN] > 0.0:  # RandomSource.batch_s
        work = t.work(p)
        for i in range(size):
            work[i] = t.qf(p)[t.batches(p)[g, i], SERVICE]
        return float(fsum(work, size, t.parts(p)))
    if t.iterations(p)[source, I_LAW] == BY_NUMBER:
        return float(t.tails(p)[source, size])
    return float(iteration_s(p, g, size, source))


@room
def iteration_s(p: int, g: int, size: int, source: int) -> float:
    """sessions.iteration_s, and what its decode steps take together by the source's own law."""
    rows, qn, work, batch = t.rows(p), t.qn(p), t.work(p), t.batches(p)[g]
    prompts, tokens, kv = 0, 0, 0.0
    first_s, low_s, high_s = 0.0, np.inf, -np.inf
    for i in range(size):
        r = qn[batch[i], ROW]
        if rows[r, R_TOKENS] == 1.0:
            first_s = rows[r, R_SERVER] if tokens == 0 else first_s
            low_s, high_s = min(low_s, rows[r, R_SERVER]), max(high_s, rows[r, R_SERVER])
            kv += rows[r, R_KV]
            tokens += 1
        elif rows[r, R_TOKENS] > 1.0:
            work[prompts] = rows[r, R_SERVER]
            prompts += 1
    prompts_s = fsum(work, prompts, t.parts(p))
    if tokens == 0:
        return float(prompts_s + 0.0)
    law = t.iterations(p)[source]
    if law[I_LAW] == STEPS_TIMED:
        together_s = _timed_s(p, source, tokens, kv / tokens)
    elif law[I_LAW] == STEPS_SIZED and low_s < high_s:
        found = 0
        for i in range(size):
            if rows[qn[batch[i], ROW], R_TOKENS] == 1.0:
                work[found] = rows[qn[batch[i], ROW], R_SERVER]
                found += 1
        mean_s = fsum(work, tokens, t.parts(p)) / tokens
        together_s = mean_s * (1.0 + (tokens - 1) * law[I_RATIO])
    else:
        together_s = first_s + (tokens - 1) * law[I_SLOPE]
    return float(prompts_s + together_s)


@inner
def _timed_s(p: int, source: int, tokens: int, kv: float) -> float:
    """CostSurface.seconds_at: of so many decode steps at their mean KV length."""
    law, knots, together = t.iterations(p)[source], t.knots(p), t.together(p)
    k0, number = int(law[I_KNOT]), int(law[I_KNOTS])
    if number == 0:  # nothing is left to the server
        return 0.0
    if not knots[k0] <= kv <= knots[k0 + number - 1]:
        return np.nan
    if number == 1:
        return float(together[k0, tokens])
    right = 1
    while knots[k0 + right] < kv:
        right += 1
    left = right - 1
    weight = (kv - knots[k0 + left]) / (knots[k0 + right] - knots[k0 + left])
    return float(
        (1.0 - weight) * together[k0 + left, tokens] + weight * together[k0 + right, tokens]
    )


@hot
def alone_s(p: int, s: int) -> float:
    """service.batch_s of one request."""
    sf, rows, r = t.sf(p), t.rows(p), t.qn(p)[s, ROW]
    if rows[r, R_MEAN] == 0.0:
        return float(rows[r, R_ALONE])
    beside_s = sf[BATCH_OVERHEAD] + (sf[OVERHEAD] + sf[COPY_FIXED])
    return float(t.qf(p)[s, SERVICE] / sf[SPEED] + beside_s)


@hot
def beside_s(sf: Any, size: int, copied: float) -> float:
    """What a batch holds a GPU for beside its layers; `copied`: bytes (ServerSpec.gpu_s)."""
    seconds = sf[BATCH_OVERHEAD] + size * (sf[OVERHEAD] + sf[COPY_FIXED])
    if sf[COPY_RATE] > 0.0:
        seconds += copied / sf[COPY_RATE]
    return float(seconds)


@inner
def batch_s(p: int, g: int, size: int) -> float:
    """service.batch_s and ServerSpec.gpu_s of a batch."""
    sf, sn, rows, qn, work = t.sf(p), t.sn(p), t.rows(p), t.qn(p), t.work(p)
    batch, parts = t.batches(p)[g], t.parts(p)
    if size == 1:
        return float(alone_s(p, batch[0]))
    on_gpu = sn[ON_GPU] == 1
    tail_s = _tail_s(p, g, size)
    if on_gpu:
        for i in range(size):
            work[i] = rows[qn[batch[i], ROW], R_DECODE]
        tail_s = fsum(work, size, parts) + tail_s
    copied = 0.0
    if sf[COPY_RATE] > 0.0:
        column = R_PAYLOAD if on_gpu else R_TENSOR
        for i in range(size):
            work[i] = rows[qn[batch[i], ROW], column]
        copied = fsum(work, size, parts)
    return float(tail_s / sf[SPEED] + beside_s(sf, size, copied))


@inner
def factor(p: int, row: int) -> float:
    """ServiceLaw.factor: the next service's, of this row where the file knows its sample."""
    n, sn, law = t.n(p), t.sn(p), t.law(p)
    if n[LAW_LEFT] == 0:
        n[LAW_LEFT] = sn[LAW_BLOCK]
        u = in_turn(sn[SERVICE_0], sn[SERVICE_1], n[LAW_DRAWN], 0, sn[REPLICATION])
        n[LAW_DRAWN] += 1
        n[LAW_AT] = int(u * law.shape[0])
    n[LAW_LEFT] -= 1
    passed = n[LAW_AT]
    if sn[LAW] == BY_SAMPLE:
        return float(law[passed, row])
    n[LAW_AT] = (passed + 1) % law.shape[0]
    return float(law[passed, 0])


@inner
def pick(p: int, g: int) -> int:
    """batching.rule: puts the next batch at a GPU; how many it has, none: look again later."""
    f, n, sn, waiting = t.f(p), t.n(p), t.sn(p), t.waiting(p)
    if sn[SERVER] == URGENT:
        return int(_most_urgent(p, g))
    kind = _key(p, waiting[n[HEAD]])
    if sn[SERVER] == DYNAMIC:
        kind, size = _full(p)
        due = t.qf(p)[waiting[n[HEAD]], ENTERED] + t.sf(p)[MAX_WAIT]
        if size == 0 and f[NOW] < due:  # _look_again
            if due < f[AGAIN]:
                f[AGAIN] = due
                schedule(p, f[NOW] + max(0.0, due - f[NOW]), np.int64(ON_WAKE) << SHIFT)
            return 0
    if sn[SERVER] == CONTINUOUS:
        return int(_join_iteration(p, g, kind))
    return int(_same_key(p, g, kind))
