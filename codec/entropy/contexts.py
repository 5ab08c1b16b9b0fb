"""rANS under causal neighbours: large values lie beside large values.

Codes of a map (planes, rows, cols) take the table of their context, a range of `entropy.activity`.
Every lane owns a band of consecutive rows and sees no neighbour above its band, so that lanes stay
independent; the rows left over follow the last band on its lane.

    bytes:  model (`codec.entropy.activity.Model`) | rANS stream
"""

import numpy as np

from codec.entropy import mixed, rans
from codec.entropy.activity import (
    PRECISION,
    Codes,
    fill_activities,
    fit_model,
    parse_model,
    shift_for,
)
from codec.stream.base import CorruptBitstreamError
from codec.stream.kernel import I64, U8, U16, U32, U64, array, helper, kernel

_ROWS_A_LANE = 4


def encode(codes: Codes, signed: bool = True) -> bytes:
    """Code a (planes, rows, cols) map of at most 2047 codes; its model travels with it."""
    planes, rows, cols = codes.shape
    flat = np.ascontiguousarray(codes, dtype=np.uint16).reshape(-1)
    if not flat.size:
        return b""
    lanes = _lanes(planes * rows, flat.size)
    shift = shift_for(flat, signed)
    activity = np.empty(flat.size, dtype=np.uint8)
    fill_activities(flat, rows, cols, _band(planes * rows, lanes), lanes, signed, shift, activity)
    model = fit_model(flat, activity, shift)
    marks = model.of_activity[activity]
    band = _band(planes * rows, lanes) * cols
    return model.to_bytes() + mixed.encode_strided(
        flat, marks, model.tables, lanes, (band, 1, band)
    )


def decode(
    data: bytes | memoryview, planes: int, rows: int, cols: int, *, signed: bool = True
) -> Codes:
    """The (planes, rows, cols) map that `encode` coded with the same `signed`.

    Raises CorruptBitstreamError for damaged models and for streams that end elsewhere.
    """
    out = np.zeros(planes * rows * cols, dtype=np.uint16)
    if not out.size:
        if len(data):
            raise CorruptBitstreamError("an empty map takes no bytes")
        return out.reshape(planes, rows, cols)
    model, used = parse_model(data)
    lanes = _lanes(planes * rows, out.size)
    states, words = rans.split(data[used:], lanes)
    slots = np.concatenate([table.slots for table in model.tables])
    start = model.of_activity.astype(np.uint64) << np.uint64(PRECISION)
    band = _band(planes * rows, lanes)
    above = np.zeros((lanes, cols), dtype=np.uint8)
    if not _decode(words, slots, start, rows, cols, band, signed, model.shift, states, above, out):
        raise CorruptBitstreamError("context rANS stream does not end where its symbols end")
    return out.reshape(planes, rows, cols)


def _lanes(n_rows: int, count: int) -> int:
    lanes = rans.n_lanes(count)
    while lanes > 1 and n_rows < _ROWS_A_LANE * lanes:
        lanes //= 2
    return lanes


def _band(n_rows: int, lanes: int) -> int:
    return n_rows // lanes


@helper
def _magnitude(code, signed, shift):  # type: ignore[no-untyped-def]
    level = (np.int64(code) + signed) >> signed >> shift
    return np.uint8(min(level, 15))


@helper
def _pull(x, at, i, west, above, slots, start, words, out, signed, shift):  # type: ignore[no-untyped-def]
    """Decode element i of a lane; `above` is 2 N + NW + NE there, `west` its left neighbour."""
    base = start[above + np.uint8(2) * west]
    slot = slots[base + (x & np.uint64(4095))]
    x = (slot >> np.uint64(32)) * (x >> np.uint64(12)) + (slot >> np.uint64(16) & np.uint64(0xFFFF))
    word = np.uint64(words[at])
    if x < np.uint64(65536):
        x = x << np.uint64(16) | word
        at += np.uint64(1)
    code = np.uint16(slot & np.uint64(0xFFFF))
    out[i] = code
    return x, at, _magnitude(code, signed, shift)


