"""What no codec of this kind can beat: memoryless rate-distortion, and the entropy of symbols.

R(D) of independent elements with the observed distribution is found by Blahut's and Arimoto's
alternation (Blahut 1972; Arimoto 1972). Codecs that know more than the distribution - neighbours,
a basis - may go below it; those that quantize element by element stay above.
Shapes: p (source letter,), distortion (source letter, reproduction letter).
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import sparse

from codec.entropy.frequency_tables import entropy_bits
from codec.stream.base import CodecOptionError

Array = npt.NDArray[np.float64]
_ROUNDS = 400
_TOLERANCE = 1e-6
_LEAST = 1e-300
_STEP = 1 / 4
"""Width of a cell over the deviation of exp(-slope d)."""
_NEGLIGIBLE = 60.0
"""exp(-60) of a weight is none."""
_AROUND = 12
"""Cells, three of those deviations: farther off an answer between two letters serves neither."""
_RATIO = 1.4
_POINTS = 100
"""From the finest slope by this ratio down to 1e-14 of the power, which no outlier outweighs."""


class Point(NamedTuple):
    """A point of a rate-distortion function."""

    distortion: float
    rate_bits: float


def blahut_arimoto(p: Array, distortion: Array, slope: float) -> Point:
    """The point at which one unit of distortion is worth `slope` nats.

    Alternates the conditional q(y | x) ~ q(y) exp(-slope d(x, y)) and its marginal q(y) until
    the rate is known to a millionth of a nat (Blahut's bounds).
    """
    least = distortion.min(axis=1)
    above = distortion - least[:, None]
    weights = np.exp(-slope * above)
    point = _alternate(p, weights, weights * above, slope)
    return point._replace(distortion=point.distortion + float(p @ least))


def memoryless(x: npt.NDArray[np.floating], relative_l2: Sequence[float]) -> list[float]:
    """Bits per element that independent elements distributed like x need at these errors.

    Approximation: within a quarter of the width over which a point of the curve smears its letters
    values count as their mean. The rate belongs to the error with what that adds, so that it can be
    reached; at fine errors it lies at most 0.01 bits above R(D). Rates between computed points are
    interpolated in the logarithm of D. Empty, all zero or infinite x have no relative error.

    Raises:
        CodecOptionError: for an error outside 0.02..1, or x without a finite power above 0.
    """
    if not all(0.02 <= error <= 1 for error in relative_l2):
        raise CodecOptionError(f"relative_l2 must lie in 0.02..1, got {list(relative_l2)}")
    values = np.asarray(x, dtype=np.float64).reshape(-1)
    largest = float(np.abs(values).max(initial=0.0))
    if not 0 < largest < np.inf:
        raise CodecOptionError("R(D) needs finite values that are not all zero")
    unit = values / largest
    unit /= np.sqrt(np.mean(unit**2))
    known = [Point(1.0, 0.0), *_curve(unit, relative_l2)]
    d, rate = np.array(sorted(known)).T
    wanted = np.log(np.square(np.asarray(relative_l2, dtype=np.float64)))
    return [float(r) for r in np.interp(wanted, np.log(np.maximum(d, _LEAST)), rate)]


def symbol_entropy(decoded: npt.NDArray[np.floating]) -> float:
    """Order-0 entropy, bits per element, of the values that a quantizer gave back."""
    counts = np.unique(np.asarray(decoded).reshape(-1), return_counts=True)[1]
    return entropy_bits(counts) / max(int(counts.sum()), 1)


def _curve(unit: Array, relative_l2: Sequence[float]) -> Iterator[Point]:
    """Points of values of power 1, from the smallest error to beyond the largest one."""
    slope = 0.6 / min(relative_l2) ** 2
    width = _STEP / np.sqrt(2 * slope)
    letters, counts = _merge(unit, np.ones(unit.size), width)
    most = max(relative_l2) ** 2
    for _ in range(_POINTS):
        p = counts / unit.size
        inner = max(1.0 - float(p @ letters**2), 0.0)  # what cells hide; the power is 1
        weights, apart = _near(letters, _answers(letters, width), slope)
        point = _alternate(p, weights, apart, slope)
        yield Point(point.distortion + inner, point.rate_bits)
        if point.distortion + inner >= most or point.rate_bits == 0:
            return
        slope, width = slope / _RATIO, width * np.sqrt(_RATIO)
        letters, counts = _merge(letters, counts, width)


def _merge(values: Array, counts: Array, width: float) -> tuple[Array, Array]:
    """Means and sizes of the cells of that width that hold anything; zero is a cell's middle."""
    cell = np.rint(values / width).astype(np.int64)
    zero = values == 0  # exact zeros are a letter of their own, before their cell's
    _, place = np.unique(2 * cell - zero, return_inverse=True)
    size = np.asarray(np.bincount(place, counts), dtype=np.float64)
    return np.bincount(place, counts * values) / size, size


def _answers(letters: Array, width: float) -> Array:
    """What letters may be reproduced as: themselves, and cells around them that hold none."""
    cells = np.unique(np.rint(letters / width).astype(np.int64))
    around = np.unique(cells[:, None] + np.arange(-_AROUND, _AROUND + 1))
    empty = np.setdiff1d(around, cells, assume_unique=True) * width
    inner = empty[(empty > letters.min()) & (empty < letters.max())]
    return np.sort(np.concatenate([letters, inner]))


def _near(letters: Array, answers: Array, slope: float) -> tuple[Any, Any]:
    """exp(-slope d) [letter, answer] where it counts, and the same times d."""
    reach = float(np.sqrt(_NEGLIGIBLE / slope))
    starts = np.searchsorted(answers, letters - reach, "left")
    sizes = np.searchsorted(answers, letters + reach, "right") - starts
    ends = np.cumsum(sizes)
    column = np.arange(ends[-1]) - np.repeat(ends - sizes - starts, sizes)
    d = (np.repeat(letters, sizes) - answers[column]) ** 2
    weights = np.exp(-slope * d)
    rows, shape = np.append(0, ends), (letters.size, answers.size)
    return (
        sparse.csr_array((weights, column, rows), shape),
        sparse.csr_array((weights * d, column, rows), shape),
    )


def _alternate(p: Array, weights: Any, apart: Any, slope: float) -> Point:
    """Blahut and Arimoto's alternation on exp(-slope d) [x, y] and the same times d."""
    across = weights.T
    q = np.full(weights.shape[1], 1.0 / weights.shape[1])
    for _ in range(_ROUNDS):
        gain = across @ (p / np.maximum(weights @ q, _LEAST))
        q = q * gain
        if np.log(gain.max()) - float(q @ np.log(np.maximum(gain, _LEAST))) < _TOLERANCE:
            break
    joint = np.maximum(weights @ q, _LEAST)
    mean = float(p @ ((apart @ q) / joint))
    rate = -(slope * mean + float(p @ np.log(joint))) / np.log(2)
    return Point(mean, max(rate, 0.0))
