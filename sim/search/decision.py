"""The one protocol of all searches: `search(problem) -> Decision`."""

import math
from dataclasses import dataclass, field, replace
from typing import NamedTuple, Protocol

import numpy as np

from profiles.tables.split import Split
from sim.search.predict import Predicted, Predictor
from sim.search.problem import Problem


class Forecast(NamedTuple):
    """What is predicted for one group: the parts add up to `latency_s`."""

    latency_s: float
    device_s: float
    link_wait_s: float
    uplink_s: float
    server_wait_s: float
    service_s: float
    down_s: float
    memory_bytes: float
    drop_pp: float
    throughput_rps: float


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One option per group with its forecast; `evaluations` counts predictions of joint choices.

    Where the search found nothing that keeps all limits, `options` is None;
    `sim.search.relax.refusal` says why.
    """

    search: str
    problem: Problem = field(repr=False, compare=False)
    options: tuple[Split, ...] | None
    rows: tuple[int, ...] | None
    forecasts: tuple[Forecast, ...]
    server_s: float
    link_load: float
    server_load: float
    evaluations: int
    binding: str = ""

    @property
    def feasible(self) -> bool:
        """Whether it keeps every limit by prediction."""
        return self.options is not None


class Search(Protocol):
    """Chooses an option for every group of a problem."""

    def __call__(self, problem: Problem) -> Decision:
        """The decision, or one without options."""


def decide(name: str, predictor: Predictor, rows: tuple[int, ...] | None) -> Decision:
    """The decision for `rows` (one option per group), checked once more by the predictor.

    The check is not counted: the search has evaluated these rows before.
    """
    problem, evaluations = predictor.problem, predictor.evaluations
    predicted = predictor.predict(np.array([rows])) if rows is not None else None
    if predicted is None or rows is None or not predicted.feasible[0]:
        return Decision(
            search=name, problem=problem, options=None, rows=None, forecasts=(), server_s=np.nan,
            link_load=np.nan, server_load=np.nan, evaluations=evaluations,
        )  # fmt: skip
    labels = tuple(g.options.labels[row] for g, row in zip(problem.groups, rows, strict=True))
    return Decision(
        search=name,
        problem=problem,
        options=labels,
        rows=tuple(int(row) for row in rows),
        forecasts=tuple(_forecast(problem, predicted, g, row) for g, row in enumerate(rows)),
        server_s=float(predicted.server_s[0]),
        link_load=float(predicted.link_load[0]),
        server_load=float(predicted.server_load[0]),
        evaluations=evaluations,
        binding=_find_binding(predictor, predicted, rows),
    )


def _forecast(problem: Problem, predicted: Predicted, group: int, row: int) -> Forecast:
    options = problem.groups[group].options
    seconds = {
        name: float(getattr(predicted, name)[0, group])
        for name in ("latency_s", "device_s", "link_wait_s", "uplink_s", "server_wait_s",
                     "service_s", "down_s", "throughput_rps")
    }  # fmt: skip
    return Forecast(
        **seconds,
        memory_bytes=float(options.memory_bytes[row]),
        drop_pp=float(options.drop_pp[row]),
    )


def _find_binding(predictor: Predictor, predicted: Predicted, rows: tuple[int, ...]) -> str:
    """The limit that is used up most, with its share; that none binds where without limits no
    option would cost the server less.
    """
    problem = predictor.problem
    used: dict[str, float] = {}
    for g, (group, row) in enumerate(zip(problem.groups, rows, strict=True)):
        where = f"{group.name}." if len(problem.groups) > 1 else ""
        limits, options = group.limits, group.options
        used[f"{where}latency_s"] = predicted.allowed_s[0, g] / limits.latency_s
        used[f"{where}memory_bytes"] = options.memory_bytes[row] / limits.memory_bytes
        used[f"{where}drop_pp"] = (
            options.drop_pp[row] / limits.drop_pp if limits.drop_pp > 0.0 else 1.0
        )
    name = max(used, key=lambda key: used[key])
    words = f"{name} ({100 * used[name]:.0f} % used)"
    least_s = math.fsum(float(each.min()) for each in predictor.objective)
    return f"none, closest {words}" if predicted.server_s[0] <= least_s * (1.0 + 1e-9) else words


def runner_up(problem: Problem, chosen: Decision, search: Search) -> Decision:
    """What the search decides without its decision and those that cost the same in everything."""
    assert chosen.rows is not None
    group = problem.groups[0]
    options, row = group.options, chosen.rows[0]
    columns = (options.device_s, options.encode_s, options.payload_bytes, options.decode_s,
               options.server_s, options.memory_bytes)  # fmt: skip
    others = np.flatnonzero(np.any([column != column[row] for column in columns], axis=0))
    if not len(others):
        return replace(chosen, options=None, rows=None)
    rest = replace(group, options=options.take(others))
    second = search(replace(problem, groups=(rest,)))
    if second.rows is None:
        return second
    return replace(second, problem=problem, rows=(int(others[second.rows[0]]),))
