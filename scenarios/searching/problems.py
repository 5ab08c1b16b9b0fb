"""Random search problems on stored tables: fleets, links, loads and limits, one per number.

Drawn log-uniform unless said otherwise: device 2-60 times slower than the measuring machine,
server 0.5-4 times as fast, link 2-86 Mb/s, 1-16 devices per group, pauses of 0.05-1 s or
(single-shot) Poisson rates that load the busier of link and server by 10-90 %. The latency limit
is 0.95-1.2 times what one of the faster half of 300 random choices takes, so that problems without
an option occur.
"""

from typing import NamedTuple

import numpy as np

from profiles.tables.hardware import DeviceSpec, ServerSpec, parse
from profiles.tables.split import Split
from scenarios.searching.options import Tables
from sim.search import Group, Problem
from sim.search.drawing import draw_limits, draw_rates, log_uniform
from sim.sources.source import Source
from sim.specs import LinkSpec
from sim.specs import ServerSpec as Serving
from sim.validation.playback import counts

_LENGTHS = (8, 16, 24, 32)
_SUBSET = {1: None, 2: 100, 3: 30}
_GROUPS = (1, 1, 1, 2, 2, 3)


class Drawn(NamedTuple):
    """A problem, the shares its groups' numbers were dealt from, and the data sheets."""

    problem: Problem
    shares: tuple[float, ...]
    devices: tuple[DeviceSpec, ...]
    server: ServerSpec

    def source(self, known: Tables, group: int, option: Split) -> Source:
        """What the simulator plays for an option of a group."""
        return known.source(option, self.devices[group], self.server)


def draw(known: Tables, rng: np.random.Generator, allowance: float) -> Drawn:
    """One random problem with its limits."""
    free = _without_limits(known, rng, allowance)
    return free._replace(problem=draw_limits(free.problem, rng))


def _without_limits(known: Tables, rng: np.random.Generator, allowance: float) -> Drawn:
    n_groups = min(int(rng.choice(_GROUPS)), 2 if known.speaks else 3)
    shares = tuple(float(rng.integers(1, 17)) for _ in range(n_groups))
    numbers = counts(int(sum(shares)), shares)
    drawn = {"title": "drawn at random", "sources": {"slowdown": "drawn at random"}}
    devices = tuple(
        parse(DeviceSpec, {"name": f"drawn{g}", "slowdown": log_uniform(rng, 2.0, 60.0), **drawn})
        for g in range(n_groups)
    )
    server = ServerSpec(name="xeon", title="the measured CPU, one thread")
    rate_bps = log_uniform(rng, 2e6, 86e6)
    link = LinkSpec(
        sharing=str(rng.choice(("wifi", "ps"))), rate_bps=rate_bps, mtu_bytes=1400,
        header_bytes=66, frame_airtime_s=32.1e-6, rtt_s=2e-3,
    )  # fmt: skip
    closed = known.speaks or rng.random() < 0.5
    groups = []
    for g, (number, device) in enumerate(zip(numbers, devices, strict=True)):
        options = known.options(device, server, _LENGTHS)
        size = _SUBSET[n_groups]
        if size is not None:
            options = options.take(np.sort(rng.choice(len(options), size, replace=False)))
        think_s = log_uniform(rng, 0.05, 1.0)
        groups.append(
            Group(options=options, rate_bps=rate_bps, n_devices=max(1, number), name=f"g{g}",
                  think_s=think_s if closed else None, rate_rps=None if closed else 1.0)
        )  # fmt: skip
    problem = Problem(
        groups=tuple(groups), link=link, allowance=allowance,
        server=Serving(speed=log_uniform(rng, 0.5, 4.0)),
    )  # fmt: skip
    free = Drawn(problem, shares, devices, server)
    return free if closed else free._replace(problem=draw_rates(problem, rng))
