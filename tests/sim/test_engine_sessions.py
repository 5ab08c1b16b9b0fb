"""Sessions on the compiled engine against the SimPy model: alike to the bit."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sim
from sim.engine import choice
from sim.engine.system import Arrays
from sim.request import ENDINGS, OUTCOMES
from sim.sources.draw import Draw
from sim.sources.sessions import ConstantSessions
from sim.sources.sizes import SizedSessions
from sim.sources.source import ConstantSource
from sim.specs import AdaptSpec, GroupSpec, LinkSpec, ServerSpec, SystemSpec, WorkloadSpec
from sim.specs.fleet import FleetSpec
from tests.sim.engines import difference, played, systems, timed_sessions
from tests.sim.test_engine import CALM, LISTS, assert_alike

PROMPT = Draw(0, 0.05, 4000.0, 0.0, 0.02, 4.0, math.nan, 20, 0)
TOKEN = Draw(0, 0.004, 200.0, 0.0, 0.002, 4.0, math.nan, 1, 20)
BYTES = {"device_token_bytes": 100.0, "server_token_bytes": 50.0}


def alike(n_tokens=10, prompt=PROMPT, **fields):
    fields = BYTES | fields
    return {"default": ConstantSessions(prompt=prompt, token=TOKEN, n_tokens=n_tokens, **fields)}


def talking(n_devices=4, memory_bytes=None, server=None, **workload):
    group = GroupSpec(memory_bytes=memory_bytes)
    return SystemSpec(
        fleet=FleetSpec(n_devices=n_devices, groups={"default": group}),
        workload=WorkloadSpec(**{"think_s": 0.1} | workload),
        link=LinkSpec(sharing="fifo"),
        server=server or ServerSpec(discipline="continuous", max_batch=8),
        horizon_s=6.0,
        warmup_s=1.0,
    )


def both(spec, source):
    """What SimPy makes of a system, once the compiled engine makes the same of it."""
    one, other = (played(spec, source, name, 0) for name in ("simpy", "compiled"))
    assert difference(one, other) == ""
    return one


@settings(max_examples=40, **CALM)
@given(systems(talks=True), st.integers(0, 3), st.sampled_from(LISTS))
def test_random_sessions_are_played_alike_to_the_bit(system, replication, small):
    assert_alike(*system, replication, small)


@pytest.mark.slow
@settings(max_examples=4000, **CALM)
@given(systems(talks=True), st.integers(0, 3), st.sampled_from(LISTS))
def test_many_random_sessions_are_played_alike_to_the_bit(system, replication, small):
    assert_alike(*system, replication, small)


@pytest.mark.parametrize(
    ("fields", "column", "name"),
    [
        ({}, "ending", "complete"),
        ({"memory_bytes": 2450.0}, "ending", "memory"),
        ({"server": ServerSpec(session_memory_bytes=1149.0)}, "ending", "memory"),
        ({"ttft_deadline_s": 0.06}, "ending", "ttft_deadline"),
        ({"token_deadline_s": 0.005}, "ending", "token_deadline"),
        ({"session_deadline_s": 0.09}, "ending", "session_deadline"),
        ({"memory_bytes": 1.0}, "outcome", "rejected"),
        ({"server": ServerSpec(session_memory_bytes=1200.0, admission="reject")}, "outcome",
         "rejected"),
        ({"kind": "poisson", "rate_rps": 20.0, "max_in_flight": 1}, "outcome", "busy"),
        ({"deadline_s": 0.06, "server": ServerSpec(discipline="edf", max_batch=2,
         drop_expired=True)}, "outcome", "expired"),
        ({"server": ServerSpec(fail_at_s=[2.0], on_failure="lose")}, "outcome", "server_lost"),
    ],
)  # fmt: skip
def test_whatever_ends_a_session_ends_it_on_both_engines(fields, column, name):
    result = both(talking(**fields), alike())
    names = ENDINGS if column == "ending" else OUTCOMES
    assert np.any(result.records[column] == names.index(name))


def test_those_who_wait_for_memory_come_in_by_their_turn():
    server = ServerSpec(discipline="continuous", max_batch=8, session_memory_bytes=2999.0)
    result = both(talking(n_devices=9, server=server), alike())
    waits_s = result.steps["memory_wait_s"]
    assert np.sum(waits_s > 0.0) > 20
    assert set(np.flatnonzero(waits_s)) <= set(np.flatnonzero(result.steps["tokens"] == 0.0))
    assert len(result.book.steps_in_flight["device"]) < len(result.book.in_flight["device"])


def test_many_sessions_at_once_make_the_lists_grow():
    server = ServerSpec(discipline="continuous", max_batch=64, session_memory_bytes=13_000.0)
    spec = talking(n_devices=120, server=server, kind="poisson", rate_rps=3.0)
    prompt = PROMPT._replace(device_s=0.01, server_s=0.0005, new_tokens=2000)
    result = both(spec, alike(n_tokens=40, prompt=prompt, server_token_bytes=1.0))
    assert len(result.book.in_flight["device"]) > 600
    assert len(result.steps["device"]) > 3000


def test_prompts_fill_what_the_tokens_leave_of_an_iteration():
    """Three prompts of 20 tokens and the tokens of others: one more prompt never fits into 45."""
    tight = ServerSpec(discipline="continuous", max_batch=8, max_batch_tokens=45)
    wide = replace(tight, max_batch_tokens=2048)
    slow = alike(prompt=PROMPT._replace(server_s=0.05))
    sizes = [both(talking(n_devices=12, server=server), slow) for server in (tight, wide)]
    together = [_most_prompts(result) for result in sizes]
    assert together[0] == 2
    assert together[1] > 2


def _most_prompts(result):
    """Prompts that begin their service together."""
    first = result.steps["tokens"] == 0.0
    return np.unique(result.steps["server_start_s"][first], return_counts=True)[1].max()


def test_a_batch_beyond_the_surface_is_refused_in_the_same_words():
    source = {"default": timed_sessions(0, BYTES)}
    spec = talking(n_devices=40, server=ServerSpec(discipline="continuous", max_batch=16))
    with pytest.raises(ValueError, match=r"batch must lie in the measured range 1\.\.4") as told:
        sim.run(replace(spec, engine="simpy"), source)
    with pytest.raises(ValueError, match=r"batch must lie in the measured range 1\.\.4") as said:
        sim.run(replace(spec, engine="compiled"), source)
    assert str(told.value) == str(said.value)


def test_sessions_that_are_drawn_or_batched_otherwise_are_left_to_simpy():
    class Drawn(ConstantSessions):
        def session(self, stream):
            return super().session(stream)

    class Batched(ConstantSessions):
        def batch_s(self, draws):
            return 2.0 * super().batch_s(draws)

    for kind in (Drawn, Batched):
        source = {"default": kind(prompt=PROMPT, token=TOKEN, n_tokens=3)}
        why = f"the compiled engine does not know sources of kind {kind.__name__}"
        assert choice.choose("auto", talking(), source) == ("simpy", why)
    assert choice.choose("auto", talking(), alike()) == ("compiled", "")


@pytest.mark.parametrize("per", ["request", "token"])
def test_a_policy_chooses_a_source_per_session_or_per_token(per):
    """The heavier source's codec sends less: which one is faster turns with the load."""
    adapt = AdaptSpec(per=per, probe_s=0.2, smoothing=1.0)
    group = GroupSpec(alternatives=["light"], policy="fastest", adapt=adapt)
    spec = replace(talking(think_s=0.2), fleet=FleetSpec(n_devices=12, groups={"default": group}))
    spec = replace(spec, link=LinkSpec(sharing="ps", rate_bps=2e6))
    light = ConstantSessions(
        prompt=PROMPT, token=TOKEN._replace(device_s=0.012, payload_bytes=20.0), n_tokens=7, **BYTES
    )
    result = both(spec, alike() | {"light": light})
    changes = 0
    for device in range(12):  # in a closed loop one session after the other
        own = result.steps["device"] == device
        number, used = result.steps["tokens"][own], result.steps["choice"][own]
        changes += np.sum((np.diff(number) == 1.0) & (np.diff(used) != 0.0))
        assert np.all(used[number >= 7.0] == 0.0)  # beyond the record of the other
    assert set(result.steps["choice"]) == {0.0, 1.0}
    assert (changes > 0) == (per == "token")


