"""Searches against brute force, on problems drawn by hypothesis."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.tables.split import Split
from sim.search import (
    SEARCHES,
    Group,
    Limits,
    Options,
    Predictor,
    Problem,
    refusal,
    relaxations,
)
from sim.search.fleet import front
from sim.search.greedy import neighbours
from sim.search.splitllm import cheapest
from sim.specs import LinkSpec, ServerSpec

WIFI = LinkSpec(sharing="wifi", rate_bps=50e6, mtu_bytes=1400, frame_airtime_s=3e-5, rtt_s=2e-3)


def options(rng: np.random.Generator, n_cuts: int, n_settings: int) -> Options:
    """A grid of cuts and settings: deeper cuts cost the device more and the server less."""
    depth, harsh = (a.ravel() for a in np.mgrid[0:n_cuts, 0:n_settings])
    n = len(depth)
    return Options(
        labels=tuple(Split(f"c{d}", f"t{h}") for d, h in zip(depth, harsh, strict=True)),
        device_s=depth * rng.uniform(1e-3, 8e-3),
        encode_s=rng.uniform(1e-4, 1e-3, n),
        payload_bytes=rng.uniform(200.0, 3e4, n) / (1 + harsh),
        decode_s=rng.uniform(5e-5, 5e-4, n),
        server_s=(n_cuts - depth) * rng.uniform(5e-4, 3e-3),
        answer_bytes=np.full(n, 4.0),
        memory_bytes=depth * 1e6,
        drop_pp=harsh * rng.uniform(0.0, 2.0, n),
        depth=depth,
        harshness=harsh,
    )


@st.composite
def problems(draw: st.DrawFn, most: int = 2) -> Problem:
    """One or two groups whose limits some random choice just keeps or just misses."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    closed = draw(st.booleans())
    load = {"think_s": 0.1} if closed else {"rate_rps": float(rng.uniform(1.0, 12.0))}
    groups = tuple(
        Group(
            options=options(rng, int(rng.integers(2, 5)), int(rng.integers(2, 5))),
            rate_bps=float(rng.uniform(5e6, 8e7)), n_devices=int(rng.integers(1, 9)),
            name=f"g{g}", **load,
        )
        for g in range(draw(st.integers(1, most)))
    )  # fmt: skip
    free = Problem(groups=groups, link=WIFI, allowance=0.1, server=ServerSpec(speed=1.5))
    rows = np.array([[int(rng.integers(len(g.options))) for g in groups]])
    latency_s = Predictor(free).predict(rows).latency_s[0] * rng.uniform(0.85, 1.4)
    limited = tuple(
        Group(
            options=g.options, rate_bps=g.rate_bps, n_devices=g.n_devices, name=g.name, **load,
            limits=Limits(
                latency_s=float(seconds) if math.isfinite(seconds) else 0.05, drop_pp=3.0,
                memory_bytes=float(rng.uniform(1e6, 5e6)),
            ),
        )
        for g, seconds in zip(groups, latency_s, strict=True)
    )  # fmt: skip
    return Problem(groups=limited, link=WIFI, allowance=0.1, server=ServerSpec(speed=1.5))


def brute(problem: Problem) -> float:
    """Least server seconds over all joint choices, predicted one at a time."""
    best = math.inf
    for rows in itertools.product(*(range(len(g.options)) for g in problem.groups)):
        found = Predictor(problem).predict(np.array([rows]))
        if found.feasible[0]:
            best = min(best, float(found.server_s[0]))
    return best


