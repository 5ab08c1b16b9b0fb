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
_FEW = 4
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
        counts = np.asarray(n_options)
        self._known = np.arange(counts.max()) < counts[:, None]
        self._theta = np.where(self._known, 1.0 / counts[:, None], 0.0)
        self._floors = (1.0 / (max(len(counts), _FEW) * (counts - 1.0)))[:, None]
        self._draw = np.random.default_rng(seed)
        self._n_free = int(np.sum(counts - 1))
        self._trust = 1.0 / self._n_free
        self._agreed = np.zeros_like(self._theta)
        self._noise = 0.0

    @property
    def theta(self) -> list[NDArray[np.float64]]:
        """Probabilities of the options of every choice."""
        return [p[known] for p, known in zip(self._theta, self._known, strict=True)]

    @property
    def is_settled(self) -> bool:
        """Whether one option of every choice has nearly all the probability that it may have."""
        return bool(np.all(self._theta.max(1) >= 1.0 - _SETTLED / len(self._theta)))

    def ask(self) -> list[Candidate]:
        """Candidates drawn from the distribution."""
        places = self._draw.random((self.n_samples, len(self._theta), 1))
        chosen = np.sum(places >= np.cumsum(self._theta, 1), 2)
        return [tuple(one) for one in np.minimum(chosen, self._known.sum(1) - 1).tolist()]

    def tell(self, candidates: Sequence[Candidate], scores: Sequence[float]) -> None:
        """Move towards those with the higher scores: along the natural gradient, by the length of
        the trust region in the metric of the Fisher matrix.
        """
        hot = np.arange(self._theta.shape[1]) == np.asarray(candidates)[:, :, None]
        gradient = np.tensordot(_utilities(scores), hot - self._theta, 1) / len(candidates)
        gradient = np.where(self._known, gradient, 0.0)
        whitened = gradient / np.sqrt(np.where(self._known, self._theta, 1.0))
        length = float(np.sqrt(np.sum(whitened**2)))
        if length == 0.0:
            return
        moved = self._theta + self._trust / length * gradient
        self._adapt(whitened / length)
        self._theta = self._clip(moved)

    def _adapt(self, step: NDArray[np.float64]) -> None:
        """The trust region: how much of the steps so far is signal."""
        forget = self._trust / np.sqrt(self._n_free)
        self._agreed = (1.0 - forget) * self._agreed + np.sqrt(forget * (2.0 - forget)) * step
        self._noise = (1.0 - forget) ** 2 * self._noise + forget * (2.0 - forget)
        grown = self._trust * np.exp(forget * (np.sum(self._agreed**2) / _ALPHA - self._noise))
        self._trust = min(float(grown), _LARGEST_TRUST)

    def _clip(self, theta: NDArray[np.float64]) -> NDArray[np.float64]:
        """Distributions again, nothing below its floor."""
        free = np.where(self._known, np.maximum(theta - self._floors, 0.0), 0.0)
        left = 1.0 - self._known.sum(1, keepdims=True) * self._floors
        spread: NDArray[np.float64] = free * left / free.sum(1, keepdims=True)
        return np.where(self._known, self._floors + spread, 0.0)


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
