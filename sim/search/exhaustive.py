"""Exhaustive: predict every joint choice, take the feasible one of least server seconds."""

import numpy as np

from sim.search.decision import Decision, decide
from sim.search.predict import Predictor
from sim.search.problem import Problem

_CHUNK = 20_000


def search(problem: Problem) -> Decision:
    """The optimum by prediction; ties go to the first in the order of the options.

    Evaluates the product of the groups' numbers of options, in chunks of 20,000.
    """
    predictor = Predictor(problem)
    sizes = tuple(len(group.options) for group in problem.groups)
    best_s, best = np.inf, None
    for start in range(0, problem.n_choices, _CHUNK):
        flat = np.arange(start, min(start + _CHUNK, problem.n_choices))
        choices = np.stack(np.unravel_index(flat, sizes), axis=1)
        predicted = predictor.predict(choices)
        cost = np.where(predicted.feasible, predicted.server_s, np.inf)
        at = int(np.argmin(cost))
        if cost[at] < best_s:
            best_s, best = float(cost[at]), tuple(choices[at].tolist())
    return decide("exhaustive", predictor, best)
