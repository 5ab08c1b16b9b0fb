"""Along: the excess over the goals by the size of one resource, at a fixed number of devices."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from sim import SystemSpec
from sim.planning.forecast.bounds import stability
from sim.planning.limits.goal import Goal
from sim.planning.runs.probe import Player, Probe
from sim.planning.search.crossing import Crossing
from sim.sources.source import Sources

UNIT = 10_000
"""The point at `centre`."""
_HALVINGS = 30

Change = Callable[[SystemSpec, Sources, float], tuple[SystemSpec, Sources]]
"""The same system with a resource of another size."""


class Along:
    """One resource's sizes, each a system of its own whose runs are played once.

    Points are the whole numbers near `UNIT * centre / size`: over 1 / size the excess rises as it
    does over numbers of devices, so that both are refined by the same rule.
    """

    def __init__(
        self,
        change: Change,
        spec: SystemSpec,
        sources: Sources,
        goals: Sequence[Goal],
        *,
        words: str,
        centre: float = 1.0,
        play: Player,
    ) -> None:
        self.spec, self.words = spec, words
        self._change, self._sources, self._goals = change, sources, tuple(goals)
        self._centre, self._play = centre, play
        self._probes: dict[float, Probe] = {}

    @property
    def confidence(self) -> float:
        """Of every interval."""
        return self.spec.confidence

    @property
    def requests(self) -> int:
        """Simulated so far."""
        return sum(probe.requests for probe in self._probes.values())

    def change(self, size: float) -> tuple[SystemSpec, Sources]:
        """The system with so much of the resource."""
        return self._change(self.spec, self._sources, size)

    def probe(self, size: float) -> Probe:
        """What its runs say."""
        if size not in self._probes:
            self._probes[size] = Probe(*self.change(size), self._goals, play=self._play)
        return self._probes[size]

    def size(self, point: float) -> float:
        """Of a point, infinite at 0."""
        return UNIT * self._centre / point if point > 0.0 else math.inf

    def grows(self, size: float) -> bool:
        """Whether the load alone lets a queue grow without end, which a run may not show."""
        return stability(*self.change(size)) < self.spec.fleet.n_devices

    def steady(self, low: float, high: float) -> float:
        """The point beyond which a queue grows, infinite where it does not at the size `low`."""
        if not self.grows(low):
            return math.inf
        for _ in range(_HALVINGS):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self.grows(middle) else (low, middle)
        return UNIT * self._centre / high

    def excess(self, points: Sequence[int], n_runs: int, goal: Goal) -> NDArray[np.float64]:
        """Excess over one goal [n_runs, len(points)]; the mean of a column is the pooled one."""
        n = (self.spec.fleet.n_devices,)
        columns = [self.probe(self.size(u)).excess(n, n_runs, goal)[:, 0] for u in points]
        return np.stack(columns, axis=1)

    def count_apart(self, point: int, goal: Goal) -> int:
        """Runs at a point that fell into a far worse regime than the others."""
        return self.probe(self.size(point)).count_apart(self.spec.fleet.n_devices, goal)

    def between(self, low: int, high: int) -> str:
        """Two points, as sizes."""
        return f"{self.size(high):.4g} and {self.size(low):.4g} times the {self.words}"

    def say_reached(self, where: Crossing, target: float) -> str:
        """How far a search came."""
        ends = f"[{self.size(where.hi):.4g}, {self.size(where.lo):.4g}]"
        share = 100.0 * target / where.root
        return f"{self.words} in {ends} times what there is, asked for +-{share:.2g} %"
