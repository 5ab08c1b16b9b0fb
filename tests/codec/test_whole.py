"""Chunks coded in one piece against the same chains stage by stage: bytes, values and refusals."""

import random
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import codec
from codec.stream import container, floats
from codec.stream.container import CODED, Chunk, Header
from codec.stream.frame import Patch
from tests.codec.test_damage import mutated

CHAINS = {
    "ecsq": {"step": 0.35},
    "ecsq fine": {"step": 0.05, "rdoq": 0.0, "coder": "order0"},
    "ecsq coarse": {"step": 2.0, "coder": "order0"},
    "slicer": {},
    "slicer rows": {"positions": "csr", "sparsity": 0.95, "n_blocks": 3, "bits_max": 5},
    "slicer rms": {"distortion_scale": "rms", "asymmetry": 2.0, "n_blocks": 1, "bits_min": 1},
    "slicer block": {"distortion_scale": "block", "positions": "bitmap", "n_blocks": 40},
    "int8": {},
    "int4": {},
}


def chain_of(case):
    return codec.create(case.split()[0], **CHAINS[case])


def features(kind, shape, seed=0):
    """Signed, rectified, heavy-tailed, tied and nearly empty maps."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=shape)
    made = {
        "signed": x,
        "rectified": np.maximum(x, 0),
        "negative": -np.abs(x),
        "heavy": generator.laplace(size=shape) ** 3,
        "tied": np.round(2 * x) / 2,
        "sparse": np.where(generator.random(shape) < 0.95, -0.0, x),
    }
    return made[kind].astype(np.float32)


def staged(chain, x):
    """The stream without any shortcut."""
    sections = chain.encode_chunk(x.reshape(-1), Patch(x.shape, 0, x.size))
    header = Header(chain=chain.chain_id, dtype=floats.FLOAT32, shape=x.shape)
    return container.write(header, [Chunk(CODED, tuple(sections))])


def decoded_by_stages(chain, data):
    header, chunks = container.read(data, max_elements=1 << 20)
    if header.chain != chain.chain_id:
        raise codec.CorruptBitstreamError(f"chain {header.chain}")
    return chain.decode_stream(header, chunks)


@pytest.mark.parametrize("kind", ["signed", "rectified", "negative", "heavy", "tied", "sparse"])
@pytest.mark.parametrize("case", CHAINS)
def test_one_piece_is_what_the_stages_make(case, kind):
    chain = chain_of(case)
    for shape in ((2,), (7, 3), (64,), (4, 9, 11), (3, 41, 43), (70, 300)):
        x = features(kind, shape, seed=len(shape))
        if not np.ptp(x):
            continue
        data = chain.encode(x)
        assert data == staged(chain, x)
        back = chain.decode(data)
        assert np.array_equal(back, decoded_by_stages(chain, data))
        whole = chain.decode_whole(np.frombuffer(data[:-4], np.uint8), _start(data), _patch(x))
        far = codec.ledger(data)["positions"] and chain.name == "ecsq"
        contexts = chain.name == "ecsq" and "coder" not in CHAINS[case]
        assert far or contexts or np.array_equal(whole, back.reshape(-1))


def _start(data):
    return container.open_stream(data)[1].at


def _numbers(x):
    """A numpy array or a torch tensor, bfloat16 included."""
    return x if isinstance(x, np.ndarray) else x.float().numpy()


def _patch(x):
    return Patch(x.shape, 0, x.size)


@pytest.mark.parametrize("case", CHAINS)
@given(seed=st.integers(0, 2**32))
def test_damage_is_judged_alike(case, seed):
    """With the checksum repaired: both refuse, or both give the same values."""
    chain, draw = chain_of(case), random.Random(seed)
    x = features(draw.choice(["signed", "rectified", "heavy"]), (6, 5, 8), seed % 7)
    body = mutated(chain.encode(x), draw)[:-4]
    data = body + struct.pack("<I", zlib.crc32(body))
    try:
        expected = decoded_by_stages(chain, data)
    except codec.CodecError:
        with pytest.raises(codec.CodecError):
            chain.decode(data, max_elements=1 << 20)
        return
    assert np.array_equal(_numbers(chain.decode(data)), _numbers(expected))


def test_levels_beyond_the_one_piece_grid_go_by_stages():
    x = features("signed", (500,))
    x[3] = 2000.0
    chain = codec.create("ecsq", coder="order0")
    data = chain.encode(x)
    assert data == staged(chain, x)
    assert np.abs(chain.decode(data) - x).max() < 0.5
