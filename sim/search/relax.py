"""What would have to give way where no option keeps all limits: the least relaxation of each."""

from dataclasses import replace
from math import inf
from typing import NamedTuple

import numpy as np

from sim.search import fleet
from sim.search.decision import Decision
from sim.search.predict import Predictor
from sim.search.problem import Group, Limits, Problem

_NAMES = ("latency_s", "drop_pp", "memory_bytes")
_MOST = 2.0**12
_CLOSE = 1.001


class Relaxation(NamedTuple):
    """A limit of a group, what it is, and the least value under which an option exists.

    Where one limit alone does not help, `also` holds the others that must move with it.
    """

    group: str
    limit: str
    value: float
    needed: float
    also: tuple[tuple[str, float], ...] = ()

    @property
    def factor(self) -> float:
        """Needed over given; infinite from zero."""
        return self.needed / self.value if self.value > 0.0 else inf

    def __str__(self) -> str:
        where = "" if self.group == "default" else f"{self.group}."
        words = f"{where}{self.limit} from {self.value:.4g} to {self.needed:.4g}"
        return " and ".join([words, *(f"{name} to {value:.4g}" for name, value in self.also)])


def refusal(decision: Decision) -> str:
    """One line: the constraint and the least relaxation; empty where there is a decision."""
    if decision.feasible:
        return ""
    ways = relaxations(decision.problem)
    if not ways:
        return f"{decision.search} found no option within the limits, though there is one"
    least, *rest = map(str, ways)
    also = f" (instead: {'; '.join(rest)})" if rest else ""
    return f"no option keeps all limits; least relaxation: {least}{also}"


def relaxations(problem: Problem) -> tuple[Relaxation, ...]:
    """Every single relaxation of one group's limit that makes that group feasible, least first.

    Each group is looked at as if it were alone with its own contention, the others at their
    lightest feasible options; a group that has an option is passed over. Where no single limit
    helps a group, the one pair of limits with the least larger factor is named.
    """
    predictor = Predictor(problem)
    ways: list[Relaxation] = []
    resting = [_lightest(predictor, g) for g in range(len(problem.groups))]
    for number, group in enumerate(problem.groups):
        needs = _needs(predictor, number, resting)
        given = np.array([getattr(group.limits, name) for name in _NAMES])
        if np.any(np.all(needs <= given, axis=1)):
            continue
        ways += _single(group, needs, given) or _pair(group, needs, given)
    if not ways:
        ways = _joint(problem)
    return tuple(sorted(ways, key=lambda one: one.factor))


def _needs(predictor: Predictor, number: int, resting: list[int]) -> np.ndarray:
    """What each option of a group needs of every limit, [option, limit]."""
    group = predictor.problem.groups[number]
    choices = np.tile(np.array(resting, dtype=np.int64), (len(group.options), 1))
    choices[:, number] = np.arange(len(group.options))
    seen = predictor.predict(choices)
    load = np.maximum(np.maximum(seen.link_load, seen.server_load), seen.device_load[:, number])
    latency_s = np.where(load < 1.0, seen.allowed_s[:, number], inf)
    return np.stack([latency_s, group.options.drop_pp, group.options.memory_bytes], axis=1)


def _lightest(predictor: Predictor, number: int) -> int:
    """The option of least link and server work; it leaves the others the most room."""
    demands = predictor.demands[number]
    return int(np.argmin(demands.step_air_s + demands.step_gpu_s))


def _single(group: Group, needs: np.ndarray, given: np.ndarray) -> list[Relaxation]:
    single = []
    for at, name in enumerate(_NAMES):
        others = np.delete(np.arange(len(_NAMES)), at)
        fits = np.all(needs[:, others] <= given[others], axis=1) & np.isfinite(needs[:, at])
        if fits.any():
            needed = float(needs[fits, at].min())
            single.append(Relaxation(group.name, name, float(given[at]), needed))
    return single


def _pair(group: Group, needs: np.ndarray, given: np.ndarray) -> list[Relaxation]:
    """The option whose worst excess is least, with everything that it needs."""
    with np.errstate(divide="ignore"):
        excess = np.where(needs > given, needs / np.maximum(given, 1e-12), 1.0).max(axis=1)
    best = int(np.argmin(excess))
    if not np.isfinite(excess[best]):
        return []
    over = [at for at in range(len(_NAMES)) if needs[best, at] > given[at]]
    first, *rest = over
    also = tuple((_NAMES[at], float(needs[best, at])) for at in rest)
    needed = float(needs[best, first])
    return [Relaxation(group.name, _NAMES[first], float(given[first]), needed, also)]


def _joint(problem: Problem) -> list[Relaxation]:
    """Groups that fit one by one but not together: the least common factor on all latencies."""
    if fleet.search(problem).feasible:
        return []
    low, high = 1.0, 2.0
    while not fleet.search(_slower(problem, high)).feasible:
        low, high = high, 2.0 * high
        if high > _MOST:
            return []
    while high / low > _CLOSE:
        middle = 0.5 * (low + high)
        fits = fleet.search(_slower(problem, middle)).feasible
        low, high = (low, middle) if fits else (middle, high)
    first, *rest = problem.groups
    also = tuple((f"{g.name}.latency_s", high * g.limits.latency_s) for g in rest)
    given = first.limits.latency_s
    return [Relaxation(first.name, "latency_s", given, high * given, also)]


def _slower(problem: Problem, factor: float) -> Problem:
    def wider(limits: Limits) -> Limits:
        return replace(limits, latency_s=factor * limits.latency_s)

    groups = tuple(replace(group, limits=wider(group.limits)) for group in problem.groups)
    return replace(problem, groups=groups)
