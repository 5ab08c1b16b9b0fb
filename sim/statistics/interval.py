"""Intervals from independent runs: a mean, a mean with the table's error."""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

_ROUGH = 0.68


class Interval(NamedTuple):
    """An estimate and its confidence limits; NaN limits where the data give none."""

    mean: float
    lo: float
    hi: float

    @property
    def half_width(self) -> float:
        """Half the distance between the limits."""
        return 0.5 * (self.hi - self.lo)

    @property
    def relative(self) -> float:
        """Half-width over the absolute mean; infinite at a mean of 0."""
        return self.half_width / abs(self.mean) if self.mean else math.inf

    def __contains__(self, value: object) -> bool:
        """Whether a number lies between the limits."""
        return isinstance(value, int | float) and self.lo <= value <= self.hi


def normal_scores(n: int, confidence: float) -> NDArray[np.float64]:
    """Normal quantiles at (i + 1/2) / n, whose sample standard deviation times Student's t of n - 1
    is what the normal quantile of `confidence` is; shape [n], 2 or more.
    """
    scores = ndtri((np.arange(n) + 0.5) / n)
    width = ndtri(0.5 + 0.5 * confidence) / two_sided_t(confidence, n - 1)
    return np.asarray(scores * (width / np.std(scores, ddof=1)))


@lru_cache(maxsize=256)
def two_sided_t(confidence: float, freedom: int) -> float:
    """Student's t that holds `confidence` between minus and plus itself."""
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence must be within (0, 1), got {confidence}")
    return float(stdtrit(freedom, 0.5 + 0.5 * confidence))


def moments(values: ArrayLike) -> tuple[int, float, float]:
    """How many there are, their mean and sample variance; NaN of none, and the variance of one.

    To the bit as `np.mean` and `np.var` (ddof=1) have them, in a third of the time.
    """
    sample = np.asarray(values, dtype=float)
    n = sample.size
    if n == 0:
        return 0, math.nan, math.nan
    mean = float(np.add.reduce(sample)) / n
    apart = sample - mean
    return n, mean, float(np.add.reduce(apart * apart)) / (n - 1) if n > 1 else math.nan


def replication_interval(values: ArrayLike, confidence: float = 0.95) -> Interval:
    """mean -+ t s / sqrt(R) of R independent runs' figures (Law 2015, section 9.4.1)."""
    n, mean, variance = moments(values)
    if math.isnan(variance):
        return Interval(mean, math.nan, math.nan)
    half = two_sided_t(confidence, n - 1) * (math.sqrt(variance) / math.sqrt(n))
    return Interval(mean, mean - half, mean + half)


def log_interval(
    values: ArrayLike, confidence: float = 0.95, *, widest: float = math.inf
) -> Interval:
    """m exp(-+ t s / (m sqrt(R))) of runs' figures that are never below 0, m being their mean.

    The t interval of the logarithm (delta method): it stays above 0 and reaches further up than
    down, as the error of a rate or a share of rare events does. Figures that are all the same, or
    a mean of 0, give the plain interval. No ends where the plain 68 % interval reaches further than
    `widest` means.
    """
    n, mean, variance = moments(values)
    if math.isnan(variance):
        return Interval(mean, math.nan, math.nan)
    error = math.sqrt(variance) / math.sqrt(n)
    half = two_sided_t(confidence, n - 1) * error
    plain = Interval(mean, mean - half, mean + half)
    if mean <= 0.0:
        return plain
    if two_sided_t(_ROUGH, n - 1) * error > widest * mean:
        return Interval(mean, math.nan, math.nan)
    factor = math.exp(min(plain.half_width / mean, 700.0))
    return Interval(mean, mean / factor, mean * factor)


def table_interval(
    plain: ArrayLike, boot: ArrayLike, confidence: float = 0.95, inner: Interval | None = None
) -> Interval:
    """The interval of `plain` widened by the sampling error of the trace table.

    `plain` are runs on the table, `boot` runs that each play on a bootstrap of its rows: their
    variance is s^2 + tau^2, tau^2 being the table's. Half-width:
    sqrt(t^2 s^2 / R + t^2 max(0, s_b^2 - s^2)): the table's part does not shrink with R (random
    effects; Cheng and Holland 1997, Barton and Schruben 2001). `inner` is the interval to widen
    where it is not that of the mean of `plain`; both its sides are, and neither gets shorter.
    """
    inner = inner or replication_interval(plain, confidence)
    n, _, variance = moments(boot)
    if n < 2 or math.isnan(inner.lo):
        return inner
    extra = variance - moments(plain)[2]
    table = two_sided_t(confidence, n - 1) * math.sqrt(max(0.0, extra))
    below = math.hypot(inner.mean - inner.lo, table)
    above = math.hypot(inner.hi - inner.mean, table)
    lo, hi = min(inner.lo, inner.mean - below), max(inner.hi, inner.mean + above)
    return Interval(inner.mean, lo, hi)
