"""Adaptive coding of maps: contexts that know signs, a prediction and the previous channel.

Every element is coded in bits, zero? | sign | above 1? ... above 6? | the rest as Exp-Golomb, each
under the mix of four adaptive contexts (`codec.entropy.mixing`). With the causal neighbours W, N,
NW, NE, WW, NN in the plane and P, PW, PE, PN, PS in the plane before, capped at 255,

    a = 2 |W| + 2 |N| + |NW| + |NE| + |WW| + |NN|,   b = 2 |P| + |PW| + |PE| + |PN| + |PS|
    y = c . (W, N, NW, NE, WW, P)     six taps that follow x by normalised least mean squares
    contexts: (a, b) | (y with its sign, (a + b) / 2) | (|W|, |N|, |P|) | plane, or column of one

(B. Widrow, M. Hoff 1960, for the taps.) No table travels, and small maps cost no more than what
the contexts have not learned yet. An element takes 60 to 130 ns a direction: every bit waits for
the one before it.

    bytes:  5, + 0x10 where signs are coded, 1 | bits of the coder's interval
"""

import numpy as np
import numpy.typing as npt

from codec.entropy import folding
from codec.entropy.mixing import (
    AHEAD_BYTES,
    FRESH_STATE,
    FRESH_WEIGHT,
    N_MIXED,
    NODES,
    close_place,
    code_bit,
    open_place,
)
from codec.stream.base import CorruptBitstreamError
from codec.stream.kernel import BOOL, I32, I64, U8, array, inlined, kernel

Integers = npt.NDArray[np.int32]

LARGEST = 2**31 - 1
_KIND, _SIGNED = 5, 0x10
_CAP = 255
_UNARY = 6
_PREFIXES, _SUFFIXES = 8, 4
_TAPS = (24 << 10, 24 << 10, -8 << 10, 8 << 10, 0, 8 << 10)
"""Where the taps begin, in 65536ths."""
_PACE = 96
"""How far the taps go towards an element, in 1024ths of the way."""
_ENDS = np.array([0, 1, 2, 3, 4, 6, 8, 11, 15, 21, 29, 43, 63, 99, 179])
_RANGES = np.searchsorted(_ENDS, np.arange(2048)).astype(np.int64)
"""One of sixteen ranges for every sum of magnitudes."""
_PAIR, _SIGN, _TRIPLE, _PLACE = 0, 256, 784, 1296
_CONTEXTS = _PLACE + 256


def encode(symbols: Integers) -> bytes | None:
    """Code a (planes, rows, cols) map; None where that takes more than 32 bits an element.

    Raises ValueError for a symbol of -2**31.
    """
    planes, rows, cols = np.shape(symbols)
    values = folding.flatten(symbols)
    if not values.size:
        return bytes([_KIND])
    low = int(values.min())
    if low < -LARGEST:
        raise ValueError(f"symbols must be at least {-LARGEST}, got {low}")
    data = np.empty(4 * values.size + 64, dtype=np.uint8)
    size = _walk(values.copy(), planes, rows, cols, low < 0, data, False)
    return bytes([_KIND | _SIGNED * (low < 0)]) + data[:size].tobytes() if size > 0 else None


def decode(data: bytes | memoryview, planes: int, rows: int, cols: int) -> Integers:
    """The (planes, rows, cols) map of `encode`; raises CorruptBitstreamError."""
    if not data or data[0] & ~_SIGNED != _KIND:
        raise CorruptBitstreamError(f"adaptive coder {bytes(data[:1])!r} is not known here")
    if not planes * rows * cols:
        if len(data) != 1 or data[0] != _KIND:
            raise CorruptBitstreamError("an empty map takes one byte")
        return np.empty((planes, rows, cols), dtype=np.int32)
    if len(data) < 2:
        raise CorruptBitstreamError("adaptive stream is cut off")
    out = np.zeros(planes * rows * cols, dtype=np.int32)
    bits = np.frombuffer(bytes(data[1:]) + bytes(AHEAD_BYTES), dtype=np.uint8).copy()
    if _walk(out, planes, rows, cols, bool(data[0] & _SIGNED), bits, True) < 0:
        raise CorruptBitstreamError("adaptive stream does not end where its symbols end")
    return out.reshape(planes, rows, cols)


@inlined
def _code_rest(rest, node, owners, row, states, weights, place, data, decoding):  # type: ignore[no-untyped-def]
    """Exp-Golomb for what is at least 1: how many bits follow the first one, then these."""
    width = np.int64(0)
    while width < 31 and code_bit(
        np.int64(rest >> (width + 1) > 0), node + min(width, _PREFIXES - 1),
        owners, row, states, weights, place, data, decoding,
    ):  # fmt: skip
        width += 1
    found = np.int64(1)
    for k in range(width - 1, -1, -1):
        found = found << 1 | code_bit(
            rest >> k & 1, node + _PREFIXES + min(k, _SUFFIXES - 1),
            owners, row, states, weights, place, data, decoding,
        )  # fmt: skip
    return found


