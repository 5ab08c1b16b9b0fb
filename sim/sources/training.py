"""What devices learn from the server before they ask: training as traffic, round by round.

    device: forward, encode  ->  features up  ->  server: forward, backward  ->  gradients down
                                                           device: backward, update

A round is one step on a batch of a device's own samples. A source that can be trained has a
`training`; without rounds its rows are those of the trained one.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan, sqrt
from typing import Protocol

import numpy as np

from sim.sources.draw import Draw
from sim.sources.source import Randomness, Source

_ROUNDING = 1e-12


@dataclass(frozen=True, kw_only=True)
class Training:
    """What a round takes, against inference of one sample, and what rounds bring.

    `gradient_bytes`: down, for every sample; `server_ratio`: the server's seconds of a sample
    forward and backward over one call's; `device_ratio`: those of the device behind the gradient
    over what it takes before it. `accuracy`: the share of right answers after so many `rounds`, the
    first 0; `before`: by sample the answer's correctness while nothing was learned.
    """

    batch: int
    gradient_bytes: float
    server_ratio: float
    device_ratio: float
    rounds: tuple[int, ...]
    accuracy: tuple[float, ...]
    before: Mapping[int, float] = field(default_factory=dict, repr=False)

    def accuracy_after(self, n_rounds: np.ndarray | float) -> np.ndarray:
        """Between the known numbers of rounds linear, behind the last one as at it."""
        return np.asarray(np.interp(n_rounds, self.rounds, self.accuracy))

    def rounds_to(self, share: float) -> int | None:
        """The first number of rounds that brings this share of all that is gained; None: there is
        no gain.
        """
        start, end = self.accuracy[0], self.accuracy[-1]
        every = self.accuracy_after(np.arange(self.rounds[-1] + 1))
        reached = np.flatnonzero(every >= start + share * (end - start) - _ROUNDING)
        return int(reached[0]) if end > start and len(reached) else None

    def answer(self, row: Draw, n_rounds: int) -> Draw:
        """A row of the trained source as it is answered after fewer rounds.

        Approximation: where accuracy has risen by a share of what it gains in all, this share of
        the samples, the same ones every time, is answered as in the end, the rest as at first.
        """
        start, end = self.accuracy[0], self.accuracy[-1]
        if n_rounds >= self.rounds[-1] or start == end:
            return row
        share = (float(self.accuracy_after(n_rounds)) - start) / (end - start)
        learned = (row.sample + 0.5) * sqrt(2.0) % 1.0 < share  # even, whatever the number of them
        return row if learned else row._replace(correct=self.before.get(row.sample, nan))


class Trainable(Source, Protocol):
    """A source that can be trained."""

    @property
    def training(self) -> Training | None:
        """What that takes; None: it cannot."""

    def training_mean(self) -> Draw:
        """The mean costs of its samples, all of which are sent where it is trained."""

    def untrained(self, n_rounds: int) -> Source:
        """The same requests as they are answered after so many rounds."""


def training_of(source: Source) -> Training | None:
    """What training a source takes; None where it cannot be trained."""
    known: Training | None = getattr(source, "training", None)
    return known


class Rounds:
    """Rounds of training as a source: all alike, at the mean costs of the samples.

    Approximation: the samples of a batch pass the device and the server one by one, so that several
    devices' rounds in a server batch take the sum.
    """

    def __init__(self, source: "Trainable", training: Training) -> None:
        self.key = f"{source.key}/training"
        self.training = training
        mean, n = source.training_mean(), training.batch
        self.round = Draw(
            0, n * mean.device_s, n * mean.payload_bytes, n * mean.decode_s,
            n * mean.server_s * training.server_ratio, n * training.gradient_bytes, nan,
            tensor_bytes=n * mean.tensor_bytes,
        )  # fmt: skip
        self.backward_s = n * mean.device_s * training.device_ratio

    def __repr__(self) -> str:
        return f"Rounds({self.key}, {self.training.batch} samples each)"

    def draw(self, stream: Randomness) -> Draw:
        """The round; the stream is not touched."""
        return self.round

    def batch_s(self, draws: Sequence[Draw]) -> float:
        """The sum."""
        return math.fsum(draw.server_s for draw in draws)

    def mean(self) -> Draw:
        """The round."""
        return self.round

    def resample(self, generator: np.random.Generator) -> "Rounds":
        """Itself: it is made of a source that was drawn again."""
        return self
