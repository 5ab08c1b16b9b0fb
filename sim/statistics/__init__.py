"""Statistics of simulation output: warm-up cut, intervals, quantiles, stopping.

Pure functions of arrays: `values` [n] is one run's observations in order, or one figure per
replication; `sections` is a sequence of runs. Measured coverage: docs/validation.md.
"""

from sim.statistics.interval import Interval, replication_interval, table_interval, two_sided_t
from sim.statistics.quantile import section_quantile
from sim.statistics.steady import mser5
from sim.statistics.stopping import runs_still_needed

__all__ = [
    "Interval",
    "mser5",
    "replication_interval",
    "runs_still_needed",
    "section_quantile",
    "table_interval",
    "two_sided_t",
]
