"""`validate` end to end, on a few rungs of the ladder."""

import csv
from pathlib import Path

import pytest

from scenarios.__main__ import run
from sim import validation

CHOSEN = ("fixed cycle N=10", "ARQ 2 BER 0.0001")


@pytest.fixture
def few(monkeypatch):
    rungs = [case for case in validation.cases() if case.name in CHOSEN]
    assert len(rungs) == len(CHOSEN)
    monkeypatch.setattr("sim.validation.ladder.cases", lambda: rungs)
    monkeypatch.setattr("sim.validation.churn.RUNGS", {})


def test_two_workers_give_the_table_of_the_serial_run(few, quick, capsys):
    tables = []
    for workers in (1, 2):
        line = ["validate", "quick=true", f"workers={workers}", f"name=by{workers}"]
        assert run(line) == 0
        tables.append(Path(f"outputs/by{workers}/validate.csv").read_bytes())
    assert tables[0] == tables[1]
    rows = list(csv.DictReader(tables[0].decode().splitlines()))
    columns = ["case", "metric", "seed", "exact", "simulated", "lo", "hi", "inside", "engine"]
    assert list(rows[0]) == columns
    assert {row["case"] for row in rows} >= set(CHOSEN)
    assert "holds: " in capsys.readouterr().out
