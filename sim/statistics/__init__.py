"""Statistics of simulation output: warm-up cut, intervals, quantiles, pairing, stopping.

Pure functions of arrays: `values` [n] is one run's observations in order, or one figure per
replication; `sections` is a sequence of runs. Measured coverage: docs/validation.md.
"""

from sim.statistics.interval import (
    Interval,
    Paired,
    compare_pairs,
    replication_interval,
    table_interval,
    two_sided_t,
)
from sim.statistics.quantile import order_interval, section_quantile
from sim.statistics.steady import batch_means, drift, mser5, split
from sim.statistics.stopping import runs_still_needed, sequential

__all__ = [
    "Interval",
    "Paired",
    "batch_means",
    "compare_pairs",
    "drift",
    "mser5",
    "order_interval",
    "replication_interval",
    "runs_still_needed",
    "section_quantile",
    "sequential",
    "split",
    "table_interval",
    "two_sided_t",
]
