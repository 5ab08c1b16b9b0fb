"""How often nominal 95 % intervals hold the truth, over 400 experiments (docs/validation.md)."""

import math
from dataclasses import replace

import numpy as np
import pytest

from sim import (
    ExponentialSource,
    FleetSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
    replicate,
    run,
    theory,
)
from sim.statistics import mser5, replication_interval, section_quantile

RATE, SERVICE_S = 0.8, 1.0
N_EXPERIMENTS = 400


def responses(generator, n_runs, length, *, warmup=500, start_s=0.0):
    """M/M/1 responses [run, request] by Lindley's recursion: the engine's FIFO arithmetic.

    The first test below holds the simulator against the same recursion; this plays 400
    experiments in seconds. `start_s` is the work that the first request finds.
    """
    n = length + warmup
    service = generator.exponential(SERVICE_S, (n_runs, n))
    steps = service[:, :-1] - generator.exponential(1.0 / RATE, (n_runs, n - 1))
    walk = np.concatenate(
        (np.full((n_runs, 1), start_s), start_s + np.cumsum(steps, axis=1)), axis=1
    )
    low = np.minimum(np.minimum.accumulate(walk, axis=1), 0.0)
    return (walk - low + service)[:, warmup:]


def coverage(intervals, truth):
    return float(np.mean([interval.lo <= truth <= interval.hi for interval in intervals]))


def test_the_simulator_plays_the_same_recursion():
    spec = SystemSpec(
        workload=WorkloadSpec(kind="poisson", rate_rps=RATE),
        server=ServerSpec(),
        warmup_s=0.0,
        horizon_s=2_000.0,
    )
    records = run(spec, {"default": ExponentialSource(server_s=SERVICE_S)}).records
    service = records["server_end_s"] - records["server_start_s"]
    steps = service[:-1] - np.diff(records["created_s"])
    walk = np.concatenate(([0.0], np.cumsum(steps)))
    waits = walk - np.minimum(np.minimum.accumulate(walk), 0.0)
    assert records["done_s"] - records["created_s"] == pytest.approx(waits + service, abs=1e-9)


def repairman_spec(**changes):
    spec = SystemSpec(
        fleet=FleetSpec(n_devices=20),
        workload=WorkloadSpec(kind="closed", think_s=1.0),
        warmup_s=5.0,
        horizon_s=25.0,
        replications=10,
    )
    return replace(spec, **changes)


@pytest.mark.slow
def test_replicate_covers_a_closed_loop():
    truth = theory.repairman(20, 1.0, 0.04)
    source = {"default": ExponentialSource(server_s=0.04)}
    results = [replicate(repairman_spec(seed=seed), source) for seed in range(N_EXPERIMENTS)]
    latency = coverage((r["latency_mean_s"] for r in results), truth.response_s)
    throughput = coverage((r["throughput_rps"] for r in results), truth.throughput_rps)
    print(f"replicate: latency {latency:.1%}, throughput {throughput:.1%}")
    assert 0.92 <= latency <= 0.98
    assert 0.92 <= throughput <= 0.98


MEAN_S = theory.mm1_response_s(RATE, SERVICE_S)


@pytest.mark.slow
def test_replications_cover_the_mean():
    generator = np.random.default_rng(1)
    runs = (responses(generator, 10, 5_000).mean(axis=1) for _ in range(N_EXPERIMENTS))
    covered = coverage(map(replication_interval, runs), MEAN_S)
    print(f"replications, mean: {covered:.1%}")
    assert 0.92 <= covered <= 0.98


@pytest.mark.slow
def test_the_formula_for_independent_data_does_not_cover_one_run():
    runs = responses(np.random.default_rng(2), N_EXPERIMENTS, 50_000)
    naive = coverage(map(replication_interval, runs), MEAN_S)
    print(f"independent-data formula: {naive:.1%}")
    assert naive < 0.4


@pytest.mark.slow
@pytest.mark.parametrize("probability", [0.95, 0.99])
def test_sections_cover_high_quantiles(probability):
    generator = np.random.default_rng(4)
    truth = theory.mm1_response_quantile_s(RATE, SERVICE_S, probability)
    covered = coverage(
        (section_quantile(responses(generator, 10, 5_000), probability) for _ in range(400)), truth
    )
    print(f"sections, p{100 * probability:g}: {covered:.1%}")
    assert covered >= 0.90


