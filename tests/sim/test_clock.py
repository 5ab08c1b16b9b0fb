"""The clock moves a system as SimPy's own loop does, and stops it when its budget is used up."""

from dataclasses import replace

import numpy as np
import pytest
from simpy import Environment
from simpy.events import URGENT

import sim
from sim.clock import Clock, EventBudgetError
from sim.measures.meters import Meter

SOURCES = {"default": sim.ConstantSource(device_s=0.01, payload_bytes=2e3, server_s=0.02)}
SPEC = sim.SystemSpec(
    link=sim.LinkSpec(sharing="ps"),
    fleet=sim.FleetSpec(n_devices=8),
    workload=sim.WorkloadSpec(kind="poisson", rate_rps=4.0),
    horizon_s=20.0,
    warmup_s=3.0,
    engine="simpy",
)


def clock_of(env, max_events=1_000):
    return Clock(
        env, sim.SystemSpec(link=sim.LinkSpec(sharing="ps"), max_events=max_events), Meter(env)
    )


def test_it_plays_what_simpy_plays():
    ours, theirs = (sim.build(SPEC, SOURCES) for _ in range(2))
    clock = Clock(ours.env, SPEC, ours.meter)
    for time_s in (3.0, 20.0):
        clock.run_to(time_s)
        theirs.env.run(until=time_s)
        assert ours.env.now == theirs.env.now == time_s
        for name, column in theirs.meter.records().items():
            assert np.array_equal(ours.meter.records()[name], column, equal_nan=True)
    assert ours.env.peek() == theirs.env.peek()


def test_an_instant_ends_before_what_is_due_then_but_after_what_is_urgent():
    env, heard = Environment(), []
    env.timeout(1.0).callbacks.append(lambda event: heard.append("normal"))
    urgent = env.event()
    urgent._ok, urgent._value = True, None
    urgent.callbacks.append(lambda event: heard.append("urgent"))
    env.schedule(urgent, URGENT, 1.0)
    clock = clock_of(env)
    clock.run_to(1.0)
    assert heard == ["urgent"]
    clock.run_to(1.5)
    assert heard == ["urgent", "normal"]
    with pytest.raises(ValueError, match=r"time_s must be > 1\.5"):
        clock.run_to(1.5)


def test_an_event_is_reached_once_and_for_all_or_never():
    env = Environment()
    soon = env.timeout(2.0)
    clock = clock_of(env)
    assert clock.run_until(soon)
    assert env.now == 2.0
    assert clock.run_until(soon)
    env.timeout(1.0)
    assert not clock.run_until(env.event())
    assert env.now == 3.0


def test_what_fails_in_the_model_is_told_as_it_is():
    def fail():
        yield env.timeout(1.0)
        raise RuntimeError("of the model's own")

    env = Environment()
    env.process(fail())
    with pytest.raises(RuntimeError, match="of the model's own"):
        clock_of(env).run_until(env.event())


def test_the_budget_holds_to_the_event_and_for_all_moves_together():
    whole = sim.build(SPEC, SOURCES)
    clock = Clock(whole.env, SPEC, whole.meter)
    clock.run_to(3.0)
    clock.run_to(20.0)
    just = replace(SPEC, max_events=clock.n_events)
    assert sim.run(just, SOURCES).value("n_requests") > 0
    short = replace(SPEC, max_events=clock.n_events - 1)
    with pytest.raises(EventBudgetError, match=f"max_events={clock.n_events - 1} events are used"):
        sim.run(short, SOURCES)


def test_a_run_with_a_horizon_says_where_it_was():
    with pytest.raises(EventBudgetError) as caught:
        sim.run(replace(SPEC, max_events=1_000), SOURCES)
    said = str(caught.value)
    assert "\n" not in said
    time_s, in_flight = float(said.split(" at ")[1].split(" s ")[0]), int(said.split()[-13])
    assert 0.0 < time_s < 20.0
    assert 0 < in_flight < 1_000
    assert "of 20 s, with" in said
    assert said.endswith("requests in flight; raise max_events, or lower the load")


@pytest.mark.parametrize("everyone", [False, True])
def test_a_terminating_run_on_an_overloaded_medium_ends_and_says_how_far_it_came(everyone):
    """Processor sharing at a load of 20: everything is in flight, next to nothing arrives."""
    workload = sim.WorkloadSpec(kind="poisson", rate_rps=50.0, requests=1_000, until_all=everyone)
    spec = replace(
        SPEC, workload=workload, link=sim.LinkSpec(sharing="ps", rate_bps=4e5), max_events=20_000
    )
    with pytest.raises(
        EventBudgetError, match=r"device 0 has completed \d+ of 1000 requests"
    ) as it:
        sim.run(spec, SOURCES)
    assert (" of 8 devices all" in str(it.value)) == everyone


def test_a_workload_that_ends_early_is_still_refused(tmp_path):
    file = tmp_path / "times.csv"
    file.write_text("time_s,device\n0.1,0\n0.2,0\n0.3,0\n")
    workload = sim.WorkloadSpec(kind="replay", replay_csv=str(file), requests=2, until_all=True)
    spec = replace(SPEC, fleet=sim.FleetSpec(n_devices=2), workload=workload)
    with pytest.raises(ValueError, match=r"requests must be <= the 0 times of device 1"):
        sim.run(spec, SOURCES)


def test_a_terminating_run_that_takes_no_time_is_refused():
    """A session that does not fit into its device's memory is turned away where it is born."""
    step = sim.Draw(0, 0.0, 0.0, 0.0, 0.01, 0.0, 1.0, 20, 0)
    talk = sim.ConstantSessions(prompt=step, token=step, n_tokens=2, device_token_bytes=1.0)
    group = sim.GroupSpec(memory_bytes=0.0)
    spec = replace(
        SPEC,
        fleet=sim.FleetSpec(groups={"default": group}),
        workload=sim.WorkloadSpec(requests=1),
    )
    with pytest.raises(ValueError, match=r"workload.requests must take time, got 1 that device 0"):
        sim.run(spec, {"default": talk})
