"""Closed groups of devices around a link and a GPU: mean value analysis, several groups at once.

A request of group g meets the queues of a network with one device of g less (arrival theorem).
Group h then has n_h - [g = h] devices; its queue is scaled from the network one step smaller on the
way from nobody to everybody along which the groups grow in proportion:

  met_gh(k) = Q_h(k - 1) max(0, n_h k / N - [g = h]) / (n_h (k - 1) / N),  k = 1 .. N.

One group: the exact recursion of Reiser and Lavenberg (1980). Beyond 400 devices Schweitzer's fixed
point, met_gh = Q_h (1 - [g = h] / n_h). Exact for one group on a shared link of constant capacity;
the FIFO GPU by its residual (Reiser 1979): W_g = sum_h (Q_h - U_h) S_h + U_h E[S_h^2] / (2 S_h).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from sim.search.problem import Floats

_ROUNDS = 400
_CLOSE = 1e-7


class Stations(NamedTuple):
    """A closed network; seconds [choice, group], `n` devices [group], capacity None: a FIFO link.

    `accesses` [choice, group] of a step's `transfers` where stations win them one by one, else
    None: each waits for one of every station that is met, the first of a transfer for half of the
    one on the air.
    `on_air`, `on_gpu` [choice, group]: the share of the steps that take the link, and a GPU;
    seconds are means over all of them, whether they take it or not.
    Several GPUs are one that is as many times as fast, behind a delay (Seidmann et al. 1987).
    """

    n: Floats
    alone_s: Floats
    air_s: Floats
    gpu_s: Floats
    residual_s: Floats
    n_cells: int
    capacity: Callable[[Floats], Floats] | None
    accesses: Floats | None
    transfers: Floats
    on_air: Floats
    on_gpu: Floats

    def at_gpu(self, queue: Floats, busy: Floats, seen: Floats) -> Floats:
        """Wait at the GPU of who meets `seen` times the mean queue [choice, group]."""
        work_s = np.maximum(0.0, queue - busy) * _of_those(self.gpu_s, self.on_gpu)
        return np.asarray(self.on_gpu * ((work_s + busy * self.residual_s) @ seen))

    def on_link(self, queue: Floats, busy: Floats, seen: Floats) -> Floats:
        """Residence on the link, per cell."""
        if self.capacity is not None:
            others = (queue / self.n_cells) @ seen
            carried = self.capacity(1.0 + others)
            if self.accesses is None:
                return np.asarray(self.air_s * (1.0 + others) / carried)
            access_s = np.divide(
                self.air_s, self.accesses, out=np.zeros_like(queue), where=self.accesses > 0.0
            )
            round_s = (queue / self.n_cells * access_s) @ seen
            first_s = (np.minimum(busy / self.n_cells, queue) * access_s) @ seen
            wait_s = self.accesses * round_s - 0.5 * self.transfers * first_s
            return np.asarray((self.air_s + np.maximum(0.0, wait_s)) / carried)
        each_s = _of_those(self.air_s, self.on_air)
        work_s = np.maximum(0.0, queue - 0.5 * busy) / self.n_cells * each_s
        return np.asarray(self.air_s + self.on_air * (work_s @ seen))


def solve(net: Stations) -> tuple[Floats, Floats, Floats]:
    """Steps per second, wait at the GPU and residence on the link, [choice, group] each."""
    return _recursion(net) if net.n.sum() <= _ROUNDS else _fixed_point(net)


def _recursion(net: Stations) -> tuple[Floats, Floats, Floats]:
    """From one device to all of them, the groups growing in proportion."""
    total, same = net.n.sum(), np.eye(len(net.n))
    gpu = link = rate = np.zeros_like(net.gpu_s)
    wait, on_link = gpu, net.air_s
    for population in range(1, int(total) + 1):
        present = np.maximum(0.0, (net.n * population / total)[:, None] - same)
        seen = present / (net.n * max(population - 1, 1) / total)[:, None]
        wait = net.at_gpu(gpu, _fit(rate * net.gpu_s), seen)
        on_link = net.on_link(link, _fit(rate * net.air_s), seen)
        rate = (net.n * population / total) / (net.alone_s + on_link + wait + net.gpu_s)
        gpu, link = rate * (wait + net.gpu_s), rate * on_link
    return rate, wait, on_link


def _fixed_point(net: Stations) -> tuple[Floats, Floats, Floats]:
    """Damped, until no throughput moves by 1e-7."""
    seen = np.ones((len(net.n), len(net.n))) - np.diag(1.0 / net.n)
    rate = net.n / np.maximum(net.alone_s + net.air_s + net.gpu_s, 1e-300)
    gpu, link = rate * net.gpu_s, rate * net.air_s
    wait, on_link = np.zeros_like(gpu), net.air_s
    for _ in range(_ROUNDS):
        wait = net.at_gpu(gpu, _fit(rate * net.gpu_s), seen)
        on_link = net.on_link(link, _fit(rate * net.air_s), seen)
        fresh = net.n / (net.alone_s + on_link + wait + net.gpu_s)
        moved = np.max(np.abs(fresh / rate - 1.0))
        rate = 0.5 * (rate + fresh)
        gpu, link = rate * (wait + net.gpu_s), rate * on_link
        if moved < _CLOSE:
            break
    return rate, wait, on_link


def _of_those(mean_s: Floats, share: Floats) -> Floats:
    """Seconds of a step that takes a resource, of the mean over all; 0 where none takes it."""
    return np.divide(mean_s, share, out=np.zeros_like(mean_s), where=share > 0.0)


def _fit(busy: Floats) -> Floats:
    """Utilisations [choice, group] that sum to at most 1."""
    return np.asarray(busy / np.maximum(1.0, busy.sum(1, keepdims=True)))
