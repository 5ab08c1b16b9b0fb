"""How many runs: until the half-width is a stated share of the mean."""

import math

from sim.statistics.interval import Interval


def runs_still_needed(interval: Interval, n_runs: int, relative: float) -> int:
    """How many more runs should bring the half-width to `relative` of the mean; 0: it is there.

    The half-width shrinks as 1 / sqrt(R) (Law 2015, equation 9.2); at least one more is asked for
    while the target is missed.
    """
    if n_runs < 2:
        return 2 - n_runs
    reached = interval.relative
    if reached <= relative:
        return 0
    return max(1, math.ceil(n_runs * ((reached / relative) ** 2 - 1.0)))
