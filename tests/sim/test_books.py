"""Every second is booked where it was spent, nothing is served twice, nothing is forgotten."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

import sim
from sim.measures.columns import STAGES
from sim.measures.meters import are_answered, join
from sim.measures.overtime import present_over_time, visits
from sim.measures.saturation import stop_warning
from sim.planning.forecast.demands import demands
from sim.planning.limits.goal import Goal
from sim.planning.trust.run import run_trust
from sim.planning.trust.why import read, tell_stop
from sim.request import BOOKED
from sim.system import build, play
from sim.theory.closed import bound_rps
from tests.sim.test_properties import SOURCES, SPECS
from tests.sim.ties import by_whom

OWN = sim.LinkSpec(sharing="dedicated")
CONF = Path(__file__).parents[2] / "conf" / "link"
WAITS = [name for name in STAGES if name.endswith("_wait_s")]


def shipped_link(name):
    """The fields of conf/link/NAME.yaml."""
    text = yaml.safe_load((CONF / f"{name}.yaml").read_text())
    fields = shipped_link(text["defaults"][0]) if "defaults" in text else {}
    known = sim.LinkSpec.__dataclass_fields__
    numbers = {key: float(text[key]) for key in text if key.endswith(("_bps", "_s"))}
    fields |= {key: value for key, value in (text | numbers).items() if key in known}
    return fields


def poisson(n=1, rate=1.0, groups=None, **fields):
    """Devices that ask at random."""
    return sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n, groups=groups or {}),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=rate),
        **{"link": OWN, **fields},
    )


def closed(n=1, group=None, think_s=0.1, **fields):
    """Devices that ask, wait and pause for a constant time."""
    return sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n, groups={"default": group} if group else {}),
        workload=sim.WorkloadSpec(think_s=think_s, think="constant"),
        **{"link": OWN, **fields},
    )


def run(spec, source):
    return sim.run(spec, {"default": source})


# departed devices


def chosen_and_explicit(spec, sources=SOURCES):
    """A system with the stations that the simulator chooses, and with explicit ones."""
    return play(build(spec, sources)), play(build(spec, sources, explicit=True))


def records_that_differ(chosen, explicit):
    """Names of columns of requests, and of tokens, that are not equal to the bit."""
    pairs = [(chosen.records, explicit.records), (chosen.steps, explicit.steps)]
    return [
        name
        for ours, theirs in pairs
        for name, column in ours.items()
        if column.tobytes() != theirs[name].tobytes()
    ]


def plays_as_explicitly(spec):
    """The station that the simulator chooses does what the explicit one does.

    Both keep to the order of scheduling, but schedule a departure at different moments. Where
    another order at one instant is all that they differ in, they agree to the bit as soon as ties
    do not depend on that (tests/sim/ties.py); nothing else is left out.
    """
    chosen, explicit = chosen_and_explicit(spec)
    if records_that_differ(chosen, explicit):
        with by_whom():
            chosen, explicit = chosen_and_explicit(spec)
    assert records_that_differ(chosen, explicit) == []
    for name in ("server_utilization", "decoder_utilization", "link_utilization"):
        assert chosen.value(name) == pytest.approx(explicit.value(name), rel=1e-9, nan_ok=True)


def test_at_one_instant_a_computed_departure_was_scheduled_earlier():
    """Both requests reach the server at 3 s. One has been on the medium since 0.5 s; the other's
    device began at 1 s; the explicit medium lets go only at 3 s.
    """
    groups = {
        name: sim.GroupSpec(workload=sim.WorkloadSpec(think_s=think_s, think="constant"))
        for name, think_s in (("sends", 0.5), ("computes", 1.0))
    }
    sources = {
        "sends": sim.ConstantSource(payload_bytes=2500, server_s=1.0),
        "computes": sim.ConstantSource(device_s=2.0, server_s=1.0),
    }
    link = sim.LinkSpec(sharing="fifo", rate_bps=8000.0, header_bytes=0, frame_airtime_s=0.0)
    fleet = sim.FleetSpec(n_devices=2, groups=groups)
    spec = sim.SystemSpec(fleet=fleet, link=link, warmup_s=0.0, horizon_s=5.5)

    def first_served(result):
        assert result.records["server_start_s"].tolist() == [3.0, 4.0]
        return list(groups)[int(result.records["group"][0])]

    results = chosen_and_explicit(spec, sources)
    assert [first_served(each) for each in results] == ["sends", "computes"]
    with by_whom():
        results = chosen_and_explicit(spec, sources)
    assert records_that_differ(*results) == []


@given(SPECS)
@settings(max_examples=60, deadline=None)
def test_the_chosen_stations_do_what_explicit_queues_do(spec):
    plays_as_explicitly(spec)


@given(SPECS)
@settings(max_examples=20, deadline=None)
def test_the_chosen_stations_do_what_explicit_queues_do_however_ties_fall(spec):
    with by_whom():
        plays_as_explicitly(spec)


@pytest.mark.slow
@given(SPECS)
@settings(max_examples=3000, deadline=None)
def test_the_chosen_stations_always_do_what_explicit_queues_do(spec):
    plays_as_explicitly(spec)


@pytest.mark.parametrize("n_gpus", [1, 2])
@pytest.mark.parametrize(
    "same",
    [
        {"queue_limit": 10**9},
        {"discipline": "edf"},
        {"discipline": "take_all", "max_batch": 1},
        {"discipline": "dynamic", "max_batch": 1},
    ],
)
def test_a_departed_device_is_served_by_no_server(same, n_gpus):
    churn = sim.ChurnSpec(mean_up_s=2.0, mean_down_s=0.5)
    spec = poisson(60 * n_gpus, 2.0, {"default": sim.GroupSpec(churn=churn)})
    source = sim.ConstantSource(server_s=0.0108)
    fifo = run(replace(spec, server=sim.ServerSpec(n_gpus=n_gpus)), source)
    other = run(replace(spec, server=sim.ServerSpec(n_gpus=n_gpus, **same)), source)
    assert fifo.records["done_s"].tobytes() == other.records["done_s"].tobytes()
    assert fifo.value("latency_mean_s") < 0.2
    assert fifo.value("dropped_share") < 0.1


def test_a_departed_device_leaves_the_queue_of_the_decoders():
    """One device fills the decoder and leaves: what waited is not decoded, what was served is."""
    churn = sim.ChurnSpec(leave_s=1.5)
    groups = {"gone": sim.GroupSpec(churn=churn), "stays": sim.GroupSpec(share=1.0)}
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=2, groups=groups),
        workload=sim.WorkloadSpec(kind="periodic", rate_rps=1.0, synchronised=False),
        server=sim.ServerSpec(decode_on="cpu"),
        link=OWN,
        warmup_s=0.0,
        horizon_s=20.0,
    )
    gone = sim.ConstantSource(decode_s=1.0, server_s=0.001)
    stays = sim.ConstantSource(decode_s=0.5, server_s=0.001)
    result = sim.run(spec, {"gone": gone, "stays": stays})
    left = result.records["outcome"] == sim.request.LEFT
    assert np.count_nonzero(left) >= 1
    served = result.records["decoder_service_s"].sum() + np.count_nonzero(left) * 1.0
    assert result.value("decoder_utilization") * 20.0 <= served + 0.5 + 1e-9


def test_who_leaves_while_sending_pays_for_the_airtime_so_far():
    power = sim.PowerSpec(idle_w=0.0, compute_w=0.0, transmit_w=1.0)
    group = sim.GroupSpec(power=power, churn=sim.ChurnSpec(leave_s=1.25, back_s=2.0))
    link = sim.LinkSpec(sharing="fifo", rate_bps=8000.0, header_bytes=0)
    spec = closed(1, group, think_s=0.5, link=link, warmup_s=0.0, horizon_s=4.0)
    result = run(spec, sim.ConstantSource(payload_bytes=1000, server_s=1e-6))
    assert result.records["airtime_s"].tolist() == pytest.approx([0.75, 1.0])
    assert result.value("device_energy_j_per_request") == pytest.approx(1.75)


# what never finishes


@pytest.mark.parametrize(
    "broken",
    [
        {"link": sim.LinkSpec(sharing="dedicated", outage_at_s=[10.0], outage_length_s=100.0)},
        {"server": sim.ServerSpec(fail_at_s=[10.0], repair_s=100.0)},
    ],
)
def test_a_loop_that_stops_is_counted_to_the_end_and_said(broken):
    source = sim.ConstantSource(payload_bytes=1000, server_s=0.005)
    spec = closed(2, horizon_s=60.0, **broken)
    result = run(spec, source)
    answers = np.count_nonzero(result.records["done_s"] > 5.0)
    assert result.value("throughput_rps") == pytest.approx(answers / 55.0)
    assert result.value("latency_p95_s") < 0.02
    assert result.value("latency_p99_s") == pytest.approx(50.0, abs=0.3)
    assert result.warnings[0].startswith("stopped: nothing is answered from 9.9")
    columns = {name: each.mean for name, each in result.estimates.items()}
    trust = run_trust(spec, {"default": source}, columns, (), warnings=result.warnings)
    assert trust.grade == "D"


def test_throughput_counts_answers_over_the_whole_window():
    source = sim.ConstantSource(server_s=0.001)
    late = closed(1, sim.GroupSpec(churn=sim.ChurnSpec(join_s=50.0)), think_s=0.0)
    assert run(late, source).value("throughput_rps") == pytest.approx(10_000 / 55.0, rel=1e-3)
    early = closed(1, sim.GroupSpec(churn=sim.ChurnSpec(leave_s=10.0)), think_s=0.0)
    gone = run(early, source)
    assert gone.value("throughput_rps") == pytest.approx(5_000 / 55.0, rel=1e-3)
    assert gone.warnings[0].startswith("ended: after 10 s nothing is asked")


def test_a_few_answers_a_run_give_the_right_throughput():
    """Six answers a run: their mean rate is that of the arrivals, and the intervals hold it."""
    inside, means = 0, []
    for seed in range(100):
        spec = poisson(1, 0.1, warmup_s=0.0, horizon_s=60.0, seed=seed)
        result = sim.replicate(spec, {"default": sim.ConstantSource(server_s=1e-3)})
        estimate = result["throughput_rps"]
        means.append(estimate.mean)
        inside += estimate.lo <= 0.1 <= estimate.hi
    assert np.mean(means) == pytest.approx(0.1, rel=0.03)
    assert inside >= 87  # 95 expected, less 3.7 standard deviations


def test_a_fixed_cycle_has_its_exact_throughput():
    source = sim.ConstantSource(server_s=0.013)
    for n, think_s in ((1, 0.3), (30, 0.3), (7, 0.0)):
        exact = min(n / (think_s + 0.013), 1 / 0.013)
        assert run(closed(n, think_s=think_s), source).value("throughput_rps") == pytest.approx(
            exact, rel=1e-9
        )


def test_what_waits_beyond_a_limit_is_late_everywhere():
    spec = poisson(2, 2.0, server=sim.ServerSpec(fail_at_s=[30.0], repair_s=100.0))
    spec = replace(spec, workload=replace(spec.workload, deadline_s=1.0))
    result = run(spec, sim.ConstantSource(server_s=0.001))
    book = result.book
    waiting = len(book.in_flight["done_s"])
    answered = np.count_nonzero(book.records["done_s"] > 5.0)
    overdue = np.count_nonzero(book.in_flight["created_s"] < 59.0)
    assert 100 < overdue <= waiting
    whole = answered + waiting
    assert result.value("in_flight_share") == pytest.approx(waiting / whole)
    assert result.value("deadline_miss_share") == pytest.approx(overdue / whole)
    late_s = Goal(column="latency_p95_s", limit=1.0).sample(result).late_s
    assert np.count_nonzero(late_s > 1.0) == overdue
    assert result.value("latency_p95_s") > 20.0


def test_nothing_served_is_not_no_misses():
    server = sim.ServerSpec(discipline="dynamic", max_batch=10**6, max_wait_s=1e9)
    never = run(poisson(4, server=server), sim.ConstantSource(server_s=0.01))
    assert math.isnan(never.value("deadline_miss_share"))
    assert never.value("in_flight_share") == 1.0
    assert any("nothing was answered" in word for word in never.warnings)


def test_groups_add_up_to_the_fleet():
    groups = {"a": sim.GroupSpec(), "b": sim.GroupSpec(share=2.0)}
    result = sim.replicate(
        poisson(5, 3.0, groups), {name: sim.ConstantSource(server_s=0.01) for name in groups}
    )
    parts = sum(result.value(f"throughput_rps_{name}") for name in groups)
    assert parts == pytest.approx(result.value("throughput_rps"), rel=1e-12)


def test_only_drops_left_and_the_laws_hold():
    server = sim.ServerSpec(queue_limit=0)
    result = run(poisson(10, server=server, horizon_s=11.0), sim.ConstantSource(server_s=30.0))
    assert result.failed_checks == ()
    assert result.value("throughput_rps") == 0.0
    law = next(check for check in result.checks if check.name == "utilization")
    assert law.left == pytest.approx(law.right) == pytest.approx(1.0)
    assert law.tolerance < 1e-6


def counts_every_request(spec):
    """Arrived = answered + dropped + cut short + in flight, in the counters and in the shares."""
    result = sim.run(spec, SOURCES)
    book = result.book
    outcome = book.records["outcome"]
    answered = are_answered(book.records)
    cut = np.count_nonzero((outcome == sim.request.DONE) & ~answered)
    dropped = np.count_nonzero(outcome != sim.request.DONE)
    waiting = len(book.in_flight["done_s"])
    assert book.end.n_arrived == np.count_nonzero(answered) + cut + dropped + waiting
    inside = np.count_nonzero(answered & (book.records["done_s"] > book.begin.time_s))
    whole = np.count_nonzero(book.records["done_s"] > book.begin.time_s) + waiting
    if whole:
        shares = ("dropped_share", "in_flight_share", "truncated_share")
        named = sum(result.value(name) for name in shares if name in result.estimates)
        assert inside / whole + named == pytest.approx(1.0)
    causes = [n for n in result.estimates if n.startswith("truncated_share_")]
    if causes:
        total = sum(result.value(name) for name in causes)
        assert total == pytest.approx(result.value("truncated_share"), nan_ok=True)
    law = next(check for check in result.checks if check.name == "utilization")
    every = join(book.records, book.in_flight)
    if not every["retries"].any() and spec.fleet.groups["one"].churn is None:
        assert law.left == pytest.approx(law.right, abs=1e-9)


@given(SPECS)
@settings(max_examples=40, deadline=None)
def test_arrived_is_answered_dropped_and_in_flight(spec):
    counts_every_request(spec)


@pytest.mark.slow
@given(SPECS)
@settings(max_examples=3000, deadline=None)
def test_arrived_is_always_answered_dropped_and_in_flight(spec):
    counts_every_request(spec)


# where seconds are booked


LONELY = st.fixed_dictionaries(
    {
        "link": st.sampled_from(sorted(path.stem for path in CONF.glob("*.yaml"))),
        "downlink": st.sampled_from(["dedicated", "shared"]),
        "discipline": st.sampled_from(sim.specs.server.DISCIPLINES),
        "decode_on": st.sampled_from(["cpu", "gpu"]),
        "rate_csv": st.sampled_from(["", "burst.csv", "fading.csv", "mobility.csv"]),
        "outage_at_s": st.sampled_from([[], [1.0, 2.5]]),
        "frame_error_rate": st.sampled_from([0.0, 0.2]),
        "payload_bytes": st.sampled_from([0.0, 700.0, 40_000.0]),
        "answer_bytes": st.sampled_from([0.0, 4.0, 5_000.0]),
        "speaks": st.booleans(),
    }
)


def waits_for_nobody(drawn):
    """Alone in an empty system every wait is 0, and the stages add up to the latency."""
    names = ("downlink", "rate_csv", "outage_at_s", "frame_error_rate")
    fields = shipped_link(drawn["link"]) | {name: drawn[name] for name in names}
    link = sim.LinkSpec(**({"sharing": "ps"} | fields), outage_length_s=0.3)
    batch = 1 if drawn["discipline"] == "fifo" else 8
    server = sim.ServerSpec(
        discipline=drawn["discipline"], max_batch=batch, decode_on=drawn["decode_on"],
        session_memory_bytes=1e4,
    )  # fmt: skip
    costs = (0.01, drawn["payload_bytes"], 0.02, 0.004, drawn["answer_bytes"], math.nan)
    step = sim.Draw(0, *costs)
    source = sim.ConstantSessions(
        prompt=step._replace(new_tokens=9), token=step, n_tokens=3, server_token_bytes=1.0
    )
    if not drawn["speaks"]:
        names = ("device_s", "payload_bytes", "decode_s", "server_s", "answer_bytes")
        source = sim.ConstantSource(**dict(zip(names, costs, strict=False)))
    spec = closed(1, link=link, server=server, horizon_s=8.0, warmup_s=0.0)
    result = run(spec, source)
    for name in (*WAITS, *(f"{name}_slowest" for name in WAITS)):
        assert result.value(name) == pytest.approx(0.0, abs=1e-9), name
    every = result.steps if drawn["speaks"] else result.records
    mean_s = np.mean(every["done_s"] - every["created_s"])
    assert sum(result.value(name) for name in STAGES) == pytest.approx(mean_s, rel=1e-9)


@given(LONELY)
@settings(max_examples=60, deadline=None)
def test_alone_nobody_waits(drawn):
    waits_for_nobody(drawn)


@pytest.mark.slow
@given(LONELY)
@settings(max_examples=3000, deadline=None)
def test_alone_nobody_ever_waits(drawn):
    waits_for_nobody(drawn)


def test_seconds_stand_where_they_were_spent():
    lte = sim.LinkSpec(sharing="cellular", rate_bps=8e6, header_bytes=0, grant_s=0.008)
    source = sim.ConstantSource(payload_bytes=1500, decode_s=0.02, server_s=0.01)
    cpu = sim.ServerSpec(decode_on="cpu")
    result = run(closed(1, link=lte, server=cpu), source)
    spent = {n: result.value(n) for n in STAGES if result.value(n) != pytest.approx(0.0, abs=1e-12)}
    assert spent == pytest.approx(
        {
            "link_grant_s": 0.008,
            "link_service_s": 0.002,  # two slots for 1.5 ms
            "decoder_service_s": 0.02,
            "server_service_s": 0.01,
        }
    )


def test_repair_is_no_wait_for_the_link():
    spec = closed(1, server=sim.ServerSpec(fail_at_s=[1.15], repair_s=2.0), warmup_s=0.0)
    link = sim.LinkSpec(sharing="fifo", rate_bps=8e6, header_bytes=0)
    result = run(replace(spec, link=link), sim.ConstantSource(payload_bytes=1000, server_s=0.1))
    again = result.records["retries"] > 0
    assert np.count_nonzero(again) == 1
    record = {name: float(column[again][0]) for name, column in result.records.items()}
    assert record["repair_wait_s"] == pytest.approx(2.0)
    assert record["server_service_s"] == pytest.approx(0.1 + 0.044)
    assert result.records["link_wait_s"].max() < 1e-9
    assert record["airtime_s"] == pytest.approx(0.002)  # sent twice


def test_memory_is_waited_for_at_the_server():
    step = sim.Draw(0, 0.01, 100.0, 0.0, 0.05, 0.0, math.nan, 10, 0)
    source = sim.ConstantSessions(
        prompt=step, token=step._replace(new_tokens=1), n_tokens=4, server_token_bytes=10.0
    )
    full = sim.ServerSpec(discipline="continuous", max_batch=8, session_memory_bytes=150.0)
    result = run(closed(2, server=full), source)
    assert result.value("memory_wait_s") > 0.01
    assert result.value("device_wait_s") == pytest.approx(0.0, abs=1e-12)


def test_retransmissions_stand_apart():
    link = sim.LinkSpec(
        sharing="ps", rate_bps=8e6, header_bytes=0, mtu_bytes=1000, frame_error_rate=0.5
    )
    result = run(closed(1, link=link), sim.ConstantSource(payload_bytes=1000, server_s=1e-3))
    assert result.value("link_service_s") == pytest.approx(1e-3)
    sent_again = result.value("resent_frames_per_request")
    assert result.value("link_resend_s") == pytest.approx(1e-3 * sent_again)
    assert 0.8 < sent_again < 1.2


SLOWED = st.builds(
    lambda link, n, kind, server, answer: (link, n, kind, server, answer),
    st.builds(
        sim.LinkSpec,
        sharing=st.sampled_from(["dedicated", "fifo", "ps", "weighted", "cellular", "wifi"]),
        frame_airtime_s=st.sampled_from([1e-5, 1e-3]),
        aggregation=st.sampled_from([1, 8]),
        rtt_s=st.sampled_from([0.0, 0.01]),
        downlink=st.sampled_from(["dedicated", "shared"]),
        downlink_rate_bps=st.sampled_from([None, 3e6]),
        n_cells=st.sampled_from([1, 2]),
    ),
    st.sampled_from([1, 3, 7]),
    st.sampled_from(["closed", "poisson"]),
    st.sampled_from([sim.ServerSpec(), sim.ServerSpec(discipline="take_all", max_batch=4)]),
    st.sampled_from([0.0, 3000.0]),
)


def is_as_slow_as_its_rate(tmp_path, drawn, factor):
    """Rate r at factor f is rate r f."""
    link, n, kind, server, answer_bytes = drawn
    path = tmp_path / "speed.csv"
    path.write_text(f"time_s,factor\n0,{factor}\n")
    power = sim.PowerSpec(idle_w=0.5, compute_w=1.0, transmit_w=2.0)
    sources = {
        name: sim.ConstantSource(
            device_s=0.01, payload_bytes=size, server_s=0.004, answer_bytes=answer_bytes
        )
        for name, size in (("a", 2_000.0), ("b", 9_000.0))
    }
    groups = {name: sim.GroupSpec(power=power) for name in sources}

    def result(link):
        workload = sim.WorkloadSpec(kind=kind, think_s=0.05, rate_rps=8.0)
        fleet = sim.FleetSpec(n_devices=n, groups=groups)
        spec = sim.SystemSpec(
            fleet=fleet,
            workload=workload,
            link=link,
            server=server,
            horizon_s=6.0123457,
            warmup_s=1.0123457,  # no event falls onto an end of the window
        )
        return spec, sim.run(spec, sources)

    slowed = replace(link, rate_bps=8e6, rate_csv=str(path), rate_format="factor")
    spec, one = result(slowed)
    other_spec, two = result(replace(link, rate_bps=8e6 * factor))
    first = [{name: column[:12] for name, column in each.records.items()} for each in (one, two)]
    for name in ("device", "created_s", "done_s", *BOOKED):
        np.testing.assert_allclose(first[0][name], first[1][name], rtol=1e-6, atol=1e-9)
    # rounding may swap two requests that come together; what follows differs a little
    for name in (
        "throughput_rps",
        "latency_mean_s",
        "link_utilization",
        "device_energy_j_per_request",
    ):
        assert one.value(name) == pytest.approx(two.value(name), rel=0.02, nan_ok=True), name
    if not math.isnan(one.value("latency_mean_s")):
        bounds = [
            bound_rps(spec, {name: one.value(name) for name in one.estimates}),
            bound_rps(other_spec, {name: two.value(name) for name in two.estimates}),
        ]
        assert bounds[0] == pytest.approx(bounds[1], rel=0.02)


@given(SLOWED, st.sampled_from([0.1, 0.7, 2.5]))
@settings(max_examples=30, deadline=None)
def test_a_factor_is_a_rate(tmp_path_factory, drawn, factor):
    is_as_slow_as_its_rate(tmp_path_factory.getbasetemp(), drawn, factor)


@pytest.mark.slow
@given(SLOWED, st.floats(0.05, 4.0))
@settings(max_examples=1000, deadline=None)
def test_any_factor_is_a_rate(tmp_path_factory, drawn, factor):
    is_as_slow_as_its_rate(tmp_path_factory.getbasetemp(), drawn, factor)


@pytest.mark.parametrize("sharing", ["fifo", "ps", "wifi", "cellular"])
def test_a_transfer_goes_on_at_the_new_speed(tmp_path, sharing):
    """Half of it at full speed, half at a quarter: what is fixed keeps its length."""
    path = tmp_path / "speed.csv"
    path.write_text("time_s,factor\n0,1\n1.3,0.25\n")
    link = sim.LinkSpec(
        sharing=sharing, rate_bps=8000.0, header_bytes=0, mtu_bytes=2000, frame_airtime_s=0.2,
        grant_s=0.0, rate_csv=str(path), trace_end="hold",
    )  # fmt: skip
    spec = closed(1, think_s=0.8, link=link, warmup_s=0.0, horizon_s=3.9)
    result = run(spec, sim.ConstantSource(payload_bytes=1000, server_s=1e-9))
    done = 0.5 / 1.2  # of the transfer, from 0.8 s on
    expected_s = 0.5 + (1.0 - done) * (0.2 + 4.0)
    assert result.records["airtime_s"][0] == pytest.approx(expected_s, rel=2e-3)
    assert result.records["link_wait_s"][0] == pytest.approx(0.0, abs=1e-9)


# sessions that are cut short


def test_less_memory_serves_fewer_sessions_and_says_so():
    prompt = sim.Draw(0, 0.002, 100.0, 0.0, 0.004, 0.0, math.nan, 50, 0)
    token = prompt._replace(device_s=0.001, server_s=0.002, new_tokens=1)
    source = sim.ConstantSessions(prompt=prompt, token=token, n_tokens=60, server_token_bytes=10.0)
    served = {}
    for memory_bytes in (3000.0, 9000.0):
        server = sim.ServerSpec(
            discipline="continuous", max_batch=8, session_memory_bytes=memory_bytes
        )
        spec = closed(8, server=server, replications=2, horizon_s=25.0)
        result = sim.replicate(spec, {"default": source})
        served[memory_bytes] = result
    little, enough = served.values()
    assert little.value("truncated_share_memory") == little.value("truncated_share") > 0.3
    assert little.value("throughput_rps") < enough.value("throughput_rps")
    assert enough.value("truncated_share") == 0.0
    assert any("were cut short" in word for word in little.warnings)
    assert not enough.warnings
    late_s = Goal(column="latency_p95_s", limit=1e6).sample(little).late_s
    gone = little.records["done_s"] > 5.0
    cut = np.count_nonzero(gone & (little.records["ending"] > 0))
    assert np.count_nonzero(np.isinf(late_s)) == cut > 0


# singles


def test_an_answer_on_the_device_does_not_touch_the_radio():
    link = sim.LinkSpec(sharing="ps", downlink="shared", rtt_s=0.02, frame_airtime_s=1e-3)
    alone = run(closed(1, link=link), sim.ConstantSource(device_s=0.01, answer_bytes=100))
    assert alone.value("latency_mean_s") == pytest.approx(0.01)
    assert alone.value("link_utilization") == 0.0


def largest_batch(result):
    """Most requests that began to be served at one instant."""
    start_s = result.records["server_start_s"]
    return np.unique(start_s[~np.isnan(start_s)], return_counts=True)[1].max()


def test_a_queue_limit_counts_while_a_gpu_is_idle():
    server = sim.ServerSpec(discipline="dynamic", max_batch=64, max_wait_s=1.0, queue_limit=2)
    result = run(poisson(50, 2.0, server=server), sim.ConstantSource(server_s=0.001))
    assert largest_batch(result) == 2
    full = replace(server, max_batch=3)
    batches = run(poisson(50, 2.0, server=full), sim.ConstantSource(server_s=0.001))
    assert largest_batch(batches) == 3


def test_absent_devices_draw_no_power():
    power = sim.PowerSpec(idle_w=1.0, compute_w=0.0, transmit_w=0.0)
    group = sim.GroupSpec(power=power, churn=sim.ChurnSpec(join_s=2.0, leave_s=10.0, back_s=55.0))
    result = run(closed(1, group, warmup_s=0.0), sim.ConstantSource(server_s=0.01))
    spent_j = result.value("device_energy_j_per_request") * result.value("n_requests")
    assert spent_j == pytest.approx(8.0 + 5.0)


def test_an_empty_payload_is_a_frame_of_its_header():
    link = sim.LinkSpec(sharing="ps", rate_bps=8e6, header_bytes=100, frame_airtime_s=1e-3)
    empty = run(closed(1, link=link), sim.ConstantSource(payload_bytes=0, server_s=0.01))
    assert empty.value("latency_mean_s") == pytest.approx(0.01 + 1e-3 + 1e-4)
    nothing = run(closed(1, link=link), sim.ConstantSource(server_s=0.01))
    assert nothing.value("latency_mean_s") == pytest.approx(0.01)


def test_synchronised_devices_queue_up_in_random_order():
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=4),
        workload=sim.WorkloadSpec(kind="periodic", rate_rps=1.0, synchronised=True),
        link=OWN,
        warmup_s=0.0,
        horizon_s=2000.0,
    )
    records = run(spec, sim.ConstantSource(server_s=0.01)).records
    place = np.round((records["done_s"] - records["created_s"]) / 0.01).astype(int)
    for device in range(4):
        counts = np.bincount(place[records["device"] == device], minlength=5)[1:]
        assert counts.tolist() == pytest.approx([500] * 4, abs=90)  # 4.6 sigma


@pytest.mark.parametrize(("load", "saturated"), [(0.999, False), (1.001, True)])
def test_a_timetable_that_fits_is_not_saturated(load, saturated):
    spec = sim.SystemSpec(
        workload=sim.WorkloadSpec(kind="periodic", rate_rps=100.0 * load), link=OWN
    )
    result = sim.replicate(spec, {"default": sim.ConstantSource(server_s=0.01)})
    assert result.saturated == saturated
    if not saturated:
        assert result.value("latency_mean_s") == pytest.approx(0.01)


# between the parts


def test_what_a_device_computed_before_it_left_costs_energy():
    power = sim.PowerSpec(idle_w=0.0, compute_w=2.0, transmit_w=0.0)
    group = sim.GroupSpec(power=power, churn=sim.ChurnSpec(leave_s=2.5, back_s=3.0))
    spec = closed(1, group, think_s=0.0, warmup_s=0.0, horizon_s=4.5)
    result = run(spec, sim.ConstantSource(device_s=1.0))
    assert result.value("n_requests") == 3.0  # done at 1, 2 and 4 s
    assert result.value("device_energy_j_per_request") == pytest.approx(2.0 * 3.5 / 3.0)
    sessions = sim.ConstantSessions(
        prompt=sim.Draw(0, 1.0, 0.0, 0.0, 0.0, 0.0, math.nan, 5),
        token=sim.Draw(0, 0.5, 0.0, 0.0, 0.0, 0.0, math.nan),
        n_tokens=1,
    )
    assert run(spec, sessions).value("device_energy_j_per_request") == pytest.approx(
        2.0 * 3.5 / 3.0
    )


def test_who_leaves_while_sending_again_pays_for_it():
    power = sim.PowerSpec(idle_w=0.0, compute_w=0.0, transmit_w=1.0)
    group = sim.GroupSpec(power=power, churn=sim.ChurnSpec(leave_s=3.25))
    link = sim.LinkSpec(sharing="fifo", rate_bps=8000.0, header_bytes=0)  # 1 s for 1,000 B
    server = sim.ServerSpec(fail_at_s=[1.5], repair_s=1.0)
    spec = closed(1, group, think_s=0.0, link=link, server=server, warmup_s=0.0, horizon_s=4.0)
    result = run(spec, sim.ConstantSource(payload_bytes=1000, server_s=5.0))
    assert result.records["airtime_s"].tolist() == pytest.approx([1.75])


@pytest.mark.parametrize("policy", ["fastest", "search"])
def test_a_policy_learns_no_rate_from_an_empty_payload(policy):
    sources = {
        "default": sim.ConstantSource(payload_bytes=0, server_s=0.01),
        "other": sim.ConstantSource(payload_bytes=1000, server_s=0.01),
    }
    group = sim.GroupSpec(alternatives=["other"], policy=policy)
    spec = closed(2, group, link=sim.LinkSpec(sharing="ps"))
    limited = replace(spec, workload=replace(spec.workload, deadline_s=1.0))
    assert sim.run(limited, sources).value("n_requests") > 0.0


def test_the_demands_of_a_request_are_what_it_pays_alone():
    link = sim.LinkSpec(sharing="ps", rtt_s=0.02, frame_airtime_s=0.01)
    for source in (
        sim.ConstantSource(device_s=0.015),
        sim.ConstantSource(server_s=0.001),
        sim.ConstantSource(payload_bytes=0, server_s=0.001),
        sim.ConstantSource(payload_bytes=1000, server_s=0.001),
    ):
        spec = closed(1, link=link)
        result, load = run(spec, source), demands(spec, {"default": source})
        assert load.link_s == pytest.approx(result.value("airtime_s_per_request"))
        assert load.alone_s == pytest.approx(result.value("latency_mean_s"))


BROKEN_LINK = sim.LinkSpec(sharing="dedicated", outage_at_s=[10.0], outage_length_s=100.0)
ANSWERS = sim.ConstantSource(payload_bytes=1000, server_s=0.005)


def test_a_closed_group_that_stops_beside_an_open_one_is_said():
    groups = {
        "closed": sim.GroupSpec(workload=sim.WorkloadSpec(think_s=0.1)),
        "open": sim.GroupSpec(workload=sim.WorkloadSpec(kind="poisson", rate_rps=0.1)),
    }
    spec = sim.SystemSpec(fleet=sim.FleetSpec(n_devices=4, groups=groups), link=BROKEN_LINK)
    result = sim.run(spec, dict.fromkeys(groups, ANSWERS))
    assert result.warnings[0].startswith("stopped: nothing is answered from 9.9")


def test_a_closed_group_that_is_never_served_is_said():
    other = sim.ConstantSource(payload_bytes=1000, server_s=0.005)
    other.key = "other"
    groups = {"many": sim.GroupSpec(share=3.0), "few": sim.GroupSpec()}
    server = sim.ServerSpec(discipline="dynamic", max_batch=3, max_wait_s=1e9)
    spec = closed(4, server=server)
    spec = replace(spec, fleet=replace(spec.fleet, groups=groups))
    result = sim.run(spec, {"many": ANSWERS, "few": other})
    assert result.warnings[0].startswith("stopped: nothing of group 'few' is answered from 5 s")


def test_a_loop_whose_requests_are_all_given_up_has_not_ended():
    server = sim.ServerSpec(fail_at_s=[10.0], repair_s=100.0, on_failure="lose")
    result = run(closed(2, server=server, horizon_s=60.0), ANSWERS)
    assert result.warnings[0].startswith("stopped: nothing is answered from 9.9")
    assert "were given up" in result.warnings[0]


@pytest.mark.parametrize(
    ("workload", "server"),
    [
        ({"kind": "periodic", "rate_rps": 0.5}, {}),
        ({"kind": "poisson", "rate_rps": 5.0, "max_in_flight": 2}, {}),
        ({"kind": "poisson", "rate_rps": 5.0}, {"on_failure": "lose"}),
    ],
)
def test_an_open_fleet_that_gets_no_more_answers_is_said(workload, server):
    server = sim.ServerSpec(fail_at_s=[20.0], repair_s=100.0, **server)
    spec = sim.SystemSpec(workload=sim.WorkloadSpec(**workload), server=server, link=OWN)
    warning = run(spec, ANSWERS).warnings[0]
    assert warning.startswith(("stopped: nothing is answered from 1", "saturated"))


@pytest.mark.parametrize(
    ("workload", "service_s"),
    [
        ({"think_s": 2.0}, 0.005),
        ({"think_s": 20.0}, 0.005),
        ({"think_s": 5.0}, 10.0),
        ({"kind": "poisson", "rate_rps": 0.05}, 10.0),
        ({"kind": "mmpp", "rate_rps": 0.5, "burst_s": 10.0}, 0.5),
    ],
)
def test_few_answers_are_no_stop(workload, service_s):
    spec = sim.SystemSpec(workload=sim.WorkloadSpec(**workload), link=OWN)
    source = {"default": sim.ExponentialSource(server_s=service_s)}
    loads = [sim.run(replace(spec, seed=seed), source).load for seed in range(100)]
    assert stop_warning(loads) == ""


def test_a_plan_of_a_loop_that_stops_says_so():
    spec, goal = closed(2, link=BROKEN_LINK, horizon_s=60.0), Goal(column="latency_p95_s", limit=1)
    readings = [read(spec, {"default": ANSWERS}, goal, number) for number in range(2)]
    assert tell_stop(readings).startswith("stopped: nothing is answered from 9.9")
    assert tell_stop([read(closed(2), {"default": ANSWERS}, goal, 0)]) == ""


def test_what_is_in_flight_is_in_the_system_over_time():
    edges_s = np.linspace(0.0, 60.0, 61)
    waits = [
        ({"link": BROKEN_LINK}, "uplink_present"),
        ({"server": sim.ServerSpec(fail_at_s=[10.0], repair_s=100.0)}, "server_waiting"),
    ]
    for broken, place in waits:
        present = present_over_time(visits(run(closed(2, **broken), ANSWERS).book), edges_s)
        assert present["in_system"][11:] == pytest.approx(2.0)
        assert present[place][11:] == pytest.approx(2.0)
