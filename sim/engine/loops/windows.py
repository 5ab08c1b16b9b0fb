# ruff: noqa: F403, F405  (numbers of columns, which Numba freezes)
"""The list of arrivals, in windows of time, after the ladder queue of Tang, Goh and Thng (2005).

Time is cut into windows whose width is a power of two, so that a window's number and its ends never
disagree. What arrives in a later window stands in that window's chain; when the window begins, its
arrivals are sorted, by time and then by who was drawn first, and what still comes to fall into it
is put in its place. In small systems all of time is one window.
"""

from typing import Any

from sim.compiling import hot, inner
from sim.engine import layout as at
from sim.engine.lists import draw
from sim.engine.loops import tables as t
from sim.engine.loops.layout import *
from sim.philox import minus_log

_FEWEST = 16


@hot
def chain(p: int, d: int) -> None:
    """A device into the chain of the window in which it arrives."""
    window = int(t.loops(p)[d, D_AT] * t.mf(p)[PER_S])
    chains = t.chains(p)
    cell = window & (chains.shape[0] - 1)
    t.loop_n(p)[d, D_NEXT] = chains[cell]
    chains[cell] = d


@inner
def put(p: int, d: int) -> None:
    """A device into the sorted rest of the window in play, from its end."""
    mn, times, key = t.mn(p), t.list_at(p), t.list_key(p)
    if mn[LIST_END] == times.shape[0]:  # drop what has been played
        for i in range(mn[LIST_AT], mn[LIST_END]):
            times[i - mn[LIST_AT]] = times[i]
            key[i - mn[LIST_AT]] = key[i]
        mn[LIST_END] -= mn[LIST_AT]
        mn[LIST_AT] = 0
    time_s, mine = t.loops(p)[d, D_AT], (t.loop_n(p)[d, D_BORN] << DEVICE_BITS) | d
    first, i = mn[LIST_AT], mn[LIST_END] - 1
    while i >= first and (times[i] > time_s or (times[i] == time_s and key[i] > mine)):
        times[i + 1] = times[i]
        key[i + 1] = key[i]
        i -= 1
    times[i + 1] = time_s
    key[i + 1] = mine
    mn[LIST_END] += 1


@inner
def _sort(p: int, n: int, begin_s: float) -> None:
    """The n arrivals of the window that begins, by time: buckets of one, then insertion."""
    times, key, counts, width_s = t.sort_at(p), t.sort_key(p), t.sort_n(p), t.mf(p)[WIDTH]
    to_at, to_key = t.list_at(p), t.list_key(p)
    buckets = max(_FEWEST, n)
    scale = buckets / width_s
    for b in range(buckets + 1):
        counts[b] = 0
    for i in range(n):
        counts[min(buckets - 1, max(0, int((times[i] - begin_s) * scale))) + 1] += 1
    for b in range(buckets):
        counts[b + 1] += counts[b]
    for i in range(n):
        b = min(buckets - 1, max(0, int((times[i] - begin_s) * scale)))
        to_at[counts[b]] = times[i]
        to_key[counts[b]] = key[i]
        counts[b] += 1
    for i in range(1, n):
        time_s, mine = to_at[i], to_key[i]
        j = i - 1
        while j >= 0 and (to_at[j] > time_s or (to_at[j] == time_s and to_key[j] > mine)):
            to_at[j + 1] = to_at[j]
            to_key[j + 1] = to_key[j]
            j -= 1
        to_at[j + 1] = time_s
        to_key[j + 1] = mine


@inner
def _draw_several(p: int, d: int, number: int) -> None:
    """A device's next `N_DRAWN` requests: their pauses in means, then the numbers of their rows."""
    sn, drawn = t.sn(p), t.drawn(p)[d]
    k0, k1, replication = sn[at.REQUESTS_0], sn[at.REQUESTS_1], sn[at.REPLICATION]
    for i in range(N_DRAWN):
        u, drawn[N_DRAWN + i] = draw(k0, k1, number + i, d, replication)
        drawn[i] = minus_log(u)


