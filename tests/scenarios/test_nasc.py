"""The figure of NASC, and its limit where the choice is played."""

import csv
from pathlib import Path

from scenarios.__main__ import run


def test_the_limit_holds_where_the_choice_is_played(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["nasc", "n_devices=[1,64]", "answers=400", "replications=3"]) == 0
    with Path("outputs/nasc/results.csv").open() as file:
        rows = {(int(r["n_devices"]), r["evaluator"]): r for r in csv.DictReader(file)}
    assert len(rows) == 4
    for row in rows.values():
        assert float(row["latency_mean_s"]) <= 0.012
    crowded = {name: float(rows[64, name]["accuracy_checked"]) for name in ("formula", "simulator")}
    alone = float(rows[1, "simulator"]["accuracy_checked"])
    assert crowded["formula"] < crowded["simulator"] <= alone


def test_an_unkept_limit_is_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["nasc", "n_devices=[2]", "limit_s=1e-6"]) == 2
    assert "no architecture at any cut answers within 1e-06 s" in capsys.readouterr().err
