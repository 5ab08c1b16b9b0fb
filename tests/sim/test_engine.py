"""The compiled engine against the SimPy model: alike to the bit, or a refusal by name."""

import math
import pickle
import random
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import sim
from sim.engine import choice, lists
from sim.engine import layout as at
from sim.engine import state as engine
from sim.engine.gaps import quantile
from sim.engine.lists import fsum, pop, push
from sim.engine.run import Run
from sim.places import group_of, groups_up_to
from sim.request import LEFT
from sim.sources.source import ConstantSource, ExponentialSource, RandomSource
from sim.specs import (
    AdaptSpec,
    ChurnSpec,
    GroupSpec,
    LinkSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
    fleet,
)
from sim.specs.fleet import FleetSpec
from tests.sim.engines import difference, played, systems, traces

CALM = {
    "deadline": None, "derandomize": True, "suppress_health_check": [HealthCheck.too_slow],
}  # fmt: skip
LISTS = (0, engine.SMALL)
"""Systems of a few devices by windows of time as well, which are for large ones."""
SOURCE = {"default": ConstantSource(device_s=0.01, payload_bytes=2000.0, server_s=0.002)}


def wired(**changes):
    base = SystemSpec(link=LinkSpec(sharing="fifo"), horizon_s=4.0, warmup_s=1.0)
    return replace(base, **changes)


@settings(max_examples=60, **CALM)
@given(systems(), st.integers(0, 3), st.sampled_from(LISTS))
def test_random_systems_are_played_alike_to_the_bit(system, replication, small):
    assert_alike(*system, replication, small)


@pytest.mark.slow
@settings(max_examples=4000, **CALM)
@given(systems(), st.integers(0, 3), st.sampled_from(LISTS))
def test_many_random_systems_are_played_alike_to_the_bit(system, replication, small):
    assert_alike(*system, replication, small)


def assert_alike(spec, sources, replication, small):
    """Where another replication has been played before, too, of which something is taken over."""
    spec = replace(spec, engine="compiled")
    if replication % 2:
        played(spec, sources, "compiled", replication + 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "SMALL", small)
        patch.setattr(engine, "BELT", 2 if replication % 2 else 1024)
        patch.setattr(engine, "SLOTS", 3 if replication > 1 else 4096)
        compiled = played(spec, sources, "compiled", replication)
    assert difference(played(spec, sources, "simpy", replication), compiled) == ""


@pytest.mark.parametrize("engine", ["simpy", "compiled"])
def test_only_columns_that_there_are_can_be_read(engine):
    """By one kernel as by the other, and before and behind a process."""
    for spec in (wired(), wired(workload=WorkloadSpec(kind="poisson", rate_rps=5.0))):
        book = played(spec, SOURCE, engine, 0).book
        sent = pickle.loads(pickle.dumps(book))
        for each in (book, sent):
            assert len(each.done["done_s"]) > 10
            for table in (each.records, each.gone, each.done):
                assert "latency" not in table
                with pytest.raises(KeyError, match="latency"):
                    table["latency"]
        assert "done" not in vars(pickle.loads(pickle.dumps(book)))  # what follows is not sent
        for name in book.records:
            assert np.array_equal(book.done[name], sent.done[name], equal_nan=True)


def test_what_a_spec_names_may_change_between_two_runs_of_it(tmp_path):
    """A file that is written anew, a group that is exchanged: seen by both engines."""
    path = tmp_path / "times.csv"
    grouped = wired(fleet=FleetSpec(groups={"a": GroupSpec()}), warmup_s=0.0)
    fleet_of_one = FleetSpec(groups={"a": GroupSpec()})
    load = WorkloadSpec(kind="replay", replay_csv=str(path))
    replayed = replace(grouped, fleet=fleet_of_one, workload=load)
    found, sources = [], {"a": SOURCE["default"]}
    for spec in (replayed, grouped):
        engines = [replace(spec, engine=name) for name in ("simpy", "compiled")]
        for n in (3, 7):
            path.write_text("time_s\n" + "".join(f"{0.3 * i}\n" for i in range(1, n + 1)))
            spec.fleet.groups["a"] = GroupSpec(slowdown=n if spec is replayed else 20.0 * n)
            slow, fast = (sim.run(each, sources) for each in engines)
            assert difference(slow, fast) == ""
            found.append(len(fast.records["done_s"]))
    assert found[:2] == [3, 7]
    assert found[2] > found[3] > 0


