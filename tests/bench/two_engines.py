"""The compiled engine against SimPy on the same systems, and against others' simulators.

Closed loops with exponential pauses, measured rows of the scenes' third cut; runs of 20,000
requests or more, the engines by turns, CPU time. `events`: what is played between the first event
and the last, without building the system and without its columns; `whole`: all of `sim.run`. Ratios
are medians over the turns. Then the idiomatic `simpy.Resource` model, ciw and salabim on the FIFO
network, and one fleet of a million devices in a process of its own.

Targets are those that the engine was asked for; what misses one says so.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

import sim
from profiles.shipping import shipped
from profiles.tables.layers import ModelProfile
from profiles.tables.trace import TraceTable
from sim.clock import Clock
from sim.engine.run import Run
from tests.bench.rivals.models import idiomatic, system, with_ciw, with_salabim

SIZES = (10, 100, 1000, 10_000)
LOAD = 0.7
WIFI = sim.LinkSpec(
    sharing="wifi", rate_bps=3e8, mtu_bytes=1400, header_bytes=72, frame_airtime_s=1.5e-4,
    aggregation=39, rtt_s=0.002,
)  # fmt: skip
WIRED = sim.LinkSpec(sharing="fifo", rate_bps=3e8, rtt_s=0.002)
ROUGH = replace(
    WIFI, rate="mcs", snr_db=25.0, fading="rayleigh", frame_error_rate=0.05,
    outage_at_s=[1.0, 3.0], outage_length_s=0.2,
)  # fmt: skip
MILLION = 1_000_000
MOST_S, MOST_COLLAPSED_S, MOST_BYTES = 5.0, 10.0, 200.0
SLOW_BPS = 2e7
"""Of a Wi-Fi cell that nearly all of its devices wait in."""


class Rung(NamedTuple):
    """A system, and the ratio that is asked for by number of devices."""

    link: sim.LinkSpec
    server: sim.ServerSpec
    wanted: dict[int, float]


TAKE_ALL = sim.ServerSpec(discipline="take_all", max_batch=16)
DYNAMIC = sim.ServerSpec(discipline="dynamic", max_batch=16, max_wait_s=0.005)
RUNGS = {
    "Wi-Fi, take-all": Rung(WIFI, TAKE_ALL, {10: 150, 100: 150, 1000: 200, 10_000: 250}),
    "Wi-Fi, dynamic": Rung(WIFI, DYNAMIC, {10: 150, 100: 150, 1000: 200, 10_000: 250}),
    "processor sharing, FIFO": Rung(
        replace(WIRED, sharing="ps"), sim.ServerSpec(), {100: 130, 1000: 170, 10_000: 220}
    ),
    "FIFO, FIFO": Rung(WIRED, sim.ServerSpec(), {}),
    "stage B: fading, losses, outages, EDF": Rung(
        ROUGH, sim.ServerSpec(discipline="edf", max_batch=16), {1000: 80}
    ),
}


def measured() -> sim.TraceSource:
    """Requests of the shipped scenes, cut after their third stage."""
    table = TraceTable.load(shipped.DATA / "traces" / "scenes.npz")
    profile = ModelProfile.load(shipped.DATA / "profiles" / "scenes-single-1.npz")
    return sim.TraceSource(table, "stage3", "slicer", profile.head, profile.tail)


def loops(source: sim.Source, rung: Rung, n_devices: int, n_requests: int) -> sim.SystemSpec:
    """N devices that keep the server busy for 0.7 of the time, were it alone with each."""
    mean = source.mean()
    rate_rps = LOAD / (mean.decode_s + mean.server_s)
    return sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n_devices),
        workload=sim.WorkloadSpec(think_s=max(1e-4, n_devices / rate_rps - 0.01), deadline_s=0.1),
        link=rung.link,
        server=rung.server,
        horizon_s=n_requests / rate_rps,
        warmup_s=0.0,
        max_events=10**10,
    )


def sessions(n_devices: int, n_steps: int) -> tuple[sim.SystemSpec, sim.Source]:
    """N users whose answers have 20 tokens, on a server that batches continuously."""
    source = sim.ConstantSessions(
        prompt=sim.Draw(0, 0.005, 4000.0, 0.0, 0.004, 4.0, np.nan, 20, 0),
        token=sim.Draw(0, 0.001, 200.0, 0.0, 0.0004, 4.0, np.nan, 1, 20),
        n_tokens=20,
    )
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n_devices),
        workload=sim.WorkloadSpec(think_s=n_devices / 60.0),
        link=replace(WIRED, sharing="ps"),
        server=sim.ServerSpec(discipline="continuous", max_batch=64),
        horizon_s=n_steps / 1200.0,
        warmup_s=0.0,
        max_events=10**10,
    )
    return spec, source


def cpu_s(play: Callable[[], object]) -> float:
    """CPU seconds of a call."""
    gc.collect()
    began = time.process_time()
    play()
    return time.process_time() - began


def by_simpy(spec: sim.SystemSpec, source: sim.Source) -> tuple[float, int]:
    """CPU seconds of SimPy's events, and requests that left."""
    built = sim.build(spec, {"default": source})
    clock = Clock(built.env, spec, built.meter)
    return cpu_s(lambda: clock.run_to(spec.horizon_s)), built.meter.n_left


