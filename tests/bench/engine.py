"""Simulated requests per CPU second against an idiomatic `simpy.Resource` model, ciw and salabim.

One system for all: N devices in a closed loop (exponential think time, head and encode, FIFO
uplink, decode and tail on one GPU, answer), loaded to four fifths of the server. The idiomatic
model uses the same streams, sources, request objects and meter as ours, and the latencies of both
are compared before any time is reported. ciw and salabim lack the meter and the round trip; they
play the bare network of queues.
"""

from __future__ import annotations

import argparse
import gc
import importlib.util
import resource
import time
from collections.abc import Callable

import numpy as np
import simpy

import sim
from sim.meters import Meter
from sim.request import DONE, Request
from sim.streams import Streams

SERVER_S, DEVICE_S, PAYLOAD_BYTES, ANSWER_BYTES = 0.002, 0.01, 1200.0, 100.0
SIZES = (10, 1000, 10_000)


def system(n_devices: int, n_requests: int, sharing: str = "fifo") -> sim.SystemSpec:
    """The system at `n_devices`, long enough for about `n_requests`."""
    rate_rps = 0.8 / SERVER_S
    cycle_s = n_devices / rate_rps
    return sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n_devices),
        workload=sim.WorkloadSpec(think_s=max(1e-3, cycle_s - 0.02)),
        link=sim.LinkSpec(sharing=sharing, rate_bps=50e6, rtt_s=0.004),
        horizon_s=n_requests / rate_rps,
        warmup_s=0.0,
    )


def source() -> sim.RandomSource:
    """Exponential tails, constant payloads."""
    return sim.RandomSource(
        device_s=DEVICE_S,
        payload_bytes=lambda stream: PAYLOAD_BYTES,
        server_s=lambda stream: stream.exponential(SERVER_S),
    )


