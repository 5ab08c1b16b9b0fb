"""Gates: what ends on the device, by the confidence of an early answer; which branch is taken, by a
small network on the device.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.special import softmax

from profiles.models.network import Network
from profiles.schemes.branches import cells_confidence

NEVER = 1.0
"""A threshold that no softmax of finite scores exceeds: every input goes on."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ConfidenceGate:
    """Ends a request whose early answer is surer than `threshold`.

    Raises:
        ValueError: a threshold outside 0..1.
    """

    after: str
    early: Network = field(repr=False)
    threshold: float

    def __post_init__(self) -> None:
        if not 0.0 <= self.threshold <= 1.0:
            raise ValueError(f"scheme.threshold must be in 0..1, got {self.threshold!r}")

    @property
    def spec(self) -> str:
        """What it decides by."""
        return f"confidence > {self.threshold:g} after {self.after}"

    def confidence(self, answers: np.ndarray) -> np.ndarray:
        """The largest softmax value of scores [sample, class]."""
        return np.asarray(softmax(answers.astype(np.float64), axis=1).max(1))

    def ends(self, confidence: np.ndarray) -> np.ndarray:
        """Where it is above the threshold; at 1 nowhere, though rounding may reach it."""
        return np.asarray((confidence > self.threshold) & (self.threshold < NEVER))


@dataclass(frozen=True, kw_only=True, eq=False)
class CellsGate(ConfidenceGate):
    """The same of several answers at once: the product of their largest softmax values."""

    def confidence(self, answers: np.ndarray) -> np.ndarray:
        """That of scores [sample, cell x class]."""
        return cells_confidence(answers)


@dataclass(frozen=True, kw_only=True, eq=False)
class BranchGate:
    """Picks the branch of the largest score; `network`: inputs to scores [sample, branch]."""

    network: Network = field(repr=False)
    spec: str

    def pick(self, scores: np.ndarray) -> np.ndarray:
        """The number of a branch [sample]."""
        return np.asarray(scores.argmax(1))