@hot
def draw_next(p: int, d: int, kind: int, number: int) -> tuple[float, int]:
    """A device's next request, if it has drawn so many: its pause in means and what it costs. Among
    few devices several are drawn at a time.
    """
    sn, kinds, drawn = t.sn(p), t.kinds(p), t.drawn(p)
    if drawn.shape[0] > 0:
        place = number & (N_DRAWN - 1)
        if place == 0:
            _draw_several(p, d, number)
        pause, row_u = drawn[d, place], drawn[d, N_DRAWN + place]
    else:
        u, row_u = draw(sn[at.REQUESTS_0], sn[at.REQUESTS_1], number, d, sn[at.REPLICATION])
        pause = minus_log(u)
    return pause, int(kinds[kind, FIRST]) + int(row_u * kinds[kind, MANY])


@inner
def _draw_ahead(p: int, n: int) -> None:
    """draw_next of all n in the window that begins: loops that take several at once, where one
    alone takes ten times as long.
    """
    sn, kinds, costs, loops, loop_n = t.sn(p), t.kinds(p), t.costs(p), t.loops(p), t.loop_n(p)
    k0, k1, replication = sn[at.REQUESTS_0], sn[at.REQUESTS_1], sn[at.REPLICATION]
    key, numbers, pauses, rows = t.list_key(p), t.sort_key(p), t.sort_at(p), t.row_u(p)
    device = (1 << DEVICE_BITS) - 1
    for i in range(n):
        numbers[i] = loop_n[key[i] & device, D_NUMBER]
    for i in range(n):
        u, rows[i] = draw(k0, k1, numbers[i], key[i] & device, replication)
        pauses[i] = minus_log(u)
    for i in range(n):
        d = key[i] & device
        kind = int(costs[loop_n[d, D_COST], KIND])
        cost = int(kinds[kind, FIRST]) + int(rows[i] * kinds[kind, MANY])
        loops[d, D_AT] = pauses[i]
        loop_n[d, D_NUMBER] = numbers[i] | ((cost + 1) << DRAWN_BITS)


@inner
def next_window(p: int) -> bool:
    """Begin the next window; False: it holds more than there is room for."""
    mf, mn, loops, loop_n = t.mf(p), t.mn(p), t.loops(p), t.loop_n(p)
    times, key, chains = t.sort_at(p), t.sort_key(p), t.chains(p)
    window = mn[WINDOW_NOW] + 1
    end_s, cell = (window + 1) * mf[WIDTH], window & (chains.shape[0] - 1)
    n, kept, d = 0, -1, chains[cell]
    while d >= 0:
        following = loop_n[d, D_NEXT]
        if loops[d, D_AT] < end_s and n < times.shape[0]:
            times[n] = loops[d, D_AT]
            key[n] = (loop_n[d, D_BORN] << DEVICE_BITS) | d
            n += 1
        else:
            loop_n[d, D_NEXT] = kept
            kept = d
        d = following
    chains[cell] = kept
    if n == times.shape[0]:  # there may be more
        for i in range(n):
            d = key[i] & ((1 << DEVICE_BITS) - 1)
            loop_n[d, D_NEXT] = chains[cell]
            chains[cell] = d
        return False
    mn[WINDOW_NOW] = window
    mf[WINDOW_END] = end_s
    mn[LIST_AT] = 0
    mn[LIST_END] = n
    _sort(p, n, end_s - mf[WIDTH])
    if t.drawn(p).shape[0] == 0:
        _draw_ahead(p, n)
    return True


@hot
def slot_in(times: Any, who: Any, front: int, n: int, time_s: float, d: int) -> int:
    """Into a sorted ring of n, behind all that are not later; who stands there at the same time, if
    anybody: -1.
    """
    mask = times.shape[0] - 1
    i = front + n - 1
    while i >= front and times[i & mask] > time_s:
        times[(i + 1) & mask] = times[i & mask]
        who[(i + 1) & mask] = who[i & mask]
        i -= 1
    times[(i + 1) & mask] = time_s
    who[(i + 1) & mask] = d
    return int(who[i & mask]) if i >= front and times[i & mask] == time_s else -1
