"""Neurosurgeon-like (Kang et al., ASPLOS 2017): the least latency of one device, alone."""

import numpy as np

from sim.search.decision import Decision
from sim.search.lone import decide_groups
from sim.search.predict import Predictor
from sim.search.problem import Problem


def search(problem: Problem) -> Decision:
    """Every device takes what would be fastest if it had the link and the server to itself.

    It keeps the limits of accuracy and memory, which the original did not know.
    """
    return decide_groups("neurosurgeon", problem, _fastest, n_devices=1)


def _fastest(predictor: Predictor) -> int | None:
    group = predictor.problem.groups[0]
    options, limits = group.options, group.limits
    predicted = predictor.predict(np.arange(len(options))[:, None])
    fits = (options.drop_pp <= limits.drop_pp) & (options.memory_bytes <= limits.memory_bytes)
    latency_s = np.where(fits, predicted.latency_s[:, 0], np.inf)
    best = int(np.argmin(latency_s))
    return best if np.isfinite(latency_s[best]) else None
