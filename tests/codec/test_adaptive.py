"""Adaptive coding: against a decoder in plain Python, entropies, and bytes that were damaged."""

from collections import defaultdict
from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import codec
from codec.entropy import adaptive, mixing
from codec.entropy import coder as entropy
from codec.stream import container
from codec.stream.base import CorruptBitstreamError

SHAPES = [(1, 1, 1), (1, 1, 40), (3, 5, 7), (1, 40, 60), (5, 31, 17), (40, 1, 3), (9, 3, 1)]


def smooth(shape, seed=0, scale=6.0):
    """Signed maps of slow waves with a little noise."""
    generator = np.random.default_rng(seed)
    planes, rows, cols = shape
    down = np.cumsum(generator.normal(size=(planes, rows, 1)), axis=1)
    along = np.cumsum(generator.normal(size=(planes, 1, cols)), axis=2)
    noise = generator.normal(size=shape)
    return np.rint(scale / 4 * (down + along + 0.5 * noise)).astype(np.int32)


class Plain:
    """A decoder as the two modules describe it, without arrays, in whole numbers of any size."""

    def __init__(self, data, shape):
        self.planes, self.rows, self.cols = shape
        self.signed, self.bytes = bool(data[0] & 0x10), chain(data[1:], bytes(3))
        self.low, self.high = 0, 2**32 - 1
        self.window = int.from_bytes(bytes(next(self.bytes) for _ in range(4)))
        self.states = defaultdict(lambda: (1 << 21, 0))
        self.weights = defaultdict(lambda: 18_350)
        self.taps = [24 << 10, 24 << 10, -8 << 10, 8 << 10, 0, 8 << 10]
        self.known = {}

    def at(self, plane, row, col):
        return max(-255, min(255, self.known.get((plane, row, col), 0)))

    def bit(self, node, owners, row):
        logits = [int(mixing._STRETCH[self.states[k, o, node][0] >> 10]) for k, o in owners]
        keys = [(row, node, k) for k in range(4)]
        mix = sum(self.weights[key] * logit for key, logit in zip(keys, logits, strict=True))
        p = int(mixing._SQUASH[max(-2048, min(2047, mix >> 16)) + 2048])
        middle = self.low + ((self.high - self.low) >> 12) * p
        bit = int(self.window <= middle)
        self.low, self.high = (self.low, middle) if bit else (middle + 1, self.high)
        while self.low >> 24 == self.high >> 24:
            self.low = self.low << 8 & 0xFFFFFFFF
            self.high = (self.high << 8 & 0xFFFFFFFF) + 255
            self.window = (self.window << 8 & 0xFFFFFFFF) + next(self.bytes)
        for key, logit in zip(keys, logits, strict=True):
            self.weights[key] += (logit * (4096 * bit - p) * 10 + 8192) >> 14
        for k, owner in owners:
            value, seen = self.states[k, owner, node]
            target = (1 << 22) - 1 if bit else 0
            value += ((target - value) * (655_360 // (10 * seen + 16))) >> 16
            self.states[k, owner, node] = value, min(seen + 1, 250 if k == 1 else 30)
        return bit

    def level(self, owners, row):
        if not self.bit(0, owners, row):
            return 0
        negative = self.signed and self.bit(1, owners, row)
        node, size = 2 + 18 * bool(negative), 1
        while size <= 6 and self.bit(node + size - 1, owners, row):
            size += 1
        if size > 6:
            width = 0
            while width < 31 and self.bit(node + 6 + min(width, 7), owners, row):
                width += 1
            rest = 1
            for k in reversed(range(width)):
                rest = 2 * rest + self.bit(node + 14 + min(k, 3), owners, row)
            size = 6 + rest
        return -size if negative else size

    def element(self, z, r, c):
        around = [(r, c - 1), (r - 1, c), (r - 1, c - 1), (r - 1, c + 1), (r, c - 2)]
        xs = [*(self.at(z, *place) for place in around), self.at(z - 1, r, c)]
        y = sum(t * x for t, x in zip(self.taps, xs, strict=True)) >> 10
        w, n, nw, ne, ww, p = map(abs, xs)
        a = 2 * w + 2 * n + nw + ne + ww + abs(self.at(z, r - 2, c))
        crossed = [(r, c - 1), (r, c + 1), (r - 1, c), (r + 1, c)]
        b = 2 * p + sum(abs(self.at(z - 1, *place)) for place in crossed)
        half = (min(abs(y), 32768 if y < 0 else 32767) + 16) >> 5
        sign = reach(half) if y >= 0 else -reach(half)
        both = reach((a + b) >> 1)
        plane = z if self.planes > 1 else c + 2
        owners = [(0, (reach(a), reach(b))), (1, (sign, both)),
                  (2, (min(w, 7), min(n, 7), min(p, 7))), (3, plane & 255)]  # fmt: skip
        self.known[z, r, c] = self.level(owners, both)
        energy = sum(x * x for x in xs)
        if energy:
            step = (64 * self.at(z, r, c) - y) * 96 // (energy + 2)
            self.taps = [t + step * x for t, x in zip(self.taps, xs, strict=True)]

    def decode(self):
        shape = self.planes, self.rows, self.cols
        for place in np.ndindex(shape):
            self.element(*place)
        assert self.window == self.high >> 24 << 24
        assert next(self.bytes, None) is None
        return np.array([self.known[place] for place in np.ndindex(shape)]).reshape(shape)


def reach(total):
    """The range of a sum of magnitudes: 0, 1, 2, 3, 4, 5-6, 7-8, 9-11, ..., 180 and more."""
    ends = (0, 1, 2, 3, 4, 6, 8, 11, 15, 21, 29, 43, 63, 99, 179)
    return sum(total > end for end in ends)


@pytest.mark.parametrize("shape", [*SHAPES, (3, 9, 11)])
@pytest.mark.parametrize("scale", [0.5, 6.0, 4000.0])
def test_a_decoder_in_plain_python_reads_the_same(shape, scale):
    symbols = smooth(shape, scale=scale)
    data = adaptive.encode(symbols)
    assert np.array_equal(adaptive.decode(data, *shape), symbols)
    assert np.array_equal(Plain(data, shape).decode(), symbols)


@given(
    shape=st.tuples(st.integers(0, 4), st.integers(0, 9), st.integers(0, 30)),
    seed=st.integers(0, 2**32 - 1),
    spread=st.sampled_from([1, 5, 300, 2**15]),
    low=st.booleans(),
)
def test_any_map_comes_back(shape, seed, spread, low):
    values = np.random.default_rng(seed).integers(-spread if low else 0, spread, shape)
    symbols = values.astype(np.int32)
    assert np.array_equal(adaptive.decode(adaptive.encode(symbols), *shape), symbols)


def test_the_largest_numbers_come_back_and_white_noise_of_32_bits_is_left_to_others():
    symbols = np.zeros((2, 20, 20), dtype=np.int32)
    symbols[0, 3, 5], symbols[1, 7, 2] = 2**31 - 1, 1 - 2**31
    assert np.array_equal(adaptive.decode(adaptive.encode(symbols), 2, 20, 20), symbols)
    white = np.random.default_rng(1).integers(1 - 2**31, 2**31 - 1, (4, 50, 50))
    assert adaptive.encode(white.astype(np.int32)) is None
    symbols[0, 0, 0] = -(2**31)
    with pytest.raises(ValueError, match="at least -2147483647"):
        adaptive.encode(symbols)


def test_logits_and_probabilities_are_those_of_the_logistic_curve():
    """Chords of half a logit are off by (1/2)**2 / 8 max |p''| = 12.3 / 4096 at most."""
    logit = np.arange(-2048, 2048)
    assert np.abs(mixing._SQUASH - 4096 / (1 + np.exp(-logit / 256))).max() < 12.4 + 1
    assert mixing._SQUASH.min() >= 1
    assert mixing._SQUASH.max() <= 4095
    middle = np.arange(64, 4032)
    assert np.abs(mixing._STRETCH[middle] - 256 * np.log(middle / (4096 - middle))).max() < 10


@pytest.mark.parametrize("share", [0.02, 0.1, 0.5])
def test_independent_bits_cost_their_entropy(share):
    """Between it, less three deviations, and 9 % more for what is learned and then forgotten."""
    n = 120_000
    symbols = (np.random.default_rng(3).random((30, 50, 80)) < share).astype(np.int32)
    entropy_bits = -n * (share * np.log2(share) + (1 - share) * np.log2(1 - share))
    spread = abs(np.log2(share / (1 - share))) * np.sqrt(n * share * (1 - share))
    size = 8 * len(adaptive.encode(symbols))
    assert entropy_bits - 3 * spread < size < 1.09 * entropy_bits + 3 * spread + 200


def test_a_channel_like_the_one_before_costs_next_to_nothing():
    generator = np.random.default_rng(4)
    plane = np.rint(generator.laplace(0, 2, (1, 40, 40))).astype(np.int32)
    one = len(adaptive.encode(plane))
    repeated = len(adaptive.encode(np.repeat(plane, 8, axis=0)))
    apart = np.rint(generator.laplace(0, 2, (8, 40, 40))).astype(np.int32)
    assert repeated < 2.5 * one < 0.5 * len(adaptive.encode(apart))


def test_signs_are_predicted():
    """Of waves they cost less than half a bit; contexts of magnitudes alone pay a whole one."""
    symbols = smooth((8, 48, 48))
    n_signs = np.count_nonzero(symbols)
    signs = 8 * (len(adaptive.encode(symbols)) - len(adaptive.encode(np.abs(symbols))))
    assert signs < 0.5 * n_signs
    assert len(adaptive.encode(symbols)) < 0.8 * len(entropy.encode_map(symbols))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1), shape=st.sampled_from([(7,), (5, 9), (3, 6, 8), (2, 50, 50)])
)
def test_a_chain_is_never_longer_for_it(seed, shape):
    generator = np.random.default_rng(seed)
    x = (generator.normal(size=shape) ** generator.integers(1, 4)).astype(np.float32)
    sizes = {c: len(codec.create("ecsq", coder=c).encode(x)) for c in ("order0", "auto")}
    data = codec.create("ecsq", coder="adaptive").encode(x)
    assert len(data) <= min(sizes.values())
    back = codec.create("ecsq", coder="order0").encode(x)
    assert np.array_equal(codec.decode(data), codec.decode(back))


