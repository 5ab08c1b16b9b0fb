"""What both sides fit once and then only name: a basis, and tables with the grid they belong to.

A stream carries the first eight bytes of the calibration's content hash, never the calibration; a
decoder with another one, or none, refuses the stream. On disk it is an npz that runs no code.
Shapes: D features; mean (D,), basis (D, D) with one component a column, classes (D,), tables of
each class; offsets (class, SENT).
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import npz
from codec.entropy.frequency_tables import Table
from codec.stages.scalar import SENT
from codec.stream.base import CodecOptionError, MissingCalibrationError

VERSION = 1
ID_BYTES = 8
MAX_CLASSES = 64
MAX_BYTES = 1 << 29
"""A basis of 8,192 features is 2**28 bytes."""
_TYPES = {
    "mean": np.float32, "basis": np.float32, "classes": np.uint8, "offsets": np.int8,
    "table_sizes": np.int64, "table_freqs": np.uint32,
}  # fmt: skip
_NAMES = ("head", "step", *_TYPES)

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """A basis (or none), and the step, classes and tables of a static coder (or none).

    `axis` is the axis whose vectors the calibration speaks of: -1 for hidden states, -3 for the
    channels of a map. Raises CodecOptionError for shapes that contradict each other.
    """

    axis: int
    mean: Floats
    basis: Floats | None = None
    step: float = 0.0
    classes: npt.NDArray[np.uint8] | None = None
    offsets: npt.NDArray[np.int8] | None = None
    tables: tuple[Table, ...] = ()

    def __post_init__(self) -> None:
        size = self.mean.size
        if self.mean.ndim != 1 or not size:
            raise CodecOptionError(f"calibration.mean must be (D,), got {self.mean.shape}")
        if self.axis not in (-1, -3):
            raise CodecOptionError(f"calibration.axis must be -1 or -3, got {self.axis}")
        if self.basis is not None and self.basis.shape != (size, size):
            raise CodecOptionError(
                f"calibration.basis must be {size} x {size}, got {self.basis.shape}"
            )
        if not all(np.isfinite(a).all() for a in (self.mean, self.basis) if a is not None):
            raise CodecOptionError("calibration must be finite, got NaN or infinity")
        if self.tables:
            self._check_tables(size)

    def _check_tables(self, size: int) -> None:
        n = len(self.tables)
        if self.classes is None or self.offsets is None:
            raise CodecOptionError("calibration.tables need classes and offsets")
        if n > MAX_CLASSES or self.classes.shape != (size,) or int(self.classes.max()) >= n:
            raise CodecOptionError(f"calibration.classes must be {size} numbers below {n}")
        if self.offsets.shape != (n, SENT) or not self.step > 0:
            raise CodecOptionError(f"calibration needs a step and {n} x {SENT} offsets")

    def __repr__(self) -> str:
        return f"Calibration({self.id.hex()})"

    @property
    def size(self) -> int:
        """Number D of features."""
        return self.mean.size

    @cached_property
    def id(self) -> bytes:
        """Eight bytes of the content's SHA-256."""
        total = hashlib.sha256(f"{VERSION}|{self.axis}|{self.step!r}".encode())
        for name, array in sorted(self._arrays().items()):
            total.update(f"{name}|{array.dtype.str}|{array.shape}|".encode())
            total.update(np.ascontiguousarray(array).tobytes())
        return total.digest()[:ID_BYTES]

    @cached_property
    def inverse(self) -> Floats:
        """The basis transposed, one component a row; kept, for a copy costs more than a token."""
        assert self.basis is not None
        return np.ascontiguousarray(self.basis.T)

    def require(self, wanted: bytes) -> None:
        """Raise MissingCalibrationError unless a stream's id is this one's."""
        if bytes(wanted) != self.id:
            raise MissingCalibrationError(
                f"the stream needs calibration {bytes(wanted).hex()}, got {self.id.hex()}"
            )

    def save(self, path: Path | str) -> None:
        """Write an npz; the same calibration gives the same arrays."""
        head = np.array([VERSION, self.axis], dtype=np.int64)
        npz.write(path, {"head": head, "step": np.array(self.step), **self._arrays()})

    @classmethod
    def load(cls, path: Path | str) -> "Calibration":
        """Read what `save` wrote; CodecOptionError in one line for anything else."""
        try:
            arrays = npz.read(path, max_bytes=MAX_BYTES, names=_NAMES)
            version, axis = (int(number) for number in arrays.pop("head"))
            if version != VERSION:
                raise ValueError(f"version must be {VERSION}, got {version}")
            return cls._of(axis, arrays)
        except FileNotFoundError:
            raise CodecOptionError(f"{path}: no such calibration") from None
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            raise CodecOptionError(f"{path} is damaged, or no calibration: {reason}") from None

    @classmethod
    def _of(cls, axis: int, arrays: dict[str, npt.NDArray[Any]]) -> "Calibration":
        """The calibration of a file's arrays, each in the type that `save` writes."""
        step = arrays.pop("step")
        if step.shape not in ((), (1,)) or not np.isfinite(step).all():
            raise CodecOptionError("calibration.step must be one finite number")
        for name, array in arrays.items():
            if array.dtype != _TYPES[name]:
                raise CodecOptionError(
                    f"calibration.{name} must be {np.dtype(_TYPES[name])}, got {array.dtype}"
                )
        sizes, freqs = arrays.pop("table_sizes", None), arrays.pop("table_freqs", None)
        return cls(axis=axis, step=float(step.item()), tables=_tables(sizes, freqs), **arrays)

    def _arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        arrays: dict[str, npt.NDArray[np.generic] | None] = {
            "mean": self.mean, "basis": self.basis, "classes": self.classes,
            "offsets": self.offsets,
        }  # fmt: skip
        if self.tables:
            arrays["table_sizes"] = np.array([t.freqs.size for t in self.tables], dtype=np.int64)
            arrays["table_freqs"] = np.concatenate([t.freqs for t in self.tables])
        return {name: array for name, array in arrays.items() if array is not None}


def _tables(
    sizes: npt.NDArray[np.int64] | None, freqs: npt.NDArray[np.uint32] | None
) -> tuple[Table, ...]:
    """Tables with an escape each, from their frequencies one after the other."""
    if sizes is None or freqs is None:
        return ()
    if not 1 <= len(sizes) <= MAX_CLASSES or sizes.min() < 1 or sizes.sum() != len(freqs):
        raise CodecOptionError("calibration.table_sizes must add up to table_freqs")
    parts = np.split(freqs, np.cumsum(sizes)[:-1])
    return tuple(
        Table(freqs=part, precision=int(part.sum()).bit_length() - 1, escape=True) for part in parts
    )