@helper
def _look_up(above, out, row, rows, cols, fresh, signed, shift):  # type: ignore[no-untyped-def]
    """Fill a lane's `above` for its next row."""
    if fresh or row % rows == 0:
        above[:] = 0
        return
    up = (row - 1) * cols
    for col in range(cols):
        total = 2 * _magnitude(out[up + col], signed, shift)
        if col > 0:
            total += _magnitude(out[up + col - 1], signed, shift)
        if col + 1 < cols:
            total += _magnitude(out[up + col + 1], signed, shift)
        above[col] = total


@kernel(
    (array(U16), array(U64), array(U64), I64, I64, I64, I64, I64,
     array(U32, writable=True), array(U8, ndim=2, writable=True), array(U16, writable=True))
)  # fmt: skip
def _decode(words, slots, start, rows, cols, band, signed, shift, states, up, out):  # type: ignore[no-untyped-def]
    """Advance all lanes together; False where words or lanes do not end together.

    In one piece: with its rows in helpers the lanes leave their registers, at twice the time.
    """
    lanes = states.size
    end, at = np.uint64(words.size - 16), np.uint64(0)
    home = True
    for x in states:
        home &= x >= np.uint32(65536)
    if not home:
        return False
    west = np.zeros(lanes, dtype=np.uint8)
    for row in range(band):
        for j in range(lanes):
            _look_up(up[j], out, j * band + row, rows, cols, row == 0, signed, shift)
            west[j] = 0
        if lanes == 8:
            x0, x1 = np.uint64(states[0]), np.uint64(states[1])
            x2, x3 = np.uint64(states[2]), np.uint64(states[3])
            x4, x5 = np.uint64(states[4]), np.uint64(states[5])
            x6, x7 = np.uint64(states[6]), np.uint64(states[7])
            w0 = w1 = w2 = w3 = w4 = w5 = w6 = w7 = np.uint8(0)
            d, k = np.uint64(band * cols), np.uint64(row * cols)
            for c in range(np.uint64(cols)):
                if at > end:
                    return False
                i = k + c
                x0, at, w0 = _pull(x0, at, i, w0, up[0, c], slots, start, words, out, signed, shift)
                i += d
                x1, at, w1 = _pull(x1, at, i, w1, up[1, c], slots, start, words, out, signed, shift)
                i += d
                x2, at, w2 = _pull(x2, at, i, w2, up[2, c], slots, start, words, out, signed, shift)
                i += d
                x3, at, w3 = _pull(x3, at, i, w3, up[3, c], slots, start, words, out, signed, shift)
                i += d
                x4, at, w4 = _pull(x4, at, i, w4, up[4, c], slots, start, words, out, signed, shift)
                i += d
                x5, at, w5 = _pull(x5, at, i, w5, up[5, c], slots, start, words, out, signed, shift)
                i += d
                x6, at, w6 = _pull(x6, at, i, w6, up[6, c], slots, start, words, out, signed, shift)
                i += d
                x7, at, w7 = _pull(x7, at, i, w7, up[7, c], slots, start, words, out, signed, shift)
            states[0], states[1] = np.uint32(x0), np.uint32(x1)
            states[2], states[3] = np.uint32(x2), np.uint32(x3)
            states[4], states[5] = np.uint32(x4), np.uint32(x5)
            states[6], states[7] = np.uint32(x6), np.uint32(x7)
            continue
        for c in range(cols):
            if at > end:
                return False
            for j in range(lanes):
                i = np.uint64((j * band + row) * cols + c)
                x = np.uint64(states[j])
                x, at, west[j] = _pull(
                    x, at, i, west[j], up[j, c], slots, start, words, out, signed, shift
                )
                states[j] = np.uint32(x)
    j = lanes - 1
    for row in range(lanes * band, out.size // cols):
        _look_up(up[j], out, row, rows, cols, False, signed, shift)
        west[j] = 0
        for c in range(cols):
            if at > end:
                return False
            i = np.uint64(row * cols + c)
            x = np.uint64(states[j])
            x, at, west[j] = _pull(
                x, at, i, west[j], up[j, c], slots, start, words, out, signed, shift
            )
            states[j] = np.uint32(x)
    for x in states:
        home &= x == np.uint32(65536)
    return home and at == end
