"""Quantiles of runs together, and their intervals from sections: runs, or parts of one."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.statistics.interval import Interval, two_sided_t


def section_quantile(
    sections: Sequence[ArrayLike], probability: float, confidence: float = 0.95
) -> Interval:
    """Quantile of all observations, its spread from the sections' own quantiles (sectioning).

    mean = Q of the pooled data; half-width = t sqrt(sum (Q_j - Q)^2 / (b (b - 1))) (Asmussen and
    Glynn 2007, section III.5a). The pooled centre has the small bias of the whole sample, not
    that of a section. Sections are replications, or parts of a long run; each should hold
    at least 10 / (1 - probability) observations.
    """
    runs = [np.asarray(section, dtype=float) for section in sections]
    runs = [run for run in runs if run.size]
    if not runs:
        return Interval(math.nan, math.nan, math.nan)
    (pooled,) = quantiles(np.concatenate(runs), [probability])
    if len(runs) < 2:
        return Interval(pooled, math.nan, math.nan)
    own = np.array([quantiles(run, [probability])[0] for run in runs])
    spread = math.sqrt(float(np.sum((own - pooled) ** 2)) / (own.size * (own.size - 1)))
    half = two_sided_t(confidence, own.size - 1) * spread
    return Interval(pooled, pooled - half, pooled + half)


def quantiles(values: NDArray[np.float64], levels: Sequence[float]) -> list[float]:
    """Quantiles of finite values [n], one or more, each between the two values next to its level:
    to the bit those of `np.quantile`, which takes three times as long for few values.
    """
    last = values.size - 1
    places = [level * last for level in levels]
    below = [min(int(place), max(0, last - 1)) for place in places]
    ordered = np.partition(values, sorted({*below, *(min(at + 1, last) for at in below)}))
    found = []
    for place, at in zip(places, below, strict=True):
        low, high = float(ordered[at]), float(ordered[min(at + 1, last)])
        share = place - at
        apart = high - low
        found.append(low + apart * share if share < 0.5 else high - apart * (1.0 - share))
    return found


def lower_quantiles(
    runs: Sequence[NDArray[np.float64]], levels: Sequence[float]
) -> NDArray[np.float64]:
    """Quantiles of all runs together, each run sorted and some not empty, at ascending `levels`:
    the observation at or below each (`np.quantile`, method "lower").

    No more than a level of the observations lies below the least of the runs' own quantiles at it,
    so that only what is above that of the lowest level has to be sorted.
    """
    n = sum(run.size for run in runs)
    ranks = np.floor((n - 1) * np.asarray(levels)).astype(np.int64)
    least = min(run[int((run.size - 1) * levels[0])] for run in runs if run.size)
    upper = [run[np.searchsorted(run, least) :] for run in runs]
    above = np.sort(np.concatenate(upper))
    return np.asarray(above[ranks - (n - above.size)])