@settings(max_examples=25, deadline=None)
@given(problems())
def test_no_search_beats_brute_force_and_fleet_reaches_it(problem: Problem) -> None:
    best = brute(problem)
    for name, search in SEARCHES.items():
        found = search(problem)
        if found.feasible:
            assert found.server_s >= best * (1 - 1e-9), name
            assert found.rows is not None
            assert Predictor(problem).predict(np.array([found.rows])).feasible[0]
    for name in ("exhaustive", "fleet"):
        found = SEARCHES[name](problem)
        assert found.feasible == math.isfinite(best), name
        assert not found.feasible or found.server_s == pytest.approx(best, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(problems())
def test_fleet_asks_seldom(problem: Problem) -> None:
    sizes = [len(front(Predictor(problem), g)) for g in range(len(problem.groups))]
    found = SEARCHES["fleet"](problem)
    assert found.evaluations <= np.prod(sizes) + 8
    assert SEARCHES["exhaustive"](problem).evaluations == problem.n_choices


@settings(max_examples=60, deadline=None)
@given(problems(most=1))
def test_what_is_pruned_is_never_better(problem: Problem) -> None:
    """Some option of the front is no worse than any feasible option, in what it costs."""
    predictor = Predictor(problem)
    kept = front(predictor, 0)
    everything = predictor.predict(np.arange(len(problem.groups[0].options))[:, None])
    cost = np.where(everything.feasible, everything.server_s, np.inf)
    assert min((cost[row] for row in kept), default=math.inf) == cost.min()


@settings(max_examples=60, deadline=None)
@given(problems(most=1))
def test_hierarchical_takes_the_first_in_the_papers_order(problem: Problem) -> None:
    group = problem.groups[0]
    everything = Predictor(problem).predict(np.arange(len(group.options))[:, None]).feasible
    order = sorted(
        np.flatnonzero(everything).tolist(),
        key=lambda i: (-group.options.depth[i], group.options.harshness[i]),
    )
    found = SEARCHES["hierarchical"](problem)
    assert found.rows == ((order[0],) if order else None)


@settings(max_examples=60, deadline=None)
@given(problems(most=1))
def test_greedy_ends_where_no_neighbour_is_cheaper(problem: Problem) -> None:
    found = SEARCHES["greedy"](problem)
    if found.rows is None:
        return
    near = neighbours(problem.groups[0].options, found.rows[0])
    seen = Predictor(problem).predict(np.array(near)[:, None])
    assert not np.any(seen.feasible & (seen.server_s < found.server_s * (1 - 1e-9)))


@settings(max_examples=60, deadline=None)
@given(problems(most=1))
def test_neurosurgeon_is_the_fastest_of_one_device(problem: Problem) -> None:
    group, alone = problem.groups[0], problem.of_group(0, 1)
    seen = Predictor(alone).predict(np.arange(len(group.options))[:, None])
    fits = (group.options.drop_pp <= 3.0) & (
        group.options.memory_bytes <= group.limits.memory_bytes
    )
    found = SEARCHES["neurosurgeon"](problem)
    if found.rows is not None:
        assert found.rows[0] == np.argmin(np.where(fits, seen.latency_s[:, 0], np.inf))


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_dynamic_programme_against_brute_force(seed: int) -> None:
    """On times that are whole ticks the programme is exact; else what it takes fits."""
    rng = np.random.default_rng(seed)
    n_cuts, n = int(rng.integers(1, 6)), int(rng.integers(1, 20))
    sla_s = 2000.0
    head_s = np.cumsum(rng.integers(0, 600, n_cuts)).astype(float)
    cut, crossing_s = rng.integers(0, n_cuts, n), rng.integers(0, 1500, n).astype(float)
    cost_s = rng.uniform(0.1, 1.0, n)
    paths = [(cost_s[i], i) for i in range(n) if head_s[cut[i]] + crossing_s[i] <= sla_s]
    found = cheapest(head_s, cut, crossing_s, cost_s, sla_s)
    assert found == (min(paths)[1] if paths else None)
    rough = cheapest(head_s * 0.777, cut, crossing_s * 0.777, cost_s, sla_s)
    assert rough is None or 0.777 * (head_s[cut[rough]] + crossing_s[rough]) <= sla_s * (1 + 1e-9)


def test_splitllm_is_the_optimum_of_one_device_without_contention() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        limits = Limits(latency_s=float(rng.uniform(0.006, 0.03)), drop_pp=3.0)
        group = Group(options=options(rng, 4, 4), rate_bps=5e7, think_s=1e6, limits=limits)
        problem = Problem(groups=(group,), link=WIFI)
        best, found = SEARCHES["exhaustive"](problem), SEARCHES["splitllm"](problem)
        if found.feasible:  # rounding up to ticks may cost the last 0.3 %
            assert found.server_s >= best.server_s * (1 - 1e-9)
        wider = Limits(latency_s=1.01 * limits.latency_s, drop_pp=3.0)
        looser = Group(options=group.options, rate_bps=5e7, think_s=1e6, limits=wider)
        if best.feasible:
            again = SEARCHES["splitllm"](Problem(groups=(looser,), link=WIFI))
            assert again.server_s <= best.server_s * (1 + 1e-9)


@settings(max_examples=40, deadline=None)
@given(problems())
def test_a_relaxation_helps_and_a_little_less_does_not(problem: Problem) -> None:
    found = SEARCHES["fleet"](problem)
    if found.feasible:
        assert refusal(found) == ""
        return
    if not relaxations(problem):  # a closed loop near saturation: pruned, and it says so
        assert refusal(found).endswith("found no option within the limits, though there is one")
        assert SEARCHES["exhaustive"](problem).feasible
        return
    least, *others = relaxations(problem)
    assert all(least.factor <= one.factor for one in others)
    assert f"{least.limit} from " in refusal(found)
    if len(problem.groups) == 1 and not least.also:
        assert SEARCHES["fleet"](relaxed(problem, least.limit, least.needed)).feasible
        less = least.value + 0.99 * (least.needed - least.value)
        assert not SEARCHES["fleet"](relaxed(problem, least.limit, less)).feasible


def relaxed(problem: Problem, limit: str, value: float) -> Problem:
    group = problem.groups[0]
    limits = Limits(**{**vars(group.limits), limit: value * (1 + 1e-9)})
    again = Group(**{**vars(group), "limits": limits})
    return Problem(**{**vars(problem), "groups": (again,)})


def test_two_groups_that_fit_only_one_by_one() -> None:
    rng = np.random.default_rng(1)
    known = options(rng, 2, 2)
    one = [
        Group(options=known, rate_bps=5e7, n_devices=40, think_s=0.05, name=name) for name in "ab"
    ]
    free = Problem(groups=tuple(one), link=WIFI)
    light = Predictor(free).predict(np.array([[3, 3]])).latency_s[0].max()
    groups = tuple(Group(**{**vars(g), "limits": Limits(latency_s=0.7 * light)}) for g in one)
    found = SEARCHES["fleet"](Problem(groups=groups, link=WIFI))
    assert not found.feasible
    assert "latency_s from" in refusal(found)


def test_refusals_of_data() -> None:
    rng = np.random.default_rng(0)
    known = options(rng, 2, 2)
    with pytest.raises(ValueError, match=r"think_s .closed. or rate_rps .open., got both"):
        Group(options=known, rate_bps=1e6, think_s=1.0, rate_rps=1.0)
    with pytest.raises(ValueError, match=r"limits.latency_s must be > 0, got 0"):
        Limits(latency_s=0.0)
    with pytest.raises(ValueError, match=r"options.device_s must have shape \(4,\)"):
        Options(**{**vars(known), "device_s": np.zeros(3)})
    with pytest.raises(ValueError, match="all open or all closed"):
        Problem(link=WIFI, groups=(Group(options=known, rate_bps=1e6, think_s=1.0),
                                   Group(options=known, rate_bps=1e6, rate_rps=1.0)))  # fmt: skip
    with pytest.raises(ValueError, match="option must be one of 4"):
        known.index(Split("c9", "t9"))
    assert known.take(np.array([2])).labels == (Split("c1", "t0"),)
