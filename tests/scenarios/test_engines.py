"""`engine=` reaches every command that plays, and the tables are the same by either engine."""

import csv
import json
from pathlib import Path

import pytest

from scenarios.__main__ import run
from scenarios.commands import figures
from scenarios.shell import commands
from sim import system

SMALL = {
    "nasc": ["n_devices=[4]", "answers=100", "replications=2"],
    "search_regret": ["problems=2", "answers=300"],
    "search_fleet": ["fleets=[mixed fleet]", "budget.half_width=0.5", "budget.n_runs=3",
                     "budget.max_runs=3", "budget.requests_per_run=150",
                     "budget.pilot_requests=100"],
    "fig3_breakdown": ["methods=few", "replications=2", "span_s=1", "cycles=2", "warmup_s=0.2",
                       "cuts=[stage3]"],
}  # fmt: skip
LONG = ("nasc", "search_fleet")
"""Hundreds of systems, and devices that decide for every frame anew: minutes by SimPy."""
PLAY_NOTHING = {
    "fig1_sparsity", "fig3_codec", "rate_accuracy", "ablation", "long_generation", "wifi",
}  # fmt: skip
"""Figures of features, of seconds and of a medium alone."""


@pytest.fixture
def only(monkeypatch):
    """Forbid whatever is not played by the given engine."""
    inside = {"simpy": "play", "compiled": "_play_compiled"}
    real = {name: getattr(system, name) for name in inside.values()}

    def forbid(engine):
        def refuse(*_args):
            raise AssertionError(f"a run that engine={engine} was not to play")

        for player, name in inside.items():
            monkeypatch.setattr(system, name, real[name] if player == engine else refuse)

    return forbid


def table(path):
    with path.open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "command",
    [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in SMALL],
)
def test_a_figure_is_played_by_the_engine_that_is_asked_for_to_the_same_table(command, quick, only):
    found = {}
    for engine in ("simpy", "compiled"):
        only(engine)
        assert run([command, f"engine={engine}", f"name={engine}", *SMALL[command]]) == 0
        found[engine] = table(Path("outputs") / engine / "results.csv")
    assert found["simpy"] == found["compiled"] != []
    assert not any(row.get("error") for row in found["simpy"])


def test_a_search_plays_its_decision_by_the_engine_that_is_asked_for(quick, only, capfd):
    line = ["search", "slo.mean_s=0.05", "fleet.n_devices=2", "answers=200", "replications=2"]
    said = {}
    for engine in ("simpy", "compiled"):
        only(engine)
        assert run([*line, f"engine={engine}"]) == 0
        said[engine] = [each for each in capfd.readouterr().out.splitlines() if "simulated" in each]
    assert said["simpy"] == said["compiled"] != []


def test_the_page_hands_the_engine_to_every_figure_that_plays(quick, capfd):
    small = json.dumps(SMALL["fig3_breakdown"])
    line = ["figures", "only=[fig3_breakdown]", "engine=simpy", f"overrides={small}"]
    assert run(line) == 0
    made = json.loads(Path("outputs/fig3_breakdown/run.json").read_text())
    assert set(made["engines"]) == {"simpy: asked for"}
    assert run(["figures", "engine=fast"]) == 2
    assert "engine must be one of auto, compiled, simpy, got 'fast'" in capfd.readouterr().err


def test_every_figure_that_plays_takes_an_engine():
    for name in {*figures.ORDER, *figures.TAKEN_IN} - PLAY_NOTHING:
        assert "engine" in commands.load(name).schema.__dataclass_fields__
