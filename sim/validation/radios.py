"""Wi-Fi's stations against an event loop that shares no code with the engine, on the same draws;
and the engine against every run of the ns-3 grid.

The loop goes access by access, also where a station is alone, and takes from the engine's run only
what is drawn: who asked when for how much, and the contests' random numbers. Its latencies and
waits are the engine's to 1e-9.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from sim.measures.result import Result
from sim.radio import RATIO, ns3_grid
from sim.radio.contention import ACCESS_S, HEADER_BYTES, LONGEST_S, PHY_RATE_BPS, Point
from sim.request import DONE
from sim.sources.source import ConstantSource, RandomSource
from sim.specs import FleetSpec, GroupSpec, LinkSpec, SystemSpec, WorkloadSpec
from sim.statistics import replication_interval
from sim.streams import Streams
from sim.system import run
from sim.validation.case import CONFIDENCE, Case, Metric, Row, own_seed, row_of

GRID_ERROR = 0.1
SENT = tuple(dict.fromkeys((p.frames_per_access, p.frame_bytes) for p in ns3_grid()))
"""Frames per access and bytes per frame of the ns-3 runs."""
_ACCESS_POINT = -1


@dataclass(frozen=True, kw_only=True)
class Cell:
    """Devices that ask at random for payloads of exponential size, and one server."""

    rates_bps: tuple[float, ...]
    rate_rps: float
    mean_bytes: float = 9_000.0
    answer_bytes: float = 3_000.0
    downlink: str = "dedicated"
    aggregation: int = 4
    device_s: float = 1e-3
    server_s: float = 4e-4
    horizon_s: float = 20.0

    def link(self) -> LinkSpec:
        """Frames of 1,400 B, as the shipped Wi-Fi, without a limit in time."""
        return LinkSpec(
            sharing="wifi",
            rate_bps=self.rates_bps[0],
            mtu_bytes=1400,
            header_bytes=72,
            frame_airtime_s=2.141e-4,
            aggregation=self.aggregation,
            rtt_s=2e-3,
            downlink=self.downlink,
            downlink_rate_bps=self.rates_bps[0],
        )


RUNGS = {
    "Wi-Fi, one radio": Cell(rates_bps=(70e6,), rate_rps=400.0),
    "Wi-Fi, 12 radios": Cell(rates_bps=(70e6,) * 12, rate_rps=30.0),
    "Wi-Fi, 12 radios, one access point": Cell(
        rates_bps=(70e6,) * 12, rate_rps=20.0, downlink="shared", answer_bytes=9_000.0
    ),
    "Wi-Fi, 40 radios, one access point": Cell(
        rates_bps=(70e6,) * 40, rate_rps=10.0, mean_bytes=1_000.0, downlink="shared",
        answer_bytes=9_000.0,
    ),
    "Wi-Fi, a fast and a slow radio": Cell(rates_bps=(70e6, 7e6), rate_rps=40.0, downlink="shared"),
}  # fmt: skip


class Served(NamedTuple):
    """What both sides say of every answered request, in the order of birth, [request]."""

    latency_s: np.ndarray
    link_wait_s: np.ndarray
    answer_wait_s: np.ndarray


def compare(name: str, seed: int) -> list[Row]:
    """One row per figure: its mean and its largest difference, relative to the mean latency."""
    engine, loop = play_both(RUNGS[name], own_seed(name, seed))
    rows = []
    for figure, ours, theirs in zip(Served._fields, engine, loop, strict=True):
        worst = float(np.abs(ours - theirs).max() / np.mean(loop.latency_s))
        same = Metric(f"{figure}, mean", float(theirs.mean()), kind="equal")
        rows.append(_row(name, same, seed, float(ours.mean())))
        rows.append(
            _row(name, Metric(f"1 + largest error of {figure}", 1.0, kind="equal"), seed, 1 + worst)
        )
    return rows


def _row(name: str, metric: Metric, seed: int, value: float) -> Row:
    return row_of(name, metric, seed, replication_interval([value, value], CONFIDENCE), 2)


def play_both(cell: Cell, seed: int, loop: "type[Loop] | None" = None) -> tuple[Served, Served]:
    """The engine's run and the loop (or another one) on its draws."""
    result = _play_engine(cell, seed)
    done = result.records["outcome"] == DONE
    order = np.argsort(result.records["created_s"][done], kind="stable")
    columns = {name: values[done][order] for name, values in result.records.items()}
    engine = Served(
        columns["done_s"] - columns["created_s"], columns["link_wait_s"], columns["answer_wait_s"]
    )
    known = [
        (float(t), int(d), float(b))
        for part in (result.records, result.book.in_flight)
        for t, d, b in zip(part["created_s"], part["device"], part["payload_bytes"], strict=True)
    ]
    draw = Streams(seed, 0).stream("contention", 0).random
    return engine, (loop or Loop)(cell, sorted(known), draw).play()


