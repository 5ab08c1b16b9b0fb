"""The contention figure: its rows are the runs, the models and the error at each run."""

import csv
from pathlib import Path

import pytest

from plots import wifi as plot
from scenarios.__main__ import run
from sim.radio import bianchi_goodput_bps, ns3_goodput_bps, ns3_grid


def test_the_figure_stands_on_the_runs_and_on_bianchi(quick, capsys):
    assert run(["wifi", "stations=[1,10]", "frames=[1,39]", "name=few"]) == 0
    with Path("outputs/few/results.csv").open() as file:
        rows = list(csv.DictReader(file))
    value = {
        (row["method"], int(row["n_devices"]), int(row["frames"])): 1e6 * float(row["goodput_mbps"])
        for row in rows
        if float(row["frame_bytes"]) == 1400.0
    }
    assert value["ns-3", 10, 39] == pytest.approx(46.126e6)
    assert value["model", 10, 39] == pytest.approx(ns3_goodput_bps(10, 39))
    assert value["Bianchi", 10, 1] == pytest.approx(bianchi_goodput_bps(10, 1))
    assert value["backoff played", 10, 39] == pytest.approx(value["Bianchi", 10, 39], rel=0.03)
    held = [row for row in rows if row["method"] == "ns-3"]
    assert len(held) == len(ns3_grid()) == 56
    assert max(abs(float(row["off"])) for row in held) < 0.05
    assert Path("outputs/few/figure.png").stat().st_size > 10_000
    said = " ".join(capsys.readouterr().out.split())
    assert "With 39 frames an access 10 stations get 46.3 Mb/s of one station's 66.9" in said
    assert "within 4.9 % of each of the 56 ns-3 runs" in said


def test_the_drawing_holds_every_run():
    """A marker for each ns-3 run in the lower panel, lines of the model in the upper one."""
    rows = [
        {"method": m, "n_devices": n, "frames": f, "frame_bytes": size, "goodput_mbps": 10.0,
         "off": 0.01}
        for f, size in ((1, 1400), (39, 1400), (8, 200))
        for n in (1, 10)
        for m in ("ns-3", "model", "Bianchi")
    ]  # fmt: skip
    upper, lower = plot.draw(rows).axes
    held = [line for line in lower.lines if line.get_marker() not in ("None", "", None)]
    assert sum(len(line.get_xdata()) for line in held) == 6
    names = [text.get_text() for text in upper.get_legend().get_texts()]
    assert names == ["one frame an access", "39 frames", "Bianchi", "backoff played"]
    assert [text.get_text() for text in lower.get_legend().get_texts()] == ["8 frames of 200 B"]
    assert lower.get_xlabel() == "active stations n"


@pytest.mark.parametrize("name", ["stations", "frames"])
def test_none_are_refused(name, quick, capfd):
    assert run(["wifi", f"{name}=[0]"]) == 2
    assert f"{name} must be >= 1, got [0]" in capfd.readouterr().err
