"""Workloads: generators that decide when a device makes its requests.

A workload is a function of (env, device) that yields pauses and calls `device.handle(...)`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from simpy import Environment, Event

from sim.spec import WorkloadSpec
from sim.streams import Stream

if TYPE_CHECKING:
    from sim.device import Device

Life = Generator[Event, object, None]


def closed_loop(env: Environment, device: Device, spec: WorkloadSpec, stream: Stream) -> Life:
    """Think, make one request, wait for its answer, again."""
    mean_s = spec.think_s
    constant = spec.think == "constant"
    while True:
        if mean_s > 0.0:
            yield env.timeout(mean_s if constant else stream.exponential(mean_s))
        began_s = env.now
        yield from device.handle()
        if mean_s == 0.0 and env.now == began_s:
            raise ValueError("workload.think_s must be > 0 for a request that takes no time, got 0")


def poisson(env: Environment, device: Device, spec: WorkloadSpec, stream: Stream) -> Life:
    """Exponential gaps; a request does not wait for the one before."""
    mean_s = 1.0 / spec.rate_rps
    while True:
        yield env.timeout(stream.exponential(mean_s))
        env.process(device.handle())


Workload = Callable[[Environment, "Device", WorkloadSpec, Stream], Life]

WORKLOADS: dict[str, Workload] = {"closed": closed_loop, "poisson": poisson}
