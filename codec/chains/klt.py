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

from codec.chains.ecsq import pack_far, put_far
from codec.stages import scalar, transform
from codec.stages.calibration import ID_BYTES, Calibration
from codec.stages.scalar import Floats
from codec.stream.base import CorruptBitstreamError, MissingCalibrationError, UnsupportedInputError
from codec.stream.container import Section
from codec.stream.frame import FloatCodec, Patch

PREFIX = "klt+"
_WILD = 4096.0


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
        shape = self._shape(patch, known)
        limit = min(_WILD * scalar.scale_of(x), float(np.finfo(np.float32).max))
        where = np.flatnonzero(np.abs(x) > np.float32(limit))
        head = [Section("header", known.id + bytes([self.inner.chain_id]))]
        if where.size:
            head.append(Section("positions", pack_far(x, where)))
            x = transform.without(x, where, shape, known)
        vectors = transform.vectors_of(x, shape, known.axis)
        y = transform.forward(vectors, known.mean, known.basis)
        if not y.any():  # every vector is the mean
            return head
        return [*head, *self.inner.encode_chunk(y.reshape(-1), Patch(y.shape, 0, y.size))]

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
        shape = self._shape(patch, known)
        inner = Patch((patch.size // known.size, known.size), 0, patch.size)
        far = len(sections) > 1 and sections[1].part == "positions"
        rest = sections[2:] if far else sections[1:]
        y = np.zeros(patch.size, dtype=np.float32)
        if rest:
            y = self.inner.decode_chunk(rest, inner)
        assert known.basis is not None
        vectors = transform.inverse(y.reshape(-1, known.size), known)
        out = transform.elements_of(vectors, shape, known.axis)
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

    def _shape(self, patch: Patch, known: Calibration) -> tuple[int, ...]:
        """The chunk's own shape: the tensor's, or its whole rows of the last axis."""
        whole = patch.size == math.prod(patch.shape)
        if len(patch.shape) >= -known.axis and patch.shape[known.axis] == known.size:
            if whole:
                return patch.shape
            if known.axis == -1 and patch.cols == known.size:
                return (patch.rows, patch.cols)
            raise UnsupportedInputError(
                f"a basis along axis {known.axis} takes tensors of one chunk, got {patch.shape}"
            )
        raise UnsupportedInputError(
            f"the basis has {known.size} features along axis {known.axis}, got {patch.shape}"
        )
