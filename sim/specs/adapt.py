"""AdaptSpec: how a device's policy estimates, hesitates and probes."""

from dataclasses import dataclass

from sim.specs.check import above, at_least, one_of, option, within

PER = ("request", "token")


@dataclass(frozen=True, kw_only=True)
class AdaptSpec:
    """The rule by which a policy that adapts changes its mind (sim/devices/adaptive.py).

    With `margin` and `dwell_s` at 0 it follows its predictions at once.
    """

    limit_s: float | None = option(
        None, "search: latency to stay within; None: the workload's deadline", "s"
    )
    margin: float = option(0.0, "least predicted gain for which a device changes, a share")
    dwell_s: float = option(
        0.0, "time for which that gain must have been predicted; no wait if a limit is broken", "s"
    )
    dwell_spread: float = option(0.0, "devices' dwell times are spread by this share, evenly")
    probe_s: float | None = option(
        None, "time without a transfer after which a trial one is made; None: never", "s"
    )
    smoothing: float = option(0.3, "weight of a new transfer in the rate estimate")
    memory_s: float | None = option(
        None, "time in which an old rate estimate fades to 1/e; None: it does not", "s"
    )
    per: str = option("request", "when a device decides: at every request or token")

    def __post_init__(self) -> None:
        above("group.adapt.limit_s", self.limit_s, 0.0)
        above("group.adapt.probe_s", self.probe_s, 0.0)
        above("group.adapt.memory_s", self.memory_s, 0.0)
        at_least("group.adapt.dwell_s", self.dwell_s, 0.0)
        within("group.adapt.margin", self.margin, 0.0, 0.99)
        within("group.adapt.dwell_spread", self.dwell_spread, 0.0, 1.0)
        within("group.adapt.smoothing", self.smoothing, 0.01, 1.0)
        one_of("group.adapt.per", self.per, PER)
