"""The recipes of docs/extend.md and CONTRIBUTING.md, applied to a copy and played there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sim.specs import link, server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
ROOMS = ("npz", "codec", "profiles", "sim", "scenarios", "plots", "conf")
RECIPES = {
    re.split(r":", heading)[0]: (heading, body)
    for heading, body in re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)
}
PLACE = re.compile(
    r"`([\w/]+\.(?:py|yaml))`(?:(?!\n\n|```).)*?:\n\n```(?:python|yaml)\n(.*?)```", re.S
)
DIFF = re.compile(r"```diff\n(.*?)```", re.S)


def files(body):
    """The new files of a recipe: path to content."""
    return dict(PLACE.findall(body))


def changes(body):
    """The changed files of a recipe: path to its hunks, a list of rows each."""
    found = {}
    for diff in DIFF.findall(body):
        for path, rows in re.findall(r"^\+\+\+ b/(\S+)\n(.*?)(?=^--- |\Z)", diff, re.M | re.S):
            found[path] = [hunk.splitlines() for hunk in re.split(r"^@@.*\n", rows, flags=re.M)]
    return found


def applied(hunks, text):
    """The text after hunks of whole lines, whose old lines stand in it together, once."""
    for hunk in hunks:
        before, after = (
            "".join(f"{row[1:]}\n" for row in hunk if row[:1] != drop) for drop in "+-"
        )
        assert f"\n{text}".count(f"\n{before}") == 1, before
        text = f"\n{text}".replace(f"\n{before}", f"\n{after}")[1:]
    return text


@pytest.fixture(scope="module")
def extended(tmp_path_factory):
    """A copy of the repository with every recipe of the page applied."""
    copy = tmp_path_factory.mktemp("extended")
    skip = shutil.ignore_patterns("__pycache__", "data")
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=skip)
    shutil.copytree(ROOT / "profiles/models/data", copy / "profiles/models/data")
    (copy / "profiles/data").symlink_to(ROOT / "profiles/data")
    shutil.copytree(ROOT / "docs", copy / "docs")
    shutil.copytree(ROOT / "tests/codec", copy / "tests/codec")
    for _, body in RECIPES.values():
        for path, content in files(body).items():
            assert not (ROOT / path).exists(), path
            (copy / path).write_text(content)
        for path, hunks in changes(body).items():
            (copy / path).write_text(applied(hunks, (copy / path).read_text()))
    return copy


def ran(extended, *words):
    """What a Python command prints in the copy."""
    done = subprocess.run(
        [sys.executable, *words], cwd=extended, capture_output=True, text=True,
        env={"PYTHONPATH": str(extended), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1",
             "HOME": str(extended)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_recipe_counts_its_touch_points(recipe):
    heading, body = RECIPES[recipe]
    stated = re.search(r"(\d+|no) touch points?$", heading)
    if stated:
        touched = {*files(body), *changes(body)}
        assert len(touched) == (0 if stated[1] == "no" else int(stated[1])), touched


def test_most_parts_have_a_recipe():
    assert len([r for r, (heading, _) in RECIPES.items() if "touch point" in heading]) >= 13


@pytest.mark.parametrize(
    ("spec", "part"),
    [
        ("link=sim.LinkSpec(sharing='limited', rate_bps=5e6)", "link_wait_s"),
        ("server=sim.ServerSpec(discipline='largest', max_batch=4)", "server_wait_s"),
        ("workload=sim.WorkloadSpec(kind='uniform', rate_rps=5.0)", "throughput_rps"),
    ],
)
def test_a_rule_or_workload_is_played(extended, spec, part):
    link = "" if spec.startswith("link") else "link=sim.LinkSpec(sharing='ps'), "
    code = (
        f"import sim; spec = sim.SystemSpec(horizon_s=4.0, warmup_s=0.0, {link}{spec},"
        " fleet=sim.FleetSpec(n_devices=16));"
        "source = sim.ConstantSource(payload_bytes=9e3, server_s=0.02);"
        f"result = sim.run(spec, {{'default': source}}); print(result.value({part!r}),"
        " result.value('uplink_bytes_per_s'))"
    )
    value, bytes_per_s = map(float, ran(extended, "-c", code).split())
    assert value > 0.0
    assert bytes_per_s > 9e3  # the column of the page is there, too


SHARING = """
import sim
spec = lambda rule: sim.SystemSpec(
    fleet=sim.FleetSpec(n_devices=16), link=sim.LinkSpec(sharing=rule, rate_bps=5e6))
source = {"default": sim.ConstantSource(device_s=0.001, payload_bytes=4000, server_s=0.001)}
print(*(sim.run(spec(rule), source).value("throughput_rps") for rule in ("limited", "ps")))
"""


def test_the_sharing_rule_slows_what_is_more_than_four(extended):
    limited, fair = map(float, ran(extended, "-c", SHARING).split())
    assert limited < 0.5 * fair


BATCHING = """
import numpy as np, sim
spec = sim.SystemSpec(
    fleet=sim.FleetSpec(n_devices=20, groups={"small": sim.GroupSpec(), "large": sim.GroupSpec()}),
    link=sim.LinkSpec(sharing="dedicated"), server=sim.ServerSpec(discipline="largest"))
