# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""Which requests make a batch and how long it takes: twins of sim/server."""

from typing import Any

from sim.compiling import compiled
from sim.engine.layout import *
from sim.engine.lists import fsum, in_turn

_CHOSEN = -2


@compiled
def full(waiting: Any, head: int, tail: int, qn: Any, dn: Any, most: int) -> tuple[int, int]:
    """dynamic.rule: the first kind of which a full batch waits, in order of arrival, and its size;
    else the kind of the first, and 0.
    """
    first = dn[qn[waiting[head], DEVICE], KEY]
    for i in range(head, tail):
        k = dn[qn[waiting[i], DEVICE], KEY]
        seen = False
        for j in range(head, i):
            if dn[qn[waiting[j], DEVICE], KEY] == k:
                seen = True
                break
        if seen:
            continue
        count = 0
        for j in range(i, tail):
            if dn[qn[waiting[j], DEVICE], KEY] == k:
                count += 1
                if count == most:
                    return k, most
    return first, 0


@compiled
def batch_s(
    batch: Any, size: int, sf: Any, sn: Any, rows: Any, qn: Any, dn: Any, tails: Any, work: Any,
    parts: Any,
) -> float:  # fmt: skip
    """service.batch_s and ServerSpec.gpu_s of several requests."""
    on_gpu = sn[ON_GPU] == 1
    tail_s = tails[dn[qn[batch[0], DEVICE], SOURCE], size]
    if on_gpu:
        for i in range(size):
            work[i] = rows[qn[batch[i], ROW], R_DECODE]
        tail_s = fsum(work, size, parts) + tail_s
    work_s = tail_s / sf[SPEED]
    beside_s = sf[BATCH_OVERHEAD] + size * (sf[OVERHEAD] + sf[COPY_FIXED])
    if sf[COPY_RATE] > 0.0:
        column = R_PAYLOAD if on_gpu else R_TENSOR
        for i in range(size):
            work[i] = rows[qn[batch[i], ROW], column]
        beside_s += fsum(work, size, parts) / sf[COPY_RATE]
    return float(work_s + beside_s)


@compiled
def most_urgent(
    waiting: Any, head: int, tail: int, batch: Any, most: int, qf: Any, qn: Any, df: Any, dn: Any
) -> int:
    """edf.rule: the most urgent request and the most urgent of its kind, ties in order of arrival;
    how many they are.
    """
    size, kind = 0, -1
    last_s, last = -float("inf"), -1
    while size < most:
        best_s, best = float("inf"), -1
        for i in range(head, tail):
            s = waiting[i]
            d = qn[s, DEVICE]
            due_s = qf[s, CREATED] + df[d, DEADLINE]
            is_left = due_s > last_s or (due_s == last_s and i > last)
            if is_left and (best < 0 or due_s < best_s) and kind in (-1, dn[d, KEY]):
                best_s, best = due_s, i
        if best < 0:
            break
        kind = dn[qn[waiting[best], DEVICE], KEY]
        batch[size] = waiting[best]
        size += 1
        last_s, last = best_s, best
    return size


@compiled
def without(waiting: Any, head: int, tail: int, batch: Any, size: int, qn: Any) -> int:
    """Take a batch out of those that wait; where they end now."""
    for i in range(size):
        qn[batch[i], NEXT] = _CHOSEN
    kept = head
    for i in range(head, tail):
        s = waiting[i]
        if qn[s, NEXT] == _CHOSEN:
            qn[s, NEXT] = -1
        else:
            waiting[kept] = s
            kept += 1
    return kept


@compiled
def factor(n: Any, sn: Any, law: Any, row: int) -> float:
    """ServiceLaw.factor: the next service's, of this row where the file knows its sample."""
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
