"""Karhunen-Loeve transform: features decorrelated by a basis that was fitted once.

    x (rows, D) --> x - mean --> times basis --> y (rows, D)

The basis holds the principal components of calibration data, so that most of the energy of y lies
in few components; being orthonormal, it leaves every error as large as it was. The products are
summed in one fixed order by a serial kernel: the same bytes on every number of threads.
"""

import numpy as np
import numpy.typing as npt

from codec.stages.calibration import Calibration
from codec.stream.base import CodecOptionError
from codec.stream.kernel import F32, array, kernel

Floats = npt.NDArray[np.float32]
_FEW = 4
_WIDE, _PANEL, _DEEP = 2048, 512, 64
"""Columns and rows of a panel of the basis: 128 kB, which a second-level cache holds."""


def fit(vectors: Floats) -> tuple[Floats, Floats]:
    """(mean, basis) of vectors (n, D): components by falling variance, first entries positive.

    Raises CodecOptionError for fewer than two vectors.
    """
    if vectors.ndim != 2 or len(vectors) < 2:
        raise CodecOptionError(f"a basis needs two vectors or more, got shape {vectors.shape}")
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    _, basis = np.linalg.eigh(centred.T @ centred)
    basis = basis[:, ::-1]
    largest = np.abs(basis).argmax(axis=0)
    basis = basis * np.sign(basis[largest, np.arange(basis.shape[1])])
    return mean.astype(np.float32), np.ascontiguousarray(basis, dtype=np.float32)


def forward(x: Floats, mean: Floats, basis: Floats) -> Floats:
    """Components (rows, D) of vectors x (rows, D); what float32 cannot hold is clipped."""
    out = np.empty_like(x)
    with np.errstate(over="ignore", invalid="ignore"):
        _project(np.ascontiguousarray(x - mean), basis, out)
    return _clip(out)


def inverse(y: Floats, known: Calibration) -> Floats:
    """Vectors (rows, D) of components y (rows, D); what float32 cannot hold is clipped."""
    out = np.empty_like(y)
    with np.errstate(over="ignore", invalid="ignore"):
        _project(y, known.inverse, out)
        out += known.mean
    return _clip(out)


def without(
    x: Floats, where: npt.NDArray[np.int64], shape: tuple[int, ...], axis: int, mean: Floats
) -> Floats:
    """x (n,) with the mean of their feature in the places `where`."""
    means = np.broadcast_to(mean, (x.size // mean.size, mean.size))
    out = x.copy()
    out[where] = elements_of(means, shape, axis)[where]
    return out


def _clip(x: Floats) -> Floats:
    limit = float(np.finfo(np.float32).max)
    np.nan_to_num(x, copy=False, nan=0.0, posinf=limit, neginf=-limit)
    return x


def vectors_of(x: Floats, shape: tuple[int, ...], axis: int) -> Floats:
    """Elements of a tensor of this shape as vectors along the axis (-1 or -3): (rows, D)."""
    whole = x.reshape(shape)
    if axis == -3:
        whole = np.moveaxis(whole, -3, -1)
    return np.ascontiguousarray(whole).reshape(-1, whole.shape[-1])


def elements_of(vectors: Floats, shape: tuple[int, ...], axis: int) -> Floats:
    """The way back of `vectors_of`, flattened."""
    if axis == -1:
        return vectors.reshape(-1)
    moved = vectors.reshape((*shape[:-3], *shape[-2:], shape[-3]))
    return np.ascontiguousarray(np.moveaxis(moved, -1, -3)).reshape(-1)


@kernel((array(F32, ndim=2), array(F32, ndim=2), array(F32, ndim=2, writable=True)))
def _project(x, basis, out):  # type: ignore[no-untyped-def]
    """x times basis, in panels of the basis that stay in the cache while all rows pass by.

    Every sum runs over i = 0, 1, ... whatever the panels are, four terms at a time.
    """
    n, rows = x.shape[1], x.shape[0]
    width = _WIDE if rows < _FEW else _PANEL
    deep = n if rows < _FEW else _DEEP
    for first in range(0, n, width):
        last = min(first + width, n)
        out[:, first:last] = np.float32(0)
        for top in range(0, n, deep):
            end = min(top + deep, n)
            fours = end - (end - top) % 4
            for r in range(rows):
                row = out[r, first:last]
                for i in range(top, fours, 4):
                    w0, w1, w2, w3 = x[r, i], x[r, i + 1], x[r, i + 2], x[r, i + 3]
                    b0, b1 = basis[i, first:last], basis[i + 1, first:last]
                    b2, b3 = basis[i + 2, first:last], basis[i + 3, first:last]
                    for j in range(row.size):
                        row[j] = row[j] + w0 * b0[j] + w1 * b1[j] + w2 * b2[j] + w3 * b3[j]
                for i in range(fours, end):
                    w0, b0 = x[r, i], basis[i, first:last]
                    for j in range(row.size):
                        row[j] += w0 * b0[j]
