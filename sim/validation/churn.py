"""Devices that leave and come back, against an event loop that shares no code with the engine.

A device that leaves withdraws everything it has in flight: what waits is taken out, what is on the
uplink is cut short, what a GPU serves is finished in vain. The rungs offer their busiest station a
load of 1.04, so that a queue which goes on to serve the absent grows without end.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from sim.sources.source import ConstantSource
from sim.specs import (
    ChurnSpec,
    FleetSpec,
    GroupSpec,
    LinkSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
)
from sim.system import run
from sim.validation.case import Row, own_seed, row_of_two
from sim.validation.queues import one_medium

_BYTES = 1000.0
_N_RUNS = 10
_N_LOOPS = 20


@dataclass(frozen=True, kw_only=True)
class Comers:
    """Devices up for `up_s` and down for `down_s` (means), each Poisson with `rate_rps` while up.

    Every request takes `link_s` on one uplink (0: there is none), then `gpu_s` on one of the GPUs.
    """

    n_devices: int = 60
    rate_rps: float = 2.0
    up_s: float = 2.0
    down_s: float = 0.5
    link_s: float = 0.0
    gpu_s: float = 0.0108
    n_gpus: int = 1
    warmup_s: float = 10.0
    horizon_s: float = 40.0


RUNGS = {
    "churn, one GPU": Comers(),
    "churn, two GPUs": Comers(gpu_s=0.0216, n_gpus=2),
    "churn, one uplink": Comers(link_s=0.0108, gpu_s=0.005),
}


class Figures(NamedTuple):
    """What both sides are asked: of the answered, of all (in flight too), and the GPUs' load."""

    latency_mean_s: float
    dropped_share: float
    throughput_rps: float
    server_utilization: float


def compare(name: str, seed: int) -> list[Row]:
    """One row per figure: runs of the engine against runs of the loop, errors on both sides."""
    comers, own = RUNGS[name], own_seed(name, seed)
    engine = [play_engine(comers, own, r) for r in range(_N_RUNS)]
    loop = [play_loop(comers, (own, r)) for r in range(_N_LOOPS)]
    return [
        row_of_two(name, figure, seed, ours, theirs)
        for figure, ours, theirs in zip(
            Figures._fields, zip(*engine, strict=True), zip(*loop, strict=True), strict=True
        )
    ]


def play_engine(comers: Comers, seed: int, replication: int) -> Figures:
    """One run of the simulator."""
    source = ConstantSource(
        payload_bytes=_BYTES if comers.link_s > 0.0 else None, server_s=comers.gpu_s
    )
    result = run(engine_spec(comers, seed), {"comers": source}, replication=replication)
    return Figures(*(result.value(name) for name in Figures._fields))


def engine_spec(comers: Comers, seed: int) -> SystemSpec:
    """The system in the simulator's words."""
    churn = ChurnSpec(mean_up_s=comers.up_s, mean_down_s=comers.down_s)
    return SystemSpec(
        fleet=FleetSpec(n_devices=comers.n_devices, groups={"comers": GroupSpec(churn=churn)}),
        workload=WorkloadSpec(kind="poisson", rate_rps=comers.rate_rps),
        link=one_medium("fifo", comers.link_s) if comers.link_s > 0.0 else LinkSpec(sharing="ps"),
        server=ServerSpec(n_gpus=comers.n_gpus),
        warmup_s=comers.warmup_s,
        horizon_s=comers.horizon_s,
        seed=seed,
    )


def play_loop(comers: Comers, seed: Sequence[int]) -> Figures:
    """One run of the independent loop."""
    loop = _Loop(comers, np.random.default_rng(seed))
    loop.play()
    length_s = comers.horizon_s - comers.warmup_s
    answered = len(loop.latencies_s)
    everything = answered + loop.n_gone + sum(map(len, loop.asked))
    return Figures(
        math.fsum(loop.latencies_s) / answered,
        loop.n_gone / everything,
        answered / length_s,
        loop.busy_s / (length_s * comers.n_gpus),
    )


