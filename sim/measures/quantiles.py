"""Quantile columns: the observations behind each of them, and its level."""

from collections.abc import Mapping, Sequence
from math import inf, nan
from typing import NamedTuple

import numpy as np

from sim.measures.meters import Book, Records, ages_s, select
from sim.request import DONE

_LATENCY = {
    "latency_p50_s": 0.5, "latency_p95_s": 0.95, "latency_p99_s": 0.99, "latency_p999_s": 0.999,
}  # fmt: skip


class Observed(NamedTuple):
    """The observations of one run whose quantile at `level` is a column; `known`: that quantile,
    where it has been computed; `of_answers`: that of what was answered alone.
    """

    values: np.ndarray
    level: float
    known: float | None = None
    of_answers: float = nan

    @property
    def quantile(self) -> float:
        """The column; NaN of nothing."""
        if self.known is not None:
            return self.known
        return _quantiles(self.values, [self.level])[0] if len(self.values) else nan


def observe_quantiles(book: Book, groups: Sequence[str]) -> Mapping[str, Observed]:
    """Every quantile column of what was answered in the window.

    Latencies of requests, those of every group where there are several, and the times per output
    token where there are sessions. What is still in flight counts as soon as it is older than the
    quantile of the answers: with its age, which is the least that it can still come to.
    """
    done, waiting = book.done, book.in_flight
    latency_s, age_s = ages_s(done), ages_s(waiting)
    quantiles = _observe_all(latency_s, age_s, _LATENCY)
    for number, name in enumerate(groups if len(groups) > 1 else ()):
        mine, theirs = done["group"] == number, waiting["group"] == number
        quantiles[f"latency_p95_s_{name}"] = _observe(latency_s[mine], age_s[theirs], 0.95)
    if book.has_sessions:
        tpot_s = later_tokens_s(
            select(book.steps, book.steps["outcome"] == DONE), book.begin.time_s
        )
        quantiles["tpot_p95_s"] = _observe(tpot_s, later_tokens_s(book.steps_in_flight), 0.95)
    return quantiles


def later_tokens_s(steps: Records, start_s: float = -inf) -> np.ndarray:
    """Ages of the tokens after the first of their session that left after `start_s`."""
    return ages_s(steps)[(steps["done_s"] > start_s) & (steps["tokens"] > 0)]


def _observe(known_s: np.ndarray, age_s: np.ndarray, level: float) -> Observed:
    """What was answered, and what is in flight for longer than the quantile of that."""
    return _observe_all(known_s, age_s, {"": level})[""]


def _observe_all(
    known_s: np.ndarray, age_s: np.ndarray, levels: Mapping[str, float]
) -> dict[str, Observed]:
    """The same at several levels, which are found in one pass."""
    if not len(known_s):
        return {name: Observed(age_s, level) for name, level in levels.items()}
    found = _quantiles(known_s, list(levels.values()))
    seen = {}
    for (name, level), quantile_s in zip(levels.items(), found, strict=True):
        older_s = age_s[age_s > quantile_s]
        seen[name] = (
            Observed(np.append(known_s, older_s), level, None, quantile_s)
            if len(older_s)
            else Observed(known_s, level, quantile_s, quantile_s)
        )
    return seen


def _quantiles(values: np.ndarray, levels: Sequence[float]) -> list[float]:
    from sim.statistics import quantiles  # its special functions cost time that import sim saves

    return quantiles(values, levels)
