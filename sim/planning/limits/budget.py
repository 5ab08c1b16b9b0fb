"""Budget: when a search is content with what it knows; Refusal: that it gives up, and why."""

import math
from dataclasses import dataclass, replace

from sim.planning.limits.goal import Goal
from sim.specs.check import at_least, option

_STEPS_PER_REQUEST = 4.0
_FEWER_SESSIONS = 8.0


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When the search is content, and when it gives up; nothing here looks at a clock."""

    half_width: float = option(0.01, "half-width asked for, as a share of N*; >= 1 device")
    n_runs: int = option(20, "least number of replications")
    max_runs: int = option(200, "replications that end the search")
    requests_per_run: float = option(5_000.0, "requests that one run holds near N*")
    pilot_requests: float = option(4_000.0, "requests of a run that only brackets N*")
    max_devices: int = option(100_000, "largest N that is looked at")
    max_requests: float = option(5e7, "simulated requests that end the search")

    def __post_init__(self) -> None:
        at_least("plan.half_width", self.half_width, 0.0)
        if not 0.0 < self.half_width < 1.0:
            raise ValueError(f"plan.half_width must be within (0, 1), got {self.half_width}")
        at_least("plan.n_runs", self.n_runs, 3)
        if not 3 <= self.n_runs <= self.max_runs:
            raise ValueError(
                f"plan.n_runs must be within [3, max_runs={self.max_runs}], got {self.n_runs}"
            )
        for name in ("requests_per_run", "pilot_requests", "max_requests", "max_devices"):
            at_least(f"plan.{name}", getattr(self, name), 1)

    def for_sessions(self, steps: float) -> "Budget":
        """The budget of requests of so many steps each: one costs as much to play as so many
        requests. Runs near N* shrink to an eighth at most, since there a queue takes many turns to
        build up; only the pilots are as short as that.
        """
        share = max(1.0, steps / _STEPS_PER_REQUEST)
        return replace(
            self,
            requests_per_run=self.requests_per_run / min(share, _FEWER_SESSIONS),
            pilot_requests=self.pilot_requests / share,
        )

    def target(self, n_devices: float) -> float:
        """The half-width asked for, in devices: a share of N*, at least one device."""
        return max(1.0, self.half_width * n_devices)


class Refusal(ValueError):
    """No number of devices can be named; the one line says which constraint failed where."""


class Spent(Refusal):
    """The budget of requests ended the search."""


class Missed(Refusal):
    """Not even one device meets a limit, and no more of them do."""


def say_missed(goal: Goal, figure: float, *, grows: bool) -> str:
    """That one device misses a goal, and by what figure."""
    if grows:
        said = "its queue grows without end"
    elif math.isnan(figure):
        said = "no request is answered within horizon_s"
    elif math.isinf(figure):
        said = "too many requests get no answer"
    else:
        said = f"{figure:.3g}"
    return f"even one device misses {goal}: {said} at N = 1"