def _play_engine(cell: Cell, seed: int) -> Result:
    """One run of the simulator; every rate is a group of its own."""
    groups = {f"{i}": GroupSpec(rate_bps=rate) for i, rate in enumerate(cell.rates_bps)}
    spec = SystemSpec(
        fleet=FleetSpec(n_devices=len(cell.rates_bps), groups=groups),
        workload=WorkloadSpec(kind="poisson", rate_rps=cell.rate_rps),
        link=cell.link(),
        warmup_s=0.0,
        horizon_s=cell.horizon_s,
        seed=seed,
    )
    source = RandomSource(
        device_s=cell.device_s,
        payload_bytes=lambda stream: 1.0 + stream.exponential(cell.mean_bytes),
        server_s=lambda stream: cell.server_s,
        answer_bytes=cell.answer_bytes,
    )
    return run(spec, dict.fromkeys(groups, source))


class _Sent:
    """A payload or an answer of the loop on its way."""

    __slots__ = ("access_s", "accesses", "entered_s", "frames", "left", "request")

    def __init__(self, request: int, n_bytes: float, rate_bps: float, cell: Cell) -> None:
        n_frames = math.ceil(n_bytes / 1400)
        self.request = request
        self.accesses = self.left = math.ceil(n_frames / cell.aggregation)
        self.frames = n_frames / self.accesses
        bits = 8.0 * (n_bytes + 72.0 * n_frames)
        self.access_s = 2.141e-4 + bits / rate_bps / self.accesses
        self.entered_s = math.nan


