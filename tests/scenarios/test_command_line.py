"""The command line: what a user sees of a mistake is one line and status 2."""

import subprocess
import sys

import pytest

from scenarios.__main__ import run

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
    for command in ("simulate", "fig2_throughput"):
        assert f"splitfleet {command}" in out


def test_help_names_fields_with_defaults_and_units(capfd):
    assert run(["simulate", "--help"]) == 0
    out = capfd.readouterr().out
    assert "fleet.n_devices = 1" in out
    assert "link.rate_bps = 8.6e+07 (bit/s)" in out


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
