"""Choice: a split that would serve more devices than they choose for themselves."""

import math
from collections.abc import Sequence
from dataclasses import replace

from sim import GroupSpec
from sim.planning.forecast.bounds import stability
from sim.planning.limits.goal import Goal
from sim.planning.runs.probe import Player, Probe
from sim.planning.search.answer import Capacity
from sim.sources.source import Sources

_MORE, _FEW_RUNS = 1.03, 3


def find_better_split(
    capacity: Capacity, sources: Sources, goals: Sequence[Goal], *, play: Player
) -> tuple[str, int] | None:
    """Where devices choose, a source that serves more than N* if all keep to it, by a few runs; and
    the number of devices, a little above the interval of N*, at which it meets the goals.

    Approximation: every group that chooses keeps to its own source or to the same place in its
    list of alternatives.
    """
    groups = capacity.spec.fleet.groups
    places = max((len(group.alternatives) for group in groups.values()), default=0)
    n = math.ceil(_MORE * capacity.n_star_hi) + 1
    for place in range(places + 1 if places else 0):
        fixed = {name: _keep(name, group, place) for name, group in groups.items()}
        spec = replace(capacity.spec, fleet=replace(capacity.spec.fleet, groups=fixed))
        probe = Probe(spec, sources, goals, play=play)
        excess, _ = probe.worst(n, _FEW_RUNS)
        if excess <= 0.0 and not probe.is_saturated(n) and n <= stability(spec, sources):
            names = [fixed[name].source for name, group in groups.items() if group.alternatives]
            return " and ".join(names), n
    return None


def _keep(name: str, group: GroupSpec, place: int) -> GroupSpec:
    """A group that keeps to its own source (place 0) or to one of its alternatives."""
    sources = [group.source or name, *group.alternatives]
    source = sources[place] if place < len(sources) else sources[0]
    return replace(group, source=source, alternatives=[], policy="fixed")
