"""Shift: how many devices a small change of the limited figure, or of the inputs, is worth.

Where N* is a crossing, a change of the excess moves it by that change over the slope, as far as
points were played or a quarter of N*. Where runs collapse at N* while the figure is still far below
its limit, the curve is flat up to a cliff: no slope of it says where the cliff goes. There N* is
taken to move as the N at which the slowest shared resource is always busy.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sim import SystemSpec
from sim.planning.forecast.demands import busy_n
from sim.planning.search.answer import Capacity
from sim.sources.source import Sources
from sim.statistics import two_sided_t

_NEAR = 0.25
"""Of N*: as far a slope is taken to hold where the points lie closer together than that."""


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Devices per excess: `slope` is excess per device, trusted for at most `reach` devices;
    `crosses`: whether N* is where the figure meets its limit.
    """

    slope: float
    reach: float
    crosses: bool

    def devices(self, excess: float) -> float:
        """So much excess in devices; NaN where the slope does not say it."""
        if not self.crosses or not math.isfinite(excess):
            return math.nan
        if excess == 0.0:
            return 0.0
        if not self.slope > 0.0:
            return math.nan
        moved = excess / self.slope
        return moved if abs(moved) <= self.reach else math.nan


def scale(capacity: Capacity) -> Scale:
    """The scale at N*: no further than the points that were played or a quarter of N*, at least one
    device.
    """
    root, points = capacity.root, capacity.points
    reach = max(1.0, _NEAR * root.root, *(abs(n - root.root) for n in points))
    return Scale(slope=root.slope, reach=reach, crosses=capacity.regimes is None)


def move_by_load(
    n_star: float, spec: SystemSpec, sources: Sources, then: tuple[SystemSpec, Sources]
) -> float:
    """Devices by which N* moves with another system; NaN where no load is known."""
    now, after = busy_n(spec, sources), busy_n(*then)
    return math.nan if now is None or after is None else n_star * (after / now - 1.0)


def spread_by_load(
    n_star: float, spec: SystemSpec, sources: Sources, resampled: Sequence[Sources]
) -> float:
    """Half-width in devices that the table's sampling error adds, by the load of its bootstraps."""
    if not resampled:
        return 0.0
    moves = [move_by_load(n_star, spec, sources, (spec, each)) for each in resampled]
    return two_sided_t(spec.confidence, len(moves) - 1) * float(np.std(moves, ddof=1))


def say_table(half_width: float) -> str:
    """That no run says how far the table's rows move N*."""
    said = "no slope at N* says how far the trace table's own error moves it"
    if math.isnan(half_width):
        return f"{said}, nor does a load: the interval is without it"
    return f"{said}; by the load alone +-{half_width:.2g} devices"
