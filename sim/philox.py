"""Philox 4x32-10: random numbers by counter alone, with the same bits in every language.

A key and a counter give four words; whoever knows both can make any number of a run without those
before it (Salmon, Moraes, Dror and Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3"). Here

    key      seed, purpose
    counter  request (or call), index of the device, replication, number within the request

and the four words are two uniform numbers of 53 bits, one for each of two lanes. Only whole numbers
and + - * / are used, the logarithm included, so that no library of any platform moves a result.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from sim import compiling

U = np.uint64

_WORD = 0xFFFFFFFF
_MANTISSA, _HALF = (1 << 52) - 1, 1022 << 52


def compiled(
    signature: str, *, allocates: bool = False, hot: bool = False
) -> Callable[[Callable[..., Any]], Any]:
    """Compile for one signature; `hot`: put into whatever compiled function calls it."""
    return partial(compiling.compiled, signature=signature, allocates=allocates, hot=hot)


@compiled("UniTuple(u8, 4)(u8, u8, u8, u8, u8, u8)", hot=True)
def philox(k0: Any, k1: Any, c0: Any, c1: Any, c2: Any, c3: Any) -> Any:
    """The four words of a key and a counter, each in 32 bits."""
    word = U(_WORD)
    for _ in range(10):
        p = U(0xD2511F53) * c0
        q = U(0xCD9E8D57) * c2
        c0, c1, c2, c3 = (q >> U(32)) ^ c1 ^ k0, q & word, (p >> U(32)) ^ c3 ^ k1, p & word
        k0 = (k0 + U(0x9E3779B9)) & word
        k1 = (k1 + U(0xBB67AE85)) & word
    return c0, c1, c2, c3


@compiled("f8(u8, u8)", hot=True)
def unit(high: int, low: int) -> float:
    """A number in [0, 1) of the first 27 bits of one word and the first 26 of another."""
    return ((high >> U(5)) * 67108864.0 + (low >> U(6))) * (1.0 / 9007199254740992.0)


def _word_of(typing: Any, x: Any) -> Any:
    """The bits of a number."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.int64))

    return types.int64(types.float64), lower


def _of_word(typing: Any, word: Any) -> Any:
    """The number of these bits."""

    def lower(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float64))

    return types.float64(types.int64), lower


_word: Any = intrinsic(_word_of)
_number: Any = intrinsic(_of_word)


@compiled("Tuple((f8, i8))(f8)")
def _parts(x: float) -> Any:
    """`math.frexp` of a normal number above 0, without a call."""
    word = _word(x)
    return _number((word & _MANTISSA) | _HALF), (word >> 52) - 1022


@compiled("f8(f8)", hot=True)
def minus_log(u: float) -> float:
    """-ln(1 - u) for u in [0, 1): a uniform number's exponential one, within one unit of the last
    place (fdlibm's polynomial, Sun Microsystems 1993).
    """
    m, e = _parts(1.0 - u)
    if m < 0.7071067811865476:
        m *= 2.0
        e -= 1
    f = m - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    odd = 0.6666666666666735 + w * (
        0.2857142874366239 + w * (0.1818357216161805 + w * 0.14798198605116586)
    )
    even = 0.3999999999940942 + w * (0.22222198432149784 + w * 0.15313837699209373)
    h = 0.5 * f * f
    r = h + (z * odd + w * even)
    return float(((h - (s * r + e * 1.9082149292705877e-10)) - f) - e * 0.6931471803691238)


@compiled("f8(u8, u8, u8, u8, u8, u8, i8)")
def number(k0: int, k1: int, c0: int, c1: int, c2: int, c3: int, lane: int) -> float:
    """The uniform number of one lane at a counter."""
    w0, w1, w2, w3 = philox(k0, k1, c0, c1, c2, c3)
    return float(unit(w2, w3) if lane == 1 else unit(w0, w1))


@compiled("f8[::1](u8, u8, u8, u8, u8, i8, i8)", allocates=True)
def numbers(k0: int, k1: int, first: int, c1: int, c2: int, size: int, lane: int) -> np.ndarray:
    """Those of counters in a row, from c0 = `first` on; lane 2: of both lanes by turns."""
    out = np.empty(size)
    calls = size // 2 if lane == 2 else size
    for i in range(calls):
        w0, w1, w2, w3 = philox(k0, k1, (first + U(i)) & U(_WORD), c1, c2, U(0))
        if lane == 2:
            out[2 * i] = unit(w0, w1)
            out[2 * i + 1] = unit(w2, w3)
        else:
            out[i] = unit(w2, w3) if lane == 1 else unit(w0, w1)
    return out
