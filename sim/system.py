"""build(spec) makes the model, run(spec) plays it once, replicate(spec) plays it many times."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from math import nan

from simpy import Environment

from sim.device import Device
from sim.link import Link
from sim.meters import Meter, Snapshot, checks, measure
from sim.result import Estimate, Result
from sim.server import Server
from sim.source import Source
from sim.spec import GroupSpec, SystemSpec
from sim.streams import Streams
from sim.workload import WORKLOADS

_GOLDEN = (math.sqrt(5.0) - 1.0) / 2.0
DEFAULT_GROUP = "default"


@dataclass(frozen=True, kw_only=True)
class System:
    """A model that is ready to run."""

    spec: SystemSpec
    env: Environment
    link: Link
    server: Server
    devices: tuple[Device, ...]
    meter: Meter

    def snapshot(self) -> Snapshot:
        """All counters at this instant."""
        busy_s = [device.processor.busy_s() for device in self.devices]
        return Snapshot(
            time_s=self.env.now,
            n_arrived=self.meter.n_arrived,
            n_left=self.meter.n_left,
            arrival_sum_s=self.meter.arrival_sum_s,
            server_busy_s=self.server.gpu.busy_s(),
            link_busy_s=self.link.medium.busy_s(),
            device_busy_s=math.fsum(busy_s) / len(busy_s),
            device0_busy_s=busy_s[0],
        )


def group_of(index: int, shares: tuple[float, ...]) -> int:
    """Which group device `index` belongs to: low-discrepancy, whatever the fleet's size.

    The fractional part of index / golden ratio runs through [0, 1) evenly (Weyl); device 0 always
    falls into the first group.
    """
    place = (index * _GOLDEN) % 1.0 * math.fsum(shares)
    for group, share in enumerate(shares):
        place -= share
        if place < 0.0:
            return group
    return len(shares) - 1


def build(spec: SystemSpec, sources: Mapping[str, Source], replication: int = 0) -> System:
    """The model of `spec`, with its processes started and the clock at 0.

    Raises:
        ValueError: a group whose source is not among `sources`.
    """
    env = Environment()
    streams = Streams(spec.seed, replication)
    groups = spec.fleet.groups or {DEFAULT_GROUP: GroupSpec()}
    chosen = [_source(name, group, sources) for name, group in groups.items()]
    shares = tuple(group.share for group in groups.values())
    specs = tuple(groups.values())
    link, server = Link(env, spec.link), Server(env, spec.server)
    meter = Meter(env, target=spec.workload.requests)
    devices = []
    for index in range(spec.fleet.n_devices):
        group = group_of(index, shares)
        device = Device(
            env,
            index=index,
            group=group,
            slowdown=specs[group].slowdown,
            source=chosen[group],
            rows=streams.stream("rows", index),
            link=link,
            server=server,
            meter=meter,
        )
        workload = specs[group].workload or spec.workload
        life = WORKLOADS[workload.kind](env, device, workload, streams.stream("arrivals", index))
        env.process(life)
        devices.append(device)
    return System(spec=spec, env=env, link=link, server=server, devices=tuple(devices), meter=meter)


def _source(name: str, group: GroupSpec, sources: Mapping[str, Source]) -> Source:
    wanted = group.source or name
    if wanted not in sources:
        raise ValueError(f"group {name!r} needs source {wanted!r}, got {', '.join(sources)}")
    return sources[wanted]


def run(spec: SystemSpec, sources: Mapping[str, Source], *, replication: int = 0) -> Result:
    """One run. Its estimates are points without intervals; its records are kept."""
    system = build(spec, sources, replication)
    env, meter = system.env, system.meter
    terminating = spec.workload.requests is not None
    begin = system.snapshot()
    if terminating:
        env.run(until=meter.target_reached)
    else:
        if spec.warmup_s > 0.0:
            env.run(until=spec.warmup_s)
            begin = system.snapshot()
        env.run(until=spec.horizon_s)
    end = system.snapshot()
    records = meter.records()
    values = measure(records, begin, end)
    values["device_time_s"] = meter.target_s if terminating else nan
    laws = checks(records, values, begin, end, len(meter.open))
    estimates = {name: Estimate(mean=value) for name, value in values.items()}
    return Result(spec=spec, estimates=estimates, checks=laws, records=records)
