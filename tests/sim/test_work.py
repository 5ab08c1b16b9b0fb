"""The work of a system is foreseen within a factor of three, and in no time."""

import math
from dataclasses import replace

import pytest

import sim
from sim.clock import Clock
from sim.planning.forecast.work import predict_work

CONSTANT = {"default": sim.ConstantSource(device_s=0.01, payload_bytes=4e3, server_s=0.004)}
BATCHES = {"default": sim.ConstantSource(payload_bytes=4e3, server_s=0.01, batch_slope_s=0.001)}
RANDOM = {"default": sim.ExponentialSource(server_s=0.01)}
PROMPT = sim.Draw(0, 0.05, 4000.0, 0.0, 0.02, 4.0, math.nan, 20, 0)
TOKEN = sim.Draw(0, 0.004, 200.0, 0.0, 0.002, 4.0, math.nan, 1, 20)
SESSIONS = {"default": sim.ConstantSessions(prompt=PROMPT, token=TOKEN, n_tokens=12)}
CLOSED = sim.WorkloadSpec(think_s=0.1)
POISSON = sim.WorkloadSpec(kind="poisson", rate_rps=4.0)
FADING = sim.LinkSpec(
    sharing="ps", rate="shannon", fading="rayleigh", coherence_s=0.01, snr_db=18.0
)


def shared(**fields):
    """A link whose transfers share the medium equally."""
    return sim.LinkSpec(sharing="ps", **fields)


def system(source, n=10, workload=CLOSED, horizon_s=20.0, group=None, **fields):
    groups = {"default": group} if group is not None else {}
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n, groups=groups), workload=workload, horizon_s=horizon_s,
        warmup_s=0.0, **({"link": sim.LinkSpec(sharing="ps")} | fields),
    )  # fmt: skip
    return spec, source


def wifi(**fields):
    return sim.LinkSpec(sharing="wifi", frame_airtime_s=1e-4, rate_bps=2e7, **fields)


SYSTEMS = {
    "closed": system(CONSTANT),
    "closed, no pause": system(CONSTANT, workload=sim.WorkloadSpec()),
    "closed, server full": system(CONSTANT, n=200),
    "closed, fifo link": system(CONSTANT, link=sim.LinkSpec(sharing="fifo", rtt_s=0.02)),
    "open": system(CONSTANT, workload=POISSON, n=50),
    "open, overloaded server": system(CONSTANT, workload=POISSON, n=200),
    "open, overloaded link": system(CONSTANT, workload=POISSON, link=shared(rate_bps=5e5)),
    "open, device too slow": system(
        {"default": sim.ConstantSource(device_s=1.0, server_s=0.001)}, workload=POISSON
    ),
    "cameras": system(
        CONSTANT, workload=sim.WorkloadSpec(kind="periodic", rate_rps=5.0, max_in_flight=1)
    ),
    "bursts": system(CONSTANT, workload=sim.WorkloadSpec(kind="mmpp", rate_rps=5.0), n=20),
    "wifi": system(CONSTANT, link=wifi(), n=30),
    "wifi, full": system(CONSTANT, link=wifi(), n=300),
    "wifi, shared answers": system(
        {"default": sim.ConstantSource(payload_bytes=4e3, server_s=1e-3, answer_bytes=500.0)},
        link=wifi(downlink="shared"), n=30,
    ),
    "cellular": system(CONSTANT, link=sim.LinkSpec(sharing="cellular", rate_bps=2e7), n=30),
    "fading": system(CONSTANT, link=FADING, workload=POISSON),
    "fading, large payloads": system(
        {"default": sim.ConstantSource(payload_bytes=3e5, server_s=1e-3)}, link=FADING
    ),
    "fading, weak": system(
        CONSTANT, link=shared(rate="mcs", fading="rayleigh", snr_db=14.0, coherence_s=0.02)
    ),
    "lossy frames": system(CONSTANT, link=shared(frame_error_rate=0.4), workload=POISSON),
    "outages": system(
        CONSTANT,
        link=shared(rate="outage", fading="rayleigh", outage=0.2, coherence_s=0.02),
        workload=POISSON,
    ),
    "batches": system(
        BATCHES, n=60, server=sim.ServerSpec(discipline="take_all", max_batch=16)
    ),
    "dynamic batches": system(
        BATCHES, n=4,
        server=sim.ServerSpec(discipline="dynamic", max_batch=8, max_wait_s=0.2),
    ),
    "loss system": system(
        RANDOM, n=40, workload=POISSON,
        server=sim.ServerSpec(discipline="take_all", queue_limit=0),
    ),
    "several GPUs, CPU decoders": system(
        {"default": sim.ConstantSource(payload_bytes=4e3, decode_s=0.01, server_s=0.01)}, n=40,
        server=sim.ServerSpec(n_gpus=2, decode_on="cpu", cpu_workers=4),
    ),
    "sessions": system(SESSIONS, n=5),
    "sessions, continuous": system(
        SESSIONS, n=40, server=sim.ServerSpec(discipline="continuous", max_batch=8)
    ),
    "sessions, open, cut": system(
        SESSIONS, workload=sim.WorkloadSpec(kind="poisson", rate_rps=0.5, max_new_tokens=3)
    ),
    "churn": system(
        CONSTANT, group=sim.GroupSpec(churn=sim.ChurnSpec(mean_up_s=0.5, mean_down_s=0.2))
    ),
    "churn of milliseconds": system(
        CONSTANT, group=sim.GroupSpec(churn=sim.ChurnSpec(mean_up_s=0.002, mean_down_s=0.002))
    ),
    "failures": system(
        CONSTANT, server=sim.ServerSpec(mean_up_s=1.0, repair_s=0.1), workload=POISSON
    ),
    "terminating": system(CONSTANT, workload=sim.WorkloadSpec(requests=200)),
    "terminating, all, open": system(
        CONSTANT,
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=4.0, requests=50, until_all=True),
    ),
    "terminating, overloaded": system(
        CONSTANT, n=100, workload=sim.WorkloadSpec(kind="poisson", rate_rps=10.0, requests=30)
    ),
    "thousands of devices": system(CONSTANT, n=5_000, horizon_s=1.0, workload=POISSON),
    "a group far away, long answers": system(
        {"default": sim.ConstantSource(server_s=1e-3, answer_bytes=1e5)},
        link=shared(rate_bps=1e8), group=sim.GroupSpec(rate_bps=1e6),
    ),
    "means unknown": system(RANDOM, n=20),
}  # fmt: skip


