"""Random search problems on stored tables: fleets, links, loads and limits, one per number.

Drawn log-uniform unless said otherwise: device 2-60 times slower than the measuring machine,
server 0.5-4 times as fast, link 2-86 Mb/s, 1-16 devices per group, pauses of 0.05-1 s or
(single-shot) Poisson rates that load the busier of link and server by 10-90 %. The latency limit
is 0.95-1.2 times what one of the faster half of 300 random choices takes, so that problems without
an option occur.
"""

from dataclasses import replace
from math import inf
from typing import NamedTuple

import numpy as np

from profiles.tables.hardware import DeviceSpec, ServerSpec
from profiles.tables.split import Split
from scenarios.searching.options import Tables
from sim.search import Group, Limits, Predictor, Problem
from sim.sources.source import Source
from sim.specs import LinkSpec
from sim.specs import ServerSpec as Serving
from sim.validation.playback import counts

_LENGTHS = (8, 16, 24, 32)
_SUBSET = {1: None, 2: 100, 3: 30}
_GROUPS = (1, 1, 1, 2, 2, 3)
_SAMPLED = 300


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
    return free._replace(problem=_limited(free.problem, rng))


def loaded(drawn: Drawn, rng: np.random.Generator, low: float, high: float) -> np.ndarray | None:
    """A random joint choice that loads the busier of link and server by `low` to `high`."""
    groups = drawn.problem.groups
    choices = np.stack([rng.integers(len(g.options), size=400) for g in groups], axis=1)
    found = Predictor(drawn.problem).predict(choices)
    load = np.maximum(found.link_load, found.server_load)
    fits = np.flatnonzero((load >= low) & (load < high))
    return choices[fits[0]] if len(fits) else None


def _without_limits(known: Tables, rng: np.random.Generator, allowance: float) -> Drawn:
    n_groups = min(int(rng.choice(_GROUPS)), 2 if known.speaks else 3)
    shares = tuple(float(rng.integers(1, 17)) for _ in range(n_groups))
    numbers = counts(int(sum(shares)), shares)
    devices = tuple(_device(g, _log_uniform(rng, 2.0, 60.0)) for g in range(n_groups))
    server = ServerSpec(name="measured", title="the measured CPU, one thread")
    rate_bps = _log_uniform(rng, 2e6, 86e6)
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
        think_s = _log_uniform(rng, 0.05, 1.0)
        groups.append(
            Group(options=options, rate_bps=rate_bps, n_devices=max(1, number), name=f"g{g}",
                  think_s=think_s if closed else None, rate_rps=None if closed else 1.0)
        )  # fmt: skip
    problem = Problem(
        groups=tuple(groups), link=link, allowance=allowance,
        server=Serving(speed=_log_uniform(rng, 0.5, 4.0)),
    )  # fmt: skip
    found = Drawn(problem, shares, devices, server)
    return found if closed else found._replace(problem=_paced(problem, rng))


def _paced(problem: Problem, rng: np.random.Generator) -> Problem:
    """Poisson rates, groups alike, at which a random choice loads link or server by 10-90 %."""
    target = rng.uniform(0.1, 0.9)
    predictor = Predictor(problem)
    rows = [int(rng.integers(len(g.options))) for g in problem.groups]
    n = np.array([g.n_devices for g in problem.groups])
    demands = [(d.step_air_s[r], d.step_gpu_s[r] / problem.server.n_gpus)
               for d, r in zip(predictor.demands, rows, strict=True)]  # fmt: skip
    per_rate = max((n @ np.array(demands)).max(), 1e-6)
    processors = [float(np.median(d.processor_s)) for d in predictor.demands]
    rate = min(target / per_rate, target / max(processors))
    groups = tuple(replace(group, rate_rps=float(rate)) for group in problem.groups)
    return replace(problem, groups=groups)


def _limited(problem: Problem, rng: np.random.Generator) -> Problem:
    """The problem with limits on latency, accuracy and (half of the time) memory."""
    drop_pp = float(rng.choice((2.0, 3.0, 5.0)))
    tight = rng.random() < 0.5
    limits = [
        Limits(
            drop_pp=drop_pp,
            memory_bytes=float(np.quantile(g.options.memory_bytes, rng.uniform(0.2, 1.0)))
            if tight
            else inf,
        )
        for g in problem.groups
    ]
    allowed = [
        np.flatnonzero((g.options.drop_pp <= one.drop_pp)
                       & (g.options.memory_bytes <= one.memory_bytes))
        for g, one in zip(problem.groups, limits, strict=True)
    ]  # fmt: skip
    choices = np.stack([rng.choice(rows, size=_SAMPLED) for rows in allowed], axis=1)
    latency_s = Predictor(problem).predict(choices).latency_s
    order = np.argsort(latency_s.sum(axis=1), kind="stable")
    order = order[np.isfinite(latency_s[order].sum(axis=1))]
    if len(order):
        kept_s = latency_s[order[int(rng.uniform(0.0, 0.5) * len(order))]]
    else:  # every choice sampled overloads something
        alone = [Predictor(problem).alone(g)[rows].min() for g, rows in enumerate(allowed)]
        kept_s = 3.0 * np.array(alone)
    kept_s = kept_s * rng.uniform(0.95, 1.2)
    groups = tuple(
        replace(g, limits=replace(one, latency_s=float(limit_s)))
        for g, one, limit_s in zip(problem.groups, limits, kept_s, strict=True)
    )
    return replace(problem, groups=groups)


def _device(number: int, slowdown: float) -> DeviceSpec:
    return DeviceSpec(
        name=f"drawn{number}", title="drawn at random", slowdown=slowdown,
        sources={"slowdown": "drawn at random"},
    )  # fmt: skip


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
