"""Goal: the figure of a system that must not exceed a limit, and what a run says about it.

Shapes: `late_s` [requests that left, or tokens]; `fractions` [runs].
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sim import Result
from sim.measures.meters import Book, Records, ages_s, are_answered, select, since
from sim.request import DONE
from sim.statistics import lower_quantiles

Floats = NDArray[np.float64]

MEANS = ("deadline_miss_share", "freshness_s", "latency_mean_s", "tpot_mean_s")
_QUANTILE = re.compile(r"(latency|ttft|tpot)_p(\d+)_s")
_CEILING = 3.0
_GAP = 2.0
_NONE: Floats = np.empty(0)


class Sample(NamedTuple):
    """One run: the sorted times for a quantile, a sum and its number of terms for a mean; and
    `slow_s`, the 95th percentile of its latencies, which tells in what regime it is.
    """

    late_s: Floats
    total: float
    n_terms: float
    slow_s: float = math.nan


@dataclass(frozen=True, kw_only=True)
class Goal:
    """`column` must stay at or below `limit` (seconds, or a share of the requests).

    A column is one of `MEANS` or a quantile such as `latency_p95_s`; the digits behind the p are
    those behind the point: p95 is 0.95, p999 is 0.999. Sessions have quantiles of the time to the
    first token (`ttft_p95_s`) and of the time per later token (`tpot_p95_s`, mean `tpot_mean_s`),
    and their latency is that of the whole session. What is dropped or cut short counts as
    infinitely late in a quantile: turning requests away does not serve more devices. What has
    waited longer than the limit when the run ends is late.

    Raises:
        ValueError: an unknown column, or a limit that is not above 0.
    """

    column: str
    limit: float

    def __post_init__(self) -> None:
        if self.column not in MEANS and not _QUANTILE.fullmatch(self.column):
            raise ValueError(
                f"goal must be one of {', '.join(MEANS)} or latency_p95_s, ttft_p95_s, tpot_p95_s"
                f" with the digits of any quantile, got {self.column!r}"
            )
        if not 0.0 < self.limit < math.inf:
            raise ValueError(f"limit of {self.column} must be above 0, got {self.limit}")

    @property
    def probability(self) -> float | None:
        """The quantile's, or None of a mean."""
        match = _QUANTILE.fullmatch(self.column)
        return float(f"0.{match[2]}") if match else None

    def sample(self, result: Result) -> Sample:
        """What one run says: everything that left in its window, and what is late in flight."""
        book, slow_s = result.book, result.value("latency_p95_s")
        if self.probability is not None:
            late_s = np.sort(self._times_s(book))
            return Sample(late_s, math.nan, float(late_s.size), slow_s)
        if self.column.endswith("_mean_s"):
            late_s = self._times_s(book)
            late_s = late_s[np.isfinite(late_s)]
            return Sample(_NONE, float(late_s.sum()), float(late_s.size), slow_s)
        value, count = result.value(self.column), 1.0
        if self.column == "deadline_miss_share":
            count = float(len(book.gone["done_s"]) + len(book.in_flight["done_s"]))
        if math.isnan(value):
            return Sample(_NONE, 0.0, 0.0, slow_s)
        return Sample(_NONE, value * count, count, slow_s)

    def _times_s(self, book: Book) -> Floats:
        """What the figure is of: infinite for all that was dropped or cut short, its age for what
        has waited longer than the limit when the run ends.

        Approximation: a dropped session has lost as many later tokens as the others have on
        average, one that was cut short those that it lacks of them.
        """
        gone = book.gone
        if self.column.startswith("latency"):
            late_s = np.where(are_answered(gone), ages_s(gone), np.inf)
            return self._append_overdue(late_s, book.in_flight)
        made = since(select(book.steps, book.steps["outcome"] == DONE), book.begin.time_s)
        first = made["tokens"] == 0
        if self.column.startswith("ttft"):
            n_lost = np.count_nonzero((gone["tokens"] == 0) & (gone["outcome"] != DONE))
            late_s = np.append(ages_s(made)[first], np.full(n_lost, np.inf))
            return self._append_overdue(late_s, book.in_flight, book.in_flight["tokens"] == 0)
        late_s = np.append(ages_s(made)[~first], np.full(_count_lost_tokens(gone), np.inf))
        waiting = book.steps_in_flight
        return self._append_overdue(late_s, waiting, waiting["tokens"] > 0)

    def _append_overdue(
        self, late_s: Floats, in_flight: Records, chosen: NDArray[np.bool_] | None = None
    ) -> Floats:
        """With the ages of what has waited longer than the limit: at least so late it will be."""
        age_s = ages_s(in_flight if chosen is None else select(in_flight, chosen))
        return np.append(late_s, age_s[age_s > self.limit])

    def figure(self, samples: Sequence[Sample]) -> float:
        """The figure of all runs pooled; infinite where too much got no answer, NaN without any."""
        count = np.array([sample.n_terms for sample in samples])
        if not count.sum():
            return math.nan
        if self.probability is not None:
            return self._quantile(samples, count, self.probability)[0]
        return math.fsum(sample.total for sample in samples) / float(count.sum())

    def excess(self, samples: Sequence[Sample]) -> Floats:
        """How far the system lies above the limit, one value per run; their mean is the answer.

        The figure is that of all runs pooled, so that its bias is that of the whole sample and
        not of one run: for a quantile Q the values are log(Q / limit) + (R / n) Q'(p) / Q
        (above_r - (1 - p) n_r), where run r has `above_r` of its n_r requests above Q (Bahadur
        1966; the infinitesimal jackknife over runs), for a mean the ratio estimator's likewise.
        The logarithm makes a latency near saturation, about c / (N0 - N), close to a line in N;
        a share has none: it may be 0.
        Approximation: an excess beyond +-3 (a factor of 20) is cut off; infinite if nothing left.
        """
        pooled = self.figure(samples)
        if math.isnan(pooled):
            return np.full(len(samples), math.inf)
        count = np.array([sample.n_terms for sample in samples])
        if self.probability is not None:
            _, parts = self._quantile(samples, count, self.probability)
        else:
            parts = np.array([sample.total for sample in samples]) - pooled * count
        parts = parts * (len(samples) / count.sum())
        if self.column == "deadline_miss_share":
            shares: Floats = (pooled + parts) / self.limit - 1.0
            return shares
        if not 0.0 < pooled < math.inf:
            return np.full(len(samples), math.copysign(_CEILING, pooled - self.limit))
        centre = min(_CEILING, max(-_CEILING, math.log(pooled / self.limit)))
        logs: Floats = centre + parts / pooled
        return logs

    @staticmethod
    def count_apart(samples: Sequence[Sample]) -> int:
        """Runs that lie beyond a gap of a factor of two in the latency, 0 without such a gap.

        A system with two regimes (a shared channel that collapses once too many stations wait)
        has one: which regime a run is in is chance, and the longer it is the likelier the worse.
        The 95th percentile tells, whatever is limited: a small share of missed deadlines, or a
        quantile of a few requests, doubles by chance from run to run.
        """
        from_s = Goal.find_gap_s(samples)
        return sum(sample.slow_s > from_s for sample in samples)

    @staticmethod
    def find_gap_s(samples: Sequence[Sample]) -> float:
        """The 95th percentile beyond which runs lie apart; infinite without a gap."""
        slow_s = np.sort([sample.slow_s for sample in samples if sample.slow_s > 0.0])
        wide = np.flatnonzero(slow_s[1:] > _GAP * slow_s[:-1])
        return float(slow_s[wide[0]]) if wide.size else math.inf

    def move(self, figure: float, excess: float) -> float:
        """The figure with so much more excess."""
        if self.column == "deadline_miss_share":
            return figure + self.limit * excess
        return figure * math.exp(excess)

    def _quantile(self, samples: Sequence[Sample], count: Floats, p: float) -> tuple[float, Floats]:
        """The pooled quantile, and by how much every run's requests pull it, times n."""
        n = int(count.sum())
        reach = max(0.2 * (1.0 - p), min(0.5 * (1.0 - p), 2.0 / math.sqrt(n)))
        runs = [sample.late_s for sample in samples]
        below = min(reach, p)
        low, at, high = lower_quantiles(runs, (p - below, p, p + reach))
        if not math.isfinite(at):
            return math.inf, np.zeros(len(samples))
        high = high if math.isfinite(high) else at + (at - low)
        slope_s = float(high - low) / (below + reach)
        above = np.array([s.late_s.size - np.searchsorted(s.late_s, at) for s in samples])
        pull = above - (1.0 - p) * count
        return float(at), slope_s * (pull - count * (pull.sum() / count.sum()))

    def __str__(self) -> str:
        return f"{self.column} <= {self.limit:g}"


def _count_lost_tokens(gone: Records) -> int:
    """Later tokens that sessions lack which were dropped or cut short."""
    answered = are_answered(gone)
    tokens = gone["tokens"]
    if not answered.any():
        return int(np.count_nonzero(~answered))
    each = float(np.mean(tokens[answered]))
    lacking = np.maximum(0.0, each - np.maximum(1.0, tokens[~answered]))
    return math.ceil(float(np.sum(lacking)))