class _Ask:
    """A request of the loop; it is `gone` when its device has left."""

    __slots__ = ("born_s", "device", "gone")

    def __init__(self, device: int, born_s: float) -> None:
        self.device, self.born_s, self.gone = device, born_s, False


class _Loop:
    """Comings, arrivals, transfers, services and leavings on one heap of (time, number, what)."""

    def __init__(self, comers: Comers, generator: np.random.Generator) -> None:
        self.comers, self.draw = comers, generator.exponential
        self.now_s, self.count = 0.0, 0
        self.heap: list[tuple[float, int, Callable[[], None]]] = []
        self.stay = [0] * comers.n_devices
        self.asked: list[set[_Ask]] = [set() for _ in range(comers.n_devices)]
        self.uplink: deque[_Ask] = deque()
        self.waiting: deque[_Ask] = deque()
        self.n_serving = self.n_gone = 0
        self.latencies_s: list[float] = []
        self.busy_s = 0.0

    def play(self) -> None:
        """All devices come at time 0."""
        for device in range(self.comers.n_devices):
            self.come(device)
        while self.heap[0][0] <= self.comers.horizon_s:
            self.now_s, _, what = heappop(self.heap)
            what()

    def later(self, delay_s: float, what: Callable[[], None]) -> None:
        """Do something after a while."""
        self.count += 1
        heappush(self.heap, (self.now_s + delay_s, self.count, what))

    def come(self, device: int) -> None:
        """A device is up: it asks, and it will leave."""
        self.stay[device] += 1
        self.ask_later(device)
        self.later(self.draw(self.comers.up_s), partial(self.go, device))

    def ask_later(self, device: int) -> None:
        """The next request of a device, if it is still there."""
        gap_s = self.draw(1.0 / self.comers.rate_rps)
        self.later(gap_s, partial(self.ask, device, self.stay[device]))

    def ask(self, device: int, stay: int) -> None:
        """A request comes into being."""
        if stay != self.stay[device]:
            return
        self.ask_later(device)
        request = _Ask(device, self.now_s)
        self.asked[device].add(request)
        if self.comers.link_s == 0.0:
            self.reach_gpus(request)
            return
        self.uplink.append(request)
        if len(self.uplink) == 1:
            self.send()

    def send(self) -> None:
        """The first in the uplink's queue goes on the air."""
        self.later(self.comers.link_s, partial(self.be_sent, self.uplink[0]))

    def be_sent(self, request: _Ask) -> None:
        """A transfer is through, unless its device left meanwhile."""
        if request.gone:
            return
        self.uplink.popleft()
        if self.uplink:
            self.send()
        self.reach_gpus(request)

    def reach_gpus(self, request: _Ask) -> None:
        """It waits for a GPU."""
        self.waiting.append(request)
        self.serve()

    def serve(self) -> None:
        """Idle GPUs take what waits; the seconds within the window are booked at once."""
        comers = self.comers
        while self.waiting and self.n_serving < comers.n_gpus:
            self.n_serving += 1
            self.later(comers.gpu_s, partial(self.be_served, self.waiting.popleft()))
            end_s = min(self.now_s + comers.gpu_s, comers.horizon_s)
            self.busy_s += max(0.0, end_s - max(self.now_s, comers.warmup_s))

    def be_served(self, request: _Ask) -> None:
        """A GPU falls free; there is an answer if its device is still there."""
        self.n_serving -= 1
        if not request.gone:
            self.asked[request.device].remove(request)
            if self.now_s > self.comers.warmup_s:
                self.latencies_s.append(self.now_s - request.born_s)
        self.serve()

    def go(self, device: int) -> None:
        """A device leaves with all that is its own."""
        self.stay[device] += 1
        for request in self.asked[device]:
            request.gone = True
        if self.now_s > self.comers.warmup_s:
            self.n_gone += len(self.asked[device])
        self.asked[device] = set()
        cut_short = bool(self.uplink) and self.uplink[0].gone
        self.uplink = deque(request for request in self.uplink if not request.gone)
        self.waiting = deque(request for request in self.waiting if not request.gone)
        if cut_short and self.uplink:
            self.send()
        self.later(self.draw(self.comers.down_s), partial(self.come, device))
