"""The ladder: what a verdict counts, and (slow) the whole of it over ten seeds."""

import math
from dataclasses import replace
from heapq import heappop, heappush

import numpy as np
import pytest
from scipy.stats import ttest_ind

from sim import theory
from sim.statistics import Interval
from sim.system import run
from sim.validation import SEEDS, Metric, Row, cases, churn, endings, radios, validate, verdict
from sim.validation.case import row_of, row_of_two
from sim.validation.churn import Comers
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
        "engine": "auto",
    }


def test_bounds_and_equalities():
    assert not row(exact=0.8).inside
    assert row(exact=0.8).within(0.9999)
    assert row(exact=1.5, kind="at_most").inside
    assert not row(exact=0.8, kind="at_most").inside
    near = row_of("a", Metric(name="m", exact=1.0, kind="equal"), 1, Interval(1 + 1e-10, 0, 2), 2)
    far = row_of("a", Metric(name="m", exact=1.0, kind="equal"), 1, Interval(1 + 1e-8, 0, 2), 2)
    assert (near.inside, far.inside) == (True, False)


def test_two_samples_differ_by_welchs_interval():
    generator = np.random.default_rng(2)
    for sizes, scales in (((10, 20), (1.0, 0.2)), ((10, 10), (1.0, 1.0)), ((4, 30), (0.1, 3.0))):
        ours, theirs = (
            generator.normal(7.0, scale, size) for size, scale in zip(sizes, scales, strict=True)
        )
        known = ttest_ind(ours, theirs, equal_var=False)
        freedom = math.floor(known.df)  # fewer whole ones: at most as narrow
        compared = row_of_two("a", "m", 1, ours, theirs)
        assert compared.freedom == freedom
        low, high = known.confidence_interval(0.95)
        half = 0.5 * (compared.hi - compared.lo)
        assert (compared.exact, compared.simulated) == pytest.approx((theirs.mean(), ours.mean()))
        assert 0.5 * (high - low) <= half * (1.0 + 1e-12) <= 0.5 * (high - low) * 1.2
    same = row_of_two("a", "m", 1, [2.0, 2.0], [2.0, 2.0, 2.0])
    assert same.inside
    assert same.lo == same.hi == 2.0


def test_verdict_counts_what_it_must():
    good, missed = [row()] * 95, [row(exact=0.89)] * 5
    assert verdict([*good, *missed[:1] * 7]).holds  # 93.1 % inside
    assert not verdict([*good, *missed[:1] * 8]).holds  # 92.2 %
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
        "M/M/1/5", "M/M/2/6", "Erlang loss", "MMPP/M/1", "tandem", "age of information",
        "link dead to the end",
    ):  # fmt: skip
        assert rung in names + metrics
    compared = sum(m.kind == "interval" for case in ladder for m in case.metrics)
    assert compared * len(SEEDS) >= 250
    assert len({case.name for case in ladder}) == len(ladder)


@pytest.mark.parametrize("case", cases()[:2], ids=lambda case: case.name)
def test_fixed_cycles_are_exact(case):
    assert all(row.inside for row in case.play(1))


@pytest.mark.parametrize("case", endings.endings()[:-1], ids=lambda case: case.name)
def test_a_rate_is_answers_over_the_window(case):
    assert all(row.inside for row in case.play(1))


def test_a_network_whose_link_dies_in_its_steady_state():
    assert all(row.within(0.9999) for row in endings.dying().play(1))


def answers_of_two(until_s):
    """The loops of `endings`, turn by turn: uplink and server in order of arrival."""
    heap, count, uplink_s, server_s = [(0.1, 0), (0.1, 1)], 0, 0.0, 0.0
    while heap[0][0] <= until_s:
        ready_s, device = heappop(heap)
        uplink_s = max(ready_s, uplink_s) + 0.002
        server_s = max(uplink_s, server_s) + 0.005
        count += server_s <= until_s
        heappush(heap, (server_s + 0.1, device))
    return count


@pytest.mark.parametrize("until_s", [0.1, 0.109, 0.113, 5.0, 10.0, 33.3])
def test_answers_until(until_s):
    assert endings.answers_until(until_s) == answers_of_two(until_s)


def figures_of(comers, n_runs):
    """The loop's figures, averaged over runs."""
    return churn.Figures(*np.mean([churn.play_loop(comers, (9, r)) for r in range(n_runs)], axis=0))


def test_the_churn_loop_without_churn_is_the_md1_queue():
    comers = Comers(up_s=1e12, rate_rps=1.25, warmup_s=20.0, horizon_s=400.0)
    figures = figures_of(comers, 6)
    assert figures.dropped_share == 0.0
    assert figures.throughput_rps == pytest.approx(75.0, rel=0.02)
    assert figures.server_utilization == pytest.approx(0.81, rel=0.02)
    exact_s = theory.md1_response_s(75.0, 0.0108)
    assert figures.latency_mean_s == pytest.approx(exact_s, rel=0.05)
    uplink = figures_of(replace(comers, link_s=0.0108, gpu_s=0.005), 6)  # never waits for the GPU
    assert uplink.latency_mean_s == pytest.approx(exact_s + 0.005, rel=0.05)


