"""Statistics of simulation output: warm-up cut, intervals, quantiles, stopping.

Pure functions of arrays: `values` [n] is one run's observations in order, or one figure per
replication; `sections` is a sequence of runs. Measured coverage: docs/validation.md.
"""

from sim.statistics.batches import (
    batch_means,
    independent_beyond,
    independent_parts,
    skewed_t,
    skewness,
    within_variance,
)
from sim.statistics.interval import (
    Interval,
    log_interval,
    moments,
    normal_scores,
    replication_interval,
    table_interval,
    two_sided_t,
)
from sim.statistics.quantile import lower_quantiles, quantiles, section_quantile
from sim.statistics.skewed import skewed_mean, skewed_quantile
from sim.statistics.steady import mser5
from sim.statistics.stopping import runs_still_needed

__all__ = [
    "Interval",
    "batch_means",
    "independent_beyond",
    "independent_parts",
    "log_interval",
    "lower_quantiles",
    "moments",
    "mser5",
    "normal_scores",
    "quantiles",
    "replication_interval",
    "runs_still_needed",
    "section_quantile",
    "skewed_mean",
    "skewed_quantile",
    "skewed_t",
    "skewness",
    "table_interval",
    "two_sided_t",
    "within_variance",
]
