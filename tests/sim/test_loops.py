"""The kernel of plain loops against SimPy and against the event-by-event kernel, to the bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.engine import run as engine
from sim.engine.loops import state
from sim.engine.loops.loops import Loops, TiedError
from sim.engine.run import Run
from sim.engine.stepwise import Stepwise
from sim.engine.system import Arrays
from sim.sources.source import ConstantSource, ExponentialSource, TraceSource
from sim.specs import (
    AdaptSpec,
    ChurnSpec,
    GroupSpec,
    LinkSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
)
from sim.specs.fleet import FleetSpec
from tests.sim.engines import PROFILE, TABLE, difference, loops, numbers, played

CALM = {
    "deadline": None, "derandomize": True, "suppress_health_check": [HealthCheck.too_slow],
}  # fmt: skip
SOURCE = {"default": ConstantSource(device_s=0.011, payload_bytes=2000.0, server_s=0.0023)}


def plain(**changes):
    """200 devices, 100 requests a second each way, in two cells."""
    base = SystemSpec(
        fleet=FleetSpec(n_devices=200),
        workload=WorkloadSpec(kind="closed", think_s=1.9),
        link=LinkSpec(sharing="ps", n_cells=2, rate_bps=3e7, frame_airtime_s=1e-4),
        horizon_s=4.0,
        warmup_s=1.0,
    )
    return replace(base, **changes)


def by_steps(spec, sources, replication=0):
    """What the event-by-event kernel makes of a system."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "knows", lambda system: False)
        return played(spec, sources, "compiled", replication)


def in_small_rooms(patch, odd):
    """So little room at first that all of it has to grow, and windows of time for any system."""
    patch.setattr(state, "SMALL", 0)
    if odd:
        for name, few in {"ROOM": 4, "WIDE": 4, "ROWS": 16}.items():
            patch.setattr(state, name, few)


@settings(max_examples=40, **CALM)
@given(loops(), st.integers(0, 3))
def test_random_loops_are_played_alike_to_the_bit(system, replication):
    assert_alike(*system, replication)


@pytest.mark.slow
@settings(max_examples=3000, **CALM)
@given(loops(), st.integers(0, 3))
def test_many_random_loops_are_played_alike_to_the_bit(system, replication):
    assert_alike(*system, replication)


def assert_alike(spec, sources, replication):
    spec = replace(spec, engine="compiled")
    with pytest.MonkeyPatch.context() as patch:
        if replication > 0:
            in_small_rooms(patch, replication == 3)
        compiled = played(spec, sources, "compiled", replication)
    assert difference(played(spec, sources, "simpy", replication), compiled) == ""
    again = played(spec, sources, "compiled", replication)  # takes over what holds in both
    assert difference(compiled, again) == ""
    assert difference(by_steps(spec, sources, replication), compiled) == ""


@pytest.mark.parametrize(
    ("cut", "server_s", "answer_bytes"), [("stage3", 0.0, 4e3), ("stage1", 0.01, 2.7e3)]
)
@pytest.mark.parametrize("replication", [0, 1])  # 1: in windows of time
def test_who_is_back_overtakes_whose_answer_takes_longer(cut, server_s, answer_bytes, replication):
    """While one's answer is under way, the other comes back, asks and is answered."""
    groups = {name: GroupSpec(workload=WorkloadSpec(think_s=1e-4)) for name in ("near", "far")}
    spec = SystemSpec(
        fleet=FleetSpec(n_devices=2, groups=groups),
        link=LinkSpec(sharing="fifo", rate_bps=8e6, header_bytes=0, rtt_s=0.0),
        horizon_s=0.5,
        warmup_s=0.0,
    )
    far = ConstantSource(
        device_s=0.02, payload_bytes=2250.0, server_s=server_s, answer_bytes=answer_bytes
    )
    near = TraceSource(TABLE, cut, "ecsq", PROFILE.head, PROFILE.tail)
    assert_alike(spec, {"near": near, "far": far}, replication)
    rows = played(spec, {"near": near, "far": far}, "compiled", replication).records
    assert set(rows["device"]) == {0.0, 1.0}
    assert np.all(np.diff(rows["done_s"]) > 0)