def test_many_in_flight_make_the_lists_grow():
    """300 open loops before a server that is far too slow: tens of thousands in flight."""
    spec = wired(
        fleet=FleetSpec(n_devices=300), workload=WorkloadSpec(kind="poisson", rate_rps=20.0),
        server=ServerSpec(discipline="dynamic", max_batch=4, decode_on="cpu", cpu_workers=2),
    )  # fmt: skip
    slow = {"default": ConstantSource(device_s=0.0, payload_bytes=100.0, server_s=0.05)}
    assert difference(*(played(spec, slow, name, 0) for name in ("simpy", "compiled"))) == ""
    for sharing in ("wifi", "ps"):
        crowded = replace(
            spec, link=LinkSpec(sharing=sharing, rate_bps=1e6, frame_airtime_s=1e-4), horizon_s=2.0
        )
        assert difference(*(played(crowded, slow, n, 1) for n in ("simpy", "compiled"))) == ""


@pytest.mark.parametrize("sharing", ["fifo", "ps", "wifi", "cellular"])
@pytest.mark.parametrize(
    "server",
    [
        ServerSpec(discipline="dynamic", max_batch=4, decode_on="cpu", cpu_workers=2),
        ServerSpec(discipline="edf", max_batch=4, fail_at_s=[0.5], repair_s=0.4),
    ],
)
def test_a_crowd_leaves_at_once_and_comes_back(sharing, server):
    """Thousands are in flight at every place when half of the devices go, twice; those who stay
    take their places, and what was under way meets nobody else.
    """
    goes = ChurnSpec(join_s=0.1, leave_s=0.6, back_s=0.7)
    restarts = ChurnSpec(mean_up_s=0.2, mean_down_s=0.05)
    load = WorkloadSpec(kind="poisson", rate_rps=20.0, deadline_s=0.5)
    groups = {
        "goes": GroupSpec(share=0.4, churn=goes), "restarts": GroupSpec(share=0.2, churn=restarts),
        "stays": GroupSpec(share=0.4),
    }  # fmt: skip
    spec = wired(
        fleet=FleetSpec(n_devices=200, groups=groups), workload=load, server=server, warmup_s=0.3,
        horizon_s=1.2, link=LinkSpec(sharing=sharing, rate_bps=2e6, frame_airtime_s=1e-5),
    )  # fmt: skip
    slow = ConstantSource(device_s=0.001, payload_bytes=100.0, server_s=0.02)
    sources = dict.fromkeys(groups, slow)
    of_simpy, compiled = (played(spec, sources, name, 0) for name in ("simpy", "compiled"))
    assert difference(of_simpy, compiled) == ""
    left = compiled.records["outcome"] == LEFT
    assert np.count_nonzero(left & (compiled.records["done_s"] == 0.1 + (0.6 - 0.1))) > 300
    assert np.count_nonzero(left & (compiled.records["group"] == 1)) > 100
    assert np.all(compiled.records["group"][left] != 2)


@pytest.mark.parametrize("policy", ["fastest", "search"])
@pytest.mark.parametrize(
    "server",
    [
        ServerSpec(n_gpus=2),
        ServerSpec(n_gpus=2, queue_limit=20),
        ServerSpec(discipline="dynamic", max_batch=4, n_gpus=2, decode_on="cpu", cpu_workers=2),
    ],
)
def test_devices_that_choose_change_their_minds_alike(policy, server):
    """A link that goes down and a server that is too slow for all, with devices that hesitate."""
    adapt = AdaptSpec(
        limit_s=0.06, margin=0.05, dwell_s=0.02, dwell_spread=0.5, probe_s=0.1, memory_s=0.5
    )
    groups = {
        "far": GroupSpec(policy=policy, alternatives=["near", "both"], adapt=adapt),
        "far too": GroupSpec(
            source="far", policy=policy, alternatives=["near"], straggler_share=0.5,
            straggler_slowdown=1.5, adapt=AdaptSpec(limit_s=0.04),
        ),
        "both": GroupSpec(alternatives=["far"]),
    }  # fmt: skip
    spec = wired(
        fleet=FleetSpec(n_devices=30, groups=groups), server=server,
        workload=WorkloadSpec(kind="closed", think_s=0.02),
        link=LinkSpec(sharing="ps", rate_bps=2e7, outage_at_s=[1.5, 2.5], outage_length_s=0.3),
    )  # fmt: skip
    sources = {
        "far": ConstantSource(payload_bytes=2000.0, server_s=0.004, batch_slope_s=0.001),
        "near": ConstantSource(device_s=0.05),
        "both": ConstantSource(device_s=0.02, payload_bytes=500.0, server_s=0.002),
    }
    of_simpy, compiled = (played(spec, sources, name, 0) for name in ("simpy", "compiled"))
    assert difference(of_simpy, compiled) == ""
    assert compiled.book.end.n_changes > 10
    assert compiled.book.end.n_probes > 10
    assert set(compiled.records["choice"][compiled.records["group"] == 2]) == {0.0}


