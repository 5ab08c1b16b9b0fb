"""Rounds: they go on until medians are known or the time is over, the anchor between them."""

from functools import partial

import numpy as np
import pytest

from profiles.measuring import session, timing
from profiles.measuring.session import ENOUGH, Rhythm
from profiles.tables import medians
from tests.profiles.test_deployment import small


class FakeAnchor:
    def __init__(self) -> None:
        self.calls = 0

    def time(self) -> None:
        self.calls += 1


def count(rhythm, spread):
    done = 0
    while rhythm.goes_on(done, partial(spread, done)):
        done += 1
    return done


@pytest.fixture
def now(monkeypatch):
    """A clock that moves by 0.1 s whenever it is read."""
    ticks = iter(np.arange(0.0, 1e4, 0.1))
    monkeypatch.setattr(session, "perf_counter", lambda: next(ticks))


@pytest.mark.usefixtures("now")
def test_rounds_end_where_medians_are_known_or_the_time_is_over():
    anchor = FakeAnchor()
    assert count(Rhythm(10, anchor), lambda done: 1.0) == 10  # no time beyond the planned rounds
    narrowing = count(Rhythm(10, anchor, 1e9), lambda done: 0.1 / np.sqrt(done))
    assert narrowing == 25  # 0.1 / sqrt(n) <= 0.02
    assert count(Rhythm(10, anchor, 1e9), lambda done: 1.0) == session.MOST_ROUNDS
    out_of_time = Rhythm(5, anchor, session.perf_counter() + 2.05)
    assert count(out_of_time, lambda done: 1.0) == 5 + 20


def test_the_anchor_runs_between_rounds_and_one_call_follows_it():
    anchor, calls = FakeAnchor(), []
    few, many = Rhythm(5, anchor), Rhythm(60, anchor)
    for done in range(5):
        few.rest(done, partial(calls.append, done))
    assert anchor.calls == len(calls) == 5
    for done in range(60):
        many.rest(done, partial(calls.append, done))
    assert calls[5:] == list(range(0, 60, 5))


class NoisyClock:
    """Seconds drawn around 1 ms, whatever runs: medians narrow with the square root of rounds."""

    def __init__(self, spread: float) -> None:
        self._rng, self._spread = np.random.default_rng(1), spread

    def mark(self) -> None:
        return None

    def seconds(self, marks: list[None]) -> list[float]:
        return list(1e-3 * self._rng.lognormal(0.0, self._spread, len(marks) - 1))


def measure(monkeypatch, spread, **how):
    clock = NoisyClock(spread)
    monkeypatch.setattr("profiles.measuring.deployment.clock_of", lambda device: clock)
    return timing.measure(small(), rounds=5, warmup=1, **how)


def test_a_profile_stops_once_every_interval_is_within_2_percent(monkeypatch):
    made = measure(monkeypatch, 0.03, budget_s=600)
    n = len(made.samples["whole_b1"])
    assert 10 < n < session.MOST_ROUNDS
    for side in (made.head, made.tail):
        assert medians.Z * side.errors.max() <= ENOUGH
    assert "coarse" not in made.provenance


def test_what_the_time_did_not_suffice_for_is_coarse(monkeypatch):
    made = measure(monkeypatch, 0.2, budget_s=0.0)
    assert len(made.samples["whole_b1"]) == 5
    assert "output@1" in made.provenance["coarse"]
    assert made.head.coarse == tuple(made.provenance["coarse"])
    assert made.head.scale(2.0, hardware="slow", source="a book").coarse == made.head.coarse
