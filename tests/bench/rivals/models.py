"""One closed loop in four engines: splitfleet, idiomatic SimPy, ciw, salabim."""

from __future__ import annotations

import numpy as np
import simpy

import sim
from sim.measures.meters import Meter
from sim.request import DONE, Request
from sim.streams import Streams

SERVER_S, DEVICE_S, PAYLOAD_BYTES, ANSWER_BYTES = 0.002, 0.01, 1200.0, 100.0


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


def idiomatic(spec: sim.SystemSpec, drawn: sim.Source | None = None) -> Meter:
    """The model as SimPy's documentation would have it written: a Resource per server."""
    env = simpy.Environment()
    streams = Streams(spec.seed)
    meter = Meter(env)
    link, gpu = simpy.Resource(env), simpy.Resource(env)
    drawn = drawn or source()
    byte_s, half_rtt_s = 8.0 / spec.link.rate_bps, 0.5 * spec.link.rtt_s
    header_bytes, mtu_bytes = spec.link.header_bytes, spec.link.mtu_bytes

    def device(index: int):
        think, rows = streams.pauses(index), streams.rows(index)
        processor = simpy.Resource(env)
        while True:
            think.advance()
            rows.advance()
            yield env.timeout(think.exponential(spec.workload.think_s))
            draw = drawn.draw(rows)
            request = Request(index, 0, draw, env.now)
            meter.count_arrival(request)
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
            meter.count_departure(request, DONE)

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
