"""An installed wheel holds every file of ours and works from a folder outside the checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from scenarios.shell.shadow import PACKAGES

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


def _run(*words, cwd=None):
    """The command without our checkout on Python's path; returns what it printed."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    made = subprocess.run(words, cwd=cwd, env=environment, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    return made.stdout


def _sources():
    """Every file that a user needs: the packages without what Python leaves there, and the door."""
    files = [path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    kept = [path for path in files if "__pycache__" not in path.parts]
    return sorted([*kept, *ROOT.glob("splitfleet.py")])


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    for path in _sources():
        target = source / path.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    out = tmp_path_factory.mktemp("wheel")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    _run(*pip, "--wheel-dir", str(out), str(source))
    (made,) = out.glob("splitfleet-*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The folder of the programs of an environment that holds the wheel and sees our libraries."""
    home = tmp_path_factory.mktemp("environment")
    _run(sys.executable, "-m", "venv", "--without-pip", str(home))
    (packages,) = home.glob("lib/python*/site-packages")
    # a .pth adds the folder only: the .pth files in it, our editable install among them, stay out
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = (sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install")
    _run(*pip, "--quiet", "--no-deps", "--no-index", str(wheel))
    return home / "bin"


def test_the_wheel_holds_every_file_of_every_package(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == {path.relative_to(ROOT).as_posix() for path in _sources()}
    assert {"sim/radio/wifi_ns3.csv", "conf/link/wifi.yaml", "sim/py.typed"} <= held


def test_an_installed_wheel_answers_from_another_folder(installed, tmp_path):
    command = str(installed / "splitfleet")
    assert _run(command, "--version", cwd=tmp_path).startswith("splitfleet ")
    probe = "import conf, sim, scenarios; print(conf.__file__, sim.__file__, scenarios.__file__)"
    places = _run(str(installed / "python"), "-c", probe, cwd=tmp_path).split()
    assert all(str(installed.parent) in place for place in places), places
    words = ["simulate", "fleet.n_devices=2", "horizon_s=2", "warmup_s=0.5", "replications=2"]
    assert "95 % interval" in _run(command, *words, cwd=tmp_path)
    live = [*words, "model=digits", "model.samples=20", "model.repeats=1", "link.contention=ns3"]
    assert "written: outputs/live/results.csv" in _run(command, *live, "name=live", cwd=tmp_path)


def test_every_command_of_an_installed_wheel_composes_its_sheets(installed, tmp_path):
    command = str(installed / "splitfleet")
    listed = [line for line in _run(command, "list", cwd=tmp_path).splitlines() if line.strip()]
    assert any("simulate" in line for line in listed)
    for name in ("plan", "search", "fig2_throughput", "links"):
        assert "link.rate_bps" in _run(command, name, "--help", cwd=tmp_path)


def test_the_door_of_an_installed_wheel_opens_in_another_folder(installed, tmp_path):
    script = (
        "import splitfleet as sf; print(sf.__file__)\n"
        "case = sf.case('scenes', 'stage3/ecsq', n_devices=4, horizon_s=2, warmup_s=1,"
        " replications=2)\n"
        "print(case.simulate())\n"
    )
    place, said = _run(str(installed / "python"), "-c", script, cwd=tmp_path).splitlines()
    assert place.startswith(str(installed.parent))
    assert said.startswith("Result(4 devices: ")
