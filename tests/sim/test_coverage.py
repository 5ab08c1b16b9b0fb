"""How often nominal 95 % intervals hold the truth (docs/validation.md)."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pytest
from numba import njit

from sim import (
    ExponentialSource,
    FleetSpec,
    LinkSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
    replicate,
    run,
    theory,
)
from sim.measures.columns import rate
from sim.measures.intervals import estimate_interval, measure_length
from sim.measures.quantiles import Observed
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
        link=LinkSpec(sharing="ps"),
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
        link=LinkSpec(sharing="ps"),
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
        known = [r[name] for r in results if not math.isnan(r[name].lo)]
        found, said = coverage(known, truth), 1.0 - len(known) / len(results)
        bias = np.mean([r[name].mean for r in results]) / truth - 1.0
        print(f"replicate, {name}: {found:.1%}, bias {bias:+.2%}, too short {said:.1%}")
        assert 0.91 <= found <= 0.99
        assert abs(bias) < 0.01
        assert said < 0.10


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


# The promise of the default length: 2,000 experiments of `SystemSpec()`'s horizon, warm-up and
# replications, played by recursions that the first tests hold the simulator against.

SPEC = SystemSpec(link=LinkSpec(sharing="ps"))
N_PROMISED, N_OTHERS = 2_000, 1_000
EXPONENTIAL, CONSTANT, MIXED = range(3)
SURE = 0.5 * (1.0 + math.sqrt(0.6))  # mixed: two exponentials of equal loads, cv^2 = 4
LEVELS = {"latency_p50_s": 0.5, "latency_p95_s": 0.95, "latency_p99_s": 0.99}
MANY = 10_000


@njit
def service_s(generator, law, mean_s):
    if law == CONSTANT:
        return mean_s
    if law == MIXED:
        share = SURE if generator.random() < SURE else 1.0 - SURE
        return generator.exponential(mean_s / (2.0 * share))
    return generator.exponential(mean_s)


@njit
def open_run(generator, rate_rps, law, mean_s, start_s, end_s):
    """Latencies and completions after the warm-up of one FIFO server that starts empty."""
    n = int(1.2 * rate_rps * end_s + 20.0 * math.sqrt(rate_rps * end_s) + 50.0)
    latency_s, done_s = np.empty(n), np.empty(n)
    count, now_s, free_s = 0, 0.0, 0.0
    while True:
        now_s += generator.exponential(1.0 / rate_rps)
        free_s = max(now_s, free_s) + service_s(generator, law, mean_s)
        if free_s > end_s:
            return latency_s[:count].copy(), done_s[:count].copy()
        if free_s > start_s:
            latency_s[count], done_s[count] = free_s - now_s, free_s
            count += 1


@njit
def closed_run(generator, n_devices, think_s, mean_s, start_s, end_s):
    """The same of `n_devices` that think, ask one exponential server and wait."""
    asks_s = np.array([generator.exponential(think_s) for _ in range(n_devices)])
    n = int(1.2 * end_s / mean_s + 20.0 * math.sqrt(end_s / mean_s) + 50.0)
    latency_s, done_s = np.empty(n), np.empty(n)
    count, free_s = 0, 0.0
    while True:
        first = np.argmin(asks_s)
        free_s = max(asks_s[first], free_s) + generator.exponential(mean_s)
        if free_s > end_s:
            return latency_s[:count].copy(), done_s[:count].copy()
        if free_s > start_s:
            latency_s[count], done_s[count] = free_s - asks_s[first], free_s
            count += 1
        asks_s[first] = free_s + generator.exponential(think_s)


def mixed_quantile_s(rate_rps, mean_s, probability):
    """Response quantile of M/H2/1: its transform is (1 - load) N(s) / D(s), D of two real roots."""
    share = np.array([SURE, 1.0 - SURE])
    per_s = 2.0 * share / mean_s
    both = share * per_s
    top = np.array([both.sum(), both[0] * per_s[1] + both[1] * per_s[0]])
    cubic = np.polymul([1.0, -rate_rps], np.poly(-per_s))
    cubic[-2:] += rate_rps * top
    roots = np.roots(cubic[:-1])
    weights = (
        (1.0 - rate_rps * mean_s)
        * np.polyval(top, roots)
        / np.array([roots[0] - roots[1], roots[1] - roots[0]])
    )
    low, high = 0.0, 1e4 * mean_s
    while high - low > 1e-9 * mean_s:
        middle = 0.5 * (low + high)
        beyond = float(np.sum(weights / -roots * np.exp(roots * middle)))
        low, high = (middle, high) if beyond > 1.0 - probability else (low, middle)
    return low


@dataclass(frozen=True)
class Queue:
    """A system with a known mean, throughput and quantiles, and how one run of it is played."""

    name: str
    play: Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]
    mean_s: float
    rate_rps: float
    quantile_s: Callable[[float], float]

    def truth(self, column: str) -> float:
        known = {"latency_mean_s": self.mean_s, "throughput_rps": self.rate_rps}
        return known.get(column) or self.quantile_s(LEVELS[column])


def open_queue(letter: str, load: float, mean_s: float) -> Queue:
    rate_rps = load / mean_s
    law = "MDH".index(letter)
    quantile_s = (theory.mm1_response_quantile_s, theory.md1_response_quantile_s, mixed_quantile_s)
    return Queue(
        f"M/{letter}/1 load {load:g}, {1e3 * mean_s:g} ms",
        lambda generator: open_run(generator, rate_rps, law, mean_s, SPEC.warmup_s, SPEC.horizon_s),
        theory.mg1_response_s(rate_rps, mean_s, (1.0, 0.0, 2.0)[law]),
        rate_rps,
        partial(quantile_s[law], rate_rps, mean_s),
    )


def closed_loop(n_devices: int, think_s: float, mean_s: float) -> Queue:
    exact = theory.repairman(n_devices, think_s, mean_s)
    return Queue(
        f"repairman N={n_devices}, Z={think_s:g} s, {1e3 * mean_s:g} ms",
        lambda generator: closed_run(
            generator, n_devices, think_s, mean_s, SPEC.warmup_s, SPEC.horizon_s
        ),
        exact.response_s,
        exact.throughput_rps,
        partial(theory.repairman_response_quantile_s, n_devices, think_s, mean_s),
    )


@dataclass
class Tally:
    """Over experiments: what was printed and held, by column; requests a run."""

    held: dict[str, list[bool]]
    requests: list[float]
    n: int

    def printed(self, column: str) -> float:
        return len(self.held[column]) / self.n

    def covered(self, column: str) -> float:
        return float(np.mean(self.held[column])) if self.held[column] else math.nan

    def misled(self, column: str) -> float:
        """The share of all experiments that print an interval which does not hold."""
        return self.held[column].count(False) / self.n


def tally(queue: Queue, n: int, seed: int) -> Tally:
    """Play `n` experiments of the default length and ask the interval of every column."""
    generator = np.random.default_rng(seed)
    columns = ("latency_mean_s", "throughput_rps", *LEVELS)
    truth = {column: queue.truth(column) for column in columns}
    found = Tally({column: [] for column in columns}, [], n)
    for _ in range(n):
        runs = [queue.play(generator) for _ in range(SPEC.replications)]
        seen = [
            {column: Observed(run[0], level) for column, level in LEVELS.items()} for run in runs
        ]
        figures = {
            "latency_mean_s": [float(run[0].mean()) for run in runs],
            "throughput_rps": [rate(run[1], SPEC.warmup_s, SPEC.horizon_s) for run in runs],
        }
        length = measure_length(SPEC, seen)
        found.requests.append(len(runs[0][0]))
        for column in columns:
            if not length.suffices(column):
                continue
            own = figures.get(column, [0.0])
            interval = estimate_interval(column, own, seen, SPEC.confidence)
            found.held[column].append(interval.lo <= truth[column] <= interval.hi)
    said = [
        f"{column} {found.covered(column):.1%} of {found.printed(column):.0%}" for column in columns
    ]
    print(f"{queue.name}, {np.mean(found.requests):.0f} requests a run: {', '.join(said)}")
    return found


def test_the_recursions_are_what_the_theory_says():
    """One long run of each against its mean, throughput and quantiles."""
    generator = np.random.default_rng(20)
    for queue, play in (
        (open_queue("M", 0.5, 0.01), partial(open_run, generator, 50.0, EXPONENTIAL, 0.01)),
        (open_queue("D", 0.5, 0.01), partial(open_run, generator, 50.0, CONSTANT, 0.01)),
        (open_queue("H", 0.5, 0.01), partial(open_run, generator, 50.0, MIXED, 0.01)),
        (closed_loop(8, 0.5, 0.02), partial(closed_run, generator, 8, 0.5, 0.02)),
    ):
        latency_s, done_s = play(10.0, 20_000.0)
        assert np.mean(latency_s) == pytest.approx(queue.mean_s, rel=0.02), queue.name
        assert len(done_s) / 19_990.0 == pytest.approx(queue.rate_rps, rel=0.01)
        for level in (0.5, 0.95, 0.99):
            found = np.quantile(latency_s, level)
            assert found == pytest.approx(queue.quantile_s(level), rel=0.03), queue.name


LONG_ENOUGH = [
    *(open_queue("M", load, 0.0108) for load in (0.3, 0.5, 0.7, 0.8, 0.9)),
    open_queue("M", 0.3, 0.1),
    open_queue("M", 0.8, 0.004),
    open_queue("M", 0.9, 0.002),
    open_queue("D", 0.8, 0.01),
    open_queue("D", 0.8, 0.003),
    open_queue("H", 0.7, 0.01),
    open_queue("H", 0.7, 0.003),
    closed_loop(1, 1.0, 0.1),
    closed_loop(8, 0.5, 0.02),
    closed_loop(8, 0.5, 0.2),
    closed_loop(20, 1.0, 0.04),
    closed_loop(20, 1.0, 0.08),
]


@pytest.mark.slow
@pytest.mark.parametrize("queue", LONG_ENOUGH, ids=lambda queue: queue.name)
def test_the_default_length_keeps_its_promise(queue):
    found = tally(queue, N_PROMISED, 21)
    for column in ("latency_mean_s", "throughput_rps", "latency_p50_s", "latency_p95_s"):
        assert 0.93 <= found.covered(column) <= 0.97, column
        assert found.printed(column) >= 0.70, column
    assert found.printed("latency_mean_s") >= 0.90
    if np.mean(found.requests) >= MANY:
        assert 0.93 <= found.covered("latency_p99_s") <= 0.97
    assert found.misled("latency_p99_s") <= 0.07


@pytest.mark.slow
@pytest.mark.parametrize(
    "queue",
    [
        open_queue("M", 0.9, 0.3),
        open_queue("M", 0.95, 0.1),
        open_queue("M", 0.95, 0.3),
        open_queue("M", 0.98, 0.0108),
    ],
    ids=lambda queue: queue.name,
)
def test_hopeless_lengths_are_said_to_be_too_short(queue):
    found = tally(queue, N_OTHERS, 22)
    for column in ("latency_mean_s", *LEVELS):
        assert found.printed(column) <= 0.05, column
        assert found.misled(column) <= 0.05, column


@pytest.mark.slow
@pytest.mark.parametrize(
    "queue",
    [
        open_queue("M", 0.7, 0.3),
        open_queue("M", 0.8, 0.1),
        open_queue("M", 0.9, 0.03),
        open_queue("M", 0.95, 0.0108),
        open_queue("M", 0.95, 0.004),
        open_queue("D", 0.95, 0.01),
        open_queue("H", 0.7, 0.1),
    ],
    ids=lambda queue: queue.name,
)
def test_no_length_misleads_more_often_than_promised(queue):
    """Between the two the runs themselves decide what is printed, and those that saw no long wait
    print more often: of what is printed less may hold, but no more misses than 7 % of all.
    """
    found = tally(queue, N_OTHERS, 23)
    for column in found.held:
        assert found.misled(column) <= 0.07, column


def test_the_default_length_covers_a_few():
    """The promise on 150 experiments, within three standard errors."""
    found = tally(open_queue("M", 0.7, 0.03), 150, 24)
    for column in found.held:
        assert found.printed(column) >= (0.1 if column == "latency_p99_s" else 0.97), column
        assert found.covered(column) >= 0.89, column


@pytest.mark.slow
def test_the_simulator_covers_a_busy_queue():
    """M/M/1 at load 0.9 and the default length, on the engine: it covered in 8 of 12 seeds."""
    spec = SystemSpec(
        link=LinkSpec(sharing="ps"), workload=WorkloadSpec(kind="poisson", rate_rps=0.9 / 0.0108)
    )
    source = {"default": ExponentialSource(server_s=0.0108)}
    results = [replicate(replace(spec, seed=seed), source) for seed in range(100)]
    truth = theory.mm1_response_s(0.9 / 0.0108, 0.0108)
    known = [r["latency_mean_s"] for r in results if not math.isnan(r["latency_mean_s"].lo)]
    covered = coverage(known, truth)
    print(f"replicate, load 0.9: {covered:.1%} of {len(known)}")
    assert len(known) >= 90
    assert covered >= 0.89
