"""What searches for one device share: each group is decided as if the whole fleet were like it."""

from collections.abc import Callable

import numpy as np

from sim.search.decision import Decision, decide
from sim.search.predict import Predictor
from sim.search.problem import Problem

Rule = Callable[[Predictor], int | None]


def decide_groups(
    name: str, problem: Problem, rule: Rule, n_devices: int | None = None
) -> Decision:
    """The decision of `rule`, group by group.

    The rule sees one group as a fleet of `n_devices`, by default of all devices of the problem.
    Whether the groups' choices keep the limits together is then predicted once.
    """
    total = sum(group.n_devices for group in problem.groups)
    rows, spent = [], 0
    for number in range(len(problem.groups)):
        alone = Predictor(problem.of_group(number, n_devices or total))
        rows.append(rule(alone))
        spent += alone.evaluations
    predictor = Predictor(problem)
    predictor.evaluations = spent
    whole = tuple(row for row in rows if row is not None)
    if len(whole) < len(rows):
        return decide(name, predictor, None)
    if len(rows) > 1:
        predictor.predict(np.array([whole]))
    return decide(name, predictor, whole)
