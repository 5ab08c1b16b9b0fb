"""Points: the numbers of devices that a search plays, ascending and none below one."""

import math

import numpy as np
from numpy.typing import NDArray

from sim.planning.crossing import Crossing

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
