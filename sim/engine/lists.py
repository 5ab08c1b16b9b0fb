"""Lists of the compiled engine: a heap of events by (time, order), draws, and an exact sum."""

import numpy as np

from sim import philox
from sim.compiling import compiled, inlined

U = np.uint64


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


@inlined
def draw(k0: int, k1: int, request: int, device: int, replication: int) -> tuple[float, float]:
    """Both uniform numbers of a request: of its pause and of its row (`sim.streams`)."""
    w0, w1, w2, w3 = philox.philox(U(k0), U(k1), U(request), U(device), U(replication), U(0))
    return philox.unit(w0, w1), philox.unit(w2, w3)


@compiled
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
    return float(high)
