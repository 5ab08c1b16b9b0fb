"""Runs cut into batches: how skewed a run's figure is, how much of it is independent."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sim.statistics.quantile import quantiles

Floats = NDArray[np.float64]

N_BATCHES = 20
_MOST = 0.95
_SCATTER = 5.0


def batch_means(runs: Sequence[ArrayLike], n_batches: int = N_BATCHES) -> Floats:
    """Means of equally many consecutive observations, shape [run, batch].

    What does not fill a batch is left out at a run's end. Shorter runs have fewer batches: as many
    as the shortest run has observations.
    """
    arrays = [np.asarray(run, dtype=float) for run in runs]
    n = min([n_batches, *(array.size for array in arrays)])
    if n == 0:
        return np.empty((len(arrays), 0))
    sizes = [array.size // n for array in arrays]
    cut = [array[: n * size].reshape(n, size) for array, size in zip(arrays, sizes, strict=True)]
    return np.array([batches.mean(axis=1) for batches in cut])


def skewness(values: ArrayLike) -> float:
    """Third central moment over the cube of the standard deviation; 0 of what does not vary."""
    sample = np.asarray(values, dtype=float).ravel()
    if sample.size < 3:
        return 0.0
    apart = sample - sample.mean()
    variance = float(np.mean(apart**2))
    if variance <= (1e-12 * float(np.abs(sample).max())) ** 2:
        return 0.0
    return float(np.mean(apart**3) / variance**1.5)


def independent_parts(batches: Floats) -> float:
    """How many independent parts the batches of one run are worth: n (1 - r) / (1 + r).

    r is the correlation of neighbouring batches around their run's mean, pooled over the runs,
    and n their number (effective size of a first-order autoregression). r below 0 counts as 0.
    """
    n = batches.shape[1]
    apart = batches - batches.mean(axis=1, keepdims=True)
    squares = float(np.sum(apart**2))
    if n < 2 or squares <= (1e-12 * float(np.abs(batches).max())) ** 2 * batches.size:
        return float(n)
    neighbours = float(np.sum(apart[:, 1:] * apart[:, :-1]))
    r = min(max(neighbours / squares, 0.0), _MOST)
    return float(n * (1.0 - r) / (1.0 + r))


def within_variance(batches: Floats) -> float:
    """Variance of batches around their run's mean, pooled over the runs."""
    n_runs, n = batches.shape
    apart = batches - batches.mean(axis=1, keepdims=True)
    return float(np.sum(apart**2)) / (n_runs * (n - 1)) if n > 1 else 0.0


def independent_beyond(
    runs: Sequence[ArrayLike], probability: float, quantile: float | None = None
) -> float:
    """How many independent observations all runs together hold beyond their common `quantile`,
    which is found where it is not given.

    k such that a Poisson number of mean k scatters relatively as the share beyond the quantile
    does, whose variance comes from the batches (or from the runs, where they scatter more than
    five times what the batches explain); at most the observations that were counted.
    """
    arrays = [np.asarray(run, dtype=float) for run in runs if np.size(run)]
    if not arrays:
        return 0.0
    if quantile is None:
        (quantile,) = quantiles(np.concatenate(arrays), [probability])
    beyond = [np.asarray(array > quantile, dtype=float) for array in arrays]
    batches = batch_means(beyond)
    variance = within_variance(batches) / independent_parts(batches)
    if len(arrays) > 1:
        between = float(np.var([share.mean() for share in beyond], ddof=1))
        variance = between if between > _SCATTER * variance else variance
    count = (1.0 - probability) * sum(array.size for array in arrays)
    if variance <= 0.0:
        return count
    return min(count, len(arrays) * (1.0 - probability) ** 2 / variance)


def skewed_t(t: float, skew: float, n: int) -> tuple[float, float]:
    """How many standard errors lie below and above the mean of n skewed values, for Student's t.

    Inverts Hall's cubic of the studentised mean T, whose skewness is that of the data with the
    other sign: T + g T^2 / (3 sqrt n) + g^2 T^3 / (27 n) + g / (6 sqrt n) (Hall 1992).
    """
    if abs(skew) < 1e-6:
        return t, t
    root = math.sqrt(n)

    def inverse(y: float) -> float:
        return 3.0 * root / skew * (math.cbrt(1.0 + skew / root * (y - skew / (6.0 * root))) - 1.0)

    return max(inverse(t), 0.0), max(-inverse(-t), 0.0)
