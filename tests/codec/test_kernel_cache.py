"""Kernels find a place for what they compile, wherever that is allowed, and say that they do."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numba
import pytest

from codec.stream import kernel_cache

KERNEL = """
from codec.stream.kernel import I64, kernel

@kernel((I64,))
def double(x):
    return 2 * x
"""
PROBE = """
import tempfile, time
from codec.stream import kernel_cache
kernel_cache._PATIENCE_S = {patience}
import locked.loops
print(locked.loops.double(21))
"""


@pytest.fixture
def locked(tmp_path):
    """A package in a folder that cannot be written, also not by root: __pycache__ is a file."""
    package = tmp_path / "locked"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "loops.py").write_text(KERNEL)
    (package / "__pycache__").touch()
    package.chmod(0o500)
    yield tmp_path
    package.chmod(0o700)


def play(folder, home, *, patience=99.0):
    """What a process without a home folder prints and says."""
    root = Path(__file__).parents[2]
    here = {"PYTHONPATH": f"{root}{os.pathsep}{folder}", "PYTHONDONTWRITEBYTECODE": "1"}
    kept = {"PATH": os.environ["PATH"], "HOME": "/dev/null/nothing", "TMPDIR": str(home)}
    script = [sys.executable, "-c", PROBE.format(patience=patience)]
    done = subprocess.run(script, env={**kept, **here}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), done.stderr


def test_a_read_only_installation_without_a_home_keeps_kernels_below_the_temporary_folder(
    locked, tmp_path
):
    home = tmp_path / "temporary"
    home.mkdir()
    printed, said = play(locked, home, patience=0.0)
    assert printed == ["42"]
    assert said.splitlines() == ["splitfleet: compiling the codecs, once on this machine"]
    (kept,) = home.iterdir()
    assert kept.name == f"splitfleet-kernels-{os.getuid()}"
    assert kept.stat().st_mode & 0o077 == 0
    files = sorted(path.suffix for path in kept.rglob("*.nb?"))
    assert files == [".nbc", ".nbi"]
    before = {path: path.stat().st_mtime_ns for path in kept.rglob("*.nb?")}
    assert play(locked, home)[0] == ["42"]
    assert {path: path.stat().st_mtime_ns for path in kept.rglob("*.nb?")} == before


def test_a_folder_that_another_user_could_write_is_not_taken(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    own = kernel_cache.own_folder()
    assert own == kernel_cache.own_folder()
    own.chmod(0o777)
    assert kernel_cache.own_folder() != own
    own.chmod(0o700)
    own.rmdir()
    own.symlink_to(tmp_path)
    assert kernel_cache.own_folder() != own


def test_where_nothing_can_be_written_kernels_are_compiled_all_the_same(monkeypatch):
    def refuse(function, signatures, *, cache):
        if cache:
            raise RuntimeError("no locator available")
        return numba.njit(list(signatures))(function)

    usual = numba.config.CACHE_DIR
    monkeypatch.setattr(kernel_cache, "_compile", refuse)
    made = kernel_cache.compile_cached(lambda x: x + 1, [(numba.int64,)])
    assert made(2) == 3
    assert usual == numba.config.CACHE_DIR


HELPER = """
from codec.stream.kernel import helper

@helper
def factor():
    return {factor}
"""
CALLER = """
from codec.stream.kernel import I64, kernel
from watched.helpers import factor

@kernel((I64,))
def multiply(x):
    return factor() * x
"""


def test_a_kernel_is_compiled_anew_when_a_helper_in_another_file_has_changed(tmp_path):
    package = tmp_path / "watched"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "loops.py").write_text(CALLER)
    root = Path(__file__).parents[2]
    kept = {**os.environ, "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}"}
    script = [sys.executable, "-c", "from watched.loops import multiply; print(multiply(21))"]
    said = []
    for factor in (2, 3):
        (package / "helpers.py").write_text(HELPER.format(factor=factor))
        said.append(subprocess.check_output(script, env=kept, text=True, timeout=120).strip())
    assert said == ["42", "63"]
