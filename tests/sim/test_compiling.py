"""What Numba keeps on disk is never used after a source that it was made of has changed."""

import ast
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numba

from sim import compiling

ROOT = Path(compiling.__file__).parents[1]
ANSWER = "from sim.answer import answer; print(answer())"


def test_every_module_that_compiled_code_comes_from_is_in_the_fingerprint():
    for name in compiling.SOURCES:
        tree = ast.parse((ROOT / "sim" / name).read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module.partition(".")[0] == "sim":
                modules = [node.module]
                if node.module in ("sim", "sim.engine", "sim.engine.loops"):
                    modules = [f"{node.module}.{alias.name}" for alias in node.names]
                for module in modules:
                    file = module.removeprefix("sim.").replace(".", "/") + ".py"
                    assert file in compiling.SOURCES, f"{name} takes from {module}"


def test_what_was_compiled_before_a_change_elsewhere_is_not_used_after_it(tmp_path):
    """A constant of another file changes, with its size and both files' times as they were."""
    home = a_package(tmp_path)
    layout = home / "engine" / "layout.py"
    (home / "answer.py").write_text(
        "from sim.compiling import compiled\nfrom sim.engine.layout import PLACE\n"
        "@compiled\ndef answer():\n    return PLACE\n"
    )
    said = []
    for text in ("PLACE = 1\n", "PLACE = 2\n", "PLACE = 2\n"):
        layout.write_text(text)
        os.utime(layout, (1e9, 1e9))
        said.append(run_there(tmp_path))
    assert said == ["1", "2", "2"]
    kept = list((tmp_path / "kept").rglob("*.nbc"))
    assert len(kept) == 2  # one of either text: the third run took the second's


def test_an_index_that_cannot_be_read_is_made_anew(tmp_path):
    """Of types that older or newer sources had, cut short, not in UTF-8."""
    home = a_package(tmp_path)
    (home / "answer.py").write_text(
        "from sim.compiling import compiled\n@compiled\ndef answer():\n    return 42\n"
    )
    assert run_there(tmp_path) == "42"
    (index,) = (tmp_path / "kept").rglob("*.nbi")
    whole = index.read_bytes()
    for kept in (b"cgone\nThing\n.", b"\x80\x04", b"\x8c\x01\xff."):
        index.write_bytes(pickle.dumps(numba.__version__) + kept)
        assert run_there(tmp_path) == "42"
        assert len(index.read_bytes()) == len(whole)


def a_package(place):
    """A folder `sim` that compiles as ours does, of sources that are empty."""
    home = place / "sim"
    (home / "engine" / "loops").mkdir(parents=True)
    for name in ("__init__.py", "engine/__init__.py", *compiling.SOURCES):
        (home / name).write_text("")
    for name in ("compiling.py", "parts.py"):
        shutil.copy(ROOT / "sim" / name, home / name)
    return home


def run_there(place):
    env = {**os.environ, "PYTHONPATH": str(place), "NUMBA_CACHE_DIR": str(place / "kept"),
           "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", ANSWER], env=env, cwd=place, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_first_call_that_takes_long_says_what_is_going_on(capfd, monkeypatch):
    monkeypatch.setattr(compiling, "_PATIENCE_S", 0.01)
    with compiling.told(False):
        time.sleep(0.2)
    assert capfd.readouterr().err == (
        "splitfleet: compiling the simulator, once on this machine\n"
    )  # fmt: skip
    with compiling.told(True):
        time.sleep(0.05)
    assert capfd.readouterr().err == ""