def idiomatic(spec: sim.SystemSpec) -> Meter:
    """The model as SimPy's documentation would have it written: a Resource per server."""
    env = simpy.Environment()
    streams = Streams(spec.seed)
    meter = Meter(env)
    link, gpu = simpy.Resource(env), simpy.Resource(env)
    drawn = source()
    byte_s, half_rtt_s = 8.0 / spec.link.rate_bps, 0.5 * spec.link.rtt_s
    header_bytes, mtu_bytes = spec.link.header_bytes, spec.link.mtu_bytes

    def device(index: int):
        think, rows = streams.stream("arrivals", index), streams.stream("rows", index)
        processor = simpy.Resource(env)
        while True:
            yield env.timeout(think.exponential(spec.workload.think_s))
            draw = drawn.draw(rows)
            request = Request(index, 0, draw, env.now)
            meter.arrived(request)
            with processor.request() as turn:
                yield turn
                request.device_start_s = env.now
                yield env.timeout(draw.device_s)
            yield env.timeout(half_rtt_s)
            request.device_end_s = env.now
            with link.request() as turn:
                yield turn
                request.link_start_s = env.now
                frames = -(-draw.payload_bytes // mtu_bytes)
                request.air_bytes = draw.payload_bytes + frames * header_bytes
                request.airtime_s = request.air_bytes * byte_s
                yield env.timeout(request.airtime_s)
                request.link_end_s = env.now
            with gpu.request() as turn:
                yield turn
                request.server_start_s = env.now
                request.server_share_s = draw.decode_s + draw.server_s
                yield env.timeout(request.server_share_s)
                request.server_end_s = env.now
            yield env.timeout(half_rtt_s)
            meter.left(request, DONE)

    for index in range(spec.fleet.n_devices):
        env.process(device(index))
    env.run(until=spec.horizon_s)
    return meter


def ours(spec: sim.SystemSpec) -> Meter:
    """The default path of every command, up to the records."""
    built = sim.build(spec, {"default": source()})
    built.env.run(until=spec.horizon_s)
    return built.meter


def with_ciw(spec: sim.SystemSpec) -> int:
    """The same queues in ciw; its think, device and propagation times are infinite servers."""
    import ciw

    n, inf = spec.fleet.n_devices, float("inf")
    constant, exponential = ciw.dists.Deterministic, ciw.dists.Exponential
    airtime_s = 8.0 * (PAYLOAD_BYTES + spec.link.header_bytes) / spec.link.rate_bps
    services = [
        exponential(rate=1.0 / spec.workload.think_s),
        constant(value=DEVICE_S + 0.002),
        constant(value=airtime_s),
        exponential(rate=1.0 / SERVER_S),
        constant(value=0.002),
    ]
    ring = [[1.0 if j == (i + 1) % 5 else 0.0 for j in range(5)] for i in range(5)]
    network = ciw.create_network(
        arrival_distributions=[
            ciw.dists.Sequential(sequence=[0.0, inf]) if i == 0 else None for i in range(5)
        ],
        batching_distributions=[
            ciw.dists.Deterministic(value=n if i == 0 else 1) for i in range(5)
        ],
        service_distributions=services,
        number_of_servers=[inf, inf, 1, 1, inf],
        routing=ring,
    )
    simulation = ciw.Simulation(network)
    simulation.simulate_until_max_time(spec.horizon_s)
    return sum(record.node == 5 for record in simulation.get_all_records())


def with_salabim(spec: sim.SystemSpec) -> int:
    """The same queues in salabim, without yields."""
    import salabim

    salabim.yieldless(True)
    env = salabim.Environment(trace=False, random_seed=1)
    link, gpu = salabim.Resource("link"), salabim.Resource("gpu")
    for monitored in (link, gpu):
        for monitor in (monitored.requesters().length, monitored.claimers().length):
            monitor.monitor(False)
    done = [0]
    airtime_s = 8.0 * (PAYLOAD_BYTES + spec.link.header_bytes) / spec.link.rate_bps
    random = np.random.default_rng(1)

    class Device(salabim.Component):
        def process(self) -> None:
            while True:
                self.hold(random.exponential(spec.workload.think_s) + DEVICE_S + 0.002)
                self.request(link)
                self.hold(airtime_s)
                self.release(link)
                self.request(gpu)
                self.hold(random.exponential(SERVER_S))
                self.release(gpu)
                self.hold(0.002)
                done[0] += 1

    for _ in range(spec.fleet.n_devices):
        Device()
    env.run(till=spec.horizon_s)
    return done[0]


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
    """(engine, N, requests per CPU second, ratio to idiomatic), medians of interleaved repeats."""
    rows: list[tuple[str, int, float, float]] = []
    engines: dict[str, Callable[[sim.SystemSpec], Meter | int]] = {
        "idiomatic": idiomatic,
        "ours": ours,
    }
    peers = {"ciw": with_ciw, "salabim": with_salabim}
    engines |= {name: play for name, play in peers.items() if importlib.util.find_spec(name)}
    for n_devices in SIZES:
        spec = system(n_devices, n_requests)
        speeds: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(repeats):
            for name, play in engines.items():
                shorter = (
                    spec if name in ("ours", "idiomatic") else system(n_devices, n_requests // 8)
                )
                speeds[name].append(rate_rps(lambda play=play, spec=shorter: play(spec))[0])
        base = float(np.median(speeds["idiomatic"]))
        for name, values in speeds.items():
            speed = float(np.median(values))
            rows.append((name, n_devices, speed, speed / base))
    return rows


def main() -> None:
    """Print the table; `--devices` plays one large fleet and prints its peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    if given.devices:
        speed, _ = rate_rps(lambda: ours(system(given.devices, 2 * given.devices)))
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"N = {given.devices}: {speed:,.0f} requests/s, peak memory {peak:,.0f} MB")
        return
    worst = max(agree(system(n, 5000)) for n in SIZES)
    print(f"latencies of ours and idiomatic agree to {worst:.1e}")
    print(f"{'engine':<12}{'N':>8}{'requests/s':>14}{'ratio':>8}")
    for name, n_devices, speed, ratio in run(given.repeats):
        print(f"{name:<12}{n_devices:>8,}{speed:>14,.0f}{ratio:>8.2f}")


if __name__ == "__main__":
    main()
