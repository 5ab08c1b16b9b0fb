"""Hysteresis on the shipped traces: calmer by the factor asked for, at no cost in deadlines."""

import csv
from pathlib import Path

import numpy as np
import pytest

from plots import files
from scenarios.__main__ import run


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """The command as configured, one replication, shipped tables only; and its figure."""
    kept, real = [], files.save
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("adaptation"))
        patch.setattr(files, "save", lambda figure, *a: (kept.append(figure), real(figure, *a))[1])
        assert run(["search_adaptation", "replications=1"]) == 0
        with Path("outputs/search_adaptation/results.csv").open() as file:
            return list(csv.DictReader(file)), kept[0]


def runs(rows, link):
    return {row["method"]: row for row in rows if row["panel"] == "run" and row["link"] == link}


@pytest.mark.parametrize("link", ["fading", "mobility", "burst"])
def test_five_times_fewer_changes_at_no_more_than_a_point_of_deadlines(played, link):
    rules = runs(played[0], link)
    changes = {name: float(row["decision_changes_per_minute"]) for name, row in rules.items()}
    missed = {name: 100.0 * float(row["deadline_miss_share"]) for name, row in rules.items()}
    assert 5.0 * changes["hysteresis"] <= changes["at once"]
    assert missed["hysteresis"] <= missed["at once"] + 1.0


def test_the_price_is_server_load_and_is_in_the_table(played):
    for link in ("fading", "mobility", "burst"):
        rules = runs(played[0], link)
        load = {name: float(row["server_utilization"]) for name, row in rules.items()}
        assert load["at once"] < load["reserve"] < load["hysteresis"]


def test_the_curves_are_the_rows_over_time(played):
    rows, figure = played
    over_time = [row for row in rows if row["panel"] == "time"]
    assert len(over_time) == 3 * 3 * 118
    loads = np.array([float(row["server_load"]) for row in over_time])
    bottom = [axes for axes in figure.axes if axes.get_xlabel() == "time (s)"]
    drawn = np.concatenate([line.get_ydata() for axes in bottom for line in axes.get_lines()])
    assert sorted(drawn) == pytest.approx(sorted(loads))


def test_mistakes_are_told_in_one_line(capfd, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["search_adaptation", "choices=[input/jpeg]"]) == 2
    assert "choices must name two CUT/CODEC or more" in capfd.readouterr().err
    assert run(["search_adaptation", "adapt.margin=2"]) == 2
    assert "group.adapt.margin must be within [0, 0.99], got 2" in capfd.readouterr().err
