"""Hierarchical, as the paper is read: cut deep to shallow, theta mild to aggressive, then less w.

The first option that keeps every limit wins (arXiv 2511.11608, our reading of its policy).
"""

import numpy as np

from sim.search.decision import Decision
from sim.search.lone import decide_groups
from sim.search.predict import Predictor
from sim.search.problem import Problem


def search(problem: Problem) -> Decision:
    """The first feasible option in the paper's order, group by group."""
    return decide_groups("hierarchical", problem, _first)


def _first(predictor: Predictor) -> int | None:
    options = predictor.problem.groups[0].options
    order = np.lexsort((options.harshness, -options.depth, -options.tokens))
    at = predictor.first(order[:, None])
    return None if at is None else int(order[at])
