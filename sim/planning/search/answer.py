"""Answer: N* and, where too few devices miss a goal, the least number, each with its interval."""

from dataclasses import dataclass, field, replace

from sim import Estimate, SystemSpec
from sim.planning.limits.goal import Goal
from sim.planning.search.crossing import Crossing
from sim.planning.search.regimes import Regimes

_ENDS = ("n_star", "n_star_lo", "n_star_hi", "stable")


@dataclass(frozen=True, kw_only=True)
class Least:
    """The least number of devices that meets the goals, with its interval: fewer miss `goal`.

    `points`, `runs`, `curve`: what was played around it.
    """

    goal: Goal
    n: int
    lo: int
    hi: int
    points: tuple[int, ...]
    runs: tuple[int, ...]
    curve: tuple[Estimate, ...]


@dataclass(frozen=True, kw_only=True)
class Capacity:
    """N* with its interval at the spec's confidence, conditional on the sources' rows.

    `goal`: the one that limits; `root`: where the fitted mean curve meets the limit, before
    rounding down; `points`: the numbers of devices that were played, `curve`: the goal's figure
    there by so many `runs`; `n_runs`: those of the points around N* (the scouts had fewer);
    `collapsed`: of them the most at one point that fell into a far worse regime than the others;
    `regimes`: where longer runs confirm that, N* is what they say is safe, and `root` no crossing;
    `least`: where too few devices miss a goal, from how many on they meet it; `calm`: N* is that
    of the system without its outages, below what was found with them; `throughput_rps`: at the
    least point around N*; `stable`: the N beyond which a queue grows without end, at which N* is
    capped, infinite where none is known; `spec`: the system with the lengths of run that were
    played; `requests`: simulated requests that the answer cost.
    """

    goal: Goal
    n_star: int
    n_star_lo: int
    n_star_hi: int
    root: Crossing
    points: tuple[int, ...]
    runs: tuple[int, ...]
    n_runs: int
    collapsed: int
    requests: int
    throughput_rps: float
    curve: tuple[Estimate, ...]
    stable: float
    spec: SystemSpec = field(repr=False)
    regimes: Regimes | None = None
    least: Least | None = None
    calm: bool = False

    @property
    def monotone(self) -> bool:
        """Whether the isotonic fit crosses within the interval."""
        return self.root.monotone

    def cap(self, calm: "Capacity") -> "Capacity":
        """This answer, no larger than that of the system without its outages."""
        requests = self.requests + calm.requests
        if self.root.root <= calm.root.root:
            hi, root = min(self.n_star_hi, calm.n_star_hi), self.root.cap(calm.root.hi)
            return replace(self, n_star_hi=max(hi, self.n_star), root=root, requests=requests)
        ends = {name: getattr(calm, name) for name in _ENDS}
        root = replace(self.root, root=calm.root.root, lo=calm.root.lo, hi=calm.root.hi)
        return replace(self, **ends, root=root, requests=requests, calm=True)
