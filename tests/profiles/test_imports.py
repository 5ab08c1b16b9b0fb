import subprocess
import sys

FREE = "profiles, profiles.roofline, profiles.analytic, profiles.published, profiles.quality"


def test_the_torch_free_rooms_load_neither_torch_nor_the_codec():
    code = f"import sys, {FREE}, profiles.law, profiles.jitter; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"torch", "codec", "numba"} & set(loaded.stdout.split())
