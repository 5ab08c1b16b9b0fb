"""Inverse: what is least needed for so many devices, one resource at a time.

Server speed and channel width are factors on what there is, found where the pooled excess over the
goals crosses zero; GPUs and cells are counted, and `spare` of them may fail at once (N + 1).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from scenarios.planning.budget import Budget
from scenarios.planning.crossing import crossing
from scenarios.planning.goal import Goal
from scenarios.planning.levers import Sources, faster_server, wider_channel
from scenarios.planning.pace import lasting
from scenarios.planning.probe import Player, Probe
from scenarios.planning.refusal import Refusal
from sim import Source, SystemSpec
from sim.statistics import replication_interval

_PILOTS = 3
_MOST = 64.0
_UNIT = 1000.0
_POINTS = 5
_MOST_PIECES = 64

Change = Callable[[SystemSpec, Sources, float], tuple[SystemSpec, Sources]]


class Remedy(NamedTuple):
    """The least of one resource: a factor with its interval or a count; None: it alone fails.

    `sure` says of a count that the goals hold by more than the runs' own error.
    """

    name: str
    words: str
    least: float | None
    lo: float | None
    hi: float | None
    sure: bool
    unit: str


@dataclass(frozen=True, kw_only=True)
class Inverse:
    """All remedies for `n_devices`, and what the answer cost."""

    n_devices: int
    spare: int
    remedies: tuple[Remedy, ...]
    requests: int


def inverse(
    spec: SystemSpec,
    sources: Mapping[str, Source],
    goals: Sequence[Goal],
    n_devices: int,
    *,
    spare: int = 0,
    budget: Budget | None = None,
    play: Player,
) -> Inverse:
    """Least server speed, channel width, GPUs and cells at which `n_devices` meet the goals.

    Raises:
        Refusal: one device alone misses a goal, or no resource by itself is enough.
    """
    budget = budget or Budget()
    search = _Search(spec, sources, goals, n_devices, budget, play)
    remedies = (
        search.factor("server_speed", "server speed", faster_server),
        search.factor("channel_width", "channel width", wider_channel),
        search.count("n_gpus", "GPUs", _gpus, spare),
        search.count("n_cells", "cells", _cells, spare),
    )
    if all(remedy.least is None for remedy in remedies):
        raise Refusal(
            f"no server speed, channel width, GPUs or cells up to {_MOST:g} times as many let"
            f" {n_devices} devices meet {' and '.join(map(str, goals))}, each by itself"
        )
    return Inverse(n_devices=n_devices, spare=spare, remedies=remedies, requests=search.requests)


class _Search:
    """Excess at a fixed number of devices, as a function of one resource."""

    def __init__(
        self,
        spec: SystemSpec,
        sources: Sources,
        goals: Sequence[Goal],
        n_devices: int,
        budget: Budget,
        play: Player,
    ) -> None:
        self._sources, self._goals, self._n = sources, tuple(goals), n_devices
        self._budget, self._play = budget, play
        self.requests = 0
        first = Probe(spec, sources, self._goals, play=play)
        excess, goal = first.worst(1, _PILOTS)
        self.requests += first.requests
        if excess > 0.0:
            raise Refusal(f"even one device misses {goal} at N = 1")
        rate_rps = first.throughput_rps(1) * n_devices
        self._short = lasting(spec, budget.pilot_requests, rate_rps, n_devices)
        self._long = lasting(spec, budget.requests_per_run, rate_rps, n_devices)

    def factor(self, name: str, words: str, change: Change) -> Remedy:
        """Least factor on a resource that comes in any size."""
        found = self._bracket(change)
        if found is None:
            return Remedy(name, words, None, None, None, False, "x")
        low, high = found
        if low <= 1.0 / _MOST:
            return Remedy(name, words, low, None, None, True, "x")
        root, lo, hi = self._fitted(change, low, high)
        return Remedy(name, words, root, lo, hi, True, "x")

    def count(self, name: str, words: str, change: Change, spare: int) -> Remedy:
        """Least number of pieces of a resource, with `spare` on top."""
        low, high = 0, 1
        while self._excess(change, high) > 0.0:
            low, high = high, 2 * high
            if high > _MOST_PIECES:
                return Remedy(name, words, None, None, None, False, "")
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self._excess(change, middle) <= 0.0 else (middle, high)
        values = self._values(change, high, self._budget.n_runs)
        if float(values.mean()) > 0.0:  # the few pilot runs were lucky
            high += 1
            values = self._values(change, high, self._budget.n_runs)
        sure = replication_interval(values, self._short.confidence).hi <= 0.0
        return Remedy(name, words, high + spare, None, None, sure, "")

    def _bracket(self, change: Change) -> tuple[float, float] | None:
        """Factors 5 % apart of which the lower misses and the upper meets the goals."""
        low = high = 1.0
        if self._excess(change, 1.0) > 0.0:
            while self._excess(change, high) > 0.0:
                low, high = high, 2.0 * high
                if high > _MOST:
                    return None
        else:
            while self._excess(change, low) <= 0.0:
                low, high = 0.5 * low, low
                if low <= 1.0 / _MOST:
                    return low, low
        while high / low > 1.05:
            middle = math.sqrt(low * high)
            if self._excess(change, middle) <= 0.0:
                high = middle
            else:
                low = middle
        return low, high

    def _fitted(self, change: Change, low: float, high: float) -> tuple[float, float, float]:
        """The crossing over 1 / factor, in which the excess rises as it does in N."""
        centre, reach = _UNIT / math.sqrt(low * high), 0.06 * _UNIT / math.sqrt(low * high)
        n_runs = self._budget.n_runs
        for _ in range(4):
            points = np.linspace(centre - reach, centre + reach, _POINTS)
            excess = np.stack(
                [self._values(change, _UNIT / u, n_runs, long=True) for u in points], axis=1
            )
            found = crossing(points, excess, self._long.confidence)
            if math.isfinite(found.half_width):
                break
            reach *= 1.5
            n_runs *= 2
        else:
            raise Refusal(f"the least resource for {self._n} devices lies in no clear interval")
        return _UNIT / found.root, _UNIT / found.hi, _UNIT / found.lo

    def _excess(self, change: Change, factor: float) -> float:
        return float(self._values(change, factor, _PILOTS).mean())

    def _values(
        self, change: Change, factor: float, n_runs: int, *, long: bool = False
    ) -> np.ndarray:
        """Excess of the worst goal, a value per run."""
        spec, sources = change(self._long if long else self._short, self._sources, factor)
        probe = Probe(spec, sources, self._goals, play=self._play)
        _, goal = probe.worst(self._n, n_runs)
        self.requests += probe.requests
        return probe.excess((self._n,), n_runs, goal)[:, 0]


def _gpus(spec: SystemSpec, sources: Sources, count: float) -> tuple[SystemSpec, Sources]:
    return replace(spec, server=replace(spec.server, n_gpus=int(count))), sources


def _cells(spec: SystemSpec, sources: Sources, count: float) -> tuple[SystemSpec, Sources]:
    return replace(spec, link=replace(spec.link, n_cells=int(count))), sources
