"""Capacity planning: how many devices a system serves within a limit, and how surely."""

from sim.planning.forecast.demands import demands, guess
from sim.planning.limits.budget import Budget, Refusal
from sim.planning.limits.goal import MEANS, Goal
from sim.planning.runs.probe import Probe
from sim.planning.search.answer import Capacity
from sim.planning.search.capacity import capacity
from sim.planning.search.crossing import Crossing, crossing, isotonic

__all__ = [
    "MEANS",
    "Budget",
    "Capacity",
    "Crossing",
    "Goal",
    "Probe",
    "Refusal",
    "capacity",
    "crossing",
    "demands",
    "guess",
    "isotonic",
]
