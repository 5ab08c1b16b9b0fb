"""From a law of times to its quantiles."""

from collections.abc import Callable

from sim.root import root


def time_at_s(cdf: Callable[[float], float], probability: float, near_s: float) -> float:
    """Where a growing `cdf` reaches `probability`, looked for from `near_s` upwards."""
    high = near_s
    while cdf(high) < probability:
        high *= 2.0
    return root(lambda t: cdf(t) - probability, 0.0, high, within=1e-13 * high)
