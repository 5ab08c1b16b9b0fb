"""Adaptive stochastic natural gradient over categorical choices (arXiv 1905.08537).

The distribution is a probability for every option of every choice, uniform at first. Each step
samples candidates from it, ranks them by their score, and moves along the natural gradient of the
expected utility; the length of a step is that of a trust region, which shrinks where steps
contradict each other and grows where they agree. The gradient of a categorical distribution in its
own geometry is utility x (one-hot - theta), so nothing is inverted.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Candidate = tuple[int, ...]
_ALPHA = 1.5
_SETTLED = 1.5
_LARGEST_TRUST = 1.0


class Asng:
    """A distribution over candidates, an option of every choice each.

    `n_options`: options of every choice, each at least 2; `seed` of its draws; `n_samples`
    candidates a step, at least 2.

    Raises:
        ValueError: a choice of less than two options, or less than two candidates.
    """

    def __init__(
        self, n_options: Sequence[int], *, seed: int | np.random.SeedSequence, n_samples: int = 4
    ) -> None:
        if min(n_options, default=0) < 2 or n_samples < 2:
            raise ValueError(
                f"ASNG needs at least 2 options of every choice and 2 candidates, got"
                f" {list(n_options)} and {n_samples}"
            )
        self.n_samples = n_samples
        self.theta = [np.full(n, 1.0 / n) for n in n_options]
        self._draw = np.random.default_rng(seed)
        self._n_free = sum(n - 1 for n in n_options)
        self._trust = 1.0 / self._n_free
        self._agreed: NDArray[np.float64] = np.zeros(sum(n_options))
        self._noise = 0.0
        self._floors = [1.0 / (len(n_options) * (n - 1)) for n in n_options]

    def ask(self) -> list[Candidate]:
        """Candidates drawn from the distribution."""
        draws = [self._draw.choice(len(p), self.n_samples, p=p) for p in self.theta]
        return [tuple(int(column[i]) for column in draws) for i in range(self.n_samples)]

    def tell(self, candidates: Sequence[Candidate], scores: Sequence[float]) -> None:
        """Move towards those with the higher scores."""
        steps = self._gradient(candidates, _utilities(scores))
        length = self._fisher_length(steps)
        if length == 0.0:
            return
        self._adapt([step / length for step in steps])
        for i, step in enumerate(steps):
            moved = self.theta[i] + self._trust / length * step
            self.theta[i] = _clip(moved, self._floors[i])

    @property
    def is_settled(self) -> bool:
        """Whether one option of every choice has nearly all the probability that it may have."""
        slack = _SETTLED / len(self.theta)
        return all(float(np.max(p)) >= 1.0 - slack for p in self.theta)

    @property
    def likeliest(self) -> Candidate:
        """The candidate of the likeliest option of every choice."""
        return tuple(int(np.argmax(p)) for p in self.theta)

    def _gradient(
        self, candidates: Sequence[Candidate], utilities: NDArray[np.float64]
    ) -> list[NDArray[np.float64]]:
        """The natural gradient, choice by choice."""
        found = []
        for i, p in enumerate(self.theta):
            hot = np.eye(len(p))[[one[i] for one in candidates]]
            found.append((utilities[:, None] * (hot - p)).mean(0))
        return found

    def _fisher_length(self, steps: Sequence[NDArray[np.float64]]) -> float:
        """In the metric of the Fisher matrix: of a categorical sum of squares over theta."""
        squares = [np.sum(step**2 / p) for step, p in zip(steps, self.theta, strict=True)]
        return float(np.sqrt(np.sum(squares)))

    def _adapt(self, steps: Sequence[NDArray[np.float64]]) -> None:
        """The trust region: how much of the steps so far is signal."""
        whitened = np.concatenate(
            [step / np.sqrt(p) for step, p in zip(steps, self.theta, strict=True)]
        )
        forget = self._trust / np.sqrt(self._n_free)
        self._agreed = (1.0 - forget) * self._agreed + np.sqrt(forget * (2.0 - forget)) * whitened
        self._noise = (1.0 - forget) ** 2 * self._noise + forget * (2.0 - forget)
        signal = float(self._agreed @ self._agreed)
        grown = self._trust * np.exp(forget * (signal / _ALPHA - self._noise))
        self._trust = min(float(grown), _LARGEST_TRUST)


def maximise(
    score: Callable[[Candidate], float], n_options: Sequence[int], *, seed: int, n_steps: int,
    n_samples: int = 4,
) -> tuple[Candidate, dict[Candidate, float]]:  # fmt: skip
    """The best candidate seen and all that were evaluated; none is evaluated twice.

    Once the distribution has settled it begins anew: where most candidates break a limit, what it
    settles on may be the best of its neighbourhood only.
    """
    draws = np.random.SeedSequence(seed)
    law = Asng(n_options, seed=draws.spawn(1)[0], n_samples=n_samples)
    seen: dict[Candidate, float] = {}
    for _ in range(n_steps):
        if law.is_settled:
            law = Asng(n_options, seed=draws.spawn(1)[0], n_samples=n_samples)
        asked = law.ask()
        for one in asked:
            if one not in seen:
                seen[one] = score(one)
        law.tell(asked, [seen[one] for one in asked])
    return max(seen, key=seen.__getitem__), seen


def _utilities(scores: Sequence[float]) -> NDArray[np.float64]:
    """+1 for the best quarter, -1 for the worst, 0 between; candidates alike share theirs."""
    values = np.asarray(scores, np.float64)
    n = max(1, -(-len(values) // 4))
    order = np.argsort(-values, kind="stable")
    by_rank = np.zeros(len(values))
    by_rank[:n] = 1.0
    by_rank[-n:] = -1.0
    found = np.empty(len(values))
    found[order] = by_rank
    for value in np.unique(values):
        alike = values == value
        found[alike] = found[alike].mean()
    return found


def _clip(p: NDArray[np.float64], floor: float) -> NDArray[np.float64]:
    """A distribution again, nothing below its floor."""
    raised = np.maximum(p, floor)
    free = raised - floor
    return floor + free * (1.0 - len(p) * floor) / free.sum()
