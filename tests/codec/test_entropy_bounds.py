"""All kernels of the entropy stage under numba's bounds checks, hostile input included."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOMS = ("entropy", "contexts", "positions", "rans", "tables", "packing", "quantize", "slicer")


@pytest.mark.slow
def test_no_kernel_leaves_its_arrays(tmp_path):
    here = Path(__file__).parent
    files = [str(here / f"test_{room}.py") for room in ROOMS]
    checked = os.environ | {"NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "0", *files]
    done = subprocess.run(command, env=checked, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:]
