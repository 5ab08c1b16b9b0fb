"""What a codec costs in answers: accuracy drops, paired per sample, with an interval."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtrit

from profiles.tables.trace import TraceTable


class Interval(NamedTuple):
    """Estimate and the ends of its interval, in fractions."""

    mean: float
    lo: float
    hi: float

    def columns(self, name: str, factor: float = 1.0) -> dict[str, float]:
        """The estimate and its ends as columns of a row."""
        ends = zip(("", "_lo", "_hi"), self, strict=True)
        return {f"{name}{end}": factor * value for end, value in ends}


@dataclass(frozen=True, kw_only=True)
class Drop:
    """How much accuracy is lost at one cut and setting against no codec at all.

    `n_lost` samples were right without the codec and wrong with it, `n_gained` the reverse.
    """

    cut: str
    setting: str
    n: int
    accuracy: float
    n_lost: int
    n_gained: int
    drop: Interval

    @property
    def width(self) -> float:
        """Length of the interval, as a fraction."""
        return self.drop.hi - self.drop.lo


def drop_interval(n: int, n_lost: int, n_gained: int, level: float = 0.95) -> Interval:
    """The paired drop (n_lost - n_gained) / n with Bonett and Price's adjusted Wald interval.

    One sample is added to either kind of discordant pair, so that the interval keeps its coverage
    when few pairs or none differ (Bonett and Price, Psychological Methods 17(4), 2012).
    """
    if not 0 <= n_lost + n_gained <= n or n < 1:
        raise ValueError(f"lost + gained must lie in 0..{n}, got {n_lost} + {n_gained}")
    lost, gained = (n_lost + 1) / (n + 2), (n_gained + 1) / (n + 2)
    spread = math.sqrt((lost + gained - (lost - gained) ** 2) / (n + 2))
    reach = NormalDist().inv_cdf((1 + level) / 2) * spread
    centre = lost - gained
    mean = (n_lost - n_gained) / n
    return Interval(mean, max(-1.0, centre - reach), min(1.0, centre + reach))


def paired_drop(whole: np.ndarray, right: np.ndarray, level: float = 0.95) -> Interval:
    """The drop from the answers `whole` to those of the same samples that are now `right`.

    Of scores that are no mere right or wrong (an intersection over union): the mean difference with
    Student's interval.
    """
    if not (_is_binary(whole) and _is_binary(right)):
        return _mean(whole - right, level)
    lost, gained = int((whole > right).sum()), int((whole < right).sum())
    return drop_interval(len(right), lost, gained, level)


def share(right: np.ndarray) -> Interval:
    """Share of ones with Wilson's 95 % interval; of scores their mean with Student's."""
    if not _is_binary(right):
        return _mean(right, 0.95)
    low, high = wilson(int(right.sum()), len(right), 0.95)
    return Interval(int(right.sum()) / len(right), low, high)


def wilson(hits: int, n: int, level: float) -> tuple[float, float]:
    """Wilson's interval of a share, 1927, without correction for continuity (scipy.stats has it as
    well, but takes half a second to import).
    """
    z, p = float(ndtri(0.5 + 0.5 * level)), hits / n
    whole = 2.0 * (n + z * z)
    centre = (2.0 * n * p + z * z) / whole
    reach = z / whole * math.sqrt(4.0 * n * p * (1.0 - p) + z * z)
    return (centre - reach if hits else 0.0), (centre + reach if hits < n else 1.0)


def _is_binary(scores: np.ndarray) -> bool:
    return bool(np.isin(scores, (0.0, 1.0)).all())


def _mean(values: np.ndarray, level: float) -> Interval:
    """Mean with Student's interval; unbounded for a single value."""
    n, mean = len(values), float(values.mean())
    if n < 2:
        return Interval(mean, -math.inf, math.inf)
    reach = float(stdtrit(n - 1, (1 + level) / 2) * values.std(ddof=1)) / math.sqrt(n)
    return Interval(mean, mean - reach, mean + reach)


def merge(first: Drop, second: Drop) -> Drop:
    """The drop over the samples of both, which must not overlap."""
    n, n_lost = first.n + second.n, first.n_lost + second.n_lost
    n_gained = first.n_gained + second.n_gained
    right = first.accuracy * first.n + second.accuracy * second.n
    return replace(
        first,
        n=n,
        accuracy=right / n,
        n_lost=n_lost,
        n_gained=n_gained,
        drop=drop_interval(n, n_lost, n_gained),
    )


def drops(table: TraceTable) -> list[Drop]:
    """The drop at every cut and setting that was traced, except "output".

    Raises:
        ValueError: the table has no column "output" to pair with, or no answers (random weights).
    """
    whole = table.cell("correct", "output", table.settings[0])
    if np.isnan(whole).any():
        raise ValueError(f"trace of {table.model} knows no right answers: its weights are random")
    pairs = [(cut, setting) for cut in table.cuts for setting in table.settings]
    return [
        _drop(table, whole, cut, setting)
        for cut, setting in pairs
        if cut != "output" and table.exists(cut, setting)
    ]


def table_of(drops: Sequence[Drop]) -> str:
    """A Markdown table, percentage points with two decimals."""
    lines = [
        "| cut | setting | n | accuracy % | drop pp | 95 % interval |",
        "|---|---|---|---|---|---|",
    ]
    for d in drops:
        mean, lo, hi = (100 * value for value in d.drop)
        lines.append(
            f"| {d.cut} | {d.setting} | {d.n:,} | {100 * d.accuracy:.2f} | {mean:.2f}"
            f" | {lo:.2f} .. {hi:.2f} |"
        )
    return "\n".join(lines) + "\n"


def concatenate(tables: Sequence[TraceTable]) -> TraceTable:
    """The rows of several tables of one model, such as the folds of a cross-fitting.

    Raises:
        ValueError: cuts, settings or columns differ, or a sample stands in two of them.
    """
    first = tables[0]
    for other in tables[1:]:
        for name in ("model", "cuts", "settings", "schema", "axes"):
            if getattr(other, name) != getattr(first, name):
                raise ValueError(f"tables of {first.model} differ in their {name}")
    columns = {
        name: np.concatenate([table.columns[name] for table in tables])
        for name, column in first.schema.items()
        if "sample" in column.dims
    }
    digests = "+".join(str(table.provenance["model_digest"]) for table in tables)
    return replace(
        first,
        sample_ids=np.concatenate([table.sample_ids for table in tables]),
        columns={**first.columns, **columns},
        provenance={**first.provenance, "model_digest": digests},
    )


def _drop(table: TraceTable, whole: np.ndarray, cut: str, setting: str) -> Drop:
    right = table.cell("correct", cut, setting)
    n_lost, n_gained = int((whole > right).sum()), int((whole < right).sum())
    return Drop(
        cut=cut,
        setting=setting,
        n=len(right),
        accuracy=float(right.mean()),
        n_lost=n_lost,
        n_gained=n_gained,
        drop=paired_drop(whole, right),
    )