class Loop:
    """Requests (born, device, bytes) through processors, radios, server and access point."""

    def __init__(
        self, cell: Cell, requests: list[tuple[float, int, float]], draw: Callable[[], float]
    ) -> None:
        self.cell, self.requests, self.draw = cell, requests, draw
        self.now_s, self.count = 0.0, 0
        self.heap: list[tuple[float, int, Callable[[], None]]] = []
        self.queues: dict[int, deque[_Sent]] = {}
        self.active: list[int] = []
        self.on_air = False
        self.server_free_s = 0.0
        self.done_s: dict[int, float] = {}
        self.waits_s: dict[int, list[float]] = {i: [0.0, 0.0] for i in range(len(requests))}

    def play(self) -> Served:
        """Until the horizon; who is answered by then."""
        free_s = [0.0] * len(self.cell.rates_bps)
        for number, (born_s, device, n_bytes) in enumerate(self.requests):
            free_s[device] = max(free_s[device], born_s) + self.cell.device_s
            rate_bps = self.cell.rates_bps[self.group(device)]
            sent = _Sent(number, n_bytes, rate_bps, self.cell)
            self.at(free_s[device] + 1e-3, partial(self.enqueue, device, sent))
        while self.heap and self.heap[0][0] <= self.cell.horizon_s:
            self.now_s, _, what = heappop(self.heap)
            what()
        in_time = [i for i, end_s in self.done_s.items() if end_s < self.cell.horizon_s]
        numbers = sorted(in_time)
        latencies_s = [self.done_s[i] - self.requests[i][0] for i in numbers]
        up_s, down_s = zip(*(self.waits_s[i] for i in numbers), strict=True)
        return Served(np.array(latencies_s), np.array(up_s), np.array(down_s))

    def group(self, device: int) -> int:
        """Device i has the group at frac(i / golden ratio) of the shares, which are equal."""
        place = math.fmod(device * (math.sqrt(5.0) - 1.0) / 2.0, 1.0)
        return int(place * len(self.cell.rates_bps))

    def at(self, time_s: float, what: Callable[[], None]) -> None:
        """Do something at a time."""
        self.count += 1
        heappush(self.heap, (time_s, self.count, what))

    def enqueue(self, station: int, sent: _Sent) -> None:
        """A payload, or an answer, reaches a station's queue."""
        sent.entered_s = self.now_s
        queue = self.queues.setdefault(station, deque())
        queue.append(sent)
        if len(queue) == 1:
            self.active.append(station)
        if not self.on_air:
            self.access()

    def access(self) -> None:
        """The next access, of whoever wins."""
        n = len(self.active)
        self.on_air = n > 0
        if n == 0:
            return
        station = self.active[0] if n == 1 else self.active[math.floor(self.draw() * n)]
        first = self.queues[station][0]
        capacity = RATIO["ns3"](n, first.frames) if n > 1 else 1.0
        self.at(self.now_s + first.access_s / capacity, partial(self.end_access, station))

    def end_access(self, station: int) -> None:
        """An access is through, and perhaps the whole transfer."""
        queue = self.queues[station]
        queue[0].left -= 1
        if queue[0].left == 0:
            sent = queue.popleft()
            if not queue:
                place = self.active.index(station)
                self.active[place] = self.active[-1]
                self.active.pop()
            wait_s = self.now_s - sent.entered_s - sent.accesses * sent.access_s
            self.waits_s[sent.request][station < 0] = wait_s
            if station < 0:
                self.done_s[sent.request] = self.now_s + 1e-3
            else:
                self.serve(sent.request)
        self.access()

    def way_down(self, request: int) -> int:
        """The station at which an answer waits, below 0: one for all."""
        return _ACCESS_POINT

    def serve(self, request: int) -> None:
        """The server, in order of arrival; then the answer's way."""
        cell = self.cell
        self.server_free_s = max(self.server_free_s, self.now_s) + cell.server_s
        answer = _Sent(request, cell.answer_bytes, cell.rates_bps[0], cell)
        if cell.downlink == "shared":
            self.at(self.server_free_s, partial(self.enqueue, self.way_down(request), answer))
        else:
            own_s = answer.accesses * answer.access_s
            self.done_s[request] = self.server_free_s + own_s + 1e-3


def compare_grid(frames: int, frame_bytes: int, seed: int) -> list[Row]:
    """Saturated stations on the shipped Wi-Fi against the ns-3 runs of one kind of access, each
    within 10 %.
    """
    points = [
        p for p in ns3_grid() if (p.frames_per_access, p.frame_bytes) == (frames, frame_bytes)
    ]
    return [row for point in points for row in _saturate(point).play(seed)]


def _throughput_rps(result: Result) -> float:
    return result.value("throughput_rps")


def _saturate(point: Point) -> Case:
    """As many stations as were active, each with one full access after another."""
    frames, size = point.frames_per_access, point.frame_bytes
    link = LinkSpec(
        sharing="wifi",
        rate_bps=PHY_RATE_BPS,
        mtu_bytes=size,
        header_bytes=round(HEADER_BYTES),
        frame_airtime_s=ACCESS_S,
        aggregation=frames,
        access_limit_s=LONGEST_S,
    )
    payload_bytes = size * link.frames_per_access(PHY_RATE_BPS)
    system = SystemSpec(
        fleet=FleetSpec(n_devices=point.n_active),
        workload=WorkloadSpec(kind="closed"),
        link=link,
        warmup_s=0.5,
        horizon_s=3.0,
    )
    exact = point.goodput_bps / (8.0 * payload_bytes)
    metric = Metric(
        f"{point.n_active} active", exact, figure=_throughput_rps, kind="equal", slack=GRID_ERROR
    )
    name = f"Wi-Fi against ns-3, {frames} x {size:,} B"
    return Case(name, system, ConstantSource(payload_bytes=payload_bytes), (metric,), n_runs=2)
