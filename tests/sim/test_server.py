import numpy as np
import pytest

import sim
from sim.system import build, play

FREE = sim.LinkSpec(sharing="dedicated")


def spec(server, *, rate_rps=50.0, n_devices=4, horizon_s=40.0, **workload):
    return sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n_devices),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=rate_rps, **workload),
        link=FREE,
        server=server,
        horizon_s=horizon_s,
        warmup_s=2.0,
    )


BATCHED = sim.ConstantSource(server_s=0.01, batch_slope_s=0.001)


def batches(result):
    """Sizes of all batches, in order of their starts."""
    starts = result.records["server_start_s"]
    return np.unique(starts[~np.isnan(starts)], return_counts=True)[1]


@pytest.mark.parametrize("n_gpus", [1, 3])
def test_explicit_fifo_server_equals_the_arithmetic(n_gpus):
    system = spec(sim.ServerSpec(n_gpus=n_gpus), rate_rps=20.0)
    source = {"default": sim.ExponentialSource(server_s=0.01 * n_gpus, device_s=0.003)}
    quick, slow = play(build(system, source)), play(build(system, source, explicit=True))
    for name, column in quick.records.items():
        np.testing.assert_array_equal(column, slow.records[name], err_msg=name)
    for name, estimate in quick.estimates.items():
        assert estimate.mean == pytest.approx(slow.value(name), nan_ok=True), name


def test_take_all_batches_grow_with_load_up_to_their_cap():
    server = sim.ServerSpec(discipline="take_all", max_batch=16)
    light = batches(sim.run(spec(server, rate_rps=5.0), {"default": BATCHED}))
    result = sim.run(spec(server, rate_rps=400.0, horizon_s=10.0), {"default": BATCHED})
    heavy = batches(result)
    assert light.mean() < 1.5
    assert heavy.max() == 16
    assert result.value("throughput_rps") == pytest.approx(16 / 0.025, rel=0.02)
    assert any("saturated" in warning for warning in result.warnings)


def test_dynamic_batches_wait_for_company_but_not_for_ever():
    server = sim.ServerSpec(discipline="dynamic", max_batch=4, max_wait_s=0.05)
    one = spec(server, rate_rps=2.0, n_devices=1, horizon_s=200.0)
    lonely = sim.run(one, {"default": BATCHED})
    waits = lonely.records["server_start_s"] - lonely.records["created_s"]
    assert np.median(waits) == pytest.approx(0.05, abs=1e-9)
    assert waits.max() < 0.05 + 0.014
    busy = batches(sim.run(spec(server, rate_rps=60.0), {"default": BATCHED}))
    assert busy.max() == 4
    assert np.median(busy) == 4


def test_models_do_not_share_a_batch():
    other = sim.ConstantSource(server_s=0.01, batch_slope_s=0.001)
    other.key = "other"
    groups = {"a": sim.GroupSpec(), "b": sim.GroupSpec()}
    system = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=8, groups=groups),
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=40.0),
        link=FREE,
        server=sim.ServerSpec(discipline="take_all", max_batch=8),
    )
    records = sim.run(system, {"a": BATCHED, "b": other}).records
    for start in np.unique(records["server_start_s"][:500]):
        assert len(set(records["group"][records["server_start_s"] == start])) == 1


def test_earliest_deadline_misses_less_than_fifo():
    urgent = sim.WorkloadSpec(kind="poisson", rate_rps=10.0, deadline_s=0.06)
    patient = sim.WorkloadSpec(kind="poisson", rate_rps=10.0, deadline_s=2.0)
    groups = {"u": sim.GroupSpec(workload=urgent), "p": sim.GroupSpec(workload=patient)}
    source = sim.ExponentialSource(server_s=0.01)

    def misses(discipline):
        system = sim.SystemSpec(
            fleet=sim.FleetSpec(n_devices=8, groups=groups),
            link=FREE,
            server=sim.ServerSpec(discipline=discipline),
        )
        return sim.run(system, {"u": source, "p": source}).value("deadline_miss_share")

    assert misses("edf") < 0.6 * misses("fifo")


