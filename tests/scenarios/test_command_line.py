"""The command line: what a user sees of a mistake is one line and status 2."""

import re
import shlex
import subprocess
import sys

import hydra
import pytest

from scenarios.__main__ import run
from scenarios.present import help
from scenarios.shell import commands
from scenarios.shell.schema import register, to_spec
from tests.scenarios.conftest import QUICK

MISTAKES = {
    "simulat": "unknown command 'simulat'; nearest: simulate",
    "simulate fleet.n_devices=0": "fleet.n_devices must be >= 1, got 0",
    "simulate fleet.n_device=8": "unknown field 'fleet.n_device'; nearest: fleet.n_devices",
    "simulate codec=slcer": "unknown codec 'slcer'; nearest: slicer",
    "simulate codec.sparsty=1": "unknown field 'codec.sparsty'; nearest: codec.sparsity",
    "simulate link=wfi": "unknown link 'wfi'; nearest: wifi",
    "simulate fleet.n_devices=many": "fleet.n_devices must be of type integer, got 'many'",
    "simulate link.rate_bps=-1": "link.rate_bps must be > 0, got -1.0",
    "simulate device=z80": "unknown device 'z80'; allowed: jetson",
    "simulate warmup_s=100": "warmup_s must be below horizon_s",
    "simulate cut": "write KEY=VALUE, got 'cut'",
    "simulate --foo fleet.n_devices=2": "write KEY=VALUE, got '--foo'",
    "plan slo.p95_s=1 cut -m seed=1,2": "write KEY=VALUE, got 'cut'",
    "simulate name=a/b": "name must be a plain folder name, got 'a/b'",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_a_mistake_is_one_line_and_status_2(line, capfd):
    assert run(line.split()) == 2
    error = capfd.readouterr().err
    assert error.count("\n") == 1, error
    assert error.startswith(f"splitfleet: {MISTAKES[line]}")


def test_without_arguments_it_lists_every_command(capfd):
    assert run([]) == 0
    out = capfd.readouterr().out
    places = [out.index(f"\n{group}\n") for group in ("answer", "measure", "study", "figures")]
    assert places == sorted(places)
    for command in commands.names():
        assert f"\n{command} " in out


def test_help_says_what_every_field_means_and_hides_those_that_search_refuses(capfd):
    assert run(["search", "--help"]) == 0
    shown = capfd.readouterr().out
    assert "what the machine is, in words" in shown
    for hidden in ("request = ", "members = ", "alternatives = ", "policy = ", "session.n_tokens"):
        assert f"\n{hidden}" not in shown


def test_every_command_stands_in_exactly_one_group():
    listed = [name for group in commands.group().values() for name in group]
    assert sorted(listed) == commands.names()
    first = {group: names[0] for group, names in commands.group().items()}
    assert first == {
        "answer": "plan", "measure": "profile", "study": "sensitivity", "figures": "figures",
    }  # fmt: skip


def examples(name):
    """The command lines that `--help` prints, each as a list of words."""
    return [shlex.split(line, comments=True)[1:] for line in help.examples(commands.load(name))]


@pytest.mark.parametrize("name", commands.names())
def test_every_example_of_help_composes(name, capfd):
    assert run([name, "--help"]) == 0
    shown = capfd.readouterr().out
    assert examples(name)
    for first, *words in examples(name):
        assert first == name
        assert " ".join([first, *words]) in shown
        schema = commands.load(name).schema
        register(name, schema)
        given = [re.sub(r",.*$", "", word) for word in words if "=" in word]
        with hydra.initialize_config_module("conf", version_base="1.3"):
            assert isinstance(to_spec(hydra.compose(name, given)), schema)


@pytest.mark.parametrize(
    ("name", "less"),
    [
        ("search", ["answers=100", "replications=2"]),
        ("simulate", [*QUICK, "replications=2"]),
    ],
)
def test_quick_examples_run(name, less, workplace, monkeypatch, capfd):
    monkeypatch.chdir(workplace)
    for words in examples(name):
        assert run([*words, *less, f"name=example_{name}"]) == 0, capfd.readouterr().err


def test_help_names_fields_with_defaults_and_units(capfd):
    assert run(["simulate", "--help"]) == 0
    out = capfd.readouterr().out
    assert "fleet.n_devices = 1" in out
    assert "link.rate_bps = 7.3125e+07 (bit/s)" in out


def test_listing_loads_no_heavy_library():
    probe = (
        "import sys; from scenarios.__main__ import run; run([]); "
        "print([m for m in ('torch', 'simpy', 'matplotlib') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert out.stdout.rstrip().endswith("[]")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("splitfleet sim", "simulate"),
        ("splitfleet simulate fleet.n_dev", "fleet.n_devices="),
        ("splitfleet simulate lin", "link="),
        ("splitfleet simulate link=wi", "link=wifi"),
    ],
)
def test_completion(line, expected, monkeypatch, capfd):
    monkeypatch.setenv("COMP_LINE", line)
    assert run(["-sc", "query=bash"]) == 0
    assert expected in capfd.readouterr().out.split()
