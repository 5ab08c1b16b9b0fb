"""Every file in conf composes into a valid configuration of the commands that use its group."""

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


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_a_choice_validates_in_simulate_and_says_what_it_is(group, choice):
    register("simulate", _commands.load("simulate").schema)
    with hydra.initialize_config_module("conf", version_base="1.3"):
        composed = hydra.compose("simulate", [f"{group}={choice}"])
    to_spec(composed)
    assert (FOLDER / group / f"{choice}.yaml").read_text(encoding="utf-8").startswith("#")