def test_an_adaptive_chunk_has_no_tables_and_keeps_far_values():
    x = smooth((4, 30, 30)).astype(np.float32) + 0.25
    x[1, 2, 3] = 1e30
    data = codec.create("ecsq", coder="adaptive").encode(x)
    _, (chunk,) = container.read(data)
    assert bytes(chunk.sections[0].data) == b"\x13"
    assert codec.ledger(data)["tables"] == 0
    assert codec.decode(data)[1, 2, 3] == pytest.approx(1e30, rel=1e-6)


@given(shape=st.sampled_from(SHAPES[1:]), data=st.data())
def test_mutations_raise_or_give_a_map(shape, data):
    stream = bytearray(adaptive.encode(smooth(shape)))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(stream) - 1))
        stream[at] ^= data.draw(st.integers(1, 255))
    stream = stream[: len(stream) - data.draw(st.sampled_from([0, 0, 1, 2, 9]))]
    try:
        back = adaptive.decode(bytes(stream), *shape)
    except CorruptBitstreamError:
        return
    assert back.shape == shape


@given(st.binary(max_size=300))
def test_hostile_maps_raise_or_give_a_map(data):
    for kind in (b"\x05", b"\x15", b"\x04", b"\x25"):
        try:
            assert adaptive.decode(kind + data, 2, 9, 8).shape == (2, 9, 8)
        except CorruptBitstreamError:
            continue


@pytest.mark.parametrize("shape", [(1, 5, 5), (3, 4, 5), (3, 5, 6), (60, 1, 1)])
def test_another_number_of_elements_is_refused(shape):
    data = adaptive.encode(smooth((3, 5, 5)))
    with pytest.raises(CorruptBitstreamError):
        adaptive.decode(data, *shape)


@pytest.mark.parametrize("data", [b"", b"\x05\x00", b"\x15", b"\x05"])
def test_only_one_byte_is_an_empty_map(data):
    assert adaptive.encode(np.zeros((0, 3, 4), np.int32)) == b"\x05"
    if data == b"\x05":
        assert adaptive.decode(data, 0, 3, 4).shape == (0, 3, 4)
        return
    with pytest.raises(CorruptBitstreamError):
        adaptive.decode(data, 0, 3, 4)
