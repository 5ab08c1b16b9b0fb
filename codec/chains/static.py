"""ECSQ with tables that both sides hold: a class of its own for every feature of like variance.

One step serves all features (reverse water-filling: at a given error every component that is sent
at all gets the same distortion), a feature's class says which table its levels are coded with and
which thresholds and centroids go with that table.
"""

import numpy as np
import numpy.typing as npt

from codec.entropy import coder as entropy
from codec.entropy.frequency_tables import Table, fit_static
from codec.stages import scalar
from codec.stages.calibration import MAX_CLASSES, Calibration
from codec.stages.scalar import BINS, LEVELS, SENT, Floats, Levels
from codec.stream.base import CorruptBitstreamError, UnsupportedInputError
from codec.stream.frame import Patch
from codec.stream.kernel import F32, F64, I8, I32, U8, U16, U32, array, kernel

Classes = npt.NDArray[np.uint8]
Steps = npt.NDArray[np.uint16]

_UNCODED_BITS = 24.0
_ROUNDS = 3


def classes_of(known: Calibration, patch: Patch) -> Classes:
    """Class of every element of a chunk; its rows must be vectors of the calibration.

    Raises UnsupportedInputError for a chunk of other rows.
    """
    assert known.classes is not None
    if patch.cols != known.size:
        raise UnsupportedInputError(
            f"the calibration has {known.size} features, the chunk has rows of {patch.cols}"
        )
    return np.tile(known.classes, patch.rows)


def decisions(known: Calibration, rdoq: float) -> Steps:
    """Level of every fine bin under the table of each class: (class, BINS)."""
    return np.stack([scalar.decide(lengths(table), rdoq) for table in known.tables])


def lengths(table: Table) -> npt.NDArray[np.float64]:
    """Bits of the levels 0..LEVELS, sign included, under a table of folded symbols."""
    chance = np.zeros(2 * LEVELS + 1)
    shown = table.freqs[: min(table.limit, chance.size)]
    chance[: shown.size] = shown / 2**table.precision
    sizes = np.concatenate((chance[:1], (chance[1::2] + chance[2::2]) / 2))
    return np.minimum(-np.log2(np.maximum(sizes, 2.0**-30)), _UNCODED_BITS)


def levels(x: Floats, owners: Classes, known: Calibration, tables: Steps) -> tuple[Levels, int]:
    """Signed level of every element, and how many lie beyond the grid."""
    bins, _, beyond = scalar.bin_chunk(x, known.step)
    out = np.empty(x.size, dtype=np.int32)
    _levels(x.view(np.uint32), bins, owners, tables, out)
    return out, beyond


def reconstruct(levels: Levels, owners: Classes, known: Calibration) -> Floats:
    """Every level at the centroid of its class."""
    assert known.offsets is not None
    out = np.empty(levels.size, dtype=np.float32)
    _reconstruct(levels, owners, known.offsets, known.step, out)
    if not np.isfinite(out).all():
        raise CorruptBitstreamError("levels lie beyond what float32 can hold")
    return out


def fit(vectors: Floats, known: Calibration, step: float, rdoq: float) -> Calibration:
    """`known` with classes, tables and centroids for this step, fitted to vectors (rows, D)."""
    classes = _classes(vectors, step)
    owners = np.tile(classes, len(vectors))
    x = np.ascontiguousarray(vectors.reshape(-1), dtype=np.float32)
    bins, _, _ = scalar.bin_chunk(x, step)
    n = int(classes.max()) + 1
    tables = np.tile(scalar.decide(np.zeros(LEVELS + 1), 0.0), (n, 1))
    for _ in range(_ROUNDS):
        levels = np.empty(x.size, dtype=np.int32)
        _levels(x.view(np.uint32), bins, owners, tables, levels)
        kinds = tuple(
            fit_static(entropy.histogram(levels[owners == c], signed=True)) for c in range(n)
        )
        tables = np.stack([scalar.decide(lengths(table), rdoq) for table in kinds])
    return Calibration(
        axis=known.axis,
        mean=known.mean,
        basis=known.basis,
        step=step,
        classes=classes,
        offsets=np.stack([_offsets(x, levels, owners == c, step) for c in range(n)]),
        tables=kinds,
    )


def _classes(vectors: Floats, step: float) -> Classes:
    """Half octaves of a feature's root mean square over the step, numbered without gaps."""
    spread = np.sqrt(np.mean(np.square(vectors, dtype=np.float64), axis=0))
    octaves = np.rint(2 * np.log2(np.maximum(spread / step, 2.0**-8)))
    half = MAX_CLASSES // 2
    numbers = np.clip(octaves, -half, half - 1)
    return np.unique(numbers, return_inverse=True)[1].astype(np.uint8).reshape(-1)


def _offsets(
    x: Floats, levels: Levels, mine: npt.NDArray[np.bool_], step: float
) -> npt.NDArray[np.int8]:
    """Mean distance from the level, in 256ths of a step: of levels 1, 2, 3 and of the rest."""
    sizes, values = np.abs(levels[mine]), np.abs(x[mine]) / step
    inside = (sizes > 0) & (sizes < scalar.TOP_LEVEL)
    group = np.minimum(sizes[inside], SENT) - 1
    total = np.bincount(group, values[inside] - sizes[inside], minlength=SENT)
    mean = total / np.maximum(np.bincount(group, minlength=SENT), 1)
    return np.clip(np.rint(256 * mean), -127, 127).astype(np.int8)


@kernel((array(U32), array(U16), array(U8), array(U16, ndim=2), array(I32, writable=True)))
def _levels(bits, bins, owners, tables, out):  # type: ignore[no-untyped-def]
    for i in range(bins.size):
        b = np.int64(bins[i])
        k = np.int32(tables[owners[i], b]) if b < BINS else np.int32(b - BINS)
        out[i] = -k if bits[i] >> np.uint32(31) else k


@kernel((array(I32), array(U8), array(I8, ndim=2), F64, array(F32, writable=True)))
def _reconstruct(levels, owners, offsets, step, out):  # type: ignore[no-untyped-def]
    for i in range(levels.size):
        size = abs(np.int64(levels[i]))
        value = 0.0
        if size:
            which = SENT - 1 if size > SENT else size - 1
            value = (size + offsets[owners[i], which] / 256.0) * step
        out[i] = value if levels[i] > 0 else -value
