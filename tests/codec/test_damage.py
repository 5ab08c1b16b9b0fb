"""Hostile bytes for every chain: refused with the checksum as it is, harmless with it repaired."""

import itertools
import random
import struct
import time
import tracemalloc
import zlib
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec.chains import tiled
from codec.stream import container, floats

SHAPE = (3, 8, 12)
BOUND_BYTES = 64 << 20
FUZZ_S = 60.0


def features():
    x = np.random.default_rng(5).normal(size=SHAPE).astype(np.float32)
    return np.where(np.abs(x) < 0.4, np.float32(0), x)


def calibration():
    vectors = np.random.default_rng(6).normal(size=(200, 12)).astype(np.float32)
    return codec.calibrate("klt+ecsq", [vectors], relative_l2=0.2).calibration


CALIBRATION = calibration()
CASES = {
    "slicer": {},
    "slicer ": {"entropy": "rans", "positions": "gaps", "granularity": "token"},
    "slicer  ": {"entropy": "rans", "positions": "map", "n_blocks": 1},
    "raw16": {},
    "raw32": {},
    "int8": {},
    "int4": {"axis": 0},
    "ecsq": {"coder": "order0"},
    "ecsq ": {"coder": "context"},
    "ecsq  ": {"coder": "static", "calibration": CALIBRATION},
    "ecsq   ": {"coder": "adaptive"},
    "prior": {"calibration": CALIBRATION},
    "klt+ecsq": {"calibration": CALIBRATION},
    "klt+slicer": {"calibration": CALIBRATION},
    "topk": {},
    "zstd": {},
    "aiq": {},
    "tiled": {},
    **({"tiled ": {"format": "avif", "quality": 60}} if tiled.has("avif") else {}),
    "tabq ": {"threshold": 1.5, "token": "row"},
    "centres": {},
    "tabq": {"threshold": 1.5},
}


def chain_of(case):
    return codec.create(case.strip(), **CASES[case])


WILD = features()
WILD[1, 2, 3] = 1e30
FAR = {"ecsq far": {}, "ecsq far, adaptive": {"coder": "adaptive"}}
NAMES = (*CASES, *FAR)


@cache
def stream(case):
    """Made when it is first asked for: a chain may need an extra."""
    if case in FAR:
        return codec.create("ecsq", **FAR[case]).encode(WILD)
    return chain_of(case).encode(features())


def decoded(data):
    return codec.decode(data, calibration=CALIBRATION, max_elements=1 << 20)


def repaired(data):
    body = bytes(data[:-4])
    return body + struct.pack("<I", zlib.crc32(body))


def mutated(data, draw):
    """One of the ways in which bytes go wrong, by a random.Random."""
    data = bytearray(data)
    kind = draw.randrange(5)
    at = draw.randrange(3, len(data) - 4)  # the magic and the version are tested elsewhere
    if kind == 0:
        data[at] ^= 1 << draw.randrange(8)
    elif kind == 1:
        data[at] = draw.randrange(256)
    elif kind == 2:
        del data[at : at + draw.randrange(1, 9)]
    elif kind == 3:
        data[at:at] = draw.randbytes(draw.randrange(1, 9))
    else:
        other = draw.randrange(3, len(data) - 4)
        data[at : at + 4] = data[other : other + 4]
    return bytes(data)


def judge(data):
    """A repaired stream is refused, or yields a finite tensor of the shape its header declares."""
    try:
        back = decoded(data)
    except codec.CodecError:
        return
    header, _ = container.read(data)
    assert tuple(back.shape) == header.shape
    if header.torch or header.dtype == floats.BFLOAT16:
        back = back.float().numpy()
    assert np.isfinite(back.astype(np.float64)).all()


def test_every_chain_of_floats_is_here():
    wanted = {n for n in codec.names() if n not in ("jpeg", "webp", "raw8") and "+" not in n}
    assert wanted <= {case.strip() for case in CASES}


@pytest.mark.parametrize(("case", "flags"), [("ecsq   ", 0x03), ("ecsq far, adaptive", 0x13)])
def test_adaptive_streams_are_here_and_not_the_shorter_one_of_another_coder(case, flags):
    _, (chunk,) = container.read(stream(case))
    assert bytes(chunk.sections[0].data) == bytes([flags])


@pytest.mark.parametrize("case", NAMES)
@given(seed=st.integers(0, 2**32))
def test_any_mutation_is_noticed(case, seed):
    data = mutated(stream(case), random.Random(seed))
    if data != stream(case):
        with pytest.raises(codec.CodecError):
            decoded(data)


@pytest.mark.parametrize("case", NAMES)
@given(seed=st.integers(0, 2**32))
def test_with_the_checksum_repaired_it_is_refused_or_finite(case, seed):
    judge(repaired(mutated(stream(case), random.Random(seed))))


@pytest.mark.parametrize("case", NAMES)
def test_every_truncation_is_refused(case):
    data = stream(case)
    for size in range(len(data)):
        with pytest.raises(codec.CodecError):
            decoded(data[:size])
        if size > 8:
            judge(repaired(data[:size]))


@pytest.mark.parametrize("case", NAMES)
def test_a_hostile_shape_allocates_nothing_beyond_the_bound(case):
    """The header claims a thousand million elements, then just as many as the bound allows."""
    data = stream(case)
    head = bytes(data[:6])
    rest = data[6 + len(SHAPE) :]
    for dims in ((1 << 30,), (1 << 40, 1 << 21), (1 << 20,), (1 << 10, 1 << 10)):
        shape = b"".join(_varint(d) for d in dims)
        hostile = repaired(head[:5] + bytes([len(dims)]) + shape + rest)
        tracemalloc.start()
        judge(hostile)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < BOUND_BYTES


def _varint(value):
    out = bytearray()
    while value > 127:
        out.append(128 | value & 127)
        value >>= 7
    return bytes([*out, value])


@pytest.mark.slow
def test_a_minute_of_fuzzing_finds_nothing():
    """Several mutations on top of each other, all chains in turn."""
    draw, stop, played = random.Random(0), time.monotonic() + FUZZ_S, 0
    for case in itertools.cycle(NAMES):
        data = stream(case)
        for _ in range(draw.randrange(1, 5)):
            data = mutated(data, draw) if len(data) > 16 else data
        judge(repaired(data))
        played += 1
        if time.monotonic() > stop:
            break
    print(f"{played} mutated streams")
    assert played > 1000