@pytest.mark.parametrize("sharing", ["fifo", "ps", "wifi"])
@pytest.mark.parametrize(
    "server",
    [
        ServerSpec(decode_on="cpu", cpu_workers=2, n_gpus=3),
        ServerSpec(discipline="take_all", max_batch=16),
        ServerSpec(
            discipline="dynamic", max_batch=8, n_gpus=2, decode_on="cpu", cpu_workers=2,
            copy_bytes_per_s=1e9,
        ),
    ],
)  # fmt: skip
def test_a_run_is_the_same_whatever_stops_it(sharing, server):
    """Thousands of requests in cells, on cores and several GPUs, overloaded; looked at in between:
    every counter, every row and every request on its way as event by event.
    """
    source = TraceSource(TABLE, "stage1", "ecsq", PROFILE.head, PROFILE.tail, tensor_bytes=4096.0)
    link = replace(plain().link, sharing=sharing, aggregation=4, rate_bps=1e7)
    load = WorkloadSpec(kind="closed", think_s=0.1)
    spec = plain(link=link, server=replace(server, speed=0.1), workload=load)
    fast, slow = Run(spec, {"default": source}), Stepwise(Arrays(spec, {"default": source}))
    for time_s in (0.05, 0.30001, 1.7, 2.9, 4.0):
        fast.run_to(time_s)
        slow.run_to(slow.now_s + (time_s - slow.now_s))
        one, other = (each.book(each.snapshot()) for each in (fast, slow))
        assert numbers(one.end) == numbers(other.end)
        for table in ("records", "in_flight"):
            for name, column in getattr(other, table).items():
                assert np.array_equal(getattr(one, table)[name], column, equal_nan=True), name
    assert isinstance(fast._playing, Loops)
    assert len(one.records["device"]) > 300
    assert len(one.in_flight["device"]) > 50


def test_what_is_decided_by_the_order_of_scheduling_goes_to_the_other_kernel():
    """Devices in step: an arrival and a departure fall into one instant. Nothing but the list of
    all events knows which is first, so the run begins again with that, from its beginning.
    """
    lattice = ConstantSource(device_s=0.25, payload_bytes=1000.0, server_s=0.25)
    spec = plain(
        workload=WorkloadSpec(kind="closed", think_s=0.5, think="constant"),
        link=LinkSpec(sharing="fifo", rate_bps=32_000.0, rtt_s=0.0, header_bytes=0),
        fleet=FleetSpec(n_devices=3), horizon_s=16.0,
    )  # fmt: skip
    with pytest.raises(TiedError):
        Loops(Arrays(spec, {"default": lattice})).run_to(16.0)
    running = Run(spec, {"default": lattice})
    running.run_to(1.0)
    running.run_to(16.0)
    assert isinstance(running._playing, Stepwise)
    assert difference(*(played(spec, {"default": lattice}, e, 0) for e in ("simpy", "auto"))) == ""


def test_answers_of_batches_that_began_together_and_are_back_together_go_by_which_was_over_first():
    """Two leave the medium at once, for a GPU each; the first is served for longer, and its answer
    is the shorter: both are back at the very same instant.
    """
    load = WorkloadSpec(kind="closed", think_s=1.0, think="constant")
    groups = {name: GroupSpec(workload=load) for name in ("a", "b")}
    given = {
        name: ConstantSource(
            device_s=0.25, payload_bytes=256.0, server_s=server_s, answer_bytes=answer_bytes
        )
        for name, server_s, answer_bytes in (("a", 0.5, 256.0), ("b", 0.25, 512.0))
    }
    spec = plain(
        fleet=FleetSpec(n_devices=2, groups=groups), horizon_s=8.0, warmup_s=0.0,
        link=LinkSpec(sharing="ps", rate_bps=8192.0, downlink_rate_bps=8192.0, rtt_s=0.0,
                      header_bytes=0, frame_airtime_s=0.0),
        server=ServerSpec(discipline="take_all", max_batch=4, n_gpus=2),
    )  # fmt: skip
    assert_alike(spec, given, 0)
    rows = played(spec, given, "compiled", 0).records
    assert rows["done_s"].tolist() == [2.5, 2.5, 5.0, 5.0, 7.5, 7.5]
    assert rows["device"].tolist() == [1.0, 0.0] * 3