def test_the_churn_loop_without_waits_loses_who_leaves_meanwhile():
    comers = Comers(n_devices=200, gpu_s=0.3, n_gpus=1000, horizon_s=60.0)
    figures = figures_of(comers, 2)
    stay = math.exp(-0.3 / 2.0)  # up for 2 s on average, and again as long at any time
    assert figures.latency_mean_s == pytest.approx(0.3)
    assert figures.dropped_share == pytest.approx(1.0 - stay, rel=0.03)
    assert figures.throughput_rps == pytest.approx(200 * 2.0 * 0.8 * stay, rel=0.03)
    assert figures.server_utilization * 1000 == pytest.approx(200 * 2.0 * 0.8 * 0.3, rel=0.03)


def test_the_churn_loop_frees_the_uplink_of_one_who_leaves():
    comers = Comers(n_devices=1, rate_rps=1.0, link_s=1.0, gpu_s=0.0, horizon_s=40_000.0)
    generator, n_stays, answered = np.random.default_rng(4), 20_000, 0
    for up_s in generator.exponential(2.0, n_stays):  # every stay begins with an empty uplink
        now_s = sent_s = 0.0
        while (now_s := now_s + generator.exponential(1.0)) < up_s:
            sent_s = max(now_s, sent_s) + 1.0
            answered += sent_s < up_s
    per_stay = figures_of(comers, 1).throughput_rps * (2.0 + 0.5)
    assert per_stay == pytest.approx(answered / n_stays, rel=0.05)


@pytest.mark.parametrize("name", churn.RUNGS)
def test_churn_agrees_with_the_independent_loop(name):
    assert all(row.within(0.9999) for row in churn.compare(name, 1))


@pytest.mark.parametrize("name", radios.RUNGS)
def test_radios_agree_with_the_independent_loop(name):
    """Every request's latency and waits, on identical draws."""
    engine, loop = radios.play_both(radios.RUNGS[name], 7)
    for ours, theirs in zip(engine, loop, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    assert len(loop.latency_s) > 1000
    waits_s = loop.link_wait_s + loop.answer_wait_s
    assert waits_s.mean() > 0.1 * loop.latency_s.mean()
    assert (loop.answer_wait_s.mean() > 1e-3) == (radios.RUNGS[name].downlink == "shared")
    assert all(row.inside for row in radios.compare(name, 1))


class Crowd(radios.Loop):
    """The loop in which every answer is a station of its own."""

    def way_down(self, request):
        return -1 - request


def test_answers_at_one_access_point_settle_where_answers_that_contend_each_do_not():
    """40 open-loop devices: 9 ms for good, in the engine and in the independent loop; were every
    answer a station, the more of them waited the less would get through.
    """
    cell = radios.RUNGS["Wi-Fi, 40 radios, one access point"]
    engine, loop = radios.play_both(cell, 8)
    first, last = np.array_split(engine.latency_s, 2)
    assert engine.latency_s.mean() == pytest.approx(loop.latency_s.mean(), rel=1e-9)
    assert engine.latency_s.mean() == pytest.approx(8.9e-3, rel=0.05)
    assert last.mean() == pytest.approx(first.mean(), rel=0.1)
    _, crowd = radios.play_both(cell, 8, Crowd)
    first, last = np.array_split(crowd.latency_s, 2)
    assert first.mean() > 1.0
    assert last.mean() > 2.0 * first.mean()


def test_a_loop_on_other_draws_is_found(monkeypatch):
    """Another winner of the contests, and the difference is seen."""
    streams = radios.Streams
    monkeypatch.setattr(radios, "Streams", lambda seed, replication: streams(seed, 1))
    rows = radios.compare("Wi-Fi, 12 radios", 1)
    assert [row.inside for row in rows] == [False, False, False, False, True, True]


@pytest.mark.parametrize(("frames", "frame_bytes"), radios.SENT)
def test_the_engine_is_within_ten_percent_of_every_ns3_run(frames, frame_bytes):
    rows = radios.compare_grid(frames, frame_bytes, 1)
    assert len(rows) in (8, 12)
    for row in rows:
        assert row.inside
        assert row.simulated == pytest.approx(row.exact, rel=0.05), row.metric


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


def test_a_rung_is_played_by_both_engines_and_says_where_they_differ(monkeypatch):
    ladder = {each.name: each for each in cases()}
    alike = ladder["fixed cycle N=10"].play(1)
    assert {each.engine for each in alike} == {"both"}
    drawn = replace(ladder["M/E4/1 load 0.8"], n_runs=2)  # its source is one of this file's own
    drawn = replace(drawn, system=replace(drawn.system, horizon_s=60.0, warmup_s=0.0))
    assert {each.engine for each in drawn.play(1)} == {"simpy"}

    def play(spec, sources, *, replication):
        result = run(spec, sources, replication=replication)
        if spec.engine != "compiled":
            return result
        slower = result.estimates["latency_mean_s"]._replace(mean=1.0)
        return replace(result, estimates={**result.estimates, "latency_mean_s": slower})

    monkeypatch.setattr("sim.validation.case.run", play)
    rows = ladder["fixed cycle N=10"].play(1)
    engines = [each.engine for each in rows if each.metric == "latency_mean_s"]
    assert engines == ["simpy", "compiled"]
    assert [each.inside for each in rows if each.metric == "latency_mean_s"] == [True, False]
