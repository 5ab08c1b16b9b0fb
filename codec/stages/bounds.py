"""What no codec of this kind can beat: memoryless rate-distortion, and the entropy of symbols.

R(D) of independent elements with the observed distribution is found by Blahut's and Arimoto's
alternation (Blahut 1972; Arimoto 1972). Codecs that know more than the distribution - neighbours,
a basis - may go below it; those that quantize element by element stay above.
Shapes: p (source letter,), distortion (source letter, reproduction letter).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.entropy.frequency_tables import entropy_bits
from codec.stream.base import CodecOptionError

Array = npt.NDArray[np.float64]
_BINS = 400
_ROUNDS = 400
_TOLERANCE = 1e-6
_CORE = 0.9999


class Point(NamedTuple):
    """A point of a rate-distortion function."""

    distortion: float
    rate_bits: float


def blahut_arimoto(p: Array, distortion: Array, slope: float) -> Point:
    """The point at which one unit of distortion is worth `slope` nats.

    Alternates the conditional q(y | x) ~ q(y) exp(-slope d(x, y)) and its marginal q(y) until
    the rate is known to a millionth of a nat (Blahut's bounds).
    """
    weights = np.exp(-slope * (distortion - distortion.min(axis=1, keepdims=True)))
    q = np.full(distortion.shape[1], 1.0 / distortion.shape[1])
    for _ in range(_ROUNDS):
        joint = weights @ q
        gain = weights.T @ (p / joint)
        q = q * gain
        if np.log(gain.max()) - float(q @ np.log(np.maximum(gain, 1e-300))) < _TOLERANCE:
            break
    given = weights * q / (weights @ q)[:, None]
    used = given > 0
    ratio = np.log2(np.where(used, given, 1.0) / np.where(used, q[None, :], 1.0))
    mean = float(p @ (given * distortion).sum(axis=1))
    return Point(mean, max(float(p @ (given * ratio).sum(axis=1)), 0.0))


def memoryless(x: npt.NDArray[np.floating], relative_l2: Sequence[float]) -> list[float]:
    """Bits per element that independent elements distributed like x need at these errors.

    Approximation: the distribution is a histogram of 400 cells over the central 99.99 % (zero has
    a cell of its own); rates between computed points are interpolated in the logarithm of D.

    Raises:
        CodecOptionError: for an error outside 0.02..1, below which the cells would be too coarse.
    """
    if not all(0.02 <= error <= 1 for error in relative_l2):
        raise CodecOptionError(f"relative_l2 must lie in 0.02..1, got {list(relative_l2)}")
    letters, p = _letters(np.asarray(x, dtype=np.float64).reshape(-1))
    power = float(p @ letters**2)
    distortion = (letters[:, None] - letters[None, :]) ** 2
    slopes = np.geomspace(0.3, 0.6 / min(relative_l2) ** 2, 14) / power
    points = sorted(blahut_arimoto(p, distortion, float(slope)) for slope in slopes)
    d, rate = np.array(points).T
    known = np.append(d / power, 1.0), np.append(rate, 0.0)
    wanted = np.log(np.square(np.asarray(relative_l2, dtype=np.float64)))
    return [float(r) for r in np.interp(wanted, np.log(known[0]), known[1])]


def symbol_entropy(decoded: npt.NDArray[np.floating]) -> float:
    """Order-0 entropy, bits per element, of the values that a quantizer gave back."""
    counts = np.unique(np.asarray(decoded).reshape(-1), return_counts=True)[1]
    return entropy_bits(counts) / max(int(counts.sum()), 1)


def _letters(x: Array) -> tuple[Array, Array]:
    """Values and probabilities of a histogram with a letter for exact zeros."""
    low, high = np.quantile(x, [(1 - _CORE) / 2, (1 + _CORE) / 2])
    core = np.clip(x[x != 0], low, high)
    counts, edges = np.histogram(core, bins=_BINS, range=(low, max(high, low + 1e-12)))
    letters = np.append((edges[1:] + edges[:-1]) / 2, 0.0)
    weights = np.append(counts, np.count_nonzero(x == 0)).astype(np.float64)
    return letters, weights / weights.sum()
