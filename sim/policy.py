"""Policies: which of its sources (cut and codec) a device uses for the next request.

One method: `choose(seen) -> index`. A policy sees what a device could know: its own past
transfers and the hint that came with the last answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from sim.source import Source

_SMOOTHING = 0.3


class Seen(NamedTuple):
    """What a device has observed; `rate_bps` is NaN before its first transfer."""

    now_s: float
    rate_bps: float
    server_wait_s: float
    in_flight: int


class Policy(Protocol):
    """Chooses among a device's sources."""

    def choose(self, seen: Seen) -> int:
        """Index of the source for the next request."""


class Fixed:
    """Always the group's own source."""

    def choose(self, seen: Seen) -> int:
        """The first."""
        return 0


class Fastest:
    """The source with the least predicted latency at the observed rate and server wait.

    The rate is a device's exponential average over its transfers, of seconds per bit. It never
    probes: a device that has gone local stays so until its policy is given other sources.

    T = device + 8 B / rate + wait + decode + server, with the sources' means; before the first
    transfer the group's own source.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._means = [source.mean() for source in sources]

    def choose(self, seen: Seen) -> int:
        """The least predicted latency; ties go to the earlier source."""
        if seen.rate_bps != seen.rate_bps:
            return 0
        latency_s = [
            mean.device_s
            + (
                8.0 * mean.payload_bytes / seen.rate_bps
                + seen.server_wait_s
                + mean.decode_s
                + mean.server_s
                if mean.payload_bytes > 0.0
                else 0.0
            )
            for mean in self._means
        ]
        return latency_s.index(min(latency_s))


def smoothed(old: float, new: float) -> float:
    """Exponential average of a device's observations; the first one counts in full."""
    return new if old != old else old + _SMOOTHING * (new - old)


POLICIES: dict[str, Callable[[Sequence[Source]], Policy]] = {
    "fixed": lambda sources: Fixed(),
    "fastest": Fastest,
}
