"""Of two ways through a system the one that a gate takes, input by input.

    row i:  early[i] where the gate ends the request on the device, else late[i]

Both ways hold the same samples in the same order, so that an input that is hard, and therefore goes
on, also compresses and is answered as that hard input does.
"""

from collections.abc import Sequence
from copy import copy
from typing import Self

import numpy as np

from sim.sources.branched import AVERAGE, BranchedSource, mixes_tails
from sim.sources.draw import Draw
from sim.sources.source import Errors, Randomness, TraceSource, words
from sim.sources.training import Training


class GatedSource:
    """Rows of two sources; only those of `late` reach the server, in batches of its key.

    Raises:
        ValueError: sources of other samples, or not a decision for each.
    """

    def __init__(
        self, early: TraceSource, late: TraceSource | BranchedSource, ends: Sequence[bool]
    ) -> None:
        ids = [[row.sample for row in source.rows] for source in (early, late)]
        if ids[0] != ids[1] or len(ends) != len(ids[0]):
            raise ValueError(
                f"both ways must hold the same samples with a decision for each, got {len(ids[0])},"
                f" {len(ids[1])} and {len(ends)} decisions"
            )
        self.key, self.channel = late.key, late.channel
        self._early, self._late = early, late
        self._ends = tuple(bool(end) for end in ends)
        self._picks = tuple(range(len(self._ends)))
        self.rows = self._join()

    @property
    def training(self) -> Training | None:
        """That of the way to the server; branches have none."""
        return self._late.training if isinstance(self._late, TraceSource) else None

    def training_mean(self) -> Draw:
        """The mean of all samples on the way to the server."""
        assert isinstance(self._late, TraceSource)
        return self._late.training_mean()

    def untrained(self, n_rounds: int) -> Self:
        """The same rows as they are answered after so many rounds of training.

        Approximation: which of them end early, and how these are answered, is that of the trained
        system.
        """
        assert isinstance(self._late, TraceSource)
        other = copy(self)
        other._late = self._late.untrained(n_rounds)
        other.rows = other._join()
        return other

    def __repr__(self) -> str:
        share = sum(self._ends[i] for i in self._picks) / len(self._picks)
        return (
            f"GatedSource({self.key}, {len(self.rows)} rows, {100 * share:.3g} % end early:"
            f" {words(self.mean())})"
        )

    @property
    def even_rows(self) -> list[Draw]:
        """Its rows, ended or not."""
        return self.rows

    def draw(self, stream: Randomness) -> Draw:
        """One whole row, uniformly."""
        return self.rows[stream.integers(len(self.rows))]

    @property
    def mixes_tails(self) -> bool:
        """Whether the seconds of a batch depend on which requests are in it."""
        return mixes_tails(self._late)

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """Tail seconds of those that went on."""
        return self._late.batch_s(draws)

    def mean(self) -> Draw:
        """Column means of the rows, ended or not."""
        return _mean(self.rows)

    def ways(self) -> list[tuple[Draw, float]]:
        """Mean requests of those that go on and of those that end, with their shares."""
        kinds = (False, True)
        chosen = {kind: [i for i in self._picks if self._ends[i] is kind] for kind in kinds}
        return [
            (_mean([self._row(i) for i in picks]), len(picks) / len(self._picks))
            for picks in chosen.values()
            if picks
        ]

    def resample(self, generator: np.random.Generator) -> Self:
        """The same inputs drawn with replacement, on both ways, whose layers were timed once more.

        The rows of both sources stay as they are; which of them are drawn does not.
        """
        other = copy(self)
        picks = generator.integers(len(self._picks), size=len(self._picks)).tolist()
        other._picks = tuple(self._picks[pick] for pick in picks)
        other._early, other._late = self._early.retime(generator), self._late.retime(generator)
        other.rows = other._join()
        return other

    def shift(self, errors: Errors) -> Self:
        """The same requests on machines that are off by so many standard deviations."""
        other = copy(self)
        other._early, other._late = self._early.shift(errors), self._late.shift(errors)
        other.rows = other._join()
        return other

    @property
    def log_errors(self) -> Errors:
        """Those of the way to the server, whose device computes the early answer as well."""
        return self._late.log_errors

    @property
    def drift(self) -> float:
        """The larger one of both ways."""
        return max(self._early.drift, self._late.drift, key=abs)

    @property
    def coarse(self) -> tuple[str, ...]:
        """Points of either way that are known to less than 5 %."""
        return tuple(dict.fromkeys((*self._early.coarse, *self._late.coarse)))

    def _join(self) -> list[Draw]:
        return [self._row(i) for i in self._picks]

    def _row(self, i: int) -> Draw:
        return self._early.rows[i] if self._ends[i] else self._late.rows[i]


def _mean(rows: Sequence[Draw]) -> Draw:
    costs = np.mean([row[1:7] for row in rows], axis=0).tolist()
    tensor_bytes = float(np.mean([row.tensor_bytes for row in rows]))
    return Draw(AVERAGE, *costs)._replace(tensor_bytes=tensor_bytes)
