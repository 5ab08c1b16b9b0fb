"""Levers: the same system with one thing faster or smaller, and what each is called."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from sim import FleetSpec, Source, SystemSpec
from sim.places import groups_of
from sim.sources.branched import mixes_tails
from sim.sources.draw import Draw
from sim.sources.sessions import ConstantSessions, TraceSessions
from sim.sources.source import Randomness, Sources, rows_of

Pull = Callable[[SystemSpec, Sources, float], tuple[SystemSpec, Sources]]


class Lever(NamedTuple):
    """What is pulled: its name in results, in words, and whether it is a resource of its own."""

    name: str
    words: str
    resource: bool
    pull: Pull


@dataclass(frozen=True, kw_only=True)
class Gain:
    """Devices that one per cent more of something brings, with its interval; NaN limits where the
    runs do not say it and `devices` is what its share of the load says.
    """

    name: str
    words: str
    resource: bool
    devices: float
    lo: float
    hi: float

    @property
    def by_load(self) -> bool:
        """Whether no run tells it."""
        return math.isnan(self.lo)


class Lighter:
    """A source whose payloads are `factor` times as large; all else is the same."""

    def __init__(self, source: Source, factor: float) -> None:
        self.key = source.key
        self._source, self._factor = source, factor
        self.mixes_tails = mixes_tails(source)

    @property
    def even_rows(self) -> list[Draw] | None:
        """Those of the source, if it has some, scaled."""
        rows = rows_of(self._source)
        return None if rows is None else [self._scale(row) for row in rows]

    def draw(self, stream: Randomness) -> Draw:
        """One request of the source, with its payload scaled."""
        return self._scale(self._source.draw(stream))

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """As the source's."""
        return self._source.batch_s(draws)

    def mean(self) -> Draw:
        """The source's mean, with its payload scaled."""
        return self._scale(self._source.mean())

    def resample(self, generator: np.random.Generator) -> Source:
        """The resampled source, scaled likewise."""
        return Lighter(self._source.resample(generator), self._factor)

    def _scale(self, draw: Draw) -> Draw:
        return draw._replace(payload_bytes=draw.payload_bytes * self._factor)


def faster_server(spec: SystemSpec, sources: Sources, factor: float) -> tuple[SystemSpec, Sources]:
    """Every GPU `factor` times as fast."""
    server = replace(spec.server, speed=spec.server.speed * factor)
    return replace(spec, server=server), sources


def wider_channel(spec: SystemSpec, sources: Sources, factor: float) -> tuple[SystemSpec, Sources]:
    """All that a medium does per second times `factor`: bits and channel accesses, up and down.

    The schemes of 802.11 have no bandwidths between 20, 40 and 80 MHz: their rates are scaled.
    """
    link = spec.link
    down, limit_s, by_scheme = link.downlink_rate_bps, link.access_limit_s, link.rate == "mcs"
    wider = replace(
        link,
        rate_bps=link.rate_bps * factor,
        downlink_rate_bps=None if down is None else down * factor,
        bandwidth_hz=link.bandwidth_hz * (1.0 if by_scheme else factor),
        rate_factor=link.rate_factor * (factor if by_scheme else 1.0),
        frame_airtime_s=link.frame_airtime_s / factor,
        access_limit_s=None if limit_s is None else limit_s / factor,
    )
    groups = {
        name: group if group.rate_bps is None else replace(group, rate_bps=group.rate_bps * factor)
        for name, group in groups_of(spec).items()
    }
    return replace(spec, link=wider, fleet=_regroup(spec, groups)), sources


def faster_devices(spec: SystemSpec, sources: Sources, factor: float) -> tuple[SystemSpec, Sources]:
    """Every device's processor `factor` times as fast."""
    groups = {
        name: replace(group, slowdown=group.slowdown / factor)
        for name, group in groups_of(spec).items()
    }
    return replace(spec, fleet=_regroup(spec, groups)), sources


def fewer_bits(spec: SystemSpec, sources: Sources, factor: float) -> tuple[SystemSpec, Sources]:
    """Every payload smaller by `factor`."""
    return spec, {name: _lighten(source, 1.0 / factor) for name, source in sources.items()}


def more_gpus(spec: SystemSpec, sources: Sources, count: float) -> tuple[SystemSpec, Sources]:
    """So many GPUs."""
    return replace(spec, server=replace(spec.server, n_gpus=int(count))), sources


def more_cells(spec: SystemSpec, sources: Sources, count: float) -> tuple[SystemSpec, Sources]:
    """So many cells."""
    return replace(spec, link=replace(spec.link, n_cells=int(count))), sources


def _lighten(source: Source, factor: float) -> Source:
    if isinstance(source, TraceSessions | ConstantSessions):
        return source.scale_payloads(factor)
    return Lighter(source, factor)


def _regroup(spec: SystemSpec, groups: Mapping[str, object]) -> FleetSpec:
    return replace(spec.fleet, groups=dict(groups))  # type: ignore[arg-type]


LEVERS = (
    Lever("server", "the server", True, faster_server),
    Lever("uplink", "the uplink", True, wider_channel),
    Lever("device", "the devices' processors", True, faster_devices),
    Lever("codec_bits", "the codec's bits", False, fewer_bits),
)
