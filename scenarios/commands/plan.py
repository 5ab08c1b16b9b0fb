"""Tell how many devices a system serves within its limits, how surely, and what limits it.

`slo.p95_s=0.1 slo.accuracy_drop_pp=1` asks for the largest number of devices at which the 95th
percentile of the latency stays below 100 ms and the codec costs at most one point of accuracy (the
upper end of its interval). The answer comes with a 95 % interval, the resource that is the
bottleneck, what a faster one would bring, and a grade that says how far to believe it.

`plan.over=[cut,codec]` chooses among systems, `plan.over=[scheme,cut,codec]` among schemes that
answer the same task, each at its own cuts. `plan.n_devices=200` asks the inverse question: how
fast a server, how wide a channel or how many cells 200 devices need. With `-m` every combination is
a plan of its own, and results.csv holds a row of each.
"""

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from scenarios.planning import answer, drawing, needs, screen
from scenarios.planning.workers import playing
from scenarios.sweep import multirun
from scenarios.sweep.store import Store
from scenarios.systems.inputs import tell_inputs
from scenarios.systems.system import System
from sim.planning.limits.budget import Budget
from sim.planning.limits.slo import Slo
from sim.planning.runs.pace import refuse_replay
from sim.specs.check import at_least, option


@dataclass(frozen=True, kw_only=True)
class Plan(Budget):
    """What is asked, and how long to look for it."""

    over: list[str] = option(
        [], "what to choose among: scheme, cut, codec, server.max_batch, link, KEY=A,B"
    )
    task: str = option("class", "over scheme: what all of them answer; one of several tasks alone")
    n_devices: int | None = option(None, "inverse: the least resources for so many devices")
    spare: int = option(0, "inverse: GPUs and cells that may fail at once (1: N+1)")

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least("plan.n_devices", self.n_devices, 1)
        at_least("plan.spare", self.spare, 0)
        if self.n_devices is not None and self.over:
            raise ValueError("plan takes n_devices (the inverse) or over (the choice), got both")
        if self.spare and self.n_devices is None:
            raise ValueError(f"plan.spare needs plan.n_devices, got {self.spare} alone")

    @property
    def axes(self) -> list[str]:
        """The keys of `over` without their values."""
        return [text.split("=", 1)[0] for text in self.over]


@dataclass(frozen=True, kw_only=True)
class Config(System):
    """The system, the limits and the question."""

    HIDDEN: ClassVar = ("force",)  # what a search may cost is in `plan` and max_events

    slo: Slo = field(default_factory=Slo)
    plan: Plan = field(default_factory=Plan)
    codecs: dict[str, dict[str, Any]] = option(
        {}, "what plan.over=[codec] takes; see group methods"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        loads = [self.workload, *(g.workload for g in self.fleet.groups.values() if g.workload)]
        if self.plan.n_devices is None:
            refuse_replay(loads)
        rounds = max(load.adapt_rounds for load in loads)
        if rounds:
            raise ValueError(
                f"plan asks what a fleet bears for good, so workload.adapt_rounds must be 0, got"
                f" {rounds}; simulate plays training"
            )
        late = any(load.deadline_s is not None for load in loads)
        if self.slo.deadline_miss_share is not None and not late:
            raise ValueError("slo.deadline_miss_share needs workload.deadline_s, got None")
        if self.slo.accuracy_drop_pp is not None and self.request is not None:
            raise ValueError(
                "slo.accuracy_drop_pp needs a network that answers, got request by hand"
            )
        alone = self.request is None and not self.members and not self.alternatives
        if self.cut == "output" and alone:
            raise ValueError("cut=output shares nothing, so that no number of devices is too large")
        if self.sweep or self.dry_run:
            raise ValueError(
                "plan takes neither sweep nor dry_run; plan.over=[KEY] chooses among systems, and"
                " -m plays a plan per value"
            )


def run(config: Config) -> int:
    """Search, explain, store, print; of several jobs (`-m`) each into a folder of its own."""
    began_s = time.monotonic()
    config.slo.check_any()
    store = Store(Path("outputs") / config.name)
    tell_inputs([config], to_horizon=False)
    told, said = (answer, screen) if config.plan.n_devices is None else (needs, needs)
    forked = config.workers > 1 and not multirun.is_multirun()  # of many, one loads it for all
    with (
        drawing.ahead(told.figures, forked=forked) as drawn,  # before the lock, which it has not
        multirun.lock(store),
        playing("planning", config.workers) as play,
    ):
        if config.plan.over:
            answered = answer.choose_system(config, play=play)
        elif config.plan.n_devices is not None:
            answered = needs.find_needs(config, answer.alone(config), play=play)
        else:
            answered = answer.single(config, answer.alone(config), play=play)
        answered["elapsed_s"] = time.monotonic() - began_s
        own = Store(store.folder / "plans" / multirun.job()) if multirun.is_multirun() else store
        told.store(own, answered, drawn)
        own.write_run(command="plan", config=asdict(config), provenance=answered["provenance"],
                      engine=answered["engine"])  # fmt: skip
    if multirun.is_multirun():
        multirun.keep(store, {**told.flat(answered), "folder": str(own.folder)})
        print(said.headline(answered))
        return 0
    said.summary(answered).show()
    print(f"written: {own.folder}/plan.json, plan.csv, figure.pdf and plan.html")
    return 0
