"""SystemSpec: everything that one simulated point is made of, except the measured sources."""

from dataclasses import dataclass, field

from sim.specs.check import about, above, at_least, one_of, option, within
from sim.specs.fleet import FleetSpec
from sim.specs.link import LinkSpec
from sim.specs.server import ServerSpec
from sim.specs.workload import WorkloadSpec


@dataclass(frozen=True, kw_only=True)
class SystemSpec:
    """Fleet, workload, link, server; horizon, warm-up, replications and seed."""

    fleet: FleetSpec = option(FleetSpec, "the devices")
    workload: WorkloadSpec = option(WorkloadSpec, "when they make requests")
    link: LinkSpec = field(metadata=about("the medium"))
    server: ServerSpec = option(ServerSpec, "the GPU")
    horizon_s: float = option(60.0, "simulated time; a terminating run ignores it", "s")
    warmup_s: float = option(5.0, "start of the measurement; a terminating run has none", "s")
    warmup: str = option("fixed", "fixed (at warmup_s), or mser5 (found by pilot runs)")
    replications: int = option(10, "independent repetitions behind an interval")
    precision: float | None = option(
        None, "replicate until the half-width is this share of the mean; None: do not"
    )
    precision_of: str = option("latency_mean_s", "column that precision refers to")
    max_replications: int = option(200, "precision: largest number of replications")
    max_events: int = option(20_000_000, "events after which a run ends with an error")
    confidence: float = option(0.95, "level of the intervals")
    seed: int = option(0, "seed of all random streams")
    engine: str = option(
        "auto", "what plays: auto (compiled where it knows all of the system), simpy, compiled"
    )

    def __post_init__(self) -> None:
        above("horizon_s", self.horizon_s, 0.0)
        at_least("warmup_s", self.warmup_s, 0.0)
        if self.warmup_s >= self.horizon_s:
            raise ValueError(
                f"warmup_s must be below horizon_s={self.horizon_s:g}, got {self.warmup_s:g}"
            )
        at_least("replications", self.replications, 1)
        one_of("warmup", self.warmup, ("fixed", "mser5"))
        one_of("engine", self.engine, ("auto", "simpy", "compiled"))
        self._check_end()
        self._check_links()
        above("precision", self.precision, 0.0)
        if self.precision is not None:
            at_least("max_replications", self.max_replications, self.replications)
        at_least("max_events", self.max_events, 1)
        within("confidence", self.confidence, 0.5, 0.9999)
        at_least("seed", self.seed, 0)

    def _check_links(self) -> None:
        """What a group says of its link must be something that this link has."""
        for name, group in self.fleet.groups.items():
            where = f"fleet.groups.{name}"
            if group.link_weight != 1.0 and self.link.sharing != "weighted":
                raise ValueError(
                    f"{where}.link_weight needs link.sharing=weighted, got {self.link.sharing}"
                )
            if group.rate_bps is not None and self.link.rate != "fixed":
                raise ValueError(f"{where}.rate_bps needs link.rate=fixed, got {self.link.rate}")
            if group.snr_db is not None and self.link.uncoded:
                raise ValueError(f"{where}.snr_db needs link.uncoded=false, got true")
            if group.snr_db is not None and self.link.rate == "fixed":
                raise ValueError(
                    f"{where}.snr_db needs link.rate=shannon, mcs or outage, got fixed"
                )

    def _check_end(self) -> None:
        """A terminating run must be able to end, and only the system's workload says when."""
        for name, group in self.fleet.groups.items():
            own = group.workload
            if own is not None and (own.requests is not None or own.until_all):
                raise ValueError(
                    f"fleet.groups.{name}.workload.requests must not be set, got {own.requests};"
                    " workload.requests ends the run for the whole fleet"
                )
        if self.workload.requests is None:
            return
        everyone = self.workload.until_all
        for name, group in list(self.fleet.groups.items())[: None if everyone else 1]:
            who = f"group {name!r}" if everyone else f"device 0, of group {name!r},"
            churn, kind = group.churn, (group.workload or self.workload).kind
            if churn is not None and churn.leave_s is not None and churn.back_s is None:
                raise ValueError(f"workload.requests needs {who} to stay, but it leaves for good")
            if churn is not None and kind == "replay":
                raise ValueError(
                    f"workload.requests needs {who} to play every recorded time, but it has churn"
                )

    @property
    def interruptible(self) -> bool:
        """Whether a transfer or a visit may be cut short, so that queues must be explicit."""
        return self.fleet.churns or self.link.varies
