import subprocess
import sys

FREE = (
    "profiles, profiles.tables.quality, profiles.predicting.roofline, profiles.predicting.analytic,"
    " profiles.predicting.published"
)


def test_the_torch_free_rooms_load_neither_torch_nor_the_codec():
    code = f"import sys, {FREE}, profiles.tables.law, profiles.tables.jitter; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"torch", "codec", "numba"} & set(loaded.stdout.split())
