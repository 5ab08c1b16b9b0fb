"""Exact references against two independent solvers (golden file), identities and brute force."""

import csv
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import gammainc

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


def stationary(generator):
    """The law pi with pi Q = 0 and sum 1, by brute force."""
    system = np.vstack((generator.T, np.ones(len(generator))))
    target = np.append(np.zeros(len(generator)), 1.0)
    return np.linalg.lstsq(system, target, rcond=None)[0]


def birth_death(births, deaths):
    """The generator of a chain that climbs with `births` and falls with `deaths`."""
    generator = np.diag(births, 1) + np.diag(deaths, -1)
    return generator - np.diag(generator.sum(axis=1))


@given(st.floats(0.1, 3.0), st.floats(0.05, 5.0), st.integers(1, 6), st.integers(0, 12))
def test_finite_buffers_balance(load, service_s, n_servers, limit):
    places, rate = n_servers + limit, load * n_servers / service_s
    busy = np.minimum(np.arange(1, places + 1), n_servers)
    brute = stationary(birth_death(np.full(places, rate), busy / service_s))
    assert theory.mmck_states(rate, service_s, n_servers, places) == pytest.approx(brute, abs=1e-9)
    losses = theory.mmck(rate, service_s, n_servers, places)
    working = np.minimum(np.arange(places + 1), n_servers) @ brute
    assert losses.blocked_share == pytest.approx(brute[-1], abs=1e-9)
    assert losses.utilization == pytest.approx(working / n_servers)
    assert losses.response_s * losses.throughput_rps == pytest.approx(np.arange(places + 1) @ brute)


def test_a_buffer_without_end_is_the_open_queue():
    far = theory.mmck(3.2, 1.0, 4, 400)
    assert far.response_s == pytest.approx(theory.mmc_response_s(3.2, 1.0, 4))
    assert far.blocked_share < 1e-30
    for level in (0.1, 0.5, 0.95, 0.99):
        long = theory.mm1k_response_quantile_s(0.8, 1.0, 400, level)
        assert long == pytest.approx(theory.mm1_response_quantile_s(0.8, 1.0, level))


def test_buffers_law_has_the_chains_mean():
    p = (np.arange(2000) + 0.5) / 2000.0
    mean = np.mean([theory.mm1k_response_quantile_s(1.2, 0.5, 6, q) for q in p])
    assert mean == pytest.approx(theory.mmck(1.2, 0.5, 1, 6).response_s, rel=2e-3)
    one = theory.mm1k_response_quantile_s(5.0, 0.5, 1, 0.9)  # no queue: the service itself
    assert one == pytest.approx(-0.5 * math.log(0.1))


@given(st.floats(0.05, 30.0), st.integers(1, 40))
def test_erlang_b_is_the_loss_system_and_leads_to_erlang_c(offered, n_servers):
    terms = [offered**n / math.factorial(n) for n in range(n_servers + 1)]
    assert theory.erlang_b(offered, n_servers) == pytest.approx(terms[-1] / math.fsum(terms))
    states = theory.mmck_states(offered, 1.0, n_servers, n_servers)
    assert theory.erlang_b(offered, n_servers) == pytest.approx(states[-1])
    if offered < 0.99 * n_servers:
        waits = terms[-1] * n_servers / (n_servers - offered)
        waits /= math.fsum(terms[:-1]) + waits
        assert theory.erlang_c(offered, 1.0, n_servers) == pytest.approx(waits)


def play_loss(rate, service_s, n_servers, n_requests, seed):
    """Share lost of a loss system with constant service: request n finds who came just before."""
    arrivals = np.cumsum(np.random.default_rng(seed).exponential(1.0 / rate, n_requests))
    free_s, lost = [0.0] * n_servers, 0
    for now in arrivals.tolist():
        first = min(range(n_servers), key=free_s.__getitem__)
        if free_s[first] > now:
            lost += 1
        else:
            free_s[first] = now + service_s
    return lost / n_requests


def test_erlang_b_does_not_ask_for_the_law_of_service():
    assert play_loss(3.0, 1.0, 4, 400_000, 5) == pytest.approx(theory.erlang_b(3.0, 4), rel=0.01)