def test_who_is_back_when_another_stays_on_its_device():
    """A request that is sent is back in the very instant in which one that stays is through."""
    groups = {
        name: GroupSpec(workload=WorkloadSpec(kind="closed", think_s=think_s, think="constant"))
        for name, think_s in (("sends", 0.25), ("stays", 0.3125))
    }
    given = {
        "sends": ConstantSource(payload_bytes=1000.0, server_s=0.25),
        "stays": ConstantSource(device_s=0.3125),
    }
    spec = plain(
        fleet=FleetSpec(n_devices=2, groups=groups), horizon_s=8.0,
        link=LinkSpec(sharing="fifo", rate_bps=64_000.0, rtt_s=0.0, header_bytes=0),
    )  # fmt: skip
    assert_alike(spec, given, 0)


def test_a_budget_that_ends_is_said_as_event_by_event():
    spec = plain(max_events=500)
    assert played(spec, SOURCE, "compiled", 0) == by_steps(spec, SOURCE)
    assert played(spec, SOURCE, "compiled", 0).startswith("max_events=500 events are used up")


def test_plain_loops_are_known():
    for changes in (
        {}, {"link": LinkSpec(sharing="wifi", frame_airtime_s=1e-4)},
        {"server": ServerSpec(discipline="dynamic", max_batch=4, decode_on="cpu")},
        {"workload": WorkloadSpec(kind="closed", think_s=0.3, think="constant", deadline_s=0.1)},
        {"fleet": FleetSpec(n_devices=3, groups={"default": GroupSpec(straggler_share=0.5)})},
    ):  # fmt: skip
        assert isinstance(Run(plain(**changes), SOURCE)._playing, Loops), changes


@pytest.mark.parametrize(
    "changes",
    [
        {"workload": WorkloadSpec(kind="poisson")},
        {"workload": WorkloadSpec(kind="closed", think_s=0.0)},
        {"workload": WorkloadSpec(kind="closed", think_s=1.0, requests=5)},
        {"link": LinkSpec(sharing="wifi", downlink="shared", frame_airtime_s=1e-4)},
        {"link": LinkSpec(sharing="cellular")},
        {"link": LinkSpec(sharing="ps", outage_at_s=[1.0])},
        {"link": LinkSpec(sharing="ps", rate="mcs", fading="rayleigh")},
        {"link": LinkSpec(sharing="ps", rate="mcs", snr_spread_db=3.0)},
        {"server": ServerSpec(discipline="edf", max_batch=4)},
        {"server": ServerSpec(queue_limit=3)},
        {"server": ServerSpec(drop_expired=True)},
        {"server": ServerSpec(fail_at_s=[1.0])},
        {"fleet": FleetSpec(groups={"default": GroupSpec(churn=ChurnSpec(join_s=0.5))})},
        {"fleet": FleetSpec(groups={"default": GroupSpec(
            policy="fastest", alternatives=["default"], adapt=AdaptSpec())})},
    ],
)  # fmt: skip
def test_all_else_is_played_event_by_event(changes):
    assert isinstance(Run(plain(**changes), SOURCE)._playing, Stepwise)


def test_what_is_drawn_for_every_request_is_played_event_by_event():
    drawn = {"default": ExponentialSource(server_s=0.01)}
    assert isinstance(Run(plain(), drawn)._playing, Stepwise)
    assert isinstance(Run(plain(), SOURCE)._playing, Loops)
