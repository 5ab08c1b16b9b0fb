"""The ladder: what a verdict counts, and (slow) the whole of it over ten seeds."""

from dataclasses import replace

import numpy as np
import pytest

from sim.statistics import Interval
from sim.validation import SEEDS, Metric, Row, cases, validate, verdict
from sim.validation.case import row_of
from sim.validation.queues import ExponentialBatches, erlang4, hyperexponential


def row(**changes):
    fields = {
        "case": "a", "metric": "m", "seed": 1, "exact": 1.0, "simulated": 1.1, "lo": 0.9, "hi": 1.3,
        "kind": "interval", "freedom": 9,
    }  # fmt: skip
    return Row(**{**fields, **changes})


def test_row_has_the_columns_of_the_file():
    assert row().columns() == {
        "case": "a",
        "metric": "m",
        "seed": 1,
        "exact": 1.0,
        "simulated": 1.1,
        "lo": 0.9,
        "hi": 1.3,
        "inside": True,
    }


def test_bounds_and_equalities():
    assert not row(exact=0.8).inside
    assert row(exact=0.8).within(0.9999)
    assert row(exact=1.5, kind="at_most").inside
    assert not row(exact=0.8, kind="at_most").inside
    near = row_of("a", Metric(name="m", exact=1.0, kind="equal"), 1, Interval(1 + 1e-10, 0, 2), 2)
    far = row_of("a", Metric(name="m", exact=1.0, kind="equal"), 1, Interval(1 + 1e-8, 0, 2), 2)
    assert (near.inside, far.inside) == (True, False)


def test_verdict_counts_what_it_must():
    good, missed = [row()] * 95, [row(exact=0.89)] * 5
    assert verdict([*good, *missed]).holds
    assert verdict([*good, *missed]).inside_share == 0.95
    assert not verdict([*good, *missed * 3]).holds  # 86 % inside
    assert verdict([*good, row(exact=9.0)]).outside_all == (row(exact=9.0),)
    assert not verdict([*good, row(kind="equal", exact=0.0)]).holds
    assert not verdict([*good, row(kind="at_most", exact=0.0)]).holds
    assert str(verdict(good)).startswith("holds: 100.0% of 95 comparisons")


def test_ladder_has_every_rung_and_enough_comparisons():
    ladder = cases()
    names = " ".join(case.name for case in ladder)
    metrics = " ".join(metric.name for case in ladder for metric in case.metrics)
    for rung in (
        "fixed cycle", "M/M/1", "M/D/1", "M/E4/1", "M/H2/1", "M/M/4", "PS", "closed network N=50",
        "machine repairman", "greedy", "take-all", "Wi-Fi bianchi", "Rayleigh", "PER", "ARQ",
    ):  # fmt: skip
        assert rung in names + metrics
    compared = sum(m.kind == "interval" for case in ladder for m in case.metrics)
    assert compared * len(SEEDS) >= 250
    assert len({case.name for case in ladder}) == len(ladder)


@pytest.mark.parametrize("case", cases()[:2], ids=lambda case: case.name)
def test_fixed_cycles_are_exact(case):
    assert all(row.inside for row in case.play(1))


def test_a_wrong_reference_is_found():
    case = next(case for case in cases() if case.name == "closed network N=10")
    wrong = tuple(replace(metric, exact=1.1 * metric.exact) for metric in case.metrics)
    rows = replace(case, metrics=wrong).play(1)
    assert len(verdict(rows).outside_all) == len(rows)


def test_sizes_have_the_moments_that_their_cases_claim():
    generator = np.random.default_rng(1)
    four = [erlang4(generator) for _ in range(20_000)]
    hyper = [hyperexponential(generator) for _ in range(200_000)]
    assert (np.mean(four), np.var(four)) == pytest.approx((1.0, 0.25), rel=0.05)
    assert (np.mean(hyper), np.var(hyper)) == pytest.approx((1.0, 4.5556), rel=0.05)
    source = ExponentialBatches(0.03, 0.005)
    draws = [source.draw(generator) for _ in range(4)]
    assert source.batch_s(draws) == pytest.approx(draws[0].server_s * 0.05 / 0.035)


def test_progress_and_placement():
    seen = []

    def play(tasks):
        return [[row(metric=str(number))] for number, _ in enumerate(tasks)]

    rows = validate((3, 4), play=play, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (len(rows), len(rows))
    assert [r.metric for r in rows] == [str(number) for number in range(len(rows))]


@pytest.mark.slow
def test_the_whole_ladder_holds():
    rows = validate()
    judgement = verdict(rows)
    assert judgement.n_rows >= 250
    assert judgement.holds, str(judgement)
