"""Every file in conf composes into a valid configuration of the commands that use its group."""

import re
from pathlib import Path

import hydra
import pytest

import conf
from scenarios import _commands
from scenarios._config import defaults, register, to_spec

FOLDER = Path(conf.__file__).parent
COMMANDS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
CHOICES = sorted(
    (path.parent.name, path.stem) for path in FOLDER.glob("*/*.yaml") if path.parent != FOLDER
)


def test_every_command_has_its_file_and_every_file_its_command():
    assert _commands.names() == COMMANDS


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_validates_as_it_stands(name):
    register(name, _commands.load(name).schema)
    spec = to_spec(defaults(name))
    assert spec.name == name


COMMAND_OF = {"methods": "fig2_throughput"}


def command_of(path):
    """The command that a file is for: an experiment names its own in its head."""
    if path.parent.name != "experiment":
        return COMMAND_OF.get(path.parent.name, "simulate")
    return re.search(r"splitfleet (\w+) \+experiment=", path.read_text(encoding="utf-8"))[1]


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_a_choice_validates_and_says_what_it_is(group, choice):
    command = command_of(FOLDER / group / f"{choice}.yaml")
    register(command, _commands.load(command).schema)
    sign = "+" if group == "experiment" else ""
    with hydra.initialize_config_module("conf", version_base="1.3"):
        composed = hydra.compose(command, [f"{sign}{group}={choice}"])
    to_spec(composed)
    assert (FOLDER / group / f"{choice}.yaml").read_text(encoding="utf-8").startswith("#")
