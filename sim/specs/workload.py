"""WorkloadSpec: when a device makes requests, and what it expects of them."""

from dataclasses import dataclass

from sim.specs.check import above, at_least, one_of, option, within

KINDS = ("closed", "gamma", "mmpp", "periodic", "poisson", "replay")
THINKING = ("constant", "exponential")
REPLAY_FORMATS = ("auto", "times", "azure", "vidur", "burstgpt")


@dataclass(frozen=True, kw_only=True)
class WorkloadSpec:
    """When a device makes requests."""

    kind: str = option(
        "closed", "closed (think, ask, wait), poisson, gamma, mmpp, periodic, replay"
    )
    think_s: float = option(0.0, "closed: mean pause between an answer and a request", "s")
    think: str = option("exponential", "closed: law of the pause: constant, exponential")
    start_spread_s: float = option(0.0, "first requests are spread evenly over this time", "s")
    rate_rps: float = option(1.0, "open kinds: mean request rate of one device", "1/s")
    gap_cv: float = option(2.0, "gamma: coefficient of variation of the gaps (1: Poisson)")
    burst_factor: float = option(10.0, "mmpp: rate within a burst over the rate outside")
    burst_share: float = option(0.1, "mmpp: share of time that lies in bursts")
    burst_s: float = option(1.0, "mmpp: mean length of a burst", "s")
    synchronised: bool = option(False, "periodic: all devices fire at once; else phases are spread")
    jitter_s: float = option(0.0, "periodic: each frame comes late by up to this, uniform", "s")
    replay_csv: str = option(
        "", "replay: file with a column time_s and, if wanted, device; or of sessions, see format"
    )
    replay_format: str = option("auto", f"what replay_csv holds: {', '.join(REPLAY_FORMATS)}")
    adapt_rounds: int = option(
        0, "rounds of training before a device's first request, for a scheme with an adapter"
    )
    max_in_flight: int | None = option(
        None, "open kinds: a device drops new requests beyond this many; None: never"
    )
    deadline_s: float | None = option(None, "an answer later than this is a miss", "s")
    requests: int | None = option(
        None, "terminating run: ends when device 0 has completed this many requests"
    )
    until_all: bool = option(
        False, "terminating run: goes on until every device has completed them (device_time_all_s)"
    )
    ttft_deadline_s: float | None = option(
        None, "sessions end when the first token takes longer than this", "s"
    )
    token_deadline_s: float | None = option(
        None, "sessions end when a later token takes longer than this", "s"
    )
    session_deadline_s: float | None = option(
        None, "sessions end at the first token after this time", "s"
    )
    max_new_tokens: int | None = option(
        None, "sessions end after this many tokens; None: their length"
    )

    def __post_init__(self) -> None:
        one_of("workload.kind", self.kind, KINDS)
        one_of("workload.think", self.think, THINKING)
        one_of("workload.replay_format", self.replay_format, REPLAY_FORMATS)
        for name in ("think_s", "start_spread_s", "jitter_s"):
            at_least(f"workload.{name}", getattr(self, name), 0.0)
        for name in ("rate_rps", "gap_cv", "burst_s", "deadline_s"):
            above(f"workload.{name}", getattr(self, name), 0.0)
        for name in ("ttft_deadline_s", "token_deadline_s", "session_deadline_s"):
            above(f"workload.{name}", getattr(self, name), 0.0)
        at_least("workload.burst_factor", self.burst_factor, 1.0)
        within("workload.burst_share", self.burst_share, 1e-6, 1.0 - 1e-6)
        for name in ("max_in_flight", "requests", "max_new_tokens"):
            at_least(f"workload.{name}", getattr(self, name), 1)
        at_least("workload.adapt_rounds", self.adapt_rounds, 0)
        self._check_combination()

    def _check_combination(self) -> None:
        if self.until_all and self.requests is None:
            raise ValueError("workload.until_all needs workload.requests, got None")
        if self.kind == "replay" and not self.replay_csv:
            raise ValueError(
                "workload.replay_csv must name a file for workload.kind=replay, got ''"
            )
        if self.kind == "replay" and self.adapt_rounds:
            raise ValueError(
                "workload.adapt_rounds must be 0 for workload.kind=replay, whose times do not wait"
                f" for it, got {self.adapt_rounds}"
            )
        if self.kind == "periodic" and self.jitter_s * self.rate_rps > 1.0:
            raise ValueError(
                f"workload.jitter_s must be <= one period ({1 / self.rate_rps:g} s),"
                f" got {self.jitter_s:g}"
            )
