"""Optional jitter of service times: off unless it is named.

Tables and surfaces hold medians, since the measuring machine's own jitter must not be replayed as
if it were the system's. Who wants jitter names it, and may fit it on the raw samples of a profile.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Protocol

import numpy as np

from profiles.tables import choices

_NAMES = ("none", "lognormal")


class Uniform(Protocol):
    """A stream of random numbers."""

    def random(self) -> float:
        """A uniform number in [0, 1)."""


@dataclass(frozen=True, kw_only=True)
class Jitter:
    """A factor on service seconds with median 1: "none", or "lognormal" with `sigma`."""

    name: str = "none"
    sigma: float = 0.0

    def __post_init__(self) -> None:
        choices.position("jitter.name", self.name, _NAMES)
        if not (math.isfinite(self.sigma) and self.sigma >= 0):
            raise ValueError(f"jitter.sigma must be >= 0, got {self.sigma}")
        if self.name == "none" and self.sigma > 0:
            raise ValueError(f"jitter.sigma must be 0 without a jitter, got {self.sigma}")

    def factor(self, stream: Uniform) -> float:
        """exp(sigma z) with z standard normal; 1 and no number drawn where there is no jitter."""
        if self.sigma == 0:
            return 1.0
        uniform = max(stream.random(), 2.0**-54)
        return math.exp(self.sigma * NormalDist().inv_cdf(uniform))


def fit(samples: np.ndarray) -> Jitter:
    """A lognormal jitter from raw seconds [round]: the median absolute deviation of their logs.

    Raises:
        ValueError: fewer than 5 samples, or one that is not positive.
    """
    values = np.asarray(samples, np.float64)
    if len(values) < 5 or not (values > 0).all():
        raise ValueError(f"a jitter fit needs at least 5 positive seconds, got {len(values)}")
    logs = np.log(values)
    spread = float(np.median(np.abs(logs - np.median(logs))))
    return Jitter(name="lognormal", sigma=spread / NormalDist().inv_cdf(0.75))
