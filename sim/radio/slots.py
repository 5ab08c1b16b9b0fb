"""802.11 contention played slot by slot: what Bianchi's fixed point and whole accesses in random
order approximate.
"""

import heapq
from collections import deque

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


class _Backoff:
    """Counters and queues of stations to which accesses come at random, each with `rate_rps`."""

    def __init__(
        self, n_stations: int, rate_rps: float, access: Access, generator: np.random.Generator
    ) -> None:
        self.access, self.generator, self.gap_s = access, generator, 1.0 / rate_rps
        self.born_s: list[deque[float]] = [deque() for _ in range(n_stations)]
        self.counter: dict[int, int] = {}  # of those that have something to send
        self.stage = [0] * n_stations
        self.arrivals = [(self.gap(), station) for station in range(n_stations)]
        heapq.heapify(self.arrivals)

    def gap(self) -> float:
        return float(self.generator.exponential(self.gap_s))

    def draw(self, station: int) -> None:
        """A fresh counter within the present window."""
        window = self.access.window_min * 2 ** self.stage[station]
        self.counter[station] = int(self.generator.integers(window))

    def come(self, until_s: float, *, idle: bool = False) -> None:
        """All that comes by then; into an idle cell it is sent at once."""
        while self.arrivals[0][0] <= until_s:
            born_s, station = self.arrivals[0]
            heapq.heapreplace(self.arrivals, (born_s + self.gap(), station))
            self.born_s[station].append(born_s)
            if station not in self.counter:
                self.draw(station)
                if idle:
                    self.counter[station] = 0

    def count_down(self, now_s: float) -> float:
        """Slot by slot until somebody sends; when."""
        slot_s = self.access.slot_s
        while (wait := min(self.counter.values())) > 0:
            idle = (self.arrivals[0][0] - now_s) / slot_s
            slots = wait if idle >= wait else max(1, int(np.ceil(idle)))
            for station in self.counter:
                self.counter[station] -= slots
            now_s += slots * slot_s
            self.come(now_s)
        return now_s


def queue(
    n_stations: int, rate_rps: float, access: Access, n_served: int, generator: np.random.Generator
) -> NDArray[np.float64]:
    """Seconds [access] from birth to acknowledgement of accesses that come to each station at
    random, `rate_rps` a station, and wait there for their turn by binary exponential backoff.
    """
    cell = _Backoff(n_stations, rate_rps, access, generator)
    seconds: list[float] = []
    free_s = 0.0
    while len(seconds) < n_served:
        now_s = free_s + access.aifs_s
        cell.come(now_s)
        if not cell.counter:
            now_s = cell.arrivals[0][0]
            cell.come(now_s, idle=True)
        now_s = cell.count_down(now_s)
        senders = [station for station, counter in cell.counter.items() if counter == 0]
        free_s = now_s + access.success_s - access.aifs_s
        for station in senders:
            cell.stage[station] = (
                0 if len(senders) == 1 else min(cell.stage[station] + 1, access.doublings)
            )
            if len(senders) == 1:
                seconds.append(free_s - cell.born_s[station].popleft())
            if cell.born_s[station]:
                cell.draw(station)
            else:
                del cell.counter[station]
    return np.array(seconds)
