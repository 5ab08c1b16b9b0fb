"""A user's own module of the name of one of our packages: one line that names his file."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scenarios.shell.shadow import PACKAGES, find_shadow

ROOT = Path(__file__).parents[2]
SCRIPT = """\
from scenarios.shell.shadow import find_shadow

raise SystemExit(find_shadow() or 0)
"""


def _python(folder, *words):
    """Python started in a folder that ours is reached from as if it were installed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, *words]
    return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True)


def test_nothing_hides_our_packages_here():
    assert find_shadow() == ""
    assert {path.parent.name for path in ROOT.glob("*/__init__.py")} == {*PACKAGES, "tests"}


@pytest.mark.parametrize(
    ("file", "named"),
    [("sim.py", "sim.py"), ("codec.py", "codec.py"), ("plots/__init__.py", "plots")],
)
def test_a_command_beside_a_module_of_our_name_says_which(tmp_path, file, named):
    own = tmp_path / file
    own.parent.mkdir(exist_ok=True)
    own.write_text("raise SystemExit('the wrong one was imported')\n")
    ended = _python(tmp_path, "-m", "scenarios", "simulate", "fleet.n_devices=2")
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert f"which {tmp_path / named} hides" in ended.stderr
    assert ended.stdout == ""


def test_a_script_beside_a_module_of_our_name_says_which(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    assert _python(tmp_path, "script.py").returncode == 0
    own = tmp_path / "sim.py"
    own.write_text("")
    ended = _python(tmp_path, "script.py")
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"splitfleet has a package 'sim', which {own} hides; rename")
    assert ended.stderr.count("\n") == 1


def test_a_folder_that_is_no_package_hides_nothing(tmp_path):
    (tmp_path / "plots").mkdir()
    (tmp_path / "plots" / "mine.pdf").write_text("")
    (tmp_path / "script.py").write_text(SCRIPT)
    assert _python(tmp_path, "script.py").returncode == 0


def test_a_module_that_is_run_by_our_name_says_so(tmp_path):
    (tmp_path / "codec.py").write_text(SCRIPT)
    ended = _python(tmp_path, "codec.py")
    assert f"which {tmp_path / 'codec.py'} hides" in ended.stderr


@pytest.mark.parametrize("file", ["sim.py", "codec.py", "plots/__init__.py", "scenarios.py"])
def test_a_script_of_the_door_beside_a_module_of_our_name_says_which(tmp_path, file):
    script = tmp_path / "script.py"
    script.write_text("import splitfleet as sf\nprint(sf.names('workload'))\n")
    ended = _python(tmp_path, "script.py")
    assert (ended.returncode, ended.stdout) == (0, "['closed', 'poisson']\n")
    own = tmp_path / file
    own.parent.mkdir(exist_ok=True)
    own.write_text("raise SystemExit('the wrong one was imported')\n")
    named = own.parent if own.name == "__init__.py" else own
    ended = _python(tmp_path, "script.py")
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    assert f"which {named} hides; rename that" in ended.stderr