@inlined
def _code_level(level, signed, owners, row, states, weights, place, data, decoding):  # type: ignore[no-untyped-def]
    """Give or take one element."""
    size, negative = abs(level), np.int64(level < 0)
    if not code_bit(
        np.int64(size > 0), 0, owners, row, states, weights, place, data, decoding
    ):  # fmt: skip
        return np.int64(0)
    if signed:
        negative = code_bit(negative, 1, owners, row, states, weights, place, data, decoding)
    node = 2 + negative * (_UNARY + _PREFIXES + _SUFFIXES)
    found = np.int64(1)
    while found <= _UNARY and code_bit(
        np.int64(size > found), node + found - 1,
        owners, row, states, weights, place, data, decoding,
    ):  # fmt: skip
        found += 1
    if found > _UNARY:
        found = _UNARY + _code_rest(
            size - _UNARY, node + _UNARY, owners, row, states, weights, place, data, decoding
        )
    return -found if negative else found


@inlined
def _predict(taps, here, before, r, c):  # type: ignore[no-untyped-def]
    """What the taps make of the neighbours, in 64ths."""
    total = taps[0] * here[r, c - 1] + taps[1] * here[r - 1, c] + taps[2] * here[r - 1, c - 1]
    total += taps[3] * here[r - 1, c + 1] + taps[4] * here[r, c - 2] + taps[5] * before[r, c]
    return total >> 10


@inlined
def _follow(taps, here, before, r, c, error):  # type: ignore[no-untyped-def]
    """Move the taps so that the error, in 64ths, would have been smaller."""
    w, n, nw = np.int64(here[r, c - 1]), np.int64(here[r - 1, c]), np.int64(here[r - 1, c - 1])
    ne, ww, p = np.int64(here[r - 1, c + 1]), np.int64(here[r, c - 2]), np.int64(before[r, c])
    energy = w * w + n * n + nw * nw + ne * ne + ww * ww + p * p
    if energy > 0:
        step = error * _PACE // (energy + 2)
        taps[0] += step * w
        taps[1] += step * n
        taps[2] += step * nw
        taps[3] += step * ne
        taps[4] += step * ww
        taps[5] += step * p


@inlined
def _contexts(here, before, r, c, predicted, place):  # type: ignore[no-untyped-def]
    """First state of each of the four contexts, and the first node of the weights."""
    w, n, p = abs(here[r, c - 1]), abs(here[r - 1, c]), abs(before[r, c])
    a = 2 * w + 2 * n + abs(here[r - 1, c - 1]) + abs(here[r - 1, c + 1])
    a += abs(here[r, c - 2]) + abs(here[r - 2, c])
    b = 2 * p + abs(before[r, c - 1]) + abs(before[r, c + 1])
    b += abs(before[r - 1, c]) + abs(before[r + 1, c])
    y = min(max(predicted, -32768), 32767)
    sign = _RANGES[(abs(y) + 16) >> 5]  # half levels
    both = _RANGES[(a + b) >> 1]
    return (
        NODES * (_PAIR + 16 * _RANGES[a] + _RANGES[b]),
        NODES * (_SIGN + 16 * (16 + (sign if y >= 0 else -sign)) + both),
        NODES * (_TRIPLE + 64 * min(w, 7) + 8 * min(n, 7) + min(p, 7)),
        NODES * (_PLACE + (place & 255)),
    ), NODES * both


@kernel((array(I32, writable=True), I64, I64, I64, BOOL, array(U8, writable=True), BOOL))
def _walk(levels, planes, rows, cols, signed, data, decoding):  # type: ignore[no-untyped-def]
    """Code all levels into data, or out of it; the bytes, -1 where they do not fit.

    Two planes lie in frames of zeros: two rows above and one below, two columns before, one behind.
    """
    states = np.full(_CONTEXTS * NODES, np.uint32(FRESH_STATE), dtype=np.uint32)
    weights = np.full(16 * NODES * N_MIXED, FRESH_WEIGHT, dtype=np.int64)
    taps, place = np.array(_TAPS), open_place(data, decoding)
    here = np.zeros((rows + 3, cols + 3), dtype=np.int16)
    before = np.zeros((rows + 3, cols + 3), dtype=np.int16)
    i = 0
    for plane in range(planes):
        for r in range(2, rows + 2):
            for c in range(2, cols + 2):
                predicted = _predict(taps, here, before, r, c)
                where = plane if planes > 1 else c
                owners, row = _contexts(here, before, r, c, predicted, where)
                level = _code_level(
                    np.int64(levels[i]), signed, owners, row, states, weights, place, data, decoding
                )
                if place[3] > data.size or abs(level) > LARGEST:
                    return -1
                levels[i] = np.int32(level)
                seen = min(max(level, -_CAP), _CAP)
                here[r, c] = np.int16(seen)
                _follow(taps, here, before, r, c, (seen << 6) - predicted)
                i += 1
        here, before = before, here
    return place[3] if close_place(place, data, decoding) else -1