def test_a_search_without_a_limit_is_refused_by_both():
    aimless = wired(fleet=FleetSpec(groups={"default": GroupSpec(policy="search")}))
    for name in ("simpy", "compiled"):
        with pytest.raises(ValueError, match=r"group.policy=search needs workload.deadline_s"):
            sim.run(replace(aimless, engine=name), SOURCE)


def test_a_policy_among_sources_without_means_is_refused_by_both():
    group = GroupSpec(policy="fastest", alternatives=["drawn"])
    spec = wired(fleet=FleetSpec(groups={"default": group}))
    sources = SOURCE | {"drawn": ExponentialSource(server_s=0.01)}
    for name in ("simpy", "compiled"):
        with pytest.raises(ValueError, match="a policy that predicts needs sources with means"):
            sim.run(replace(spec, engine=name), sources)


def test_a_policy_of_ones_own_is_left_to_simpy(monkeypatch):
    monkeypatch.setattr(fleet, "POLICIES", (*fleet.POLICIES, "own"))
    own = wired(fleet=FleetSpec(groups={"default": GroupSpec(policy="own")}))
    why = "the compiled engine does not know policy=own"
    assert choice.choose("auto", own, SOURCE) == ("simpy", why)


def test_who_joins_in_a_silence_does_not_contend_for_the_access_before_it():
    """Of twelve stations four contend as an outage ends, at 0.5 s, where the trace falls silent;
    the others come before 0.75 s, when it goes on.
    """
    spec = wired(
        fleet=FleetSpec(n_devices=12),
        workload=WorkloadSpec(think_s=0.45, think="constant", start_spread_s=0.2),
        link=LinkSpec(sharing="wifi", rate_bps=8e6, frame_airtime_s=1e-4, rate_csv=traces()[0],
                      outage_at_s=[0.4], outage_length_s=0.1),
        warmup_s=0.0,
    )  # fmt: skip
    small = {"default": ConstantSource(device_s=0.0, payload_bytes=1000.0, server_s=0.001)}
    one, other = (played(spec, small, name, 0) for name in ("simpy", "compiled"))
    assert difference(one, other) == ""
    began_s = one.records["link_start_s"]
    assert [np.sum(began_s < 0.5), np.sum(began_s < 0.75)] == [4, 12]


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (
            wired(server=ServerSpec(discipline="dynamic", max_batch=2048)),
            "server.max_batch=2048 above 1024",
        ),
    ],
)
def test_what_it_does_not_know_is_refused_by_name_and_left_to_simpy(spec, name):
    with pytest.raises(ValueError, match=f"engine=compiled does not know {name}"):
        sim.run(replace(spec, engine="compiled"), SOURCE)
    assert choice.choose("auto", spec, SOURCE) == (
        "simpy", f"the compiled engine does not know {name}"
    )  # fmt: skip


def test_sources_that_are_functions_are_left_to_simpy():
    random_source = {"default": RandomSource(server_s=lambda stream: stream.exponential(0.01))}
    assert choice.choose("auto", wired(), random_source)[0] == "simpy"
    assert choice.choose("auto", wired(), SOURCE) == ("compiled", "")
    assert choice.choose("simpy", wired(), SOURCE)[0] == "simpy"
    with pytest.raises(ValueError, match="engine must be one of auto, compiled, simpy"):
        wired(engine="fast")


def test_batches_whose_seconds_depend_on_their_rows_are_left_to_simpy():
    class Mixed(ConstantSource):
        mixes_tails = True

    mixed = {"default": Mixed(device_s=0.01, payload_bytes=100.0, server_s=0.002)}
    batches = wired(server=ServerSpec(discipline="take_all", max_batch=4))
    why = "the compiled engine does not know batches of several branches"
    assert choice.choose("auto", batches, mixed) == ("simpy", why)
    either = {"default": mixed["default"], "other": SOURCE["default"]}
    groups = {name: GroupSpec() for name in either}
    beside = replace(batches, fleet=FleetSpec(n_devices=2, groups=groups))
    assert choice.choose("auto", beside, either) == ("simpy", why)
    assert choice.choose("auto", wired(), mixed) == ("compiled", "")


def test_a_budget_of_events_ends_a_run_with_the_same_words():
    spec = wired(max_events=50, fleet=FleetSpec(n_devices=4), engine="compiled")
    with pytest.raises(ValueError, match=r"max_events=50 events are used up at .* of 4 s, with"):
        sim.run(spec, SOURCE)


