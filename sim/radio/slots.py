"""802.11 contention played slot by slot: what Bianchi's fixed point approximates."""

import numpy as np
from numpy.typing import NDArray

from sim.radio.bianchi import Access


def play(
    n_stations: int, access: Access, n_busy: int, generator: np.random.Generator, n_cells: int = 100
) -> NDArray[np.float64]:
    """Efficiency [cell] of saturated stations over `n_busy` busy slots, in independent cells.

    Backoff counters [cell, station] fall by one per slot, idle or busy; who reaches 0 sends; a
    success resets the window, a collision doubles it; the first 30 busy slots per station, in which
    windows grow to their steady law, are not counted. Shares the times of `access` with the
    fixed point, and no probability.
    """
    stage = np.zeros((n_cells, n_stations), dtype=np.int64)
    window = access.window_min * 2 ** np.arange(access.doublings + 1)
    counter = generator.integers(window[stage])
    idle = np.zeros(n_cells)
    success = np.zeros(n_cells)
    warmup = 30 * n_stations
    for number in range(warmup + n_busy):
        wait = counter.min(axis=1)
        senders = counter == wait[:, None]
        alone = senders.sum(axis=1) == 1
        if number >= warmup:
            idle += wait
            success += alone
        after = np.where(alone[:, None], 0, np.minimum(stage + 1, access.doublings))
        stage = np.where(senders, after, stage)
        fresh = generator.integers(window[stage])
        counter = np.where(senders, fresh, counter - wait[:, None] - 1)
    time_s = idle * access.slot_s + success * access.success_s
    time_s += (n_busy - success) * access.collision_s
    return np.asarray(success * access.payload_s / time_s, dtype=float)
