"""The two examples of docs/extend.md do what the page says."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import sim
from sim.specs import link, server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, re.S)
FILES = [Path(name) for name in re.findall(r"\(`(sim/\w+/\w+/\w+\.py)`\):", PAGE)]
SOURCE = {"default": sim.ConstantSource(device_s=0.001, payload_bytes=4000, server_s=0.001)}


def load(number):
    names = SimpleNamespace()
    exec(compile(BLOCKS[number], "docs/extend.md", "exec"), vars(names))
    return names


def test_a_sharing_rule_is_one_function_and_one_line(monkeypatch):
    monkeypatch.setattr(link, "SHARING", (*link.SHARING, "limited"))
    monkeypatch.setitem(sys.modules, "sim.medium.sharing.limited", load(0))
    fleet = sim.FleetSpec(n_devices=16)
    limited, fair = (
        sim.run(
            sim.SystemSpec(fleet=fleet, link=sim.LinkSpec(sharing=rule, rate_bps=5e6)), SOURCE
        ).value("throughput_rps")
        for rule in ("limited", "ps")
    )
    assert limited < 0.5 * fair


def test_a_batching_rule_is_one_function_and_one_line(monkeypatch):
    monkeypatch.setattr(server, "DISCIPLINES", (*server.DISCIPLINES, "largest"))
    monkeypatch.setitem(sys.modules, "sim.server.batching.largest", load(1))
    groups = {"small": sim.GroupSpec(), "large": sim.GroupSpec()}
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=20, groups=groups),
        link=sim.LinkSpec(sharing="dedicated"),
        server=sim.ServerSpec(discipline="largest"),
    )
    sources = {
        name: sim.ConstantSource(device_s=0.001, payload_bytes=size, server_s=0.01)
        for name, size in (("small", 100), ("large", 1000))
    }
    records = sim.run(spec, sources).records
    served = np.bincount(records["group"].astype(int))
    assert served[1] > 20 * served[0]


def applied(diff, text):
    """The file after a diff of whole lines, whose context must be there, in order."""
    lines, at = text.splitlines(), 0
    for row in diff.splitlines():
        if row.startswith(("---", "+++", "@@")):
            continue
        kind, line = row[:1], row[1:]
        if kind == "+":
            lines.insert(at, line)
            at += 1
        elif kind == "-":
            del lines[lines.index(line)]
            at = text.splitlines().index(line)
        else:
            at = lines.index(line) + 1
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("number", [0, 1])
def test_the_diffs_apply_and_are_all_that_a_rule_needs(number, tmp_path):
    """In a copy of the package: the page's file, the page's diff, and the rule is played."""
    diff = re.findall(r"```diff\n(.*?)```", PAGE, re.S)[number]
    (changed,) = re.findall(r"^\+\+\+ b/(.*)$", diff, re.M)
    added = FILES[number]
    for package in ("sim", "profiles"):
        skip = shutil.ignore_patterns("__pycache__", "data", "models")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=skip)
    place = tmp_path / changed
    place.write_text(applied(diff, place.read_text()))
    (tmp_path / added).write_text(BLOCKS[number])
    field = ("link=sim.LinkSpec(sharing", "server=sim.ServerSpec(discipline")[number]
    code = (
        f"import sim; spec = sim.SystemSpec(horizon_s=2.0, warmup_s=0.0, {field}='{added.stem}'));"
        "print(sim.run(spec, {'default': sim.ConstantSource(payload_bytes=9e3, server_s=0.1)})"
        ".value('n_requests'))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert float(shown.stdout) > 15.0


@pytest.mark.parametrize(
    ("names", "folder"),
    [(link.SHARING, "sim/medium/sharing"), (server.DISCIPLINES, "sim/server/batching")],
)
def test_every_name_is_a_file_and_every_file_a_name(names, folder):
    files = {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__", "job"}
    assert files == set(names)
