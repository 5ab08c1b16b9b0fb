"""Refusal: the request has no answer, and why."""

import math

from sim.planning.goal import Goal


class Refusal(ValueError):
    """No number of devices can be named; the one line says which constraint failed where."""


class Missed(Refusal):
    """Not even one device meets a limit."""


def say_missed(goal: Goal, excess: float, *, grows: bool) -> str:
    """That one device misses a goal, and by what figure."""
    if grows:
        said = "its queue grows without end"
    elif math.isinf(excess):
        said = "no request is answered within horizon_s"
    else:
        said = f"{goal.value(excess):.3g}"
    return f"even one device misses {goal}: {said} at N = 1"
