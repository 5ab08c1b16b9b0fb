"""Hysteresis, time to trigger and probing: properties, and what they do to a run."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.devices.adaptive import Adaptive, weight
from sim.devices.policy import Cost, Fastest, Search, Seen

NEAR, FAR = Cost(0.02, 0.0, 0.0), Cost(0.001, 1000.0, 0.001)
BOTH = [FAR, NEAR]
RATES = st.lists(st.floats(1e4, 1e8), min_size=1, max_size=60)


def at(now_s, rate_bps):
    return Seen(now_s, rate_bps, 0.0, 0)


def decided(rates, adapt, costs=BOTH, every_s=0.1):
    """The held source after each observation, and the policy that decided."""
    policy = Adaptive(Fastest(costs), adapt)
    held = []
    for step, rate in enumerate(rates):
        policy.choose(at(every_s * step, rate))
        held.append(policy.held)
    return held, policy


@given(RATES)
def test_without_hysteresis_it_follows_every_prediction(rates):
    held, _ = decided(rates, sim.AdaptSpec())
    assert held == [Fastest(BOTH).best(at(0.0, rate)) for rate in rates]


@given(RATES, st.floats(0.0, 0.9), st.floats(0.0, 2.0))
def test_changes_are_apart_by_the_dwell_time_and_counted(rates, margin, dwell_s):
    held, policy = decided(rates, sim.AdaptSpec(margin=margin, dwell_s=dwell_s))
    changed = np.flatnonzero(np.diff([0, *held])) * 0.1
    assert policy.n_changes == len(changed)
    assert (np.diff(changed) >= dwell_s - 1e-9).all()
    assert not changed.size or changed[0] >= dwell_s - 1e-9


@given(RATES, st.floats(0.0, 0.9), st.floats(0.0, 1.0))
def test_a_change_needs_a_gain_above_the_margin_throughout_the_dwell(rates, margin, dwell_s):
    held, _ = decided(rates, sim.AdaptSpec(margin=margin, dwell_s=dwell_s))
    ranking, before = Fastest(BOTH), 0
    for step, now in enumerate(held):
        if now != before:
            back = range(step, -1, -1)
            window = [i for i in back if 0.1 * (step - i) <= dwell_s - 1e-9] or [step]
            for i in window:
                assert ranking.gain(at(0.0, rates[i]), before, now) > margin
        before = now


@given(st.floats(1e4, 1e8), st.floats(0.0, 0.9), st.floats(0.0, 2.0))
def test_under_a_steady_rate_it_changes_at_most_once(rate, margin, dwell_s):
    _, policy = decided([rate] * 60, sim.AdaptSpec(margin=margin, dwell_s=dwell_s))
    assert policy.n_changes <= 1


@given(RATES, st.floats(0.05, 2.0))
def test_hysteresis_never_changes_more_often_between_two_sources(rates, dwell_s):
    _, free = decided(rates, sim.AdaptSpec())
    _, held = decided(rates, sim.AdaptSpec(margin=0.1, dwell_s=dwell_s))
    assert held.n_changes <= free.n_changes


@given(RATES, st.floats(0.0, 0.5), st.floats(0.5, 5.0))
def test_a_search_never_stays_beyond_its_limit_where_it_need_not(rates, margin, dwell_s):
    near, far = Cost(0.008, 200.0, 0.010), Cost(0.004, 2000.0, 0.001)
    policy = Adaptive(Search([far, near], 0.03), sim.AdaptSpec(margin=margin, dwell_s=dwell_s))
    for step, rate in enumerate(rates):
        seen = at(0.1 * step, rate)
        held = policy.ranking.costs[policy.choose(seen)]
        other = min(each.latency_s(seen) for each in (near, far))
        assert held.latency_s(seen) <= 0.03 or held.latency_s(seen) <= other + 1e-12


def test_a_search_falls_back_at_once_and_returns_late():
    costs = [Cost(0.004, 20000.0, 0.001), Cost(0.008, 200.0, 0.010)]
    policy = Adaptive(Search(costs, 0.03), sim.AdaptSpec(margin=0.1, dwell_s=3.0))
    chosen = [policy.choose(at(now, 2e6 if now == 1 else 5e7)) for now in range(7)]
    assert chosen == [0, 1, 1, 1, 1, 0, 0]  # better again from 2 s on, for 3 s


def test_a_device_that_went_local_probes_and_comes_back():
    policy = Adaptive(Fastest(BOTH), sim.AdaptSpec(probe_s=1.0))
    assert policy.choose(at(0.0, 1e5)) == 1  # 80 ms on the air: stay at home
    assert policy.choose(at(0.5, 1e5)) == 1
    assert policy.choose(at(1.0, 1e5)) == 0  # the probe
    assert policy.held == 1
    assert policy.n_probes == 1
    assert policy.choose(at(1.1, 1e5)) == 1  # it found nothing new
    assert policy.choose(at(1.2, 1e7)) == 0  # it found a better rate
    assert policy.held == 0


def test_without_probes_it_stays_local_for_ever():
    policy = Adaptive(Fastest(BOTH), sim.AdaptSpec())
    assert [policy.choose(at(now, 1e5)) for now in range(100)] == [1] * 100


def test_a_device_that_starts_local_probes_before_it_knows_a_rate():
    policy = Adaptive(Fastest([NEAR, FAR]), sim.AdaptSpec(probe_s=2.0))
    assert [policy.choose(at(now, math.nan)) for now in range(4)] == [0, 0, 1, 0]


def test_what_is_old_counts_less():
    adapt = sim.AdaptSpec(smoothing=0.3, memory_s=1.0)
    assert weight(adapt, 0.0) == pytest.approx(0.3)
    assert weight(adapt, 50.0) == pytest.approx(1.0)
    assert weight(sim.AdaptSpec(), 50.0) == 0.3


def system(adapt, n_devices=6, **link):
    group = sim.GroupSpec(alternatives=["local"], policy="fastest", adapt=adapt)
    return sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n_devices, groups={"remote": group}),
        workload=sim.WorkloadSpec(think_s=0.05, deadline_s=0.1),
        link=sim.LinkSpec(rate_bps=2e6, **({"sharing": "ps"} | link)),
        horizon_s=40.0,
        warmup_s=0.0,
    )


SOURCES = {
    "remote": sim.ConstantSource(device_s=0.005, payload_bytes=2000.0, server_s=0.002),
    "local": sim.ConstantSource(device_s=0.05),
}
STEADY = sim.AdaptSpec(margin=0.2, dwell_s=2.0, dwell_spread=0.5, probe_s=1.0, memory_s=1.0)


@pytest.mark.parametrize("adapt", [sim.AdaptSpec(probe_s=1.0), STEADY])
def test_requests_are_conserved_and_runs_repeat_themselves(adapt, tmp_path):
    """A cell that falls to a twentieth of its speed from 10 s to 20 s."""
    trace = tmp_path / "rate.csv"
    trace.write_text("time_s,factor\n0,1\n10,0.05\n20,1\n")
    spec = system(adapt, rate_csv=str(trace), trace_end="hold")
    first, second = sim.run(spec, SOURCES), sim.run(spec, SOURCES)
    assert not first.failed_checks
    for name, column in first.records.items():
        np.testing.assert_array_equal(column, second.records[name])
    assert first.value("n_requests") > 500
    choice, born = first.records["choice"], first.records["created_s"]
    assert np.mean(choice[(born > 15.0) & (born < 20.0)]) > 0.5
    assert np.mean(choice[born > 30.0]) < 0.5  # back on the link


def test_hysteresis_calms_a_fleet_that_crowds_the_link():
    free = sim.run(system(sim.AdaptSpec(probe_s=1.0, memory_s=1.0), 12), SOURCES)
    calm = sim.run(system(STEADY, 12), SOURCES)
    columns = ("decision_changes_per_minute", "probes_per_minute", "server_load_cv")
    assert all(math.isfinite(run.value(name)) for run in (free, calm) for name in columns)
    changes = [run.value("decision_changes_per_minute") for run in (free, calm)]
    assert 5.0 * changes[1] <= changes[0]


def test_the_load_by_the_second_adds_up_to_the_utilization():
    from sim.measures.decisions import server_load

    result = sim.run(system(STEADY), SOURCES)
    load = server_load(result.records, 0.0, 40.0)
    assert len(load) == 40
    assert float(np.mean(load)) == pytest.approx(result.value("server_utilization"), rel=1e-3)
    assert result.value("server_load_peak") == pytest.approx(float(np.max(load)))


def test_the_load_of_months_is_taken_in_ten_thousand_parts(monkeypatch):
    """Second by second a run of 10^9 s would never be told."""
    from sim.measures import decisions

    taken = []
    own = decisions.load_over_time
    monkeypatch.setattr(
        decisions, "load_over_time", lambda rows, edges: taken.append(edges) or own(rows, edges)
    )
    workload = sim.WorkloadSpec(kind="poisson", rate_rps=1e-8)
    spec = replace(system(STEADY, 3), workload=workload, horizon_s=1e9, warmup_s=1e8)
    assert sim.run(spec, SOURCES).value("server_load_peak") > 0.0
    assert [len(edges) for edges in taken] == [10_001]
    assert taken[0][[0, -1]].tolist() == pytest.approx([1e8, 1e9])


def test_a_fleet_that_does_not_choose_has_no_such_columns():
    spec = sim.SystemSpec(link=sim.LinkSpec(sharing="ps"), workload=sim.WorkloadSpec(think_s=0.1))
    result = sim.run(spec, {"default": SOURCES["remote"]})
    assert "decision_changes_per_minute" not in result.estimates


@pytest.mark.parametrize("name", ["burst", "fading", "mobility"])
def test_the_shipped_traces_are_what_their_recipe_makes(name, tmp_path):
    from sim.medium.rates import locate, read
    from sim.radio.fluctuation import write

    (made,) = [path for path in write(tmp_path) if path.stem == name]
    assert made.read_bytes() == locate(f"{name}.csv").read_bytes()
    rows = read(f"{name}.csv")
    assert rows.length_s == 120.0
    assert all(0.01 <= factor <= 1.0 for factor in rows.factors)


def test_a_trace_that_nobody_ships_lists_those_that_are():
    from sim.medium.rates import read

    with pytest.raises(ValueError, match=r"shipped are burst\.csv, .*; did you mean 'burst\.csv'"):
        read("bursts.csv")


def talking(per, payload_bytes, tmp_path, n_tokens=400):
    """One session of long or short tokens, over a cell that slows down at 1 s."""
    trace = tmp_path / "rate.csv"
    trace.write_text("time_s,factor\n0,1\n1,0.02\n")
    adapt = sim.AdaptSpec(per=per, limit_s=0.02, margin=0.1, dwell_s=0.5)
    group = sim.GroupSpec(source="long", alternatives=["short"], policy="search", adapt=adapt)
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(groups={"a": group}),
        workload=sim.WorkloadSpec(requests=1),
        link=sim.LinkSpec(
            sharing="ps", rate_bps=8e6, header_bytes=0, rate_csv=str(trace), trace_end="hold"
        ),
        warmup_s=0.0,
    )
    prompt = sim.Draw(0, 0.01, 2000.0, 0.0, 0.001, 4.0, 1.0, 8, 0)
    costs = {"long": (payload_bytes, 0.001), "short": (100.0, 0.003)}
    sources = {
        name: sim.ConstantSessions(
            prompt=prompt,
            token=sim.Draw(0, 0.004, size, 0.0, server_s, 4.0, 1.0, 1, 8),
            n_tokens=n_tokens,
        )
        for name, (size, server_s) in costs.items()
    }
    return sim.run(spec, sources)


def test_a_session_changes_its_codec_from_token_to_token(tmp_path):
    result = talking("token", 1000.0, tmp_path)
    choice, born = result.steps["choice"], result.steps["created_s"]
    assert not choice[born < 1.0].any()
    assert choice[born > 1.5].all()
    assert len(choice) == 400
    assert not result.failed_checks
    assert result.value("decision_changes_per_minute") > 0.0


def test_a_session_that_decides_at_its_start_stays_with_it(tmp_path):
    late = talking("request", 1000.0, tmp_path)
    assert not late.steps["choice"].any()
    assert late.value("tpot_s") > 2.0 * talking("token", 1000.0, tmp_path).value("tpot_s")
