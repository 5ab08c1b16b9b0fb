"""Figures that ask how many devices fit: what they share with `plan`, at a budget of seconds."""

import math
from dataclasses import dataclass, field

from scenarios.sweep.store import Row
from scenarios.systems.case import Case
from scenarios.systems.system import System
from sim.planning.forecast.bounds import bound
from sim.planning.limits.budget import Budget, Missed, Refusal
from sim.planning.limits.slo import Slo, check_drop, check_memory
from sim.planning.search.capacity import capacity
from sim.specs.check import above, option

SHORT = {
    "half_width": 0.05, "n_runs": 3, "requests_per_run": 1500.0, "pilot_requests": 700.0,
    "max_requests": 1.5e6,
}  # fmt: skip
"""Of a search whose interval is about 5 % on either side: a figure makes dozens."""


@dataclass(frozen=True, kw_only=True)
class Planned(System):
    """A system, the limits that its fleet must keep, and the pace of the runs beside the search.

    Raises:
        ValueError: no limit that a number of devices can exceed, a span or a length not above 0.
    """

    slo: Slo = field(default_factory=Slo)
    plan: Budget = field(default_factory=lambda: Budget(**SHORT))  # type: ignore[arg-type]
    span_s: float = option(60.0, "device-seconds per run: N devices play span_s / N or more")
    cycles: float = option(8.0, "least length of a run, in cycles of a device")

    def __post_init__(self) -> None:
        super().__post_init__()
        above("span_s", self.span_s, 0)
        above("cycles", self.cycles, 0)
        self.slo.check_any()


def say_limit(slo: Slo) -> str:
    """What N* keeps, in a line."""
    return " and ".join(map(str, slo.goals))


def fit(made: Case, slo: Slo, budget: Budget) -> Row:
    """How many devices fit: `n_star` with its interval, 0 where even one misses a limit, None where
    nobody can say; `why` of either, and `n_bound`, which N* cannot exceed by the demands.

    Few requests that are sent take long runs of many devices: beyond `budget.max_requests` the
    bound stands alone.
    """
    most = bound(made.spec, made.sources, slo.goals)
    row: Row = {"n_bound": most if math.isfinite(most) else None}
    try:
        check_memory(slo, made.memory_bytes, made.words)
        check_drop(slo, made.drop, made.words)
        found = capacity(made.spec, made.sources, slo.goals, budget=budget)
    except Refusal as refusal:
        n = 0 if isinstance(refusal, Missed) else None
        return {**row, "n_star": n, "n_star_lo": n, "n_star_hi": n, "why": str(refusal)}
    return {**row, "n_star": found.n_star, "n_star_lo": found.n_star_lo,
            "n_star_hi": found.n_star_hi, "why": ""}  # fmt: skip