def test_a_loop_that_takes_no_time_is_refused_by_both():
    nothing = {"default": ConstantSource(device_s=0.0, payload_bytes=0.0, server_s=0.0)}
    for name in ("simpy", "compiled"):
        with pytest.raises(ValueError, match="think_s must be > 0 for a request that takes no"):
            sim.run(wired(engine=name), nothing)


def test_a_batch_beyond_the_table_is_refused_when_it_is_formed():
    class Narrow(ConstantSource):
        def batch_s(self, draws):
            if len(draws) > 2:
                raise ValueError("the table ends at batch 2")
            return super().batch_s(draws)

    narrow = {"default": Narrow(device_s=0.0, payload_bytes=0.0, server_s=0.01)}
    running = Run(
        wired(server=ServerSpec(discipline="take_all", max_batch=8), fleet=FleetSpec(n_devices=6)),
        narrow,
    )
    with pytest.raises(ValueError, match="ends at batch 2"):
        running.run_to(1.0)


def test_the_compiled_normal_number_is_that_of_the_stream():
    tails = np.concatenate((np.random.default_rng(0).random(4000), np.geomspace(1e-16, 0.2, 500)))
    for u in (*tails.tolist(), *(1.0 - tails).tolist(), 0.0, 0.5, 0.075, 0.925):
        expected = NormalDist().inv_cdf(min(u if u > 0.0 else 2.0**-54, 1.0 - 2.0**-53))
        assert repr(quantile(min(u, 1.0 - 2.0**-53))) == repr(expected)


@given(st.lists(st.floats(-1e300, 1e300), max_size=60))
def test_the_compiled_sum_is_fsum(values):
    got = fsum(np.array(values, float), len(values), np.zeros(128))
    assert repr(got) == repr(math.fsum(values))


@given(st.lists(st.integers(0, 5), max_size=80), st.integers(0, 2**32))
def test_the_heap_pops_by_time_then_by_order(times, seed):
    shuffled = random.Random(seed)
    when, key, held, popped = np.zeros(100), np.zeros((100, 2), np.int64), [], []
    n = 0
    for order, time_s in enumerate(times):
        push(when, key, n, float(time_s), order, order + 7)
        held.append((float(time_s), order))
        n += 1
        while n and shuffled.random() < 0.4:
            popped.append((when[0], key[0, 0]))
            assert popped[-1] == min(held)
            assert key[0, 1] == key[0, 0] + 7
            held.remove(popped[-1])
            pop(when, key, n)
            n -= 1


@given(
    st.lists(st.one_of(st.floats(0.0, 8.0), st.floats(0.0, 1e300)), max_size=80),
    st.sampled_from([0.0, 0.25, 4.0, 1024.0]),
    st.sampled_from([1, 2, 16]),
    st.integers(0, 2**32),
)
def test_windows_hand_out_events_by_time_then_by_order(delays, windows_per_s, n_chains, seed):
    shuffled = random.Random(seed)
    n = np.zeros(at.N_WHOLE + n_chains, np.int64)
    when, key = lists.empty(n, 100, windows_per_s)
    held, now_s = [], 0.0
    for order, delay_s in enumerate([*delays, *[0.0] * len(delays)]):
        if order < len(delays):
            held.append((now_s + delay_s, order))
            lists.schedule(n, when, key, now_s + delay_s, order, order + 7)
        if shuffled.random() < 0.2:  # into a list with more room, or as much
            old = when, key
            when, key = lists.empty(n, shuffled.choice([100, 150]), windows_per_s)
            lists.refill(n, when, key, *old)
        while held and (order >= len(delays) or shuffled.random() < 0.4):
            if n[at.HEAP] == 0:
                lists.next_window(n, when, key)
            assert (when[0], key[0, 0]) == min(held)
            assert key[0, 1] == key[0, 0] + 7
            held.remove((when[0], key[0, 0]))
            now_s = float(when[0])
            pop(when, key, n[at.HEAP])
            n[at.HEAP] -= 1
    assert n[at.KEPT] == n[at.HEAP] == 0


def test_every_kind_of_event_has_a_number_of_its_own():
    events = [v for name, v in vars(at).items() if name.startswith("ON_") and name != "ON_GPU"]
    assert sorted(events) == list(range(len(events)))


@given(st.integers(0, 3000), st.lists(st.floats(0.01, 10.0), min_size=1, max_size=5))
def test_groups_of_a_fleet_are_those_of_its_devices(n_devices, shares):
    one_by_one = [group_of(index, tuple(shares)) for index in range(n_devices)]
    assert groups_up_to(n_devices, tuple(shares)).tolist() == one_by_one
