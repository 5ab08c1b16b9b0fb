"""Training as traffic: rounds before the first request, against closed forms."""

from dataclasses import replace

import numpy as np
import pytest

import sim
from sim.devices.training import rounds_of
from sim.engine.choice import choose
from sim.measures.training import training_over_time
from sim.planning.forecast.work import predict_work
from sim.request import DONE, LEFT
from sim.sources.gated import GatedSource
from sim.sources.training import Rounds, Training
from tests.sim.test_source import HEAD, source, table

BATCH, GRADIENT, N = 8, 4000.0, 400
LINK = sim.LinkSpec(sharing="fifo", rate_bps=8e6, header_bytes=0, mtu_bytes=10**6, rtt_s=0.01)


def training(**changes):
    known = {
        "batch": BATCH, "gradient_bytes": GRADIENT, "server_ratio": 3.0, "device_ratio": 0.5,
        "rounds": (0, 10, 40), "accuracy": (0.5, 0.7, 0.9),
        "before": {100 + i: 0.0 for i in range(N)},
    }  # fmt: skip
    return Training(**{**known, **changes})


def trained(**changes):
    return source().with_training(training(**changes))


def load(n_rounds, **changes):
    return sim.WorkloadSpec(adapt_rounds=n_rounds, think_s=0.02, **changes)


def system(n_rounds=20, n=1, **changes):
    known = {
        "fleet": sim.FleetSpec(n_devices=n), "workload": load(n_rounds), "link": LINK,
        "warmup_s": 0.0, "horizon_s": 20.0,
    }  # fmt: skip
    return sim.SystemSpec(**{**known, **changes})


def play(spec, one=None):
    return sim.run(spec, {"default": one or trained()})


def round_s():
    """Of a lone device: batch forward, up, forward and backward, down, backward and update."""
    mean = trained().mean()
    up_s, down_s = (8.0 * BATCH * n / LINK.rate_bps for n in (mean.payload_bytes, GRADIENT))
    server_s = BATCH * (mean.decode_s + 3.0 * mean.server_s)
    return BATCH * 1.5 * mean.device_s + up_s + LINK.rtt_s + server_s + down_s


def test_a_lone_device_trains_as_long_as_its_rounds_take():
    found, mean = play(system()), trained().mean()
    assert found.failed_checks == ()
    wanted = {
        "adapt_s": 20 * round_s(),
        "adapt_rounds_per_device": 20.0,
        "adapt_done_share": 1.0,
        "adapt_uplink_bytes_per_device": 20 * BATCH * mean.payload_bytes,
        "adapt_downlink_bytes_per_device": 20 * BATCH * GRADIENT,
        "adapt_server_s_per_device": 20 * BATCH * (mean.decode_s + 3.0 * mean.server_s),
        "adapt_device_s_per_device": 20 * BATCH * 1.5 * mean.device_s,
        "adapt_accuracy_start": 0.5,
        "adapt_accuracy": 0.7 + 10 / 30 * 0.2,
        "adapt_half_s": 10 * round_s(),
        "adapt_window_share": 20 * round_s() / 20.0,
    }
    for name, value in wanted.items():
        assert found.value(name) == pytest.approx(value, rel=1e-9), name
    assert np.isnan(found.value("adapt_most_s"))  # 90 % of the gain takes 34 rounds


def test_requests_come_behind_the_training_and_are_all_that_counts_as_requests():
    found = play(system())
    assert found.records["created_s"].min() > 20 * round_s()
    assert found.value("n_requests") == np.count_nonzero(found.records["outcome"] == DONE)
    assert len(found.book.rounds["done_s"]) == 20
    plain = play(system(0))
    assert not any(name.startswith("adapt_") for name in plain.estimates)
    rate = found.value("n_requests") / (20.0 - 20 * round_s())
    assert rate == pytest.approx(plain.value("n_requests") / 20.0, rel=0.05)


def test_a_busy_server_serves_one_round_after_the_other():
    n, rounds, busy = 30, 2, trained(server_ratio=10.0)
    found, mean = play(system(rounds, n), busy), busy.mean()
    one_s = BATCH * (mean.decode_s + 10.0 * mean.server_s)
    last_s = found.book.rounds["done_s"].max()
    assert last_s == pytest.approx(n * rounds * one_s, rel=0.02)
    assert found.failed_checks == ()


