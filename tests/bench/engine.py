"""Simulated requests per CPU second against an idiomatic `simpy.Resource` model, ciw and salabim.

One system for all: N devices in a closed loop (exponential think time, head and encode, FIFO
uplink, decode and tail on one GPU, answer), loaded to four fifths of the server. The idiomatic
model uses the same streams, sources, request objects and meter as ours, and the latencies of both
are compared before any time is reported. ciw and salabim lack the meter and the round trip; they
play the bare network of queues. Then the shared medium by number of transfers (processor sharing,
the default link), and one fleet of 1e5 devices in a process of its own.

Targets: 1.8 times idiomatic SimPy at N = 10 and 1,000, 1.6 at 10,000, ahead of ciw and salabim;
processor sharing O(log n); 1e5 devices in under 2 GB.
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

import numpy as np
import simpy

import sim
from sim.measures.meters import Meter
from sim.medium.shared import SharedStation
from tests.bench.rivals.models import idiomatic, ours, system, with_ciw, with_salabim

SIZES = (10, 1000, 10_000)
TARGETS = {10: 1.8, 1000: 1.8, 10_000: 1.6}
TRANSFERS = (10, 100, 1000, 10_000)
LARGE, LARGE_MB = 100_000, 2048.0


def rate_rps(play: Callable[[], Meter | int]) -> tuple[float, Meter | int]:
    """Requests per CPU second of one play, and what it returned."""
    gc.collect()
    began = time.process_time()
    played = play()
    elapsed_s = time.process_time() - began
    return (played.n_left if isinstance(played, Meter) else played) / elapsed_s, played


def agree(spec: sim.SystemSpec) -> float:
    """Largest relative difference of the two models' latencies, request by request."""
    tables = [play(spec).records() for play in (idiomatic, ours)]
    order = [np.lexsort((table["created_s"], table["device"])) for table in tables]
    latency_s = [
        (table["done_s"] - table["created_s"])[places]
        for table, places in zip(tables, order, strict=True)
    ]
    assert len(latency_s[0]) == len(latency_s[1])
    return float(np.max(np.abs(latency_s[0] / latency_s[1] - 1.0)))


def run(repeats: int = 5, n_requests: int = 40_000) -> list[tuple[str, int, float, float]]:
    """(engine, N, requests per CPU second, ratio to idiomatic), medians of interleaved repeats.

    The ratio is the median over the repeats of each repeat's own ratio.
    """
    rows: list[tuple[str, int, float, float]] = []
    engines: dict[str, Callable[[sim.SystemSpec], Meter | int]] = {
        "idiomatic": idiomatic,
        "ours": ours,
    }
    peers = {"ciw": with_ciw, "salabim": with_salabim}
    engines |= {name: play for name, play in peers.items() if importlib.util.find_spec(name)}
    for n_devices in SIZES:
        full, short = system(n_devices, n_requests), system(n_devices, n_requests // 8)
        speeds: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(repeats):
            for name, play in engines.items():
                spec = short if name in peers else full
                speeds[name].append(rate_rps(lambda play=play, spec=spec: play(spec))[0])
        base = np.array(speeds["idiomatic"])
        for name, values in speeds.items():
            ratio = float(np.median(np.array(values) / base))
            rows.append((name, n_devices, float(np.median(values)), ratio))
    return rows


def sharing(n_active: int, n_visits: int = 20_000) -> float:
    """CPU seconds per visit of a shared medium on which `n_active` transfers are always present."""
    env = simpy.Environment()
    station = SharedStation(env)
    sizes = np.random.default_rng(1).exponential(size=n_active + n_visits).tolist()
    left = [n_visits]

    def again(visit: simpy.Event) -> None:
        left[0] -= 1
        station.serve(sizes.pop()).callbacks.append(again)

    for _ in range(n_active):
        station.serve(sizes.pop()).callbacks.append(again)
    began = time.process_time()
    while left[0] > 0:
        env.step()
    return (time.process_time() - began) / n_visits


def large(n_devices: int) -> str:
    """One run of a large fleet in this process: its speed and peak memory."""
    spec = system(n_devices, 2 * n_devices, sharing="ps")
    speed, _ = rate_rps(lambda: ours(spec))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    verdict = "holds" if peak < LARGE_MB else "MISSED"
    return (
        f"N = {n_devices:,}: {speed:,.0f} requests/s, peak memory {peak:,.0f} MB"
        f" (target < {LARGE_MB:,.0f} MB: {verdict})"
    )


def report(rows: list[tuple[str, int, float, float]]) -> None:
    """Print the engines with their ratios and whether the targets hold."""
    print(f"{'engine':<12}{'N':>8}{'requests/s':>14}{'ratio':>8}  target")
    for name, n_devices, speed, ratio in rows:
        wanted = ""
        if name == "ours":
            others = [s for peer, n, s, _ in rows if n == n_devices and peer in ("ciw", "salabim")]
            holds = ratio >= TARGETS[n_devices] and all(speed > other for other in others)
            ahead = ", ahead of ciw and salabim" if len(others) == 2 else ""
            wanted = f">= {TARGETS[n_devices]}{ahead}: {'holds' if holds else 'MISSED'}"
        print(f"{name:<12}{n_devices:>8,}{speed:>14,.0f}{ratio:>8.2f}  {wanted}")


def main() -> None:
    """Print all tables; `--devices` plays one large fleet alone, in this process."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--requests", type=int, default=40_000)
    given = parser.parse_args()
    if given.devices:
        print(large(given.devices))
        return
    worst = max(agree(system(n, 5000)) for n in SIZES)
    print(f"latencies of ours and idiomatic agree to {worst:.1e}")
    report(run(given.repeats, given.requests))
    print(f"\n{'transfers':<12}{'us/visit':>10}{'over the first':>16}  log n / log 10")
    costs = {n: float(np.median([sharing(n) for _ in range(given.repeats)])) for n in TRANSFERS}
    for n, cost_s in costs.items():
        grown = cost_s / costs[TRANSFERS[0]]
        print(f"{n:<12,}{1e6 * cost_s:>10.1f}{grown:>16.2f}  {np.log10(n):.0f}")
    print(flush=True)
    command = [sys.executable, "-m", "tests.bench.engine", "--devices", str(LARGE)]
    subprocess.run(command, check=True)  # a process of its own: its peak memory, not ours


if __name__ == "__main__":
    main()
