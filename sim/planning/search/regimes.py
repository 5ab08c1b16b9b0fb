"""Regimes: of a system that may collapse, the largest number of devices at which no run did.

A system with two regimes (contention that eats what is contended for, retries that cause retries)
falls into the worse one by chance, the more surely the longer it runs, and seldom comes back. Its
pooled figure says how many of the runs have fallen, no more. What can be relied upon is the number
of devices at which none falls, in runs ten times as long as those of the search.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim import SystemSpec
from sim.planning.forecast.bounds import has_timetable
from sim.planning.limits.budget import Missed
from sim.planning.runs.probe import Player, Probe
from sim.sources.source import Sources

Floats = NDArray[np.float64]

_MISSED = "even one device falls into a regime that is far slower, in long runs"
LONGER = 10.0
_SHORT_RUNS = 4
_FEW, _MANY = 2, 8
_SURELY = 3  # of 60 runs none collapses with a chance of 1 in 20 where one in 20 does: 0.95^60
_STEPS = (0.97, 0.94, 0.88, 0.76, 0.5)
_SELDOM = 0.05
_WIDEST = 0.05
_GRID = 240


@dataclass(frozen=True, kw_only=True)
class Regimes:
    """Where a system with two regimes is safe.

    `n_safe`: the largest number of devices at which none of `n_runs` runs, `longer` times as long
    as the others, collapsed; `lo`, `hi`: the interval of the number at which one such run in
    twenty does; `above`: the least number at which runs were seen to collapse, `fallen` of
    `looked_at`.
    """

    n_safe: int
    lo: int
    hi: int
    n_runs: int
    longer: float
    above: int
    fallen: int
    looked_at: int

    def say_safe(self) -> str:
        """How far the safe number was looked at."""
        times = f", {self.longer:.0f} times as long," if self.longer > 1.0 else ""
        return f"with {self.n_safe} devices none of {self.n_runs} runs{times} collapsed"

    def say_above(self) -> str:
        """What lies above the safe number."""
        return (
            f"with {self.above} devices {self.fallen} of {self.looked_at} runs fell into a regime"
            " more than twice as slow, and the longer it runs, the likelier it does"
        )


class Look(NamedTuple):
    """So many of the runs at `n` devices collapsed, each `length` times as long as a long one."""

    n: int
    length: float
    n_runs: int
    fallen: int


class SafeSearch:
    """Short and long runs of one system around the number of devices at which it collapses."""

    def __init__(
        self,
        short: Probe,
        sources: Sources,
        *,
        n_runs: int,
        play: Player,
        spend: Callable[[int, float], None],
    ) -> None:
        self._short, self._spend = short, spend
        self._n_runs = max(_MANY, _SURELY * n_runs)
        spec, self._share = _lengthen(short.spec)
        self._long = Probe(spec, sources, short.goals, play=play)
        self._looks: list[Look] = []

    def find(self, start: int, target: Callable[[float], float]) -> Regimes | None:
        """The safe number at or below `start`; None where no run collapses there either, however
        many devices miss the limit: that is a plain crossing.

        Raises:
            Missed: even one device collapses.
        """
        if not self._falls(start):
            return None
        safe, above = self._go_down(start)
        while above - safe > max(1.0, 2.0 * target(safe)):
            middle = (safe + above) // 2
            safe, above = (safe, middle) if self._falls(middle) else (middle, above)
        while self._falls(safe, self._n_runs):  # the few runs were lucky
            if safe == 1:
                raise Missed(_MISSED)
            safe, above = max(1, safe - math.ceil(target(safe))), safe
        collapsed = self._find_collapsed(safe)
        if collapsed is None:
            return None
        lo, hi = interval(self._looks, safe, collapsed, self._short.confidence)
        seen = [look for look in self._looks if look.n == collapsed]
        return Regimes(
            n_safe=safe,
            lo=lo,
            hi=hi,
            n_runs=self._n_runs,
            longer=1.0 / self._share,
            above=collapsed,
            fallen=sum(look.fallen for look in seen),
            looked_at=sum(look.n_runs for look in seen),
        )

    def _find_collapsed(self, safe: int) -> int | None:
        """The least number above `safe` at which runs collapsed; None where no long one did.

        Near the load at which a queue grows a short run may be twice as slow by chance. A second
        regime is the likelier the longer a run is.
        """
        collapsed = [look.n for look in self._looks if look.fallen and look.n > safe]
        if not collapsed:
            return None
        if not any(look.fallen for look in self._looks if look.length == 1.0):
            self._misses(self._long, max(collapsed), _MANY)
        lasting = any(look.fallen for look in self._looks if look.length == 1.0)
        return min(collapsed) if lasting else None

    def _go_down(self, start: int) -> tuple[int, int]:
        """A safe number, and the least one above it that is known not to be."""
        above = start
        while above > 1:
            for share in _STEPS:
                n = max(1, min(above - 1, math.floor(start * share)))
                if not self._falls(n):
                    return n, above
                above = n
                if n == 1:
                    break
            start = above
        raise Missed(_MISSED)

    def _falls(self, n: int, n_runs: int = _MANY) -> bool:
        """Whether runs at this number of devices collapse, or miss a goal; few runs first."""
        if self._misses(self._short, n, _SHORT_RUNS):
            return True
        counts = [_FEW]
        while counts[-1] < n_runs:
            counts.append(min(n_runs, 2 * counts[-1]))
        return any(self._misses(self._long, n, count) for count in counts)

    def _misses(self, probe: Probe, n: int, n_runs: int) -> bool:
        before = probe.requests
        excess, goal = probe.worst(n, n_runs)
        self._spend(probe.requests - before, n)
        fallen = probe.count_fallen(n, goal, beside=self._short)
        length = 1.0 if probe is self._long else self._share
        self._looks = [look for look in self._looks if (look.n, look.length) != (n, length)]
        self._looks.append(Look(n, length, n_runs, fallen))
        return fallen > 0 or excess > 0.0 or probe.is_saturated(n)


def interval(looks: Sequence[Look], safe: int, above: int, confidence: float) -> tuple[int, int]:
    """Limits of the number of devices at which one long run in twenty collapses.

    A run collapses at a rate that is constant in time and grows exponentially in N, so that of runs
    of length x the share exp(-x exp(b (N - c))) survives; `c` and log b have a flat prior on a
    grid, and the limits are those of the posterior. They hold `safe`, and nothing that collapsed.
    """
    centres = np.linspace(0.5 * safe, 2.0 * above, _GRID)[:, None]
    widths = np.geomspace(0.2, max(0.4, _WIDEST * above), _GRID)[None, :]
    likely: Floats = np.zeros((_GRID, _GRID))
    for look in looks:
        risk = look.length * np.exp(np.minimum(50.0, (look.n - centres) / widths))
        falls = np.log(np.maximum(1e-300, -np.expm1(-risk)))
        likely += look.fallen * falls - (look.n_runs - look.fallen) * risk
    weight = np.exp(likely - likely.max())
    where = centres + widths * math.log(-math.log1p(-_SELDOM))
    order = np.argsort(where, axis=None)
    share = np.cumsum(weight.ravel()[order]) / weight.sum()
    ends = np.searchsorted(share, [0.5 - 0.5 * confidence, 0.5 + 0.5 * confidence])
    lo, hi = where.ravel()[order][np.minimum(ends, share.size - 1)].tolist()
    return max(1, min(safe, math.floor(lo))), max(safe, min(above - 1, math.floor(hi)))


def _lengthen(spec: SystemSpec) -> tuple[SystemSpec, float]:
    """The system with long runs, and how long the others are beside them; a timetable stays."""
    if has_timetable(spec):
        return spec, 1.0
    length_s = LONGER * (spec.horizon_s - spec.warmup_s)
    longer = replace(spec, horizon_s=spec.warmup_s + length_s)
    return longer, 1.0 / LONGER
