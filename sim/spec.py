"""SystemSpec: fleet, link, server, workload, horizon and seed; frozen and self-validating.

Field types are plain (numbers, strings, None, nested specs, name-keyed dicts), so that a command
line can be built from them; every field carries its help text and unit in its metadata.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sim._check import about, above, at_least, one_of, within

SHARING = ("dedicated", "fifo", "ps")
WORKLOADS = ("closed", "poisson")
THINKING = ("constant", "exponential")


@dataclass(frozen=True, kw_only=True)
class WorkloadSpec:
    """When a device makes requests."""

    kind: str = field(
        default="closed", metadata=about("closed: think, request, wait for the answer; poisson")
    )
    think_s: float = field(
        default=0.0, metadata=about("mean pause between an answer and the next request", "s")
    )
    think: str = field(
        default="exponential", metadata=about("distribution of the pause: constant, exponential")
    )
    rate_rps: float = field(
        default=1.0, metadata=about("mean request rate of one device (poisson)", "1/s")
    )
    requests: int | None = field(
        default=None,
        metadata=about("terminating run: ends when device 0 has this many requests behind it"),
    )

    def __post_init__(self) -> None:
        one_of("workload.kind", self.kind, WORKLOADS)
        one_of("workload.think", self.think, THINKING)
        at_least("workload.think_s", self.think_s, 0.0)
        above("workload.rate_rps", self.rate_rps, 0.0)
        at_least("workload.requests", self.requests, 1)


@dataclass(frozen=True, kw_only=True)
class GroupSpec:
    """A class of devices: its share of the fleet and what its members do."""

    share: float = field(
        default=1.0, metadata=about("weight of this group in the fleet; weights are normalised")
    )
    source: str = field(
        default="",
        metadata=about("name of the source of its requests; empty: the group's own name"),
    )
    slowdown: float = field(default=1.0, metadata=about("factor on the device's own seconds"))
    workload: WorkloadSpec | None = field(
        default=None, metadata=about("its own workload; None: the system's")
    )

    def __post_init__(self) -> None:
        above("group.share", self.share, 0.0)
        above("group.slowdown", self.slowdown, 0.0)


@dataclass(frozen=True, kw_only=True)
class FleetSpec:
    """How many devices there are, and of which groups."""

    n_devices: int = field(default=1, metadata=about("number of devices in total"))
    groups: dict[str, GroupSpec] = field(
        default_factory=dict,
        metadata=about("device groups by name; empty: one group named 'default'"),
    )

    def __post_init__(self) -> None:
        at_least("fleet.n_devices", self.n_devices, 1)


@dataclass(frozen=True, kw_only=True)
class LinkSpec:
    """The medium between devices and server.

    A payload becomes ceil(payload / mtu_bytes) frames, each with header_bytes and a fixed airtime
    (preamble, interframe spaces, mean backoff, acknowledgement).
    """

    sharing: str = field(
        default="ps", metadata=about("how devices share the uplink: dedicated, fifo, ps")
    )
    rate_bps: float = field(default=50e6, metadata=about("physical rate of the uplink", "bit/s"))
    downlink_rate_bps: float | None = field(
        default=None,
        metadata=about("rate of the downlink, one of its own per device; None: rate_bps", "bit/s"),
    )
    mtu_bytes: int = field(default=1500, metadata=about("largest payload of one frame", "B"))
    header_bytes: int = field(default=64, metadata=about("header bytes of every frame", "B"))
    frame_airtime_s: float = field(default=0.0, metadata=about("fixed airtime of every frame", "s"))
    rtt_s: float = field(
        default=0.0, metadata=about("round-trip time, half before the uplink, half after", "s")
    )

    def __post_init__(self) -> None:
        one_of("link.sharing", self.sharing, SHARING)
        above("link.rate_bps", self.rate_bps, 0.0)
        above("link.downlink_rate_bps", self.downlink_rate_bps, 0.0)
        at_least("link.mtu_bytes", self.mtu_bytes, 1)
        at_least("link.header_bytes", self.header_bytes, 0)
        at_least("link.frame_airtime_s", self.frame_airtime_s, 0.0)
        at_least("link.rtt_s", self.rtt_s, 0.0)


@dataclass(frozen=True, kw_only=True)
class ServerSpec:
    """The one GPU that serves the fleet."""

    discipline: str = field(default="fifo", metadata=about("order of service: fifo"))
    speed: float = field(
        default=1.0, metadata=about("factor on the server's speed (2: twice as fast)")
    )

    def __post_init__(self) -> None:
        one_of("server.discipline", self.discipline, ("fifo",))
        above("server.speed", self.speed, 0.0)


@dataclass(frozen=True, kw_only=True)
class SystemSpec:
    """Everything that one simulated point is made of, except the measured sources."""

    fleet: FleetSpec = field(default_factory=FleetSpec, metadata=about("the devices"))
    workload: WorkloadSpec = field(
        default_factory=WorkloadSpec, metadata=about("when they make requests")
    )
    link: LinkSpec = field(default_factory=LinkSpec, metadata=about("the medium"))
    server: ServerSpec = field(default_factory=ServerSpec, metadata=about("the GPU"))
    horizon_s: float = field(
        default=60.0, metadata=about("simulated time; a terminating run ignores it", "s")
    )
    warmup_s: float = field(
        default=5.0, metadata=about("start of the measurement; a terminating run ignores it", "s")
    )
    replications: int = field(
        default=10, metadata=about("independent repetitions behind an interval")
    )
    confidence: float = field(default=0.95, metadata=about("level of the intervals"))
    seed: int = field(default=0, metadata=about("seed of all random streams"))

    def __post_init__(self) -> None:
        above("horizon_s", self.horizon_s, 0.0)
        at_least("warmup_s", self.warmup_s, 0.0)
        if self.warmup_s >= self.horizon_s:
            raise ValueError(
                f"warmup_s must be below horizon_s={self.horizon_s:g}, got {self.warmup_s:g}"
            )
        at_least("replications", self.replications, 1)
        within("confidence", self.confidence, 0.5, 0.9999)
        at_least("seed", self.seed, 0)
