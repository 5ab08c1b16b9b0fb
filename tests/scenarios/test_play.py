"""Points to rows: what fails is a row, what is finished is kept; progress says when it ends."""

import re
import time
from dataclasses import replace

import pytest

from scenarios.shell import forks
from scenarios.shell.progress import progress
from scenarios.sweep.play import Job, failing, play
from scenarios.sweep.store import Store, point_id


def _job(n, evaluate):
    return Job(spec={"n": n}, digests={"trace": "a"}, labels={"n": n}, evaluate=evaluate)


def _law_broken():
    raise AssertionError("laws that do not hold: conservation")


def test_a_point_that_fails_for_whatever_reason_is_a_row_and_runs_again(tmp_path):
    store = Store(tmp_path)
    jobs = [_job(1, lambda: {"x": 1.0}), _job(2, _law_broken), failing("cut must be ...", {"n": 3})]
    rows = play(jobs, store)
    assert rows[0]["x"] == 1.0
    assert rows[1]["error"] == "AssertionError: laws that do not hold: conservation"
    assert rows[2]["error"] == "cut must be ..."
    calls = []
    again = [_job(1, lambda: calls.append(1) or {}), _job(2, lambda: calls.append(2) or {"x": 2.0})]
    assert [row["x"] for row in play(again, store)] == [1.0, 2.0]
    assert calls == [2]


class _Runs:
    """A point of several runs, which tells who made its row."""

    def __call__(self):
        return {"made_by": 1}

    def by(self, workers):
        return {"made_by": workers}


def test_the_runs_of_a_single_point_are_shared_where_they_are_all_of_its_row(tmp_path, monkeypatch):
    monkeypatch.setattr(forks, "can_fork", lambda: True)
    whole = _job(1, _Runs())
    (row,) = play([whole], Store(tmp_path / "whole"), workers=2)
    assert row["made_by"] == 2
    more = replace(whole, evaluate=lambda: {**whole.evaluate(), "n_star": 7})
    (row,) = play([more], Store(tmp_path / "more"), workers=2)
    assert (row["made_by"], row["n_star"]) == (1, 7)


def test_a_single_point_raises(tmp_path):
    with pytest.raises(ValueError, match="not so"):
        play([failing("not so", {})], Store(tmp_path))


def test_another_table_or_another_meaning_of_the_model_is_another_point(monkeypatch):
    named = point_id({"n": 1}, {"trace": "a"})
    assert point_id({"n": 1}, {"trace": "b"}) != named
    monkeypatch.setattr("scenarios.sweep.store.MODEL_VERSION", -1)
    assert point_id({"n": 1}, {"trace": "a"}) != named


class _Clock:
    now = 100.0

    def monotonic(self):
        return self.now


def test_a_log_gets_plain_lines_with_rate_and_end_at_most_every_ten_seconds(monkeypatch, capsys):
    clock = _Clock()
    monkeypatch.setattr(time, "monotonic", clock.monotonic)
    with progress("simulating") as report:
        for done in range(1, 31):
            clock.now += 1.0
            report(done, 60)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert re.fullmatch(r"simulating: 2/60, 1/s, 58 s left, ends \d\d:\d\d:\d\d", lines[0]), lines[
        0
    ]


def test_a_terminal_gets_a_bar_with_rate_and_end(monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setattr("scenarios.shell.progress._QUIET_S", 0.0)
    with progress("simulating") as report:
        time.sleep(0.01)
        report(3, 6)
        time.sleep(0.2)  # the bar refreshes ten times a second
        report(4, 6)
    shown = capsys.readouterr().err
    assert "simulating" in shown
    assert re.search(r"\d/s", shown)
    assert "ends" in shown
