"""How many runs: until the half-width is a stated share of the mean."""

import math
from collections.abc import Callable

from sim.statistics.interval import Interval, replication_interval


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


def sequential(
    play: Callable[[int], float],
    *,
    relative: float,
    confidence: float = 0.95,
    n_min: int = 10,
    n_max: int = 1000,
) -> tuple[Interval, int]:
    """Run `play(0)`, `play(1)`, ... until the half-width is `relative` of the mean.

    The target is relative / (1 + relative), which bounds the error against the true mean and not
    the estimate (Law 2015, section 9.4.1). Stopping on the data costs coverage; `n_min` runs
    first keep it above 90 %. Returns the interval and the runs used; check `.relative` to see
    whether `n_max` ended it.
    """
    if not (relative > 0.0 and 2 <= n_min <= n_max):
        raise ValueError(
            f"sequential needs relative > 0 and 2 <= n_min <= n_max, got {relative}, {n_min}, "
            f"{n_max}"
        )
    target = relative / (1.0 + relative)
    values = [play(number) for number in range(n_min)]
    interval = replication_interval(values, confidence)
    while not interval.relative <= target and len(values) < n_max:
        values.append(play(len(values)))
        interval = replication_interval(values, confidence)
    return interval, len(values)
