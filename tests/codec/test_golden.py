"""Streams of version 1, kept for good: still decoded, and still written byte for byte.

`python tests/codec/test_golden.py` writes the files of chains that have none yet.
"""

import pathlib

import numpy as np
import pytest

import codec

FOLDER = pathlib.Path(__file__).parent / "golden"

CASES = {
    "slicer": {},
    "slicer-seeded": {"sparsity": 0.8, "ties": "seeded", "tie_seed": 9, "positions": "csr"},
    "slicer-budget": {"filter_form": "budget", "asymmetry": 0.6, "n_blocks": 3},
    "slicer-token": {"granularity": "token", "n_blocks": 2, "distortion_scale": "block"},
    "slicer-lloyd": {"block_rule": "lloyd", "distortion_scale": "rms", "asymmetry": 0.5},
    "slicer-rans": {"entropy": "rans", "positions": "gaps", "granularity": "token"},
    "slicer-map": {"entropy": "rans", "positions": "map", "n_blocks": 1},
    "raw16": {},
    "raw32": {},
    "int8": {},
    "int4": {"axis": 1},
    "topk": {"sparsity": 0.7},
    "aiq": {},
    "tabq": {"threshold": 2.0, "token": "row"},
    "tabq-plane": {"threshold": 2.0},
    "centres": {},
    "ecsq": {},
    "ecsq-order0": {"step": 0.1, "rdoq": 0.0, "coder": "order0"},
    "ecsq-adaptive": {"step": 0.2, "coder": "adaptive"},
    "ecsq-context": {"step": 0.6, "coder": "context"},
}


def features():
    """(2, 6, 9, 5) numbers with ties, zeros and a tail, from integer arithmetic alone."""
    n = np.arange(2 * 6 * 9 * 5, dtype=np.int64)
    noise = (n * 2654435761 % 1000003) % 201 - 100
    x = np.where(n % 7 == 0, 0, noise * np.abs(noise)) / 1024
    return x.astype(np.float32).reshape(2, 6, 9, 5)


def chain_of(case):
    return codec.create(case.partition("-")[0], **CASES[case])


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_golden_streams_are_decoded_and_written(case, dtype):
    x = features().astype(dtype)
    stored = (FOLDER / f"{case}-{dtype}.v1.bin").read_bytes()
    expected = np.load(FOLDER / f"{case}-{dtype}.v1.npy", allow_pickle=False)
    back = codec.decode(stored)
    assert back.dtype == expected.dtype
    assert np.array_equal(back, expected)
    assert chain_of(case).encode(x) == stored


if __name__ == "__main__":
    for case in CASES:
        for dtype in ("float32", "float16"):
            path = FOLDER / f"{case}-{dtype}.v1.bin"
            if not path.exists():
                path.write_bytes(chain_of(case).encode(features().astype(dtype)))
                np.save(path.with_suffix(".npy"), codec.decode(path.read_bytes()))