def test_full_queue_rejects_and_expired_requests_are_dropped():
    source = {"default": sim.ExponentialSource(server_s=0.01)}
    full = sim.run(spec(sim.ServerSpec(queue_limit=0), rate_rps=25.0, horizon_s=150.0), source)
    assert full.value("dropped_share") == pytest.approx(0.5, abs=0.02)
    server = sim.ServerSpec(drop_expired=True)
    late = sim.run(spec(server, rate_rps=50.0, deadline_s=0.05), source)
    waits = late.records["server_start_s"] - late.records["created_s"]
    assert np.nanmax(waits) <= 0.05 + 1e-9
    assert set(late.records["outcome"]) == {1.0, 4.0}
    for result in (full, late):
        assert result.failed_checks == ()


def test_decoding_on_the_processor_relieves_the_gpu():
    source = {"default": sim.ConstantSource(payload_bytes=10.0, decode_s=0.004, server_s=0.004)}
    on_gpu = sim.run(spec(sim.ServerSpec(), rate_rps=10.0), source)
    on_cpu = sim.run(spec(sim.ServerSpec(decode_on="cpu"), rate_rps=10.0), source)
    assert on_gpu.value("server_s_per_request") == pytest.approx(0.008)
    assert on_cpu.value("server_s_per_request") == pytest.approx(0.004)
    busy = on_cpu.value("decoder_utilization")
    assert busy == pytest.approx(0.004 * on_cpu.value("throughput_rps"), rel=0.03)
    assert np.isnan(on_gpu.value("decoder_utilization"))
    latency_s = on_cpu.value("latency_mean_s")
    assert 0.008 < latency_s < on_gpu.value("latency_mean_s")


@pytest.mark.parametrize("on_failure", ["retry", "lose"])
def test_a_server_restart_accounts_for_every_request(on_failure):
    server = sim.ServerSpec(fail_at_s=[10.0, 20.0], repair_s=2.0, on_failure=on_failure)
    system = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=6),
        workload=sim.WorkloadSpec(think_s=0.05),
        link=sim.LinkSpec(sharing="ps"),
        server=server,
    )
    source = {"default": sim.ConstantSource(device_s=0.01, payload_bytes=500.0, server_s=0.02)}
    result = sim.run(system, source)
    done = result.records["done_s"][result.records["outcome"] == 1.0]
    assert not np.any((done > 10.0) & (done < 12.0))
    assert np.any(done > 22.0)
    assert result.failed_checks == ()
    if on_failure == "lose":
        assert np.sum(result.records["outcome"] == 6.0) > 0
        assert np.sum(result.records["retries"]) == 0
    else:
        assert set(result.records["outcome"]) == {1.0}
        assert np.sum(result.records["retries"]) >= 12


def test_failures_at_random_times_cost_their_share():
    server = sim.ServerSpec(mean_up_s=4.0, repair_s=1.0)
    result = sim.run(
        spec(server, rate_rps=5.0, horizon_s=800.0), {"default": sim.ConstantSource(server_s=0.001)}
    )
    retried = np.mean(result.records["retries"] > 0)
    assert retried == pytest.approx(0.2, abs=0.05)
    assert result.failed_checks == ()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"max_batch": 0}, "server.max_batch must be >= 1, got 0"),
        ({"max_batch": 4}, "must be 1 under server.discipline=fifo, got 4"),
        ({"discipline": "dynamc"}, "did you mean 'dynamic'"),
        ({"fail_at_s": [1.0], "mean_up_s": 2.0}, "got both"),
        ({"fail_at_s": [2.0, 1.0]}, "must ascend"),
        ({"fail_at_s": [1.0, 2.0], "repair_s": 1.5}, "must end before the next failure, got 1.5"),
    ],
)
def test_contradictions_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        sim.ServerSpec(**fields)
