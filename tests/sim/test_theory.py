"""Exact references against two independent solvers (golden file), identities and brute force."""

import csv
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim import theory

GOLDEN = Path(__file__).parent / "golden" / "queueing_golden.csv"


def golden_rows():
    lines = [line for line in GOLDEN.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def numbers(text):
    """'lambda=0.5 mu=1 S=0.02;0.03' as a dict of floats and lists."""
    pairs = (item.split("=", 1) for item in text.split())
    return {name: [float(v) for v in value.split(";")] for name, value in pairs if "k" not in name}


def network_metric(network, metric):
    return {
        "throughput": network.throughput_rps,
        "mean response time": network.response_s,
        "utilization Q0": network.utilizations[0],
        "utilization Q1": network.utilizations[-1],
    }[metric]


def ours(case, parameters, metric):
    """The golden row's value by our formulas."""
    p = numbers(parameters)
    if case == "closed delay + 2 FIFO":
        return network_metric(theory.mva(int(p["N"][0]), p["Z"][0], p["S"]), metric)
    if case == "machine repairman":
        n, think_s, service_s = int(p["N"][0]), p["Z"][0], p["S"][0]
        chain, values = theory.repairman(n, think_s, service_s), theory.mva(n, think_s, p["S"])
        assert network_metric(chain, metric) == pytest.approx(network_metric(values, metric))
        return network_metric(chain, metric)
    rate = p["lambda"][0]
    if case == "greedy batch server exponential":
        state = theory.greedy(rate, int(p["cap"][0]), lambda k: 1.0 + 0.05 * k, law="exponential")
        return state.response_s
    service_s = 1.0
    servers = int(p.get("c", [1])[0])
    if metric == "utilization":
        return theory.load(rate, service_s, servers)
    return {
        "M/M/1": lambda: theory.mm1_response_s(rate, service_s),
        "M/D/1": lambda: theory.md1_response_s(rate, service_s),
        "M/M/c": lambda: theory.mmc_response_s(rate, service_s, servers),
        "M/E4/1": lambda: theory.mg1_response_s(rate, service_s, 0.5),
    }[case]()


@pytest.mark.parametrize("row", golden_rows(), ids=lambda row: f"{row['case']} {row['metric']}")
def test_golden_value(row):
    value = ours(row["case"], row["parameters"].replace("mean_k=1+0.05k", ""), row["metric"])
    assert value == pytest.approx(float(row["value"]), rel=1e-8)


def lindley_waits(rate, service, n, seed):
    """Waits of a FIFO queue by Lindley's recursion: W = S - min over the past of S."""
    generator = np.random.default_rng(seed)
    steps = service(generator, n) - generator.exponential(1.0 / rate, n)
    walk = np.concatenate(([0.0], np.cumsum(steps)))
    return walk - np.minimum.accumulate(walk)


def test_md1_waiting_law_against_lindley():
    waits = lindley_waits(0.7, lambda g, n: np.ones(n), 4_000_000, 1)
    for t in (0.0, 0.4, 1.0, 2.5, 6.0):
        share = np.mean(waits <= t)
        assert theory.md1_wait_cdf(0.7, 1.0, t) == pytest.approx(share, abs=2e-3)


def test_md1_waiting_law_is_erlangs_alternating_sum():
    def erlang(rho, t):
        terms = [
            (rho * (k - t)) ** k / math.factorial(k) * math.exp(-rho * (k - t))
            for k in range(math.floor(t) + 1)
        ]
        return (1.0 - rho) * math.fsum(terms)

    for rho in (0.2, 0.6, 0.9):
        for t in (0.0, 0.3, 1.0, 1.7, 4.2, 8.0):
            assert theory.md1_wait_cdf(rho, 1.0, t) == pytest.approx(erlang(rho, t), rel=1e-9)


def test_md1_wait_integrates_to_pollaczek_khinchine():
    times = np.arange(0.0005, 80.0, 0.001)
    tail = 1.0 - np.array([theory.md1_wait_cdf(0.8, 1.0, t) for t in times[::40]])
    assert tail.sum() * 0.04 == pytest.approx(theory.md1_response_s(0.8, 1.0) - 1.0, rel=0.01)
    assert theory.md1_wait_cdf(0.8, 1.0, -1.0) == 0.0


def test_md1_states_are_a_distribution_with_the_right_mean():
    states = theory.md1_states(0.8, 400)
    assert states.sum() == pytest.approx(1.0)
    assert np.arange(400) @ states == pytest.approx(0.8 * theory.md1_response_s(0.8, 1.0))


@given(st.floats(0.05, 0.97), st.floats(0.01, 0.999))
def test_md1_quantile_inverts_its_law(rho, probability):
    t = theory.md1_response_quantile_s(rho, 1.0, probability) - 1.0
    assert theory.md1_wait_cdf(rho, 1.0, t) >= probability - 1e-9
    assert t == 0.0 or theory.md1_wait_cdf(rho, 1.0, t) == pytest.approx(probability, abs=1e-9)


@given(st.floats(0.05, 0.97), st.floats(0.01, 0.999), st.floats(1e-3, 10.0))
def test_one_server_of_many_is_mm1(rho, probability, service_s):
    rate = rho / service_s
    one = theory.mm1_response_quantile_s(rate, service_s, probability)
    assert theory.mmc_response_quantile_s(rate, service_s, 1, probability) == pytest.approx(one)
    assert theory.mmc_response_s(rate, service_s, 1) == pytest.approx(
        one / -math.log1p(-probability)
    )


def test_mmc_response_law_integrates_to_its_mean():
    p = (np.arange(4000) + 0.5) / 4000.0
    mean = np.mean([theory.mmc_response_quantile_s(3.2, 1.0, 4, q) for q in p])
    assert mean == pytest.approx(theory.mmc_response_s(3.2, 1.0, 4), rel=2e-3)


def test_mg1_against_lindley_with_hyperexponential_service():
    def service(generator, n):
        return np.where(generator.random(n) < 0.9, 0.5, 5.5) * generator.exponential(size=n)

    square = 2.0 * (0.9 * 0.25 + 0.1 * 5.5**2)  # the mean is 1, the squared CV 5.5
    waits = lindley_waits(0.5, service, 4_000_000, 2)
    expected = theory.mg1_response_s(0.5, 1.0, math.sqrt(square - 1.0)) - 1.0
    assert waits.mean() == pytest.approx(expected, rel=0.03)


def test_processor_sharing_doubles_at_half_load():
    assert theory.ps_response_s(0.5, 1.0) == 2.0


@given(
    st.integers(1, 40), st.floats(0.0, 5.0), st.lists(st.floats(0.001, 1.0), min_size=1, max_size=4)
)
def test_mva_obeys_bounds_and_laws(n, think_s, demands_s):
    network = theory.mva(n, think_s, demands_s)
    bound = theory.throughput_bound_rps(n, think_s, demands_s)
    assert network.throughput_rps <= bound * (1.0 + 1e-9)
    assert network.response_s >= theory.response_bound_s(n, think_s, demands_s) * (1.0 - 1e-9)
    total = network.throughput_rps * think_s + math.fsum(network.queues)
    assert total == pytest.approx(n)


def test_bounds_meet_at_the_knee():
    knee = 35  # (Z + D) / max D
    assert theory.throughput_bound_rps(knee, 1.0, [0.02, 0.03]) == pytest.approx(knee / 1.05)
    assert knee / 1.05 == pytest.approx(1.0 / 0.03)
    assert theory.cycle(10, 1.0, [0.02, 0.03]) == pytest.approx((10 / 1.05, 0.05))
    assert theory.cycle(70, 1.0, [0.02, 0.03]) == pytest.approx((1 / 0.03, 1.1))


def test_repairman_law_has_the_chains_mean():
    p = (np.arange(500) + 0.5) / 500.0
    quantile = partial(theory.repairman_response_quantile_s, 30, 1.0, 0.04)
    mean = np.mean([quantile(q) for q in p])
    assert mean == pytest.approx(theory.repairman(30, 1.0, 0.04).response_s, rel=2e-3)
    alone = theory.repairman_response_quantile_s(1, 1.0, 0.04, 0.9)
    assert alone == pytest.approx(-0.04 * math.log(0.1))


def test_repairman_with_capacity_n_is_a_delay():
    network = theory.repairman(25, 1.0, 0.3, float)
    assert network.response_s == pytest.approx(0.3)
    assert network.throughput_rps == pytest.approx(25 / 1.3)


def test_greedy_with_cap_1_is_the_single_queue():
    exponential = theory.greedy(0.8, 1, lambda k: 1.0, law="exponential")
    constant = theory.greedy(0.8, 1, lambda k: 1.0)
    assert exponential.response_s == pytest.approx(theory.mm1_response_s(0.8, 1.0))
    assert constant.response_s == pytest.approx(theory.md1_response_s(0.8, 1.0))
    assert (constant.utilization, constant.batch_mean) == pytest.approx((0.8, 1.0))


def play_greedy(rate, cap, batch_s, n_batches, seed):
    """The greedy server, batch by batch, on given arrivals: (mean response, mean batch)."""
    generator = np.random.default_rng(seed)
    arrivals = np.cumsum(generator.exponential(1.0 / rate, n_batches * cap)).tolist()
    now, first, total, count = 0.0, 0, 0.0, 0
    for _ in range(n_batches):
        now = max(now, arrivals[first])
        last = first
        while last - first < cap and arrivals[last] <= now:
            last += 1
        now += batch_s(last - first)
        total += math.fsum(now - t for t in arrivals[first:last])
        count, first = count + last - first, last
    return total / count, count / n_batches


def test_greedy_against_brute_force():
    state = theory.greedy(60.0, 8, lambda k: 0.03 + 0.005 * k)
    response_s, batch = play_greedy(60.0, 8, lambda k: 0.03 + 0.005 * k, 200_000, 3)
    assert state.response_s == pytest.approx(response_s, rel=0.01)
    assert state.batch_mean == pytest.approx(batch, rel=0.01)


@pytest.mark.parametrize("load", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_take_all_lies_below_inoues_bound(load):
    slope_s, fixed_s = 0.005, 0.03
    rate = load / slope_s
    exact = theory.greedy(rate, 600, lambda k: fixed_s + slope_s * k).response_s
    bound = theory.take_all_bound_s(rate, slope_s, fixed_s)
    assert exact <= bound <= 1.35 * exact


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.mm1_response_s(2.0, 1.0), r"load must be within \[0, 1\), got 2"),
        (lambda: theory.mva(0, 1.0, [1.0]), "n must be >= 1, got 0"),
        (lambda: theory.greedy(9.0, 8, lambda k: 1.0), "rate must be below 8, got 9"),
        (lambda: theory.greedy(1.0, 8, lambda k: 1.0, law="pareto"), "law must be one of"),
        (lambda: theory.take_all_bound_s(2.0, 1.0, 1.0), "must be within"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
