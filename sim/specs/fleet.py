"""FleetSpec: how many devices there are, of which groups, and what sets a group apart."""

from dataclasses import dataclass, field

from sim.specs.adapt import AdaptSpec
from sim.specs.check import about, above, at_least, one_of, option, whole, within
from sim.specs.workload import WorkloadSpec

POLICIES = ("fixed", "fastest", "search")


@dataclass(frozen=True, kw_only=True)
class PowerSpec:
    """Power drawn by a device; transmitting and computing add to idling."""

    idle_w: float = field(metadata=about("power while nothing happens", "W"))
    compute_w: float = field(metadata=about("further power while its processor works", "W"))
    transmit_w: float = field(metadata=about("further power while its frames are on the air", "W"))

    def __post_init__(self) -> None:
        for name in ("idle_w", "compute_w", "transmit_w"):
            at_least(f"group.power.{name}", getattr(self, name), 0.0)


@dataclass(frozen=True, kw_only=True)
class ChurnSpec:
    """When devices join, leave and come back; a leaving device drops what it has in flight."""

    join_s: float = option(0.0, "time at which they join", "s")
    leave_s: float | None = option(None, "time at which they leave; None: they stay", "s")
    back_s: float | None = option(None, "time at which they come back; None: never", "s")
    mean_up_s: float | None = option(
        None, "mean of exponential times of presence; None: no restarts", "s"
    )
    mean_down_s: float = option(1.0, "mean time a restart takes", "s")

    def __post_init__(self) -> None:
        at_least("group.churn.join_s", self.join_s, 0.0)
        above("group.churn.mean_up_s", self.mean_up_s, 0.0)
        above("group.churn.mean_down_s", self.mean_down_s, 0.0)
        above("group.churn.leave_s", self.leave_s, self.join_s)
        if self.back_s is not None and self.leave_s is None:
            raise ValueError(f"group.churn.back_s needs leave_s, got {self.back_s:g} alone")
        above("group.churn.back_s", self.back_s, self.leave_s or 0.0)
        if self.mean_up_s is not None and self.leave_s is not None:
            raise ValueError("group.churn takes leave_s or mean_up_s, got both")


@dataclass(frozen=True, kw_only=True)
class GroupSpec:
    """A class of devices: its share of the fleet and what its members are and do."""

    share: float = option(1.0, "weight of this group in the fleet; weights are normalised")
    source: str = option("", "name of the source of its requests; empty: the group's own name")
    alternatives: list[str] = option([], "further sources that the policy may choose")
    policy: str = option("fixed", "choice among sources: fixed, fastest, search")
    adapt: AdaptSpec = option(AdaptSpec, "how a policy that chooses adapts")
    slowdown: float = option(1.0, "factor on the device's own seconds")
    straggler_share: float = option(0.0, "share of members that straggle")
    straggler_slowdown: float = option(1.0, "further factor on a straggler's own seconds")
    memory_bytes: float | None = option(
        None, "device memory for a session's growth; None: no limit", "B"
    )
    link_weight: float = option(1.0, "weight under link.sharing=weighted")
    rate_bps: float | None = option(None, "its own uplink rate; None: the link's", "bit/s")
    snr_db: float | None = option(
        None, "its own mean signal-to-noise ratio; None: the link's", "dB"
    )
    power: PowerSpec | None = option(None, "power sheet; None: energy is not known")
    workload: WorkloadSpec | None = option(None, "its own workload; None: the system's")
    churn: ChurnSpec | None = option(None, "joining and leaving; None: never")

    def __post_init__(self) -> None:
        for name in ("share", "slowdown", "straggler_slowdown", "link_weight"):
            above(f"group.{name}", getattr(self, name), 0.0)
        above("group.rate_bps", self.rate_bps, 0.0)
        at_least("group.memory_bytes", self.memory_bytes, 0.0)
        within("group.straggler_share", self.straggler_share, 0.0, 1.0)
        within("group.snr_db", self.snr_db, -50.0, 100.0)
        one_of("group.policy", self.policy, POLICIES)


@dataclass(frozen=True, kw_only=True)
class FleetSpec:
    """How many devices there are, and of which groups."""

    n_devices: int = option(1, "number of devices in total")
    groups: dict[str, GroupSpec] = option(
        {}, "device groups by name; empty: one group named 'default'"
    )

    def __post_init__(self) -> None:
        at_least("fleet.n_devices", self.n_devices, 1)
        whole("fleet.n_devices", self.n_devices)

    @property
    def churns(self) -> bool:
        """Whether devices may leave, so that their requests must be taken out of every queue."""
        return any(group.churn is not None for group in self.groups.values())
