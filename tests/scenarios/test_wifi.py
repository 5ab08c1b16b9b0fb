"""The contention figure: its rows are the table, the model and their distance."""

import csv
from pathlib import Path

import pytest

from scenarios.__main__ import run
from sim.radio import bianchi_efficiency, ns3_table


def test_the_figure_stands_on_the_table_and_on_bianchi(quick, capsys):
    assert run(["wifi", "stations=[1,10]", "name=few"]) == 0
    with Path("outputs/few/results.csv").open() as file:
        rows = list(csv.DictReader(file))
    value = {(row["method"], int(row["n_devices"])): float(row["efficiency"]) for row in rows}
    assert value["ns-3", 10] == ns3_table()[10]
    assert value["Bianchi", 10] == pytest.approx(bianchi_efficiency(10))
    assert value["backoff played", 10] == pytest.approx(value["Bianchi", 10], rel=0.03)
    assert value["equal shares, no loss", 10] == value["ns-3", 1]
    assert Path("outputs/few/figure.png").stat().st_size > 10_000
    assert "overstates Wi-Fi 1.4 times" in capsys.readouterr().out.replace("\n", " ")


def test_no_stations_are_refused(quick, capfd):
    assert run(["wifi", "stations=[0]"]) == 2
    assert "stations must be >= 1, got [0]" in capfd.readouterr().err
