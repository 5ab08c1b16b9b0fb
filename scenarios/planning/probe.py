"""Probe: what runs of one system say at several numbers of devices, each run played once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from scenarios.planning.goal import Goal
from scenarios.planning.refusal import Refusal
from sim import Result, Source, SystemSpec, run
from sim.replicate import Play


class Probe:
    """The excess over the goal by number of devices and replication.

    Replication r has the same streams at every N (common random numbers), so that a row of
    `excess` is one smooth curve and its noise is shared by all of its points. Requests are
    counted; more than `max_requests` end the search, whatever the clock says.
    """

    def __init__(
        self,
        spec: SystemSpec,
        sources: Mapping[str, Source],
        goal: Goal,
        *,
        play: Play | None = None,
        max_requests: float,
    ) -> None:
        self.goal = goal
        self.requests = 0
        self._spec, self._sources = spec, sources
        self._play = play or (lambda tasks: [task() for task in tasks])
        self._max_requests = max_requests
        self._known: dict[tuple[int, int], float] = {}
        self._saturated: Counter[int] = Counter()

    def excess(self, n_devices: tuple[int, ...], n_runs: int) -> NDArray[np.float64]:
        """Excess over the goal [n_runs, len(n_devices)].

        Raises:
            Refusal: the budget of simulated requests is spent.
        """
        wanted = [(n, r) for n in n_devices for r in range(n_runs) if (n, r) not in self._known]
        if wanted and self.requests >= self._max_requests:
            raise Refusal(
                f"the budget of {self._max_requests:g} requests ended the search after"
                f" {self.requests}, at {n_runs} runs of {n_devices[0]} to {n_devices[-1]} devices"
            )
        tasks = [partial(self._run, n, r) for n, r in wanted]
        for (n, r), result in zip(wanted, self._play(tasks), strict=True):
            self._known[n, r] = self.goal.excess(result)
            self.requests += int(result.value("n_requests"))
            if result.warnings:
                self._saturated[n] += 1
        return np.array([[self._known[n, r] for n in n_devices] for r in range(n_runs)])

    def mean(self, n_devices: int, n_runs: int) -> float:
        """Mean excess at one number of devices."""
        return float(np.mean(self.excess((n_devices,), n_runs)))

    def saturated(self, n_devices: int) -> bool:
        """Whether the queue grew without end in most runs at this number of devices."""
        n_runs = sum(n == n_devices for n, _ in self._known)
        return self._saturated[n_devices] > 0.5 * n_runs

    def _run(self, n_devices: int, replication: int) -> Result:
        fleet = replace(self._spec.fleet, n_devices=n_devices)
        result = run(replace(self._spec, fleet=fleet), self._sources, replication=replication)
        return replace(result, records={}, steps={})
