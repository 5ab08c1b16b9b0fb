"""When a device acts on its predictions: hysteresis, a time to trigger, and probing.

    the source in use cannot be kept, and another is better  -> change at once
    another has been better by more than `margin` at every
    decision of the last `dwell_s`                           -> change
    else                                                     -> stay, forget the candidate

These are the conditions of a handover between cells: the serving cell falls below a threshold
(event A2, 3GPP TS 36.331, 5.5.4.3), or a neighbour is better by a hysteresis for a time to trigger
(event A3, 5.5.4.4), with predicted costs in place of signal strengths. Quick to fall back and slow
to return is also how 802.11 stations adapt their rate (Kamerman and Monteban 1997, "WaveLAN-II").
A device that sends nothing learns nothing: after `probe_s` without a transfer one request goes out
over the cheapest sending source, as SampleRate tries rates that it does not use (Bicket 2005).
"""

import math
from collections.abc import Sequence
from typing import Any

from sim.devices.policy import RANKINGS, Cost, Ranking, Seen
from sim.places import even
from sim.specs import AdaptSpec, GroupSpec, WorkloadSpec


class Adaptive:
    """A ranking followed with hysteresis. It counts its changes of mind and its probes.

    `spread`, in (0, 1), is the device's place in the spread of dwell times: devices that all see
    the same hint would otherwise change together, and back together.
    """

    def __init__(self, ranking: Ranking, adapt: AdaptSpec, spread: float = 0.5) -> None:
        self.ranking = ranking
        self.held = 0
        self.n_changes = 0
        self.n_probes = 0
        self._adapt = adapt
        self._dwell_s = dwell_s(adapt, spread)
        self._since_s = math.inf
        self._contact_s = 0.0
        self._probe = cheapest_remote(ranking.costs)

    def choose(self, seen: Seen) -> int:
        """The source in use, or a probe; before the first transfer the group's own source."""
        if seen.rate_bps == seen.rate_bps or not self._sends(self.held):
            self._reconsider(seen)
        chosen = self._usable(self.held, seen)
        if self._sends(chosen):
            self._contact_s = seen.now_s
        elif self._due(seen):
            self._contact_s = seen.now_s
            self.n_probes += 1
            return self._probe
        return chosen

    def _reconsider(self, seen: Seen) -> None:
        """Change over to a better source once it has been better for the dwell time."""
        if seen.rate_bps != seen.rate_bps:
            return
        margin = self._adapt.margin
        urgent = self.ranking.is_urgent(seen, self.held)
        best = self.ranking.best(seen, self.held, margin)
        gain = self.ranking.gain(seen, self.held, best)
        if best == self.held or gain <= (0.0 if urgent else margin):
            self._since_s = math.inf
            return
        self._since_s = min(self._since_s, seen.now_s)
        if urgent or seen.now_s - self._since_s >= self._dwell_s:
            self.held = best
            self.n_changes += 1
            self._since_s = math.inf

    def _usable(self, chosen: int, seen: Seen) -> int:
        """The source in use where it may be used, else the best of those that may."""
        if seen.usable is None or chosen in seen.usable:
            return chosen
        return self.ranking.best(seen)

    def _sends(self, index: int) -> bool:
        return self.ranking.costs[index].payload_bytes > 0.0

    def _due(self, seen: Seen) -> bool:
        """Whether it is time to probe, and there is something to probe with."""
        probe_s = self._adapt.probe_s
        if probe_s is None or self._probe < 0:
            return False
        within = seen.usable is None or self._probe in seen.usable
        return within and seen.now_s - self._contact_s >= probe_s


def policy(
    group: GroupSpec, workload: WorkloadSpec, costs: Sequence[Cost], index: int = 0
) -> Adaptive:
    """The policy of device `index` of a group that adapts.

    Raises:
        ValueError: a search without a limit.
    """
    ranking = RANKINGS[group.policy](costs, limit_s(group, workload))
    return Adaptive(ranking, group.adapt, even(index, math.sqrt(11.0)))


def limit_s(group: GroupSpec, workload: WorkloadSpec) -> float | None:
    """What a search stays within."""
    return group.adapt.limit_s or workload.token_deadline_s or workload.deadline_s


def dwell_s(adapt: AdaptSpec, spread: Any) -> Any:
    """How long a device hesitates, or many do, by their places in the spread."""
    return adapt.dwell_s * (1.0 + adapt.dwell_spread * (2.0 * spread - 1.0))


def weight(adapt: AdaptSpec, age_s: float) -> float:
    """Weight of a new observation: what is old counts less, exp(-age / memory) of its share."""
    if adapt.memory_s is None:
        return adapt.smoothing
    return 1.0 - (1.0 - adapt.smoothing) * math.exp(-age_s / adapt.memory_s)


def cheapest_remote(costs: Sequence[Cost]) -> int:
    """The source that sends the fewest bytes, -1 where none sends."""
    sending = [i for i, each in enumerate(costs) if each.payload_bytes > 0.0]
    return min(sending, key=lambda i: costs[i].payload_bytes, default=-1)
