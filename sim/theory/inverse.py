"""From a law of times to its quantiles."""

from collections.abc import Callable


def time_at_s(cdf: Callable[[float], float], probability: float, near_s: float) -> float:
    """Where a growing `cdf` reaches `probability`, looked for from `near_s` upwards."""
    from scipy.optimize import brentq  # a third of a second, which few commands need

    high = near_s
    while cdf(high) < probability:
        high *= 2.0
    return float(brentq(lambda t: cdf(t) - probability, 0.0, high, xtol=1e-13 * high))
