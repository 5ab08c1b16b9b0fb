"""Parts of a search problem at random: choices, rates and limits that fit its options."""

from dataclasses import replace
from math import inf

import numpy as np

from sim.search.predict import Predictor
from sim.search.problem import Limits, Problem

_SAMPLED = 300


def draw_loaded(
    problem: Problem, rng: np.random.Generator, low: float, high: float
) -> np.ndarray | None:
    """A random joint choice that loads the busier of link and server by `low` to `high`."""
    groups = problem.groups
    choices = np.stack([rng.integers(len(g.options), size=400) for g in groups], axis=1)
    forecast = Predictor(problem).predict(choices)
    load = np.maximum(forecast.link_load, forecast.server_load)
    fits = np.flatnonzero((load >= low) & (load < high))
    return choices[fits[0]] if len(fits) else None


def draw_rates(problem: Problem, rng: np.random.Generator) -> Problem:
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


def draw_limits(problem: Problem, rng: np.random.Generator) -> Problem:
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


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """A number whose logarithm is uniform."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