def count_events(spec, sources):
    """The events of one run, up to what its columns are computed from."""
    model = sim.build(spec, sources)
    clock, meter = Clock(model.env, spec, model.meter), model.meter
    if spec.workload.requests is None:
        clock.run_to(spec.horizon_s)
    else:
        everyone = spec.workload.until_all
        assert clock.run_until(meter.all_reached if everyone else meter.target_reached)
    return clock.n_events


@pytest.mark.parametrize("name", SYSTEMS)
def test_events_are_foreseen_within_a_factor_of_three(name):
    spec, sources = SYSTEMS[name]
    assert 1.0 / 3.0 < predict_work(spec, sources).events / count_events(spec, sources) < 3.0


@pytest.mark.parametrize("factor", [0.2, 5.0])
@pytest.mark.parametrize("name", ["closed", "open", "wifi", "sessions", "batches", "fading"])
def test_so_are_those_of_smaller_and_larger_fleets(name, factor):
    spec, sources = SYSTEMS[name]
    fleet = replace(spec.fleet, n_devices=round(factor * spec.fleet.n_devices))
    spec = replace(spec, fleet=fleet)
    assert 1.0 / 3.0 < predict_work(spec, sources).events / count_events(spec, sources) < 3.0


def test_recorded_times_count_up_to_the_horizon(tmp_path):
    file = tmp_path / "times.csv"
    file.write_text("time_s\n" + "".join(f"{0.01 * k}\n" for k in range(1, 2_001)))
    workload = sim.WorkloadSpec(kind="replay", replay_csv=str(file))
    for horizon_s in (5.0, 20.0):
        spec, sources = system(CONSTANT, n=4, workload=workload, horizon_s=horizon_s)
        assert predict_work(spec, sources).events == pytest.approx(
            count_events(spec, sources), rel=0.5
        )


def test_impossible_work_is_foreseen_without_building_it(monkeypatch):
    monkeypatch.setattr("sim.system.build", None)
    many, sources = system(CONSTANT, n=10**8)
    assert predict_work(many, sources).events >= 1e8
    fast, sources = system(CONSTANT, workload=sim.WorkloadSpec(kind="poisson", rate_rps=1e9))
    work = predict_work(fast, sources)
    assert work.events > 20.0 * 10 * 1e9
    assert work.seconds > 1e4
    slow = predict_work(replace(fast, engine="simpy"), sources)
    assert slow.seconds > 20.0 * work.seconds
    on, sources = system(
        CONSTANT, workload=sim.WorkloadSpec(kind="poisson", rate_rps=1e9, requests=10**6)
    )
    assert predict_work(on, sources).events > 1e9


def test_runs_are_replications_pilots_and_bootstraps():
    spec, sources = system(CONSTANT)
    assert predict_work(replace(spec, replications=10), sources).runs == 10
    assert predict_work(replace(spec, replications=10, warmup="mser5"), sources).runs == 15
    rows = {"default": Rows()}
    assert predict_work(replace(spec, replications=10), rows).runs == 20
    assert predict_work(replace(spec, replications=1), rows).runs == 1


class Rows(sim.ConstantSource):
    """A source whose rows may be drawn again."""

    def __init__(self):
        super().__init__(server_s=0.01)

    def resample(self, generator):
        return Rows()


def test_a_source_that_is_missing_is_named():
    spec, _ = system(CONSTANT)
    with pytest.raises(ValueError, match="group 'default' needs source 'default'"):
        predict_work(spec, {})


@pytest.mark.parametrize(
    ("link", "workload"),
    [
        (shared(rate="shannon", snr_db=-50.0), CLOSED),
        (shared(rate="mcs", snr_db=-50.0), CLOSED),
        (shared(rate="mcs", fading="rayleigh", coherence_s=1e-9), CLOSED),
        (shared(frame_error_rate=0.99), CLOSED),
        (sim.LinkSpec(sharing="ps"), sim.WorkloadSpec(think_s=0.0, requests=5)),
    ],
)
def test_what_the_run_refuses_or_hardly_plays_is_no_error_here(link, workload):
    spec, _ = system(CONSTANT, link=link, workload=workload)
    for source in (CONSTANT, {"default": sim.ConstantSource()}):
        assert predict_work(spec, source).events < 1e6
