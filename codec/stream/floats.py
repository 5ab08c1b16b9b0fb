"""Floating-point numbers as bits: fp16 and bf16 to fp32 and back, and what a chunk looks like.

Half precision follows IEEE 754: exact one way, round to nearest even the other way, saturating at
the largest finite number. numpy converts the same numbers five to ten times more slowly.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from codec.stream.kernel import F32, U16, U32, array, kernel

FLOAT32, FLOAT16, BFLOAT16, UINT8 = 0, 1, 2, 3
"""Dtype codes of the container."""
STORAGE = (np.dtype("<f4"), np.dtype("<f2"), np.dtype("<u2"), np.dtype("u1"))
"""numpy dtype that holds each of them; bfloat16 lies in uint16, which numpy lacks a name for."""

INFINITY_BITS = 0x7F800000
_LARGEST = np.finfo(np.float32).max
_SIGN = np.uint32(0x80000000)
_HALF_MAX_BITS = np.uint32(0x477FE000)  # 65504 as float32
_HALF_NORMAL_BITS = np.uint32(113 << 23)  # 2**-14, below it a half is subnormal
_SUBNORMAL_MAGIC = np.uint32(0x3F000000)  # 0.5: adding it leaves the subnormal in the low bits
_REBIAS = np.uint32(0xC8000FFF)  # (15 - 127) << 23, plus half a unit minus one


class Look(NamedTuple):
    """Bit-level facts of a float32 chunk."""

    maximum: float
    negative: bool
    constant: bool
    finite: bool


def look(x: npt.NDArray[np.float32]) -> Look:
    """Largest magnitude, whether any sign bit is set, all bits alike, all numbers finite."""
    top, union, differing = _look(x.view(np.uint32))
    maximum = float(np.uint32(top).view(np.float32))
    finite = top < INFINITY_BITS
    return Look(maximum, bool(union & _SIGN), differing == 0, finite)


def look_briefly(x: npt.NDArray[np.float32]) -> tuple[int, bool]:
    """Bits of the largest magnitude, `INFINITY_BITS` or more unless finite; all bits alike."""
    top, _, differing = _look(x.view(np.uint32))
    return top, differing == 0


def to_float32(x: npt.NDArray[np.generic], dtype: int) -> npt.NDArray[np.float32]:
    """(n,) numbers of a stored dtype as float32, exactly; infinities and NaN survive."""
    if dtype == FLOAT32:
        return np.ascontiguousarray(x, dtype=np.float32)
    bits = np.ascontiguousarray(x).view(np.uint16)
    out = np.empty(bits.size, dtype=np.float32)
    if dtype == FLOAT16:
        _from_half(bits, out.view(np.uint32), out)
    else:
        _from_brain(bits, out.view(np.uint32))
    return out


def from_float32(x: npt.NDArray[np.float32], dtype: int) -> npt.NDArray[np.generic]:
    """(n,) float32 rounded to a stored dtype; what lies beyond its range becomes its maximum."""
    if dtype == FLOAT32:
        return x if look(x).finite else np.minimum(np.maximum(x, -_LARGEST), _LARGEST)
    out = np.empty(x.size, dtype=np.uint16)
    if dtype == FLOAT16:
        shifted = np.abs(x) + np.float32(0.5)
        _to_half(x.view(np.uint32), shifted.view(np.uint32), out)
        return out.view(np.float16)
    _to_brain(x.view(np.uint32), out)
    return out


def clamp(x: npt.NDArray[np.float32], dtype: int) -> npt.NDArray[np.float32]:
    """NaN becomes 0, infinities the largest finite number of the dtype, with their sign."""
    limit = (np.finfo(np.float32).max, 65504.0, np.uint32(0x7F7F0000).view(np.float32))[dtype]
    return np.nan_to_num(x, nan=0.0, posinf=float(limit), neginf=-float(limit))


@kernel((array(U32),))
def _look(bits):  # type: ignore[no-untyped-def]
    """Each result is cut back to 32 bits at once: numba widens to 64, three times as slow."""
    top, union, differing = np.uint32(0), np.uint32(0), np.uint32(0)
    first = bits[0]
    for i in range(bits.size):
        top = max(top, np.uint32(bits[i] & np.uint32(0x7FFFFFFF)))
        union = np.uint32(union | bits[i])
        differing = np.uint32(differing | np.uint32(bits[i] ^ first))
    return top, union, differing


@kernel((array(U16), array(U32, writable=True), array(F32, writable=True)))
def _from_half(half, bits, out):  # type: ignore[no-untyped-def]
    """Multiplying by 2**112 moves the exponent, subnormals included; `bits` and `out` are one."""
    for i in range(half.size):
        bits[i] = (np.uint32(half[i]) & np.uint32(0x7FFF)) << np.uint32(13)
    scale = np.float32(2.0**112)
    for i in range(half.size):
        out[i] *= scale
    for i in range(half.size):
        if half[i] & np.uint32(0x7C00) == np.uint32(0x7C00):
            bits[i] |= np.uint32(0x7F800000)
        bits[i] |= (np.uint32(half[i]) & np.uint32(0x8000)) << np.uint32(16)


@kernel((array(U16), array(U32, writable=True)))
def _from_brain(brain, bits):  # type: ignore[no-untyped-def]
    for i in range(brain.size):
        bits[i] = np.uint32(brain[i]) << np.uint32(16)


@kernel((array(U32), array(U32), array(U16, writable=True)))
def _to_half(bits, shifted, out):  # type: ignore[no-untyped-def]
    """Round to nearest even (F. Giesen, float_to_half_fast3_rtne), saturating at 65504."""
    for i in range(bits.size):
        u = min(bits[i] & np.uint32(0x7FFFFFFF), _HALF_MAX_BITS)
        odd = (u >> np.uint32(13)) & np.uint32(1)
        normal = ((u + _REBIAS + odd) & np.uint32(0xFFFFFFFF)) >> np.uint32(13)
        subnormal = shifted[i] - _SUBNORMAL_MAGIC
        half = subnormal if u < _HALF_NORMAL_BITS else normal
        out[i] = np.uint16(half | ((bits[i] >> np.uint32(16)) & np.uint32(0x8000)))


@kernel((array(U32), array(U16, writable=True)))
def _to_brain(bits, out):  # type: ignore[no-untyped-def]
    """Round to nearest even, saturating at the largest finite bfloat16."""
    for i in range(bits.size):
        u = bits[i] & np.uint32(0x7FFFFFFF)
        rounded = (u + np.uint32(0x7FFF) + ((u >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        brain = min(rounded, np.uint32(0x7F7F))
        out[i] = np.uint16(brain | ((bits[i] >> np.uint32(16)) & np.uint32(0x8000)))