def compiled(spec: sim.SystemSpec, source: sim.Source) -> tuple[float, int]:
    """The same of the compiled engine."""
    running = Run(spec, {"default": source})
    return cpu_s(lambda: running.run_to(spec.horizon_s)), running.snapshot().n_left


def ratios(spec: sim.SystemSpec, source: sim.Source, repeats: int) -> tuple[float, ...]:
    """Microseconds a request by SimPy and by the compiled engine, and the ratios of events and of
    whole runs.
    """
    found = []
    compiled(spec, source)  # compiles at the first call
    for _ in range(repeats):
        (slow_s, n), (fast_s, m) = by_simpy(spec, source), compiled(spec, source)
        assert n == m
        whole = [
            cpu_s(lambda engine=engine: sim.run(replace(spec, engine=engine), {"default": source}))
            for engine in ("simpy", "compiled")
        ]
        found.append((1e6 * slow_s / n, 1e6 * fast_s / n, slow_s / fast_s, whole[0] / whole[1]))
    return tuple(np.median(np.array(found), axis=0))


def ladder(repeats: int, n_requests: int) -> None:
    """Print both engines on every rung and size."""
    source = measured()
    print(f"{'':40}{'N':>7}{'SimPy us':>10}{'compiled':>10}{'events':>8}{'whole':>7}  target")
    tasks = [
        (name, n, loops(source, rung, n, n_requests), source, rung.wanted.get(n))
        for name, rung in RUNGS.items()
        for n in SIZES
    ]
    for n in (100, 1000):
        tasks.append(("stage C: token sessions", n, *sessions(n, n_requests), {1000: 50}.get(n)))
    for name, n, spec, drawn, wanted in tasks:
        slow_us, fast_us, events, whole = ratios(spec, drawn, repeats)
        verdict = (
            "" if wanted is None else f"{wanted}x: {'holds' if events >= wanted else 'MISSED'}"
        )
        times = f"{slow_us:>10.1f}{fast_us:>10.3f}{events:>8.0f}{whole:>7.0f}"
        print(f"{name:40}{n:>7,}{times}  {verdict}", flush=True)


def rivals(repeats: int, n_requests: int) -> None:
    """Print others' simulators on the network of queues, 1,000 devices."""
    source, spec = measured(), system(1000, n_requests)
    ours = loops(source, RUNGS["FIFO, FIFO"], 1000, n_requests)
    us = {name: [] for name in ("compiled", "idiomatic")}
    for _ in range(repeats):
        seconds, n = compiled(ours, source)
        us["compiled"].append(1e6 * seconds / n)
        began = time.process_time()
        meter = idiomatic(ours, source)
        us["idiomatic"].append(1e6 * (time.process_time() - began) / meter.n_left)
    peers = {"ciw": with_ciw, "salabim": with_salabim}
    for name, play in peers.items():
        if importlib.util.find_spec(name):
            began = time.process_time()
            n = play(replace(spec, horizon_s=spec.horizon_s / 8.0))
            us[name] = [1e6 * (time.process_time() - began) / n]
    for name, values in us.items():
        ratio = np.median(values) / np.median(us["compiled"])
        wanted = (
            "  200x" + (": holds" if ratio >= 200 else ": MISSED") if name == "idiomatic" else ""
        )
        print(f"{name:12}{np.median(values):>10.3f} us a request{ratio:>8.0f}{wanted}", flush=True)


def resident_bytes() -> int:
    """Memory that this process holds (Linux)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def large(n_devices: int) -> None:
    """Print one run of a large fleet in this process, and the memory of a device; then one of a
    fleet whose Wi-Fi cell collapses.
    """
    source = measured()
    before = resident_bytes()
    spec = loops(source, RUNGS["FIFO, FIFO"], n_devices, 10 * n_devices)
    running = Run(spec, {"default": source})
    kept = (resident_bytes() - before) / n_devices
    seconds = cpu_s(lambda: running.run_to(spec.horizon_s))
    n = running.snapshot().n_left
    print(
        f"N = {n_devices:,}: {n:,} requests in {seconds:.1f} s (target {MOST_S} s for a million"
        f" devices), {kept:,.0f} B a device before the first event (target {MOST_BYTES:.0f})"
    )
    collapsed = replace(RUNGS["Wi-Fi, take-all"].link, rate_bps=SLOW_BPS)
    running = Run(replace(spec, link=collapsed, server=TAKE_ALL), {"default": source})
    seconds = cpu_s(lambda: running.run_to(spec.horizon_s))
    end = running.snapshot()
    print(
        f"one Wi-Fi cell that collapses: {end.n_arrived:,} requests, {end.n_left:,} answered,"
        f" in {seconds:.1f} s (target {MOST_COLLAPSED_S} s)"
    )


def main() -> None:
    """Print all tables; `--devices` plays one large fleet alone, in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--requests", type=int, default=20_000)
    given = parser.parse_args()
    if given.devices:
        large(given.devices)
        return
    ladder(given.repeats, given.requests)
    print()
    rivals(given.repeats, given.requests)
    print(flush=True)
    command = [sys.executable, "-m", "tests.bench.two_engines", "--devices", str(MILLION)]
    subprocess.run(command, check=True)  # a process of its own: its peak memory, not ours


if __name__ == "__main__":
    main()