sources = {name: sim.ConstantSource(device_s=0.001, payload_bytes=size, server_s=0.01)
           for name, size in (("small", 100), ("large", 1000))}
print(*np.bincount(sim.run(spec, sources).records["group"].astype(int)))
"""


def test_the_batching_rule_serves_the_large_first(extended):
    small, large = map(int, ran(extended, "-c", BATCHING).split())
    assert large > 20 * small


POLICY = """
import sim
spec = lambda policy: sim.SystemSpec(
    horizon_s=20.0, link=sim.LinkSpec(sharing="ps"),
    fleet=sim.FleetSpec(groups={
        "heavy": sim.GroupSpec(policy=policy, alternatives=["light"])}))
heavy = sim.ConstantSource(device_s=0.001, payload_bytes=4000, server_s=0.001)
light = sim.ConstantSource(device_s=0.050, payload_bytes=100, server_s=0.001)
print(*(sim.run(spec(p), {"heavy": heavy, "light": light}).value("uplink_bytes_per_request")
        for p in ("fastest", "lightest")))
"""


def test_the_policy_sends_the_fewest_bytes(extended):
    fastest, lightest = map(float, ran(extended, "-c", POLICY).split())
    assert fastest > 3000
    assert lightest < 200


SHEETS = """
import hydra
from scenarios.shell import commands
from scenarios.shell.schema import register, to_spec
register("simulate", commands.load("simulate").schema)
words = ["link=corridor", "device=freezer", "server=halves", "codec=halves", "model=halves"]
with hydra.initialize_config_module("conf", version_base="1.3"):
    spec = to_spec(hydra.compose("simulate", words))
print(spec.link.rate_bps, spec.device.slowdown, spec.server.slowdown, spec.model.batches)
"""


def test_the_sheets_are_choices_of_a_command(extended):
    assert ran(extended, "-c", SHEETS).split(maxsplit=3) == [
        "51600000.0",
        "40.0",
        "0.5",
        "[1, 2]\n",
    ]


NETWORK = """
import codec, torch
from profiles import models
from profiles.measuring.cuts import split
network = models.create("halves")
parts = split(network)
images = torch.from_numpy(models.samples("halves", "test", 1)[0])
print([cut.name for cut in parts.describe()], tuple(network.module(images).shape))
x = torch.linspace(-3, 3, 60).reshape(3, 20)
data = codec.create("halves").encode(x)
print(len(data) < 90, float((codec.decode(data) - x).abs().max()) < 0.5)
"""


def test_the_network_can_be_cut_and_the_codec_comes_back(extended):
    cuts, round_trip = ran(extended, "-c", NETWORK).splitlines()
    assert "stage1" in cuts
    assert "stage2" in cuts
    assert cuts.endswith("(1, 1000)")
    assert round_trip == "True True"


def test_the_codec_passes_the_tests_of_damage(extended):
    words = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib")
    shown = ran(extended, *words, "tests/codec/test_damage.py", "-k", "halves")
    assert re.search(r"^\d+ passed", shown, re.M)


def test_the_command_is_listed_and_runs(extended):
    assert "frames a payload takes" in ran(extended, "-m", "scenarios")
    assert ran(extended, "-m", "scenarios", "halves", "payload_bytes=2801") == "3 frames\n"


def test_the_figure_is_drawn(extended):
    ran(extended, "-m", "scenarios", "limited", "stations=[1,40]")
    assert (extended / "outputs/limited/figure.png").exists()
    assert "0.78" in (extended / "outputs/limited/table.md").read_text()


def test_the_source_needs_no_registration():
    (body,) = (body for name, (_, body) in RECIPES.items() if name == "A source")
    (block,) = re.findall(r"```python\n(.*?)```", body, re.S)
    exec(compile(block, "docs/extend.md", "exec"), {})


def test_the_first_contribution_fails_first_and_then_holds(tmp_path):
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    skip = shutil.ignore_patterns("__pycache__", "data", "models", "measuring", "shipping")
    for room in ("npz", "sim", "profiles"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=skip)
    (tmp_path / "tests/sim").mkdir(parents=True)
    (test, rule), (registry,) = files(page).items(), changes(page).items()
    words = (sys.executable, "-m", "pytest", "-q", "--import-mode=importlib", test[0])
    how = {"cwd": tmp_path, "capture_output": True, "text": True, "check": False}
    how["env"] = {"PYTHONPATH": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    (tmp_path / test[0]).write_text(test[1])
    before = subprocess.run(words, **how)
    assert before.returncode == 1
    assert "got 'lifo'" in before.stdout
    (tmp_path / rule[0]).write_text(rule[1])
    path, hunks = registry
    (tmp_path / path).write_text(applied(hunks, (tmp_path / path).read_text()))
    after = subprocess.run(words, **how)
    assert after.returncode == 0, after.stdout


@pytest.mark.parametrize(
    ("names", "folder"),
    [(link.SHARING, "sim/medium/sharing"), (server.DISCIPLINES, "sim/server/batching")],
)
def test_every_name_is_a_file_and_every_file_a_name(names, folder):
    files = {path.stem for path in (ROOT / folder).glob("*.py")} - {"__init__", "job"}
    assert files == set(names)
