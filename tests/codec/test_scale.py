"""A thousand million elements in constant memory; the same bytes on any number of threads."""

import hashlib
import os
import subprocess
import sys

import pytest

BYTES_OF = """
import hashlib, sys, numpy as np, codec
x = np.random.default_rng(3).laplace(size=(32, 64, 40)).astype(np.float32)
known = codec.calibrate("klt+ecsq", [x], relative_l2=0.1).calibration
total = hashlib.sha256()
for name in ("slicer", "aiq", "tabq", "ecsq", "topk"):
    total.update(codec.create(name).encode(x))
total.update(codec.create("klt+slicer", calibration=known).encode(x))
total.update(codec.create("slicer", entropy="rans", positions="entropy").encode(x))
sys.stdout.write(total.hexdigest())
"""

LONG = """
import resource, sys, numpy as np, codec
row = np.random.default_rng(0).laplace(size=4000).astype(np.float16)
x = np.broadcast_to(row, (250_000, 4000))            # 1e9 elements that take 8 kB
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
data = codec.create("ecsq", step=2.0, coder="order0").encode(x)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
sys.stdout.write(f"{len(data)} {1024 * peak} {sum(codec.ledger(data).values())}")
"""


def said_by(program, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_bytes_do_not_depend_on_the_number_of_threads():
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
    found = {said_by(BYTES_OF, **dict.fromkeys(names, n)) for n in ("1", "2")}
    assert len(found) == 1
    assert len(found.pop()) == 2 * hashlib.sha256().digest_size


@pytest.mark.slow
def test_a_thousand_million_elements_take_memory_for_their_stream_and_a_chunk():
    size, peak, booked = map(int, said_by(LONG).split())
    assert booked == size
    assert size < 1e9  # bytes; as float16 the tensor would take 2e9
    assert peak < 3 * size + 400e6  # the stream, its copy as bytes, and the work on one chunk