def burst_chain(bursts, service_s, n_levels):
    """MMPP/M/1 cut off at `n_levels` requests: [level, phase] by brute force."""
    size = len(bursts.rates)
    generator = np.kron(np.eye(n_levels), bursts.generator - np.diag(np.diag(bursts.generator)))
    generator += np.kron(np.eye(n_levels, k=1), np.diag(bursts.rates))
    generator += np.kron(np.eye(n_levels, k=-1), np.eye(size) / service_s)
    generator -= np.diag(generator.sum(axis=1))
    return stationary(generator).reshape(n_levels, size)


THREE = theory.Bursts(
    np.array([0.1, 0.9, 3.0]),
    np.array([[-0.3, 0.2, 0.1], [0.5, -1.0, 0.5], [0.4, 1.6, -2.0]]),
)


@pytest.mark.parametrize("bursts", [theory.two_phases(0.5, 8.0, 0.15, 3.0), THREE])
def test_bursts_against_the_balance_equations(bursts):
    queue, states = theory.mmpp_m1(*bursts, 0.9), burst_chain(bursts, 0.9, 250)
    number = np.arange(len(states)) @ states.sum(axis=1)
    assert bursts.phases == pytest.approx(states.sum(axis=0))
    assert queue.empty == pytest.approx(states[0])
    assert queue.empty @ np.linalg.matrix_power(queue.growth, 7) == pytest.approx(states[7])
    assert queue.response_s == pytest.approx(number / bursts.rate)
    assert queue.utilization == pytest.approx(0.9 * bursts.rate)
    seen = states @ bursts.rates / bursts.rate  # arrivals see more bursts than time does
    assert queue.waiting_share == pytest.approx(1.0 - seen[0])
    assert queue.waiting_share > queue.utilization
    stages = np.arange(1, len(seen) + 1)
    for level in (0.3, 0.9, 0.99):
        t = queue.response_quantile_s(level)
        assert seen @ gammainc(stages, t / 0.9) == pytest.approx(level)


@given(st.floats(0.05, 0.95), st.floats(0.05, 0.9), st.floats(0.01, 100.0), st.floats(0.01, 0.99))
def test_bursts_of_the_same_rate_are_poisson(rho, share, burst_s, level):
    queue = theory.mmpp_m1(*theory.two_phases(rho, 1.0, share, burst_s), 1.0)
    assert queue.response_s == pytest.approx(theory.mm1_response_s(rho, 1.0))
    assert queue.waiting_share == pytest.approx(rho)
    quantile_s = theory.mm1_response_quantile_s(rho, 1.0, level)
    assert queue.response_quantile_s(level) == pytest.approx(quantile_s)


@given(st.floats(0.01, 5.0), st.floats(1.0, 50.0), st.floats(0.01, 0.99), st.floats(0.01, 100.0))
def test_two_phases_keep_their_mean_rate_and_share(rate, factor, share, burst_s):
    bursts = theory.two_phases(rate, factor, share, burst_s)
    assert bursts.rate == pytest.approx(rate)
    assert bursts.phases[1] == pytest.approx(share)
    assert bursts.rates[1] == pytest.approx(factor * bursts.rates[0])


def test_very_slow_bursts_are_two_queues_seen_in_turn():
    queue = theory.mmpp_m1(*theory.two_phases(0.5, 2.0, 0.25, 1e6), 1.0)
    calm, burst = queue.bursts.rates
    number = 0.75 * calm / (1.0 - calm) + 0.25 * burst / (1.0 - burst)
    assert queue.response_s == pytest.approx(number / 0.5, rel=1e-3)


def test_tandem_law():
    p = (np.arange(2000) + 0.5) / 2000.0
    for first_s, second_s in ((0.8, 1.0), (1.0, 1.0)):  # the second: equal rates, an Erlang law
        mean = np.mean([theory.tandem_response_quantile_s(0.6, first_s, second_s, q) for q in p])
        assert mean == pytest.approx(theory.tandem_response_s(0.6, first_s, second_s), rel=2e-3)
    assert theory.two_stages_over(2.0, 2.0 + 1e-6, 0.7) == pytest.approx(
        theory.two_stages_over(2.0, 2.0, 0.7), rel=1e-5
    )


