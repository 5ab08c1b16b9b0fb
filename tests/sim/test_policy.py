"""Rankings against brute force: what is best under what a device has seen."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sim
from sim.devices.policy import Cost, Fastest, Search, Seen, cost, smooth

SECONDS = st.floats(1e-4, 1.0)
COSTS = st.lists(
    st.builds(
        Cost,
        device_s=SECONDS,
        payload_bytes=st.one_of(st.just(0.0), st.floats(1.0, 1e5)),
        server_s=st.floats(0.0, 0.1),
    ),
    min_size=1,
    max_size=8,
)
SEEN = st.builds(
    Seen,
    now_s=st.just(0.0),
    rate_bps=st.floats(1e3, 1e9),
    server_wait_s=st.floats(0.0, 1.0),
    in_flight=st.just(0),
    rtt_s=st.floats(0.0, 0.1),
    usable=st.none(),
)


def predicted(each, seen):
    """The latency, written out a second time."""
    total = each.device_s
    if each.payload_bytes > 0.0:
        total += each.payload_bytes / (seen.rate_bps / 8.0) + seen.rtt_s
    if each.payload_bytes > 0.0 or each.server_s > 0.0:
        total += each.server_s + seen.server_wait_s
    return total


@given(COSTS, SEEN)
def test_the_fastest_is_the_least_predicted_latency(costs, seen):
    best = Fastest(costs).best(seen)
    least = min(predicted(each, seen) for each in costs)
    assert predicted(costs[best], seen) == pytest.approx(least, rel=1e-12)


@given(COSTS, SEEN, st.floats(1e-3, 2.0))
def test_the_search_is_the_least_server_time_within_the_limit(costs, seen, limit_s):
    best = costs[Search(costs, limit_s).best(seen)]
    within = [each for each in costs if each.latency_s(seen) <= limit_s]
    if within:
        assert best.latency_s(seen) <= limit_s
        assert best.server_s == min(each.server_s for each in within)
    else:
        assert best.latency_s(seen) == min(each.latency_s(seen) for each in costs)


@given(COSTS, SEEN, st.floats(1e-3, 2.0), st.floats(0.0, 0.5))
def test_whoever_gains_is_better_and_nobody_gains_over_the_best(costs, seen, limit_s, margin):
    for ranking in (Fastest(costs), Search(costs, limit_s)):
        best = ranking.best(seen)
        for other in range(len(costs)):
            assert ranking.gain(seen, best, other) <= 1e-12
            kept = ranking.best(seen, other, margin)
            assert kept == other or kept in range(len(costs))


@given(COSTS, SEEN, st.data())
def test_only_usable_sources_are_chosen(costs, seen, data):
    chosen = data.draw(st.sets(st.integers(0, len(costs) - 1), min_size=1))
    seen = seen._replace(usable=tuple(sorted(chosen)))
    assert Fastest(costs).best(seen) in chosen
    assert Search(costs, 0.1).best(seen) in chosen


def test_costs_know_the_machines():
    mean = sim.ConstantSource(device_s=0.1, payload_bytes=7.0, decode_s=0.01, server_s=0.03).mean()
    assert cost(mean, slowdown=3.0, server=sim.ServerSpec(speed=2.0)) == pytest.approx(
        (0.3, 7.0, 0.02)
    )


def test_a_search_without_a_limit_is_refused_in_one_line():
    spec = sim.SystemSpec(
        link=sim.LinkSpec(sharing="ps"),
        fleet=sim.FleetSpec(groups={"a": sim.GroupSpec(policy="search", alternatives=["b"])}),
    )
    sources = dict.fromkeys("ab", sim.ConstantSource(device_s=0.1))
    with pytest.raises(ValueError, match=r"policy=search needs workload\.deadline_s .*got None"):
        sim.run(spec, sources)


def test_the_first_observation_counts_in_full():
    assert smooth(math.nan, 3.0) == 3.0
    assert smooth(1.0, 2.0, 0.25) == 1.25
