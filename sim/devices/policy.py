"""Policies: which of its sources (cut and codec) a device uses for the next request.

One method: `choose(seen) -> index`. A policy sees what a device could know: its own past
transfers, the round trip, and the hint that came with the last answer. What is said here is how
sources are ranked; when a device acts on it is `sim.devices.adaptive`.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from sim.sources.draw import Draw
from sim.specs import ServerSpec

_ANY_SERVER = ServerSpec()


class Seen(NamedTuple):
    """What a device has observed; `rate_bps` is NaN before its first transfer.

    `usable` names the sources that this request may come from; None: all of them.
    """

    now_s: float
    rate_bps: float
    server_wait_s: float
    in_flight: int
    rtt_s: float = 0.0
    usable: tuple[int, ...] | None = None


class Policy(Protocol):
    """Chooses among a device's sources."""

    def choose(self, seen: Seen) -> int:
        """Index of the source for the next request."""


class Cost(NamedTuple):
    """Mean costs of one source on this device and this server (decode and tail together)."""

    device_s: float
    payload_bytes: float
    server_s: float

    @property
    def remote(self) -> bool:
        """Whether anything leaves the device."""
        return self.payload_bytes > 0.0 or self.server_s > 0.0

    def latency_s(self, seen: Seen) -> float:
        """T = device + 8 B / rate + round trip + wait + server; on the device alone, device.

        Approximation: means; frames are paid for by the bytes; the own queue is not seen.
        """
        if not self.remote:
            return self.device_s
        away_s = seen.server_wait_s + self.server_s
        if self.payload_bytes > 0.0:
            away_s += 8.0 * self.payload_bytes / seen.rate_bps + seen.rtt_s
        return self.device_s + away_s


def cost(mean: Draw, *, slowdown: float = 1.0, server: ServerSpec = _ANY_SERVER) -> Cost:
    """The costs of a mean request on a slower device and a server."""
    server_s = server.gpu_s(mean.server_s, mean.decode_s, mean.payload_bytes, mean.tensor_bytes)
    if server.decode_on == "cpu":
        server_s += mean.decode_s
    remote = mean.server_s > 0.0 or mean.payload_bytes > 0.0
    return Cost(mean.device_s * slowdown, mean.payload_bytes, server_s if remote else 0.0)


class Ranking(Protocol):
    """An order among sources under what is seen, and how much better one is than another.

    `held` is the source in use, -1 before the first; others must be better by `margin`.
    """

    costs: Sequence[Cost]

    def best(self, seen: Seen, held: int = -1, margin: float = 0.0) -> int:
        """Index of the best source."""

    def gain(self, seen: Seen, held: int, other: int) -> float:
        """By which share `other` is better than `held`; not above 0 where it is not."""

    def is_urgent(self, seen: Seen, held: int) -> bool:
        """Whether `held` cannot be kept, so that any gain is worth a change at once."""


class Fastest:
    """The least predicted latency of this one device (Kang et al. 2017, "Neurosurgeon").

    A gain is the share of the latency that is saved.
    """

    def __init__(self, costs: Sequence[Cost], limit_s: float | None = None) -> None:
        self.costs = costs

    def best(self, seen: Seen, held: int = -1, margin: float = 0.0) -> int:
        """The least predicted latency; ties go to the earlier source."""
        return min(_usable(self.costs, seen), key=lambda i: self.costs[i].latency_s(seen))

    def gain(self, seen: Seen, held: int, other: int) -> float:
        """1 - T(other) / T(held)."""
        return _save_share(self.costs[held].latency_s(seen), self.costs[other].latency_s(seen))

    def is_urgent(self, seen: Seen, held: int) -> bool:
        """Never: a slower answer is an answer."""
        return False


class Search:
    """SLICER-Search on the device: the least server seconds with a predicted latency within
    `limit_s`; where no source is within it, the least latency.

    A gain is the share of server seconds saved, from a source beyond the limit the share of the
    latency. A source that is not in use must keep `margin` of the limit in reserve.
    """

    def __init__(self, costs: Sequence[Cost], limit_s: float | None) -> None:
        if limit_s is None:
            raise ValueError(
                "group.policy=search needs workload.deadline_s (of a session: token_deadline_s)"
                " or group.adapt.limit_s, got None"
            )
        self.costs = costs
        self.limit_s = limit_s

    def best(self, seen: Seen, held: int = -1, margin: float = 0.0) -> int:
        """Least server seconds within the limit, then least latency; ties to the earlier."""
        late = {i: self.costs[i].latency_s(seen) for i in _usable(self.costs, seen)}
        spared_s = (1.0 - margin) * self.limit_s
        within = [i for i, t in late.items() if t <= (self.limit_s if i == held else spared_s)]
        if not within:
            return min(late, key=late.__getitem__)
        return min(within, key=lambda i: (self.costs[i].server_s, late[i]))

    def gain(self, seen: Seen, held: int, other: int) -> float:
        """Of server seconds within the limit, of latency beyond it."""
        held_s, other_s = self.costs[held].latency_s(seen), self.costs[other].latency_s(seen)
        if held_s > self.limit_s:
            return _save_share(held_s, other_s)
        if other_s > self.limit_s:
            return 0.0
        return _save_share(self.costs[held].server_s, self.costs[other].server_s)

    def is_urgent(self, seen: Seen, held: int) -> bool:
        """Beyond the limit."""
        return self.costs[held].latency_s(seen) > self.limit_s


def smooth(old: float, new: float, weight: float = 0.3) -> float:
    """Exponential average of a device's observations; the first one counts in full."""
    return new if old != old else old + weight * (new - old)


def _usable(costs: Sequence[Cost], seen: Seen) -> Sequence[int]:
    return range(len(costs)) if seen.usable is None else seen.usable


def _save_share(held: float, other: float) -> float:
    return 1.0 - other / held if held > 0.0 else 0.0


RANKINGS: dict[str, Callable[[Sequence[Cost], float | None], Ranking]] = {
    "fastest": Fastest,
    "search": Search,
}
