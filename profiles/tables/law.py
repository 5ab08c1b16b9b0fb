"""What a codec costs as a law: seconds = fixed + per_element x elements, with its residuals.

Points are measured on real features of a network at every depth, joined over samples to the size
wanted, so that size and depth vary apart (Fig. 3 right of the paper shows latency against size).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Point:
    """Median seconds of one size at one cut; `depth` is the share of FLOPs before the cut."""

    cut: str
    depth: float
    elements: int
    encode_s: float
    decode_s: float


@dataclass(frozen=True, kw_only=True)
class Law:
    """The two coefficients and what they leave over: measured over predicted minus one."""

    direction: str
    fixed_s: float
    per_element_s: float
    residuals: tuple[float, ...]

    def seconds_at(self, elements: float) -> float:
        """Predicted seconds for a tensor of that many elements."""
        return self.fixed_s + self.per_element_s * elements

    @property
    def worst(self) -> float:
        """Largest residual in absolute value."""
        return max(abs(value) for value in self.residuals)


def fit(points: Sequence[Point], direction: str) -> Law:
    """Least squares of relative errors, both coefficients >= 0; direction "encode" or "decode".

    Raises:
        ValueError: fewer than two sizes, or an unknown direction.
    """
    from scipy.optimize import nnls  # a tenth of a second, which few commands need

    if direction not in ("encode", "decode"):
        raise ValueError(f"direction must be encode or decode, got {direction!r}")
    sizes = np.array([point.elements for point in points], np.float64)
    if len(set(sizes.tolist())) < 2:
        raise ValueError(f"a codec law needs at least 2 sizes, got {sorted(set(sizes.tolist()))}")
    seconds = np.array([getattr(point, f"{direction}_s") for point in points])
    design = np.stack([np.ones_like(sizes), sizes], 1) / seconds[:, None]
    scale = design.max(axis=0)
    scaled, _ = nnls(design / scale, np.ones_like(seconds))
    fixed_s, per_element_s = (scaled / scale).tolist()
    residuals = seconds / (fixed_s + per_element_s * sizes) - 1
    return Law(
        direction=direction,
        fixed_s=fixed_s,
        per_element_s=per_element_s,
        residuals=tuple(residuals.tolist()),
    )
