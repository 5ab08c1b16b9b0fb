"""Remedy: the least of one resource with which the goals hold, and the resulting system; Inverse:
those of all resources.
"""

import math
from dataclasses import dataclass, field

from sim import SystemSpec
from sim.planning.limits.goal import Goal
from sim.sources.source import Sources


@dataclass(frozen=True, kw_only=True)
class Held:
    """A system in which the goals just hold, with lengths of run, and how surely they do.

    `half_width`: of the factor, as a share of it, NaN of a count; `collapsed`: runs that fell into
    a far worse regime than the others; `grows`: the goals hold only because the run ends.
    """

    spec: SystemSpec = field(repr=False)
    sources: Sources = field(repr=False)
    goal: Goal
    n_runs: int
    half_width: float = math.nan
    monotone: bool = True
    collapsed: int = 0
    grows: bool = False


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """The least of one resource: a factor with its interval or a count; None: it alone fails.

    `spare`: pieces of `least` that may fail, which `held` is without. A factor without limits
    is the least that was looked at. `sure` says of a count that the goals hold by more than the
    runs' own error.
    """

    name: str
    words: str
    unit: str
    least: float | None = None
    lo: float | None = None
    hi: float | None = None
    spare: int = 0
    sure: bool = False
    held: Held | None = None


@dataclass(frozen=True, kw_only=True)
class Inverse:
    """All remedies for `n_devices`, and what the answer cost."""

    n_devices: int
    remedies: tuple[Remedy, ...]
    requests: int