def test_tandem_against_two_recursions():
    generator, n = np.random.default_rng(6), 1_000_000
    arrivals = np.cumsum(generator.exponential(1.0 / 0.6, n))
    first = departures(arrivals, generator.exponential(0.8, n))
    sojourns = departures(first, generator.exponential(1.0, n)) - arrivals
    assert sojourns.mean() == pytest.approx(theory.tandem_response_s(0.6, 0.8, 1.0), rel=0.02)
    for level in (0.5, 0.95):
        exact = theory.tandem_response_quantile_s(0.6, 0.8, 1.0, level)
        assert np.quantile(sojourns, level) == pytest.approx(exact, rel=0.02)


def departures(arrivals, services):
    """When a FIFO server lets them go: D_n = max over the past of (A_k - S_1 .. S_{k-1}) + sum."""
    worked = np.cumsum(services)
    return worked + np.maximum.accumulate(arrivals - worked + services)


def mean_age_s(arrivals, gone):
    """Area below the sawtooth: the age is D - A just after an answer and grows until the next."""
    gaps_s, young_s = np.diff(gone), (gone - arrivals)[:-1]
    return float(np.sum(gaps_s * (young_s + 0.5 * gaps_s)) / (gone[-1] - gone[0]))


@pytest.mark.parametrize(
    ("age_s", "gap", "service"),
    [
        (theory.mm1_age_s, "exponential", "exponential"),
        (theory.md1_age_s, "exponential", "constant"),
        (theory.dm1_age_s, "constant", "exponential"),
    ],
)
def test_ages_against_sawtooths(age_s, gap, service):
    generator, n = np.random.default_rng(7), 1_000_000
    laws = {"constant": np.full, "exponential": lambda n, mean: generator.exponential(mean, n)}
    for rho in (0.2, 0.7):
        arrivals = np.cumsum(laws[gap](n, 1.0 / rho))
        gone = departures(arrivals, laws[service](n, 1.0))
        assert age_s(rho, 1.0) == pytest.approx(mean_age_s(arrivals, gone), rel=0.01)
    assert age_s(3.0, 0.1) == pytest.approx(0.1 * age_s(0.3, 1.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: theory.mm1_response_s(2.0, 1.0), r"load must be within \[0, 1\), got 2"),
        (lambda: theory.mva(0, 1.0, [1.0]), "n must be >= 1, got 0"),
        (lambda: theory.greedy(9.0, 8, lambda k: 1.0), "rate must be below 8, got 9"),
        (lambda: theory.greedy(1.0, 8, lambda k: 1.0, law="pareto"), "law must be one of"),
        (lambda: theory.take_all_bound_s(2.0, 1.0, 1.0), "must be within"),
        (lambda: theory.mmck(1.0, 1.0, 4, 3), "n_places must be >= 4 servers, got 3"),
        (lambda: theory.mmpp_m1([1.0, 2.0], [[-1.0, 1.0], [1.0, -1.0]], 1.0), "load must be"),
        (lambda: theory.mm1_age_s(2.0, 1.0), "load must be"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_stations_that_win_accesses_at_their_limits():
    """Alone nobody waits; many rare ones at full capacity are M/D/1; with the shortest of pauses
    all but the last winner are there when an access begins.
    """
    one = theory.contention(1, 2.0, 0.5, lambda k: 1.0)
    assert (one.throughput_rps, one.response_s) == pytest.approx((0.4, 0.5))
    many = theory.contention(2000, 2000.0 / 0.7, 1.0, lambda k: 1.0)
    exact_s = theory.md1_response_s(many.throughput_rps, 1.0)
    assert many.response_s == pytest.approx(exact_s, rel=5e-3)
    busy = theory.contention(12, 1e-6, 1.0, lambda k: 1.0 / k**0.5)
    assert busy.throughput_rps == pytest.approx(11**-0.5, rel=1e-5)
    assert busy.utilizations[0] == pytest.approx(1.0)
