"""Of several ways to the server the one that a gate picks, input by input.

    row i:  ways[picks[i]].rows[i]

All ways hold the same samples in the same order: whichever branch an input takes, its bytes,
seconds and answer are those of that input in that branch. A server batch holds requests of any
branch; each branch in it is one execution of its own tail, one after the other.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from copy import copy
from typing import Self

import numpy as np

from sim.sources.draw import Draw
from sim.sources.source import Errors, Randomness, Source, TraceSource, words

AVERAGE = -1
"""The sample of a mean request, which is of no branch."""


class BranchedSource:
    """Rows of several trace sources, one of each sample.

    Raises:
        ValueError: no way, sources of other samples, or not a pick among them for each.
    """

    mixes_tails = True
    """Whether the seconds of a batch depend on which requests are in it."""

    def __init__(self, ways: Sequence[TraceSource], picks: Sequence[int]) -> None:
        ids = [[row.sample for row in way.rows] for way in ways]
        if not ids or any(other != ids[0] for other in ids) or len(picks) != len(ids[0]):
            sizes = ", ".join(str(len(each)) for each in ids)
            raise ValueError(
                f"all ways must hold the same samples with a pick for each, got {sizes} samples and"
                f" {len(picks)} picks"
            )
        if not set(picks) <= set(range(len(ways))):
            raise ValueError(f"picks must be in 0..{len(ways) - 1}, got {sorted(set(picks))}")
        self.key = "+".join(dict.fromkeys(way.key for way in ways))
        self.channel = ways[0].channel
        self._ways = tuple(ways)
        self._picks = dict(zip(ids[0], (int(pick) for pick in picks), strict=True))
        self._order = tuple(range(len(ids[0])))
        self._join()

    def __repr__(self) -> str:
        shares = ", ".join(f"{100 * share:.3g}" for share in self._shares())
        return (
            f"BranchedSource({self.key}, {len(self.rows)} rows, {shares} %: {words(self.mean())})"
        )

    @property
    def even_rows(self) -> list[Draw]:
        """Its rows."""
        return self.rows

    def draw(self, stream: Randomness) -> Draw:
        """One whole row, uniformly."""
        return self.rows[stream.integers(len(self.rows))]

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """Tail seconds branch by branch; of average requests what is to be expected, with branches
        drawn by their shares.
        """
        average = sum(draw.sample == AVERAGE for draw in draws)
        counts = Counter(self._picks[d.sample] for d in draws if d.sample != AVERAGE)
        known_s = [self._tail_s(way, n) for way, n in sorted(counts.items())]
        return math.fsum([*known_s, self._expected_s(average)])

    def mean(self) -> Draw:
        """Column means of the rows."""
        costs = np.mean([row[1:7] for row in self.rows], axis=0).tolist()
        tensor_bytes = float(np.mean([row.tensor_bytes for row in self.rows]))
        return Draw(AVERAGE, *costs)._replace(tensor_bytes=tensor_bytes)

    def resample(self, generator: np.random.Generator) -> Self:
        """The same inputs drawn with replacement, in the branches they take, whose layers were
        timed once more.
        """
        picks = generator.integers(len(self._order), size=len(self._order)).tolist()
        other = copy(self)
        other._order = tuple(self._order[pick] for pick in picks)
        return other.retime(generator)

    def retime(self, generator: np.random.Generator) -> Self:
        """The same rows with layers that were timed once more."""
        return self._each(lambda way: way.retime(generator))

    def shift(self, errors: Errors) -> Self:
        """The same requests on machines that are off by so many standard deviations."""
        return self._each(lambda way: way.shift(errors))

    @property
    def log_errors(self) -> Errors:
        """Those of the machines, the same for all branches."""
        return self._ways[0].log_errors

    @property
    def drift(self) -> float:
        """The largest one of all ways."""
        return max((way.drift for way in self._ways), key=abs)

    @property
    def coarse(self) -> tuple[str, ...]:
        """Points of any way that are known to less than 5 %."""
        return tuple(dict.fromkeys(point for way in self._ways for point in way.coarse))

    def _each(self, change: Callable[[TraceSource], TraceSource]) -> Self:
        other = copy(self)
        other._ways = tuple(change(way) for way in self._ways)
        other._join()
        return other

    def _join(self) -> None:
        every = [way.rows for way in self._ways]
        samples = [row.sample for row in every[0]]
        self.rows = [every[self._picks[samples[i]]][i] for i in self._order]

    def _shares(self) -> list[float]:
        counts = Counter(self._picks[row.sample] for row in self.rows)
        return [counts[way] / len(self.rows) for way in range(len(self._ways))]

    def _tail_s(self, way: int, n: int) -> float:
        """Seconds of `n` requests of one branch."""
        rows = self._ways[way].rows
        return rows[0].server_s if n == 1 else self._ways[way].batch_s([rows[0]] * n)

    def _expected_s(self, n: int) -> float:
        """Of `n` requests, sum over branches of the mean over how many of them fall to it."""
        from scipy.stats import binom  # a second, which systems without branches need not wait

        sizes = range(1, n + 1)
        return math.fsum(
            float(chance) * self._tail_s(way, size)
            for way, share in enumerate(self._shares()) if share > 0.0
            for size, chance in zip(sizes, binom.pmf(sizes, n, share), strict=True)
        )  # fmt: skip


def mixes_tails(source: Source) -> bool:
    """Whether the seconds of a batch depend on which requests are in it, not on their number."""
    return bool(getattr(source, "mixes_tails", False))
