"""Capacity planning: how many devices a system serves within a limit, and how surely."""

from sim.planning.budget import Budget, Refusal
from sim.planning.capacity import Capacity, capacity
from sim.planning.crossing import Crossing, crossing, isotonic
from sim.planning.goal import MEANS, Goal
from sim.planning.guess import demands, guess
from sim.planning.probe import Probe

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
