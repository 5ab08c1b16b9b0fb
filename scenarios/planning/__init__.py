"""Capacity planning: how many devices a system serves within a limit, and how surely."""

from scenarios.planning.budget import Budget
from scenarios.planning.capacity import Capacity, capacity
from scenarios.planning.crossing import Crossing, crossing, isotonic
from scenarios.planning.goal import MEANS, Goal
from scenarios.planning.guess import demands, guess
from scenarios.planning.probe import Probe
from scenarios.planning.refusal import Refusal

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
