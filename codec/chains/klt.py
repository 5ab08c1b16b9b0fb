"""`klt+NAME`: a calibrated transform in front of any chain of floats.

    x --> vectors (rows, D) --> KLT --> y (rows, D) --> NAME's encode --> its sections
                                 |
                                 +--> id of the calibration ----------> header

A wild value (over 4,096 root mean squares) travels as it is and leaves the mean in its place: a
rotation would spread it, and what float32 cannot tell beside it, over its whole vector. The inner
chain sees the components as a tensor (rows, D). With `klt+ecsq` the calibration also holds a table
for every class of components, so that no table travels: see `codec.chains.ecsq`.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from codec.stages import scalar, transform
from codec.stages.calibration import ID_BYTES, Calibration
from codec.stages.far import pack_far, put_far
from codec.stages.scalar import Floats
from codec.stream.base import CorruptBitstreamError, MissingCalibrationError, UnsupportedInputError
from codec.stream.container import CHUNK_ELEMENTS, Section
from codec.stream.frame import FloatCodec, Patch

PREFIX = "klt+"
_WILD = 4096.0
_LEAST = 1e-300


class FarFromMeanError(UnsupportedInputError):
    """Features so much smaller than the calibration's mean that zeros would serve them better."""


@dataclass(frozen=True, kw_only=True)
class Klt(FloatCodec):
    """The transform, and the chain behind it; made by `create("klt+NAME", calibration=...)`."""

    inner: FloatCodec
    calibration: Calibration | None = None

    chain_id: ClassVar[int] = 10

    @property
    def name(self) -> str:  # type: ignore[override]
        """`klt+` and the inner chain's name."""
        return PREFIX + self.inner.name

    @property
    def options(self) -> dict[str, Any]:
        """The inner chain's options and the calibration."""
        return {**self.inner.options, "calibration": self.calibration}

    @property
    def spec(self) -> str:
        """Name and options of the inner chain behind the id of the basis."""
        basis = self.calibration.id.hex() if self.calibration is not None else "none"
        return f"klt({basis})+{self.inner.spec}"

    def encode_chunk(self, x: Floats, patch: Patch) -> list[Section]:
        """The inner chain's sections behind the ids of the calibration and of that chain."""
        known = self._need_calibration()
        assert known.basis is not None
        shape, axis = self._vectors(patch, known)
        limit = min(_WILD * scalar.scale_of(x), float(np.finfo(np.float32).max))
        where = np.flatnonzero(np.abs(x) > np.float32(limit))
        head = [Section("header", known.id + bytes([self.inner.chain_id]))]
        if where.size:
            head.append(Section("positions", pack_far(x, where)))
            x = transform.without(x, where, shape, axis, known.mean)
        vectors = transform.vectors_of(x, shape, axis)
        y = transform.forward(vectors, known.mean, known.basis)
        if not y.any():  # every vector is the mean
            return head
        inner = Patch(y.shape, 0, y.size)
        sections = self.inner.encode_chunk(y.reshape(-1), inner)
        if _energy(x) < _energy(y):
            self._check_gain(sections, inner, x, y)
        return [*head, *sections]

    def _check_gain(self, sections: list[Section], inner: Patch, x: Floats, y: Floats) -> None:
        """FarFromMeanError where zeros would be nearer to the features than the stream is.

        That is so for features far smaller than those of the calibration: it takes off its mean.
        """
        back = self.inner.decode_chunk(tuple(sections), inner)
        ratio = math.sqrt(_energy(back - y.reshape(-1)) / max(_energy(x), _LEAST))
        if ratio > 1:
            raise FarFromMeanError(
                f"{self.name}: relative L2 error would be {ratio:.3g}: features of root mean square"
                f" {scalar.scale_of(x):.3g} lie {scalar.scale_of(y.reshape(-1)):.3g} from the mean"
                " of the calibration; fit one to such features"
            )

    def decode_chunk(self, sections: tuple[Section, ...], patch: Patch) -> Floats:
        """What the inner chain decodes, turned back."""
        head = bytes(sections[0].data) if sections else b""
        if len(head) != ID_BYTES + 1 or sections[0].part != "header":
            raise CorruptBitstreamError("a transformed chunk must start with its calibration's id")
        if self.calibration is None:
            raise MissingCalibrationError(
                f"the stream needs calibration {head[:ID_BYTES].hex()}: pass calibration="
            )
        known = self._need_calibration()
        known.require(head[:ID_BYTES])
        if head[ID_BYTES] != self.inner.chain_id:
            raise CorruptBitstreamError(f"the stream holds no {self.inner.name!r} behind its basis")
        shape, axis = self._vectors(patch, known)
        inner = Patch((patch.size // known.size, known.size), 0, patch.size)
        far = len(sections) > 1 and sections[1].part == "positions"
        rest = sections[2:] if far else sections[1:]
        y = np.zeros(patch.size, dtype=np.float32)
        if rest:
            y = self.inner.decode_chunk(rest, inner)
        assert known.basis is not None
        vectors = transform.inverse(y.reshape(-1, known.size), known)
        out = transform.elements_of(vectors, shape, axis)
        if far:
            put_far(memoryview(sections[1].data), out)
        return out

    def _need_calibration(self) -> Calibration:
        if self.calibration is None or self.calibration.basis is None:
            raise MissingCalibrationError(
                f"{self.name} needs a calibration with a basis: codec.calibrate(...) and "
                "`splitfleet codec` fit one"
            )
        return self.calibration

    def axes(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """Channels last where a tensor takes several chunks, so that each holds whole vectors."""
        known, n = self.calibration, len(shape)
        if known is None or known.axis == -1 or n < 3 or math.prod(shape) <= CHUNK_ELEMENTS:
            return None
        return (*range(n - 3), n - 2, n - 1, n - 3)

    def _vectors(self, patch: Patch, known: Calibration) -> tuple[tuple[int, ...], int]:
        """The chunk's own shape, the tensor's or whole rows of its last axis; the vectors' axis."""
        ordered = patch.size < math.prod(patch.shape)
        axis = -1 if ordered else known.axis
        if len(patch.shape) < -axis or patch.shape[axis] != known.size:
            raise UnsupportedInputError(
                f"the basis has {known.size} features along axis {known.axis}, got {patch.shape}"
            )
        if not ordered:
            return patch.shape, axis
        if patch.cols != known.size:
            raise UnsupportedInputError(
                f"a vector of {known.size} features must lie in one chunk, got {patch.shape}"
            )
        return (patch.rows, patch.cols), axis


def _energy(x: Floats) -> float:
    """Sum of squares."""
    return float(np.square(x, dtype=np.float64).sum())
