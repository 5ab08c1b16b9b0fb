"""Lists of the compiled engine: events by (time, order), draws, and an exact sum.

The event list is `at` [2 M + 1] and `key` [2 M, (order, code, next)]. Time is cut into windows of
equal width. What is due up to the end of the window in play is a heap, in the first half; what
comes later is kept in the second half, chained by its window as in a calendar queue (Brown 1988),
and goes onto the heap when its window begins. The last number of `at` is windows per second, 0: all
of time is one (asked for by its place: indices of tables never count from the end). The first event
of each chain stands in `n` from N_WHOLE on.
"""

import numpy as np

from sim import philox
from sim.compiling import compiled, hot, inlined, inner
from sim.engine.layout import FREE_KEPT, HEAP, KEPT, LAST_CHAIN, N_WHOLE, WINDOW

U = np.uint64
_LAST_WINDOW = 2.0**52
"""Windows beyond are one: so far are whole numbers exact."""


@compiled
def push(at: np.ndarray, key: np.ndarray, n: int, time_s: float, order: int, code: int) -> None:
    """Put an event onto a heap of n: `at` [.], `key` [., (order, code)]."""
    j = n
    while j > 0:
        p = (j - 1) >> 1
        if at[p] < time_s or (at[p] == time_s and key[p, 0] < order):
            break
        at[j] = at[p]
        key[j, 0] = key[p, 0]
        key[j, 1] = key[p, 1]
        j = p
    at[j] = time_s
    key[j, 0] = order
    key[j, 1] = code


@compiled
def pop(at: np.ndarray, key: np.ndarray, n: int) -> None:
    """Take the first event off a heap of n; the last one finds its place."""
    m = n - 1
    time_s = at[m]
    order = key[m, 0]
    code = key[m, 1]
    j = 0
    while True:
        c = 2 * j + 1
        if c >= m:
            break
        if c + 1 < m and (at[c + 1] < at[c] or (at[c + 1] == at[c] and key[c + 1, 0] < key[c, 0])):
            c += 1
        if time_s < at[c] or (time_s == at[c] and order < key[c, 0]):
            break
        at[j] = at[c]
        key[j, 0] = key[c, 0]
        key[j, 1] = key[c, 1]
        j = c
    at[j] = time_s
    key[j, 0] = order
    key[j, 1] = code


def empty(n: np.ndarray, listed: int, windows_per_s: float) -> tuple[np.ndarray, np.ndarray]:
    """An event list, `at` and `key`, with room for as many in either half."""
    when, key = np.zeros(2 * listed + 1), np.empty((2 * listed, 3), np.int64)
    when[-1] = windows_per_s
    key[listed:, 1:] = -1
    key[listed:-1, 2] = np.arange(listed + 1, 2 * listed)
    n[N_WHOLE:] = -1
    n[LAST_CHAIN] = len(n) - N_WHOLE - 1
    n[FREE_KEPT] = listed
    n[KEPT] = 0
    return when, key


def refill(
    n: np.ndarray, at: np.ndarray, key: np.ndarray, old_at: np.ndarray, old_key: np.ndarray
) -> None:
    """Put all events of another list into an empty one, whose free places follow one another."""
    heap, half = n[HEAP], len(old_key) // 2
    at[:heap], key[:heap] = old_at[:heap], old_key[:heap]
    kept = half + np.flatnonzero(old_key[half:, 1] >= 0)
    chains = np.minimum(old_at[kept] * at[-1], _LAST_WINDOW).astype(np.int64) & n[LAST_CHAIN]
    order = np.argsort(chains, kind="stable")
    kept, chains = kept[order], N_WHOLE + chains[order]
    places = n[FREE_KEPT] + np.arange(len(kept))
    is_first = np.diff(chains, prepend=-1) != 0
    is_last = np.append(is_first, True)[1:]
    n[FREE_KEPT] += len(kept)
    n[KEPT] += len(kept)
    n[chains[is_first]] = places[is_first]
    at[places], key[places, :2] = old_at[kept], old_key[kept, :2]
    key[places, 2] = np.where(is_last, -1, places + 1)


