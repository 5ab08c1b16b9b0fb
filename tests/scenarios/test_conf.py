"""Every file in conf composes into a valid configuration of the commands that use its group."""

import csv
import re
from pathlib import Path

import hydra
import pytest

import conf
from scenarios.__main__ import run
from scenarios.shell import commands
from scenarios.shell.schema import defaults, register, to_spec

FOLDER = Path(conf.__file__).parent
COMMANDS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
IN_SIMULATE = ("codec", "device", "link", "model", "scheme", "server", "workload")
CHOICES = sorted((path.parent.name, path.stem) for path in FOLDER.glob("*/*.yaml"))
METHODS = sorted(path.stem for path in FOLDER.glob("methods/*.yaml"))
SECOND = (
    "model=digits", "model.samples=10", "model.repeats=1", "horizon_s=1", "warmup_s=0.2",
    "replications=2", "name=second",
)  # fmt: skip


def test_every_command_has_its_file_and_every_file_its_command():
    assert commands.names() == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_validates_as_it_stands(name):
    register(name, commands.load(name).schema)
    spec = to_spec(defaults(name))
    assert spec.name == name


COMMAND_OF = {"methods": "fig2_throughput"}


def command_of(path):
    """The command that a file is for: an experiment names its own in its head."""
    if path.parent.name != "experiment":
        return COMMAND_OF.get(path.parent.name, "simulate")
    return re.search(r"splitfleet (\w+) \+experiment=", path.read_text(encoding="utf-8"))[1]


@pytest.mark.parametrize(("group", "choice"), [c for c in CHOICES if c[0] in IN_SIMULATE])
def test_a_choice_validates_in_simulate_and_says_what_it_is(group, choice):
    register("simulate", commands.load("simulate").schema)
    with hydra.initialize_config_module("conf", version_base="1.3"):
        composed = hydra.compose("simulate", [f"{group}={choice}"])
    to_spec(composed)
    assert (FOLDER / group / f"{choice}.yaml").read_text(encoding="utf-8").startswith("#")


@pytest.mark.parametrize("choice", METHODS)
def test_a_list_of_methods_composes_in_every_figure_that_takes_one(choice):
    taking = [name for name in COMMANDS if "methods:" in (FOLDER / f"{name}.yaml").read_text()]
    assert len(taking) >= 9
    for name in taking:
        register(name, commands.load(name).schema)
        with hydra.initialize_config_module("conf", version_base="1.3"):
            spec = to_spec(hydra.compose(name, [f"methods={choice}"]))
        assert "raw16" in [codec["name"] for codec in spec.codecs.values()]


@pytest.mark.parametrize("group", [g for g in IN_SIMULATE if g != "model"])
def test_every_choice_of_a_group_runs_one_simulated_second(group, workplace, monkeypatch):
    """Or says in one line what is missing: a sheet that nothing scales to, a colour image."""
    monkeypatch.chdir(workplace)
    usual = {"codec": "slicer", "device": "raspberry_pi_4", "server": "xeon"}.get(group, "")
    names = [choice for of, choice in CHOICES if of == group and choice not in INPUTS]
    names.sort(key=lambda name: name == usual)  # a sound one ends the sweep
    for wanted, extra in ((names, []), (INPUTS if group == "codec" else [], ["cut=input"])):
        if not wanted:
            continue
        words = [*SECOND, *extra, f'sweep=["{group}={",".join(wanted)}"]']
        status = run(["simulate", *words])
        with Path("outputs/second/results.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert len(rows) == len(wanted)
        refused = [row["error"] for row in rows if row.get("error")]
        assert status == int(bool(refused))
        assert len(refused) < len(rows)
        for error in refused:
            assert "\n" not in error
            assert any(reason in error for reason in EXCUSES), error


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["jpeg", "slicer"])
def test_colour_images_run_one_simulated_second(codec, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    cut = "input" if codec == "jpeg" else "stage3"
    words = [*SECOND[1:], "model=scenes", "model.batches=[1]", f"codec={codec}", f"cut={cut}"]
    assert run(["simulate", *words]) == 0


INPUTS = ["jpeg", "raw8"]
EXCUSES = (
    "states neither slowdown nor anchor_s",  # reached by the roofline only
    "calibration",  # a basis must be fitted first
    "is trained for model",  # a scheme has data of its own
)  # fmt: skip
