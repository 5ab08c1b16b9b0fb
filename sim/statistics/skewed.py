"""Intervals of a mean and of a quantile whose runs are skewed, as those of queues are."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from sim.statistics.batches import N_BATCHES, batch_means, skewed_t, skewness
from sim.statistics.interval import Interval, replication_interval, two_sided_t
from sim.statistics.quantile import quantiles

_FEW, _MORE = 5, 1.5
_LEFT = 0.1


def skewed_mean(means: ArrayLike, runs: Sequence[ArrayLike], confidence: float = 0.95) -> Interval:
    """mean - t_1 s / sqrt(R), mean + t_2 s / sqrt(R) of R runs' means, t_1 < t < t_2.

    The t's follow Hall's transformation. A run's skewness is 1.5 times that of five batches a run
    over sqrt(5): ten means alone tell too little of it, and batches of a run that remembers are
    less skewed than independent ones (the factor is measured; docs/validation.md).
    """
    plain = replication_interval(means, confidence)
    if math.isnan(plain.lo):
        return plain
    n_runs = np.size(means)
    batches = batch_means(runs, _FEW)
    skew = _MORE * skewness(batches) / math.sqrt(max(1, batches.shape[1]))
    t = two_sided_t(confidence, n_runs - 1)
    below, above = skewed_t(t, skew, n_runs)
    error = plain.half_width / t
    return Interval(plain.mean, plain.mean - below * error, plain.mean + above * error)


def skewed_quantile(
    runs: Sequence[ArrayLike], probability: float, confidence: float = 0.95
) -> Interval:
    """Quantile of all observations; its ends are quantiles of them, too, at other levels.

    q = 1 - p is the share beyond it. The runs' own shares beyond the pooled quantile have the
    standard error e; the ends are the pooled quantiles that q + t_1 e and q - t_2 e of the
    observations exceed (an interval of the share, inverted; Woodruff 1952), the t's by Hall's
    transformation with the skewness of batches of these shares. The upper end leaves at least a
    tenth of q beyond it: enough where eight independent observations lie beyond the quantile.
    """
    arrays = [np.asarray(run, dtype=float) for run in runs if np.size(run)]
    if not arrays:
        return Interval(math.nan, math.nan, math.nan)
    pooled = np.concatenate(arrays)
    (quantile,) = quantiles(pooled, [probability])
    if len(arrays) < 2:
        return Interval(quantile, math.nan, math.nan)
    beyond = [np.asarray(array > quantile, dtype=float) for array in arrays]
    shares = np.array([share.mean() for share in beyond])
    sizes = np.array([array.size for array in arrays])
    apart = sizes / sizes.mean() * (shares - np.average(shares, weights=sizes))
    error = math.sqrt(float(np.sum(apart**2)) / (len(arrays) * (len(arrays) - 1)))
    batches = batch_means(beyond, N_BATCHES)
    skew = skewness(batches) / math.sqrt(batches.shape[1])
    t = two_sided_t(confidence, len(arrays) - 1)
    fewer, more = (each * error for each in skewed_t(t, skew, len(arrays)))
    tail = 1.0 - probability
    levels = (max(0.0, probability - fewer), probability + min(more, (1.0 - _LEFT) * tail))
    lo, hi = quantiles(pooled, levels)
    return Interval(quantile, lo, hi)
