"""Conditions: what a profile says against itself; the anchor; copies; the comparison."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from profiles import CostSurface, Cut, ModelProfile
from profiles.measuring import copies, machine
from profiles.measuring.anchor import Anchor, tell_drift
from profiles.measuring.conditions import doubts, find_coarse, finish
from profiles.shipping import comparison, portfolio, shipped

CUTS = ("input", "a", "output")


def profile(whole_s=(1.0, 2.0, 4.0), error=0.01, hardware="box", **said):
    """A head of half the whole at "a", known to a relative `error` everywhere."""
    whole = np.array(whole_s)
    seconds = np.stack([0.0 * whole, 0.5 * whole, whole])[:, :, None, None]
    surface = CostSurface(
        part="head", hardware=hardware, cuts=CUTS, batches=(1, 4, 16), seconds=seconds,
        errors=np.full(seconds.shape, error), precision="fp16", mode="graph",
        provenance={"kind": "measured", **said},
    )  # fmt: skip
    cuts = tuple(Cut(name=c, shape=(1,), dtype="float32", head_flops=0, tail_flops=0) for c in CUTS)
    tail = replace(surface, part="tail", seconds=whole[None, :, None, None] - seconds)
    return ModelProfile(model="net", hardware=hardware, cuts=cuts, head=surface, tail=tail,
                        provenance={"anchor_drift": 0.0, **said})  # fmt: skip


def test_a_sound_profile_stays_what_it_is():
    made = profile()
    assert finish(made) is made
    assert doubts(made) == []


def test_falls_within_the_errors_are_made_isotonic_and_said():
    made = finish(profile(whole_s=(1.0, 0.98, 2.0)))
    assert made.head.seconds[2, :, 0, 0].tolist() == [1.0, 1.0, 2.0]
    assert made.provenance["isotonic"].startswith("head: a at 4 by 2.0 %, output at 4 by 2.0 %")
    assert doubts(made) == []


def test_falls_beyond_them_are_left_and_told():
    made = finish(profile(whole_s=(1.0, 0.8, 2.0)))
    assert made.head.seconds[2, 1, 0, 0] == 0.8
    assert "falls from 1 s to 0.8 s at batch 4" in made.provenance["falls"]
    assert doubts(made) == [made.provenance["falls"]]


def test_points_known_to_less_than_5_percent_are_named():
    made = profile(error=0.02)
    assert find_coarse(made.head) == []
    errors = made.head.errors.copy()
    errors[1, 2] = 0.03
    rough = finish(replace(made, head=replace(made.head, errors=errors)))
    assert rough.provenance["coarse"] == ["a@16"]
    assert doubts(rough) == ["known to less than 5 % only: a@16"]
    tokens = replace(made.head, new_tokens=(8,), kv_lengths=(64,), errors=errors)
    assert find_coarse(tokens) == ["a@16, 8 new on 64 cached"]


def test_a_profile_that_drifted_or_falls_is_not_written(tmp_path):
    lines: list[str] = []

    def keep(made, name):
        return portfolio._keep(made, tmp_path / name, lines.append)

    assert keep(profile(anchor_drift=0.04), "sound.npz") == [tmp_path / "sound.npz"]
    assert len(lines) == 1
    assert keep(profile(anchor_drift=-0.1), "doubtful.npz") == [tmp_path / "doubtful.npz"]
    assert lines[1] == ("  doubtful.npz: the anchor drifted by -10 % while this was measured")
    assert keep(profile(anchor_drift=0.16), "drifted.npz") == []
    assert keep(finish(profile(whole_s=(1.0, 0.8, 2.0))), "falls.npz") == []
    assert lines[-1].endswith("not written; measure again while the machine does nothing else")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["doubtful.npz", "sound.npz"]


class SlowingClock:
    """A machine that becomes slower by a fifth over the calls that are timed."""

    def __init__(self, n_calls: int) -> None:
        self._n, self._reads, self._at = n_calls, 0, 0.0

    def __call__(self) -> float:
        call, end = divmod(self._reads, 2)
        self._reads += 1
        self._at += 0.03 * 1.2 ** (call / (self._n - 1)) if end else 1.0
        return self._at


def test_the_anchors_trend_is_the_machines(monkeypatch):
    monkeypatch.setattr(Anchor, "_call", lambda self: None)
    anchor = Anchor("cpu", now=SlowingClock(21))
    for _ in range(21):
        anchor.time()
    said = anchor.provenance()
    assert said["anchor_drift"] == pytest.approx(0.2, abs=0.002)
    assert said["anchor_drift_error"] < 0.001
    assert said["anchor_s"] == pytest.approx(0.03 * 1.2**0.5)
    assert tell_drift(0.05) == ""
    assert "+20 %" in tell_drift(said["anchor_drift"])


def test_an_anchor_that_was_hardly_asked_makes_up_for_it(monkeypatch):
    monkeypatch.setattr(Anchor, "_call", lambda self: None)
    anchor = Anchor("cpu", now=SlowingClock(10))
    anchor.time()
    anchor.provenance()
    assert len(anchor.seconds) == 10


def test_copies_are_a_fixed_time_and_a_rate():
    law = copies.fit(copies.SIZES, [1e-5 + size / 5e10 for size in copies.SIZES])
    assert law.fixed_s == pytest.approx(1e-5)
    assert law.bytes_per_s == pytest.approx(5e10)
    assert law.worst == pytest.approx(0.0, abs=1e-9)
    rate_only = copies.fit([1, 2, 4], [0.9, 2.0, 4.4])
    assert rate_only.fixed_s == 0.0
    with pytest.raises(ValueError, match="must grow with the size"):
        copies.fit([1, 2], [2.0, 1e-9])
    with pytest.raises(ValueError, match="two sizes or more, got 1"):
        copies.fit([1], [1.0])


def test_both_ways_are_timed_over_all_sizes():
    at = [0.0]

    def wait(fixed_s, rate):
        def copier_of(size):
            def run():
                at[0] += fixed_s + size / rate

            return run

        return copier_of

    there, back = wait(2e-5, 4e10), wait(3e-5, 2e10)
    found = copies.measure(lambda size: (there(size), back(size)), now=lambda: at[0])
    assert found["to_device"]["fixed_s"] == pytest.approx(2e-5)
    assert found["to_device"]["bytes_per_s"] == pytest.approx(4e10)
    assert found["to_host"]["bytes_per_s"] == pytest.approx(2e10)


def test_clocks_are_those_that_the_card_states_or_none(monkeypatch):
    assert machine.clocks("cpu") == {}
    monkeypatch.setattr(machine.torch.cuda, "current_device", lambda: 0)

    def say(words, **how):
        assert words[:2] == ["nvidia-smi", "--id=0"]
        return type("Done", (), {"stdout": "580.1, 1980 MHz, 2619 MHz, 1980 MHz, 700.00 W\n"})()

    monkeypatch.setattr(machine.subprocess, "run", say)
    assert machine.clocks("cuda")["clocks.sm"] == "1980 MHz"

    def fail(words, **how):
        raise FileNotFoundError(words[0])

    monkeypatch.setattr(machine.subprocess, "run", fail)
    assert machine.clocks("cuda") == {}


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A shipped table of a card on which "net" takes what `profile` says, "a" at 4 a tenth more."""
    made = profile(hardware="card")
    (tmp_path / "machines").mkdir()
    with (tmp_path / "machines" / "card.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["network", "part", "cut", "batch", "precision", "mode", "seconds"])
        for cut in ("input", "a"):
            for batch in (1, 4):
                seconds = made.tail.seconds_at(cut, batch)
                slower = 1.1 if (cut, batch) == ("a", 4) else 1.0
                rows.writerow(["net", "tail", cut, batch, "fp16", "graph", seconds * slower])
    monkeypatch.setattr(shipped, "DATA", tmp_path)
    return made


def test_a_profile_is_compared_with_the_table_of_its_machine(table, tmp_path):
    pairs = comparison.compare(table)
    assert len(pairs) == 4
    assert [str(pair) for pair in pairs if not pair.holds] == ["a@4 -9.1 %"]
    table.save(tmp_path / "net-single-card-graph-fp16.npz")
    words = comparison.report([tmp_path / "net-single-card-graph-fp16.npz"])
    assert words.splitlines() == [
        "net-single-card-graph-fp16.npz: 3 of 4 tails within 5 %, median +0.0 %, worst a@4 -9.1 %",
        "together: 3 of 4 tails within 5 %",
    ]


def test_other_modes_and_machines_are_not_compared(table):
    eager = replace(table, tail=replace(table.tail, mode="eager"))
    assert comparison.compare(eager) == []
    assert comparison.compare(replace(table, hardware="another")) == []