@pytest.mark.slow
def test_mser5_removes_a_planted_start():
    generator = np.random.default_rng(5)
    start_s = 200.0 * SERVICE_S
    runs = responses(generator, N_EXPERIMENTS, 10_000, warmup=0, start_s=start_s)
    biased = runs.mean() / MEAN_S - 1.0
    kept = np.mean([run[mser5(run) :].mean() for run in runs]) / MEAN_S - 1.0
    error = runs[:, 5_000:].mean(axis=1).std() / math.sqrt(N_EXPERIMENTS) / MEAN_S
    print(f"MSER-5: bias {biased:+.0%} -> {kept:+.1%} (standard error {error:.1%})")
    assert biased > 1.0
    assert abs(kept) < 0.05


def repairman_responses(generator, n_runs, length, *, warmup=100):
    """Responses [run, request] of 20 devices, Z = 1 s, one exponential server of 0.04 s.

    Requests in order of arrival: a device's next one is known when this one's departure is.
    """
    n_devices, think_s, service_s = 20, 1.0, 0.04
    arrival_s = generator.exponential(think_s, (n_runs, n_devices))
    free_s, every = np.zeros(n_runs), np.arange(n_runs)
    found = np.empty((length + warmup, n_runs))
    for row in found:
        device = arrival_s.argmin(axis=1)
        now_s = arrival_s[every, device]
        free_s = np.maximum(now_s, free_s) + generator.exponential(service_s, n_runs)
        row[:] = free_s - now_s
        arrival_s[every, device] = free_s + generator.exponential(think_s, n_runs)
    return found[warmup:].T


@pytest.mark.slow
def test_pooled_quantiles_cover_where_averages_do_not():
    """Ten runs of 930: the pooled quantile with runs as sections, against the runs' average."""
    generator = np.random.default_rng(6)
    runs = repairman_responses(generator, 10 * N_EXPERIMENTS, 930).reshape(N_EXPERIMENTS, 10, -1)
    for level in (0.95, 0.99):
        truth = theory.repairman_response_quantile_s(20, 1.0, 0.04, level)
        pooled = [section_quantile(sections, level) for sections in runs]
        averaged = [replication_interval(np.quantile(each, level, axis=1)) for each in runs]
        found, old = coverage(pooled, truth), coverage(averaged, truth)
        bias = [np.mean([i.mean for i in each]) / truth - 1.0 for each in (pooled, averaged)]
        print(f"p{100 * level:g}: pooled {found:.1%}, bias {bias[0]:+.2%};", end=" ")
        print(f"averaged {old:.1%}, bias {bias[1]:+.2%}")
        assert found >= 0.90
        assert abs(bias[0]) < 0.01


@pytest.mark.slow
def test_replicate_covers_quantiles_of_a_closed_loop():
    """p95 and p99 of ten short runs on the engine; about 930 requests a run."""
    source = {"default": ExponentialSource(server_s=0.04)}
    spec = repairman_spec(horizon_s=55.0)
    results = [replicate(replace(spec, seed=seed), source) for seed in range(N_EXPERIMENTS)]
    for name, level in (("latency_p95_s", 0.95), ("latency_p99_s", 0.99)):
        truth = theory.repairman_response_quantile_s(20, 1.0, 0.04, level)
        found = coverage((r[name] for r in results), truth)
        bias = np.mean([r[name].mean for r in results]) / truth - 1.0
        print(f"replicate, {name}: {found:.1%}, bias {bias:+.2%}")
        assert found >= 0.90
        assert abs(bias) < 0.01


@pytest.mark.slow
def test_replicate_until_precise_covers_a_closed_loop():
    """Sequential stopping to a relative half-width costs coverage (Law 2015), here a few points."""
    truth = theory.repairman(20, 1.0, 0.04)
    source = {"default": ExponentialSource(server_s=0.04)}
    spec = repairman_spec(replications=5, precision=0.08, max_replications=60)
    results = [replicate(replace(spec, seed=seed), source) for seed in range(N_EXPERIMENTS)]
    found = coverage((r["latency_mean_s"] for r in results), truth.response_s)
    widths = [(r["latency_mean_s"].hi - r["latency_mean_s"].lo) / 2 for r in results]
    runs = [r.n_runs for r in results]
    print(f"until precise: {found:.1%}, {np.mean(runs):.1f} runs on average")
    assert found >= 0.90
    met = [w <= 0.08 * r["latency_mean_s"].mean for w, r in zip(widths, results, strict=True)]
    assert np.mean(met) > 0.99
    assert len(set(runs)) > 3