def test_answers_after_fewer_rounds_are_those_of_the_curve():
    """Nothing was right before, all is right in the end: the share is the curve's."""
    row = sim.Draw(0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    for n_rounds, share in ((0, 0.0), (5, 0.25), (10, 0.5), (25, 0.75), (40, 1.0), (99, 1.0)):
        taught = training(before=dict.fromkeys(range(N), 0.0))
        found = [taught.answer(row._replace(sample=i), n_rounds).correct for i in range(N)]
        assert np.mean(found) == pytest.approx(share, abs=0.01)
    more = {i for i in range(N) if taught.answer(row._replace(sample=i), 25).correct}
    less = {i for i in range(N) if taught.answer(row._replace(sample=i), 5).correct}
    assert less < more


def test_the_requests_of_a_run_are_answered_as_well_as_its_rounds_taught():
    few, all_ = play(system(10)), play(system(40))
    behind = trained().untrained(10)
    assert few.value("accuracy") < all_.value("accuracy")
    right = {row.sample: row.correct for row in behind.rows}
    records = few.records
    assert [right[int(s)] for s in records["sample"]] == records["correct"].tolist()
    assert trained().untrained(40).rows == trained().rows


def test_a_curve_that_gains_nothing_keeps_the_rows():
    flat = trained(accuracy=(0.5, 0.4, 0.5))
    assert flat.untrained(3).rows == flat.rows
    assert flat.training.rounds_to(0.5) is None
    assert training().rounds_to(0.5) == 10
    assert training().rounds_to(0.9) == 34


def test_over_time_rounds_bytes_and_accuracy_rise_to_what_the_columns_say():
    spec = system(20, 3)
    found, sources = play(spec), {"default": trained()}
    times_s = np.linspace(0.1, 20.0, 50)
    rows = training_over_time(spec, found.book, rounds_of(spec, sources), times_s)
    for values in rows.values():
        assert (np.diff(values) >= 0.0).all()
    ends = {name: values[-1] for name, values in rows.items()}
    assert ends["rounds"] == 20
    assert ends["uplink_bytes"] == pytest.approx(found.value("adapt_uplink_bytes_per_device"))
    assert ends["downlink_bytes"] == pytest.approx(found.value("adapt_downlink_bytes_per_device"))
    assert ends["reached"] == pytest.approx(found.value("adapt_accuracy"))
    at = np.searchsorted(times_s, found.value("adapt_half_s"))
    assert rows["reached"][0] < rows["reached"][at] <= ends["reached"]


def test_what_is_not_over_in_time_counts_as_far_as_it_came():
    found = play(system(1000))
    assert found.value("adapt_done_share") == 0.0
    assert np.isnan(found.value("adapt_s"))
    assert found.value("adapt_rounds_per_device") == int(20.0 / round_s())
    assert found.value("adapt_window_share") == pytest.approx(1.0)
    assert found.value("n_requests") == 0
    assert found.failed_checks == ()
    assert any("trained for 100 % of the window" in word for word in found.warnings)


def test_who_leaves_goes_on_where_it_was():
    churn = sim.ChurnSpec(leave_s=2.05 * round_s(), back_s=5.0)
    fleet = sim.FleetSpec(n_devices=2, groups={"default": sim.GroupSpec(churn=churn)})
    found = play(system(6, 2, fleet=fleet))
    outcomes = found.book.rounds["outcome"]
    assert np.count_nonzero(outcomes == LEFT) == 2
    assert np.count_nonzero(outcomes == DONE) == 12
    assert found.value("adapt_done_share") == 1.0
    assert found.value("adapt_s") > 5.0
    assert found.failed_checks == ()


def test_a_round_that_a_failed_server_lost_is_sent_again():
    server = sim.ServerSpec(fail_at_s=[round_s() * 2.5], repair_s=1.0)
    found = play(system(6, server=server))
    assert found.value("adapt_done_share") == 1.0
    assert found.value("adapt_s") > 6 * round_s() + 0.5
    assert found.failed_checks == ()


@pytest.mark.parametrize("sharing", ["ps", "dedicated", "wifi"])
@pytest.mark.parametrize("discipline", ["take_all", "dynamic"])
def test_rounds_share_no_batch_with_requests(sharing, discipline):
    groups = {
        "learners": sim.GroupSpec(source="default", workload=load(12)),
        "others": sim.GroupSpec(source="default", workload=load(0)),
    }
    fleet = sim.FleetSpec(n_devices=8, groups=groups)
    server = sim.ServerSpec(discipline=discipline, max_batch=8)
    link = replace(LINK, sharing=sharing, frame_airtime_s=1e-4)
    found = play(system(0, fleet=fleet, server=server, link=link))
    assert found.failed_checks == ()
    assert found.value("adapt_rounds_per_device") == 12
    learners = found.book.rounds["device"]
    assert len(set(learners)) == 5
    assert found.value("adapt_done_share") == 1.0
    single_s = BATCH * 3.0 * trained().mean().server_s
    assert (found.book.rounds["server_share_s"] >= single_s * 0.999).all()
    assert (found.records["server_share_s"] < single_s).all()


def test_the_energy_of_training_is_in_the_devices():
    power = sim.PowerSpec(idle_w=0.0, compute_w=2.0, transmit_w=3.0)
    fleet = sim.FleetSpec(groups={"default": sim.GroupSpec(power=power)})
    found, mean = play(system(fleet=fleet)), trained().mean()
    done, n = found.records, found.value("n_requests")
    worked_s = float((done["device_end_s"] - done["device_start_s"]).sum())
    worked_s += 20 * BATCH * 1.5 * mean.device_s
    sent_s = float(done["airtime_s"].sum()) + 20 * 8.0 * BATCH * mean.payload_bytes / LINK.rate_bps
    wanted_j = (2.0 * worked_s + 3.0 * sent_s) / n
    assert found.value("device_energy_j_per_request") == pytest.approx(wanted_j, rel=1e-6)


def test_a_gated_source_trains_on_all_samples_by_the_way_to_the_server():
    early = sim.TraceSource(table(), "output", "raw", HEAD, None)
    gated = GatedSource(early, trained(), [i % 2 == 0 for i in range(N)])
    assert gated.training == trained().training
    assert Rounds(gated, training()).round == Rounds(trained(), training()).round
    behind = gated.untrained(0)
    assert [row.correct for row in behind.rows[::2]] == [row.correct for row in gated.rows[::2]]
    assert {row.correct for row in behind.rows[1::2]} == {0.0}


def test_training_outlives_other_draws_of_the_rows():
    again = trained().resample(np.random.default_rng(0))
    assert again.training == trained().training
    found = sim.replicate(replace(system(), replications=3), {"default": trained()})
    lo, hi = found["adapt_uplink_bytes_per_device"].lo_total, found[
        "adapt_uplink_bytes_per_device"
    ].hi_total  # fmt: skip
    assert lo < 20 * BATCH * trained().mean().payload_bytes < hi


def test_the_compiled_engine_refuses_it_by_name():
    spec, sources = system(), {"default": trained()}
    assert choose("auto", spec, sources) == (
        "simpy", "the compiled engine does not know workload.adapt_rounds=20",
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"does not know workload\.adapt_rounds=20"):
        choose("compiled", spec, sources)
    assert choose("auto", system(0), sources)[0] == "compiled"


def test_a_source_that_cannot_be_trained_is_refused():
    with pytest.raises(ValueError, match="needs a source that can be trained, got TraceSource"):
        play(system(), source())
    with pytest.raises(ValueError, match=r"must be 0 for workload\.kind=replay"):
        sim.WorkloadSpec(kind="replay", replay_csv="some.csv", adapt_rounds=1)
    with pytest.raises(ValueError, match=r"workload\.adapt_rounds must be >= 0, got -1"):
        sim.WorkloadSpec(adapt_rounds=-1)


@pytest.mark.parametrize("n_rounds", [20, 5000])
def test_the_work_of_training_is_foreseen(n_rounds):
    spec, sources = system(n_rounds, 4), {"default": trained()}
    made = sim.build(spec, sources)
    sim.play(made)
    played = next(made.env._eid)
    assert played / 3.0 < predict_work(spec, sources).events < 3.0 * played
