"""SLICER-Search: which cut, codec setting and sequence length keep the limits at least server load.

One protocol, `search(problem) -> Decision`, one file per search, one line per search here.
"""

from sim.search import exhaustive, fleet, greedy, hierarchical, neurosurgeon, splitllm
from sim.search.decision import Decision, Forecast, Search, runner_up
from sim.search.predict import Predicted, Predictor
from sim.search.problem import First, Group, Limits, Options, Problem, Requests
from sim.search.relax import Relaxation, refusal, relaxations

__all__ = [
    "SEARCHES",
    "Decision",
    "First",
    "Forecast",
    "Group",
    "Limits",
    "Options",
    "Predicted",
    "Predictor",
    "Problem",
    "Relaxation",
    "Requests",
    "Search",
    "refusal",
    "relaxations",
    "runner_up",
]

SEARCHES: dict[str, Search] = {
    "exhaustive": exhaustive.search,
    "fleet": fleet.search,
    "greedy": greedy.search,
    "hierarchical": hierarchical.search,
    "neurosurgeon": neurosurgeon.search,
    "splitllm": splitllm.search,
}
