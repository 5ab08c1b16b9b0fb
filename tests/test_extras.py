"""Without an extra the tests that need it are skipped, none fails."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_tests_of_zstd_are_skipped_without_zstandard(tmp_path):
    (tmp_path / "without.py").write_text("import sys\nsys.modules['zstandard'] = None\n")
    paths = os.pathsep.join([str(tmp_path), str(ROOT)])
    files = [f"tests/codec/test_{name}.py" for name in ("chains", "damage")]
    words = [
        "-p",
        "without",
        "-p",
        "no:cacheprovider",
        "-o",
        "addopts=",
        "-k",
        "zstd and (header or exact or truncation)",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, *files],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    assert re.search(r"\b\d+ passed, [1-9]\d* skipped", done.stdout)