def codes(n: np.ndarray, key: np.ndarray) -> np.ndarray:
    """What all events in the list are."""
    kept = key[len(key) // 2 :, 1]
    return np.append(key[: n[HEAP], 1], kept[kept >= 0])


@inlined
def schedule(
    n: np.ndarray, at: np.ndarray, key: np.ndarray, time_s: float, order: int, code: int
) -> None:
    """Put an event into the list: onto the heap what the window in play holds."""
    if min(time_s * at[at.shape[0] - 1], _LAST_WINDOW) < n[WINDOW] + 1:
        push(at, key, n[HEAP], time_s, order, code)
        n[HEAP] += 1
    else:
        keep(n, at, key, time_s, order, code)


@compiled
def keep(
    n: np.ndarray, at: np.ndarray, key: np.ndarray, time_s: float, order: int, code: int
) -> None:
    """Keep an event of a later window in its chain."""
    window = np.int64(min(time_s * at[at.shape[0] - 1], _LAST_WINDOW))
    chain = N_WHOLE + (window & n[LAST_CHAIN])
    e = n[FREE_KEPT]
    n[FREE_KEPT] = key[e, 2]
    at[e] = time_s
    key[e, 0] = order
    key[e, 1] = code
    key[e, 2] = n[chain]
    n[chain] = e
    n[KEPT] += 1


@compiled
def next_window(n: np.ndarray, at: np.ndarray, key: np.ndarray) -> None:
    """Begin the next window in which anything happens: its events go onto the empty heap."""
    passed = 0
    while n[HEAP] == 0:
        n[WINDOW] += 1
        passed += 1
        if passed > n[LAST_CHAIN] + 1:  # nothing within a whole turn
            n[WINDOW] = _first_window(n, at, key)
        chain = N_WHOLE + (n[WINDOW] & n[LAST_CHAIN])
        e, before = n[chain], -1
        while e >= 0:
            following = key[e, 2]
            if min(at[e] * at[at.shape[0] - 1], _LAST_WINDOW) < n[WINDOW] + 1:
                push(at, key, n[HEAP], at[e], key[e, 0], key[e, 1])
                n[HEAP] += 1
                n[KEPT] -= 1
                if before < 0:
                    n[chain] = following
                else:
                    key[before, 2] = following
                key[e, 1] = -1
                key[e, 2] = n[FREE_KEPT]
                n[FREE_KEPT] = e
            else:
                before = e
            e = following


@inner
def _first_window(n: np.ndarray, at: np.ndarray, key: np.ndarray) -> int:
    """The window of the event that comes first of all that are kept."""
    first_s = np.inf
    for e in range(key.shape[0] // 2, key.shape[0]):
        if key[e, 1] >= 0:
            first_s = min(first_s, at[e])
    return int(min(first_s * at[at.shape[0] - 1], _LAST_WINDOW))


@hot
def draw(k0: int, k1: int, request: int, device: int, replication: int) -> tuple[float, float]:
    """Both uniform numbers of a request: of its pause and of its row (`sim.streams`)."""
    w0, w1, w2, w3 = philox.philox(U(k0), U(k1), U(request), U(device), U(replication), U(0))
    return philox.unit(w0, w1), philox.unit(w2, w3)


@inner
def in_turn(k0: int, k1: int, number: int, index: int, replication: int) -> float:
    """Number `number` of a plain stream, which takes both lanes of a call by turns."""
    first, second = draw(k0, k1, number >> 1, index, replication)
    return float(second if number & 1 else first)


@compiled
def fsum(values: np.ndarray, n: int, parts: np.ndarray) -> float:
    """The sum of n numbers as `math.fsum` has it: the nearest to the exact one (Shewchuk 1997)."""
    m = 0
    for i in range(n):
        x = values[i]
        kept = 0
        for j in range(m):
            y = parts[j]
            if abs(x) < abs(y):
                x, y = y, x
            high = x + y
            low = y - (high - x)
            if low != 0.0:
                parts[kept] = low
                kept += 1
            x = high
        parts[kept] = x
        m = kept + 1
    if m == 0:
        return 0.0
    m -= 1
    high = parts[m]
    low = 0.0
    while m > 0:
        x = high
        m -= 1
        y = parts[m]
        high = x + y
        low = y - (high - x)
        if low != 0.0:
            break
    if m > 0 and ((low < 0.0 and parts[m - 1] < 0.0) or (low > 0.0 and parts[m - 1] > 0.0)):
        y = 2.0 * low
        x = high + y
        if y == x - high:
            high = x
    return float(high + 0.0)  # of zeros alone: 0, whatever their sign
