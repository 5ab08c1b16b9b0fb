"""One bit at a time, under a mix of four beliefs that learn from every bit.

A state holds a probability in 22 bits and how many bits it has seen in 10; it moves towards each
bit by 1 / (seen + 1.6), in the end by 1 / 251.6 in the second context and 1 / 31.6 in the others,
so that they follow what changes, and that mostly empty maps are believed to be so. Four states, one
of each context, are mixed where probabilities are logits: p = squash(sum of w_k stretch(p_k)), and
the weights follow the error of the mix (M. Mahoney 2005, "Adaptive weighing of context models for
lossless data compression"). The bit then takes its share of an interval [low, high] of 32 bits,
whose leading bytes are written once they agree; at the end one byte is left, for the top byte of
`high` before zeros lies inside. Everything is integer arithmetic, tables included:
a decoder on another machine repeats the encoder to the last bit. Encoder and decoder are one
function, which a flag tells apart.

States are uint32 (contexts * NODES,), weights int64 (rows * NODES * 4,); a place of the coder is
int64 (4,): low, high, the decoder's window, the next byte.
"""

import numpy as np
import numpy.typing as npt

from codec.stream.kernel import inlined

NODES = 38
"""Kinds of bits, each with states and weights of its own."""
N_MIXED = 4
FRESH_STATE = 1 << 31
FRESH_WEIGHT = 18_350
"""0.28 in 65536ths."""
AHEAD_BYTES = 3
"""Zeros that a decoder is given behind the last byte."""
_KNOTS = (
    1, 2, 3, 6, 10, 16, 27, 45, 73, 120, 194, 310, 488, 747, 1101, 1546, 2047, 2549, 2994, 3348,
    3607, 3785, 3901, 3975, 4022, 4050, 4068, 4079, 4085, 4089, 4092, 4093, 4094,
)  # fmt: skip
"""4096 / (1 + exp(-x / 2)) at x = -16..16, whole numbers inside 1..4095."""
_QUICK, _SLOW = 30, 250
_STEP = 10


def _squash() -> npt.NDArray[np.int64]:
    """Probability in 4096ths of every logit -2048..2047 in 256ths, by chords between the knots."""
    logit = np.arange(4096, dtype=np.int64)
    knots = np.array(_KNOTS, dtype=np.int64)
    at, part = logit >> 7, logit & 127
    chords: npt.NDArray[np.int64] = knots[at] * (128 - part) + knots[at + 1] * part + 64
    return chords >> 7


def _stretch() -> npt.NDArray[np.int64]:
    """The first logit whose probability reaches each of 0..4095."""
    return np.minimum(np.searchsorted(_SQUASH, np.arange(4096)), 4095) - 2048


_SQUASH = _squash()
_STRETCH = _stretch()
_RATES = 655_360 // (10 * np.arange(_SLOW + 1, dtype=np.int64) + 16)


@inlined
def open_place(data, decoding):  # type: ignore[no-untyped-def]
    """Where a coder begins; a decoder's data have AHEAD_BYTES zeros behind them."""
    place = np.zeros(4, dtype=np.int64)
    place[1] = 0xFFFFFFFF
    if decoding:
        for k in range(4):
            place[2] = place[2] << 8 | np.int64(data[k])
        place[3] = 4
    return place


@inlined
def close_place(place, data, decoding):  # type: ignore[no-untyped-def]
    """Write the last byte, or compare it; False where a stream is too long or short, or another."""
    last = place[1] >> 24
    if decoding:
        return place[3] == data.size and place[2] == last << 24
    if place[3] >= data.size:
        return False
    data[place[3]] = np.uint8(last)
    place[3] += 1
    return True


@inlined
def _narrow(bit, p, place, data, decoding):  # type: ignore[no-untyped-def]
    """Give or take a bit that is 1 with probability p / 4096; bytes beyond `data` are lost."""
    low, high = place[0], place[1]
    middle = low + ((high - low) >> 12) * p
    if decoding:
        bit = np.int64(place[2] <= middle)
    if bit:
        high = middle
    else:
        low = middle + 1
    while (low ^ high) & 0xFF000000 == 0:
        at = min(place[3], data.size - 1)
        if decoding:
            place[2] = (place[2] & 0xFFFFFF) << 8 | np.int64(data[at])
        else:
            data[at] = np.uint8(high >> 24)
        place[3] += 1
        low, high = (low & 0xFFFFFF) << 8, (high & 0xFFFFFF) << 8 | 0xFF
    place[0], place[1] = low, high
    return bit


@inlined
def _learn(states, i, bit, last):  # type: ignore[no-untyped-def]
    """Move a state towards a bit; it counts as far as `last`."""
    state = np.int64(states[i])
    seen, p = state & 1023, state >> 10
    p += ((bit << 22) - bit - p) * _RATES[seen] >> 16
    states[i] = np.uint32(p << 10 | min(seen + 1, last))


@inlined
def code_bit(bit, node, owners, row, states, weights, place, data, decoding):  # type: ignore[no-untyped-def]
    """The bit that was given, or that the decoder finds, at a node under four contexts.

    owners: first state of each context; row: first node of the weights in use.
    """
    i0, i1, i2, i3 = owners[0] + node, owners[1] + node, owners[2] + node, owners[3] + node
    s0, s1 = _STRETCH[states[i0] >> 20], _STRETCH[states[i1] >> 20]
    s2, s3 = _STRETCH[states[i2] >> 20], _STRETCH[states[i3] >> 20]
    k = 4 * (row + node)
    mix = weights[k] * s0 + weights[k + 1] * s1 + weights[k + 2] * s2 + weights[k + 3] * s3
    p = _SQUASH[min(max(mix >> 16, -2048), 2047) + 2048]
    bit = _narrow(bit, p, place, data, decoding)
    error = ((bit << 12) - p) * _STEP
    weights[k] += (s0 * error + 8192) >> 14
    weights[k + 1] += (s1 * error + 8192) >> 14
    weights[k + 2] += (s2 * error + 8192) >> 14
    weights[k + 3] += (s3 * error + 8192) >> 14
    _learn(states, i0, bit, _QUICK)
    _learn(states, i1, bit, _SLOW)
    _learn(states, i2, bit, _QUICK)
    _learn(states, i3, bit, _QUICK)
    return bit
