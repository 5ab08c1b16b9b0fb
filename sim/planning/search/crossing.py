"""Where the mean of several noisy curves crosses zero, with an interval.

Shapes: `n` [points] numbers of devices, ascending; `excess` [runs, points], row r from
replication r.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.statistics import two_sided_t

_STEPS = 4001


@dataclass(frozen=True, kw_only=True)
class Crossing:
    """The root of the mean curve with its limits, the curve's slope there, and the guard's word.

    `lo` or `hi` is infinite where the points do not bound it. `monotone`: the isotonic fit
    crosses within the interval too.
    """

    root: float
    lo: float
    hi: float
    slope: float
    monotone: bool

    @property
    def half_width(self) -> float:
        """Half the distance between the limits."""
        return 0.5 * (self.hi - self.lo)

    def cap(self, most: float) -> "Crossing":
        """The crossing, or `most` where it would lie beyond."""
        root, lo, hi = (min(each, most) for each in (self.root, self.lo, self.hi))
        return replace(self, root=root, lo=lo, hi=hi)


def crossing(
    n: NDArray[np.float64], excess: NDArray[np.float64], confidence: float = 0.95
) -> Crossing:
    """Root of the mean of the curves, by a local polynomial per replication.

    Each replication's points are fitted by one polynomial (two by a line, more by a parabola), so
    a replication gives one curve f_r and is the unit of the statistics. The
    interval holds every N at which a t test over replications does not reject mean f_r(N) = 0
    (test inversion: Fieller 1954, for curves). Approximation: the f_r are normal at each N.
    """
    centre, scale = float(np.mean(n)), max(1.0, float(np.ptp(n)) / 2.0)
    degree = min(2, n.size - 1)
    powers = np.vander((n - centre) / scale, degree + 1)
    weights = np.linalg.pinv(powers)  # [degree + 1, points]
    grid = np.linspace(n[0], n[-1], _STEPS)
    curves = excess @ weights.T @ np.vander((grid - centre) / scale, degree + 1).T
    mean = curves.mean(axis=0)
    runs = len(excess)
    error = curves.std(axis=0, ddof=1) / math.sqrt(runs)
    half = two_sided_t(confidence, runs - 1) * error
    root = _rising(grid, mean)
    lo = _rising(grid, np.where(grid <= root, mean + half, 1.0))
    hi = _rising(grid, np.where(grid >= root, mean - half, -1.0))
    if n[0] <= 1.0:  # one device is the least there is
        root, lo, hi = max(root, n[0]), max(lo, n[0]), max(hi, n[0])
    return Crossing(
        root=root,
        lo=lo,
        hi=hi,
        slope=_slope(grid, mean, root),
        monotone=_agrees(n, isotonic(excess.mean(axis=0)), lo, hi),
    )


def isotonic(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Nearest non-decreasing sequence in least squares: max over starts of min over ends of the
    means between (Barlow and others 1972, equation 1.9).
    """
    size = len(values)
    return np.array(
        [
            max(min(values[j : k + 1].mean() for k in range(i, size)) for j in range(i + 1))
            for i in range(size)
        ]
    )


def _slope(grid: NDArray[np.float64], mean: NDArray[np.float64], root: float) -> float:
    """Of the mean curve at its root; over all points where it has none or turns back there."""
    chord = float((mean[-1] - mean[0]) / (grid[-1] - grid[0]))
    if not math.isfinite(root):
        return chord
    at = min(max(int(np.searchsorted(grid, root)), 1), len(grid) - 2)
    local = float((mean[at + 1] - mean[at - 1]) / (grid[at + 1] - grid[at - 1]))
    return local if local > 0.0 else chord


def _agrees(n: NDArray[np.float64], guard: NDArray[np.float64], lo: float, hi: float) -> bool:
    """Whether the stretch in which the isotonic fit crosses zero touches the interval."""
    below, above = n[guard <= 0.0], n[guard > 0.0]
    last = below[-1] if below.size else -math.inf
    first = above[0] if above.size else math.inf
    return bool(last <= hi and first >= lo)


def _rising(grid: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """Where values rise through zero, of several places the last; infinite, on its side, if none.

    A parabola through a curve that is flat on the left may fall through zero before it rises.
    """
    above = values > 0.0
    ups = np.flatnonzero(above[1:] & ~above[:-1])
    if ups.size:
        return float(grid[ups[-1] + 1])
    return -math.inf if above.any() else math.inf


_MOST = 5


def around(centre: float, reach: float, count: int) -> tuple[int, ...]:
    """So many numbers of devices around the centre, fewer where they would lie below one."""
    spread = np.linspace(centre - reach, centre + reach, count)
    return tuple(sorted({max(1, round(value)) for value in spread.tolist()}))


def open_sides(
    points: tuple[int, ...], excess: NDArray[np.float64], where: Crossing, *, whole: bool
) -> tuple[bool, bool]:
    """Whether the crossing, or its whole interval, may lie below or above all points."""
    mean = excess.mean(axis=0)
    below = math.isinf(where.lo) if whole else bool(mean[0] > 0.0)
    above = math.isinf(where.hi) if whole else bool(mean[-1] <= 0.0)
    return below and points[0] > 1, above


def extend(points: tuple[int, ...], below: bool, above: bool, steps: int) -> tuple[int, ...]:
    """The points with one more on every open side; those far from it are left.

    What was played stays of use, which moving all points would waste.
    """
    step = steps * int(min(np.diff(points), default=1))
    left = (max(1, points[0] - step),) if below else ()
    right = (points[-1] + step,) if above else ()
    if len(left) != len(right):
        points = points[1 - _MOST :] if above else points[: _MOST - 1]
    return tuple(sorted({*left, *points, *right}))