def test_policies_for_sessions_of_recorded_sizes_are_left_to_simpy(tmp_path):
    path = tmp_path / "times.csv"
    path.write_text("arrived_at,num_prefill_tokens,num_decode_tokens\n0.1,3,2\n")
    load = WorkloadSpec(kind="replay", replay_csv=str(path))
    group = GroupSpec(policy="fastest", workload=load)
    spec = replace(talking(), fleet=FleetSpec(n_devices=1, groups={"default": group}))
    sized = SizedSessions(cost=lambda size: (PROMPT, TOKEN), prompt=PROMPT, token=TOKEN, n_tokens=2)
    why = "the compiled engine does not know policy=fastest for sessions of recorded sizes"
    assert choice.choose("auto", spec, {"default": sized}) == ("simpy", why)


def test_alike_tokens_are_one_row_however_long_the_session():
    assert [len(Arrays(talking(), alike(n)).rows) for n in (1, 2, 5000)] == [1, 2, 2]
    assert Arrays(talking(), alike(5000)).sessions.tolist() == [[0, 2, 5000]]


def test_requests_beside_sessions_have_no_tokens():
    groups = {"default": GroupSpec(), "plain": GroupSpec()}
    spec = replace(talking(), fleet=FleetSpec(n_devices=6, groups=groups))
    plain = {"plain": ConstantSource(device_s=0.01, payload_bytes=500.0, server_s=0.003)}
    result = both(spec, alike() | plain)
    tokens, group = result.records["tokens"], result.records["group"]
    assert set(tokens[group == 0.0]) == {10.0}
    assert set(tokens[group == 1.0]) == {0.0}
    assert set(result.steps["group"]) == {0.0}
