"""The predictor against closed forms, against the simulator, and against itself at limits."""

import math

import numpy as np
import pytest

from profiles.tables.split import Split
from sim import ConstantSessions, ConstantSource, run
from sim.search import First, Group, Options, Predicted, Predictor, Problem
from sim.search.airtime import airtime_s
from sim.search.size import LossProxy, SizeModel
from sim.sources.draw import Draw
from sim.specs import FleetSpec, GroupSpec, LinkSpec, ServerSpec, SystemSpec, WorkloadSpec
from sim.theory import md1_response_s, mva, ps_response_s

PS = LinkSpec(sharing="ps", rate_bps=8e6, mtu_bytes=1500, header_bytes=0)
FREE = LinkSpec(sharing="dedicated", rate_bps=1e12, header_bytes=0)


def single(
    *,
    device_s: float = 0.0,
    payload_bytes: float = 1000.0,
    decode_s: float = 0.0,
    server_s: float = 0.0,
    answer_bytes: float = 0.0,
    first: First | None = None,
    tokens: int = 0,
) -> Options:
    def one(value: float) -> np.ndarray:
        return np.array([value])

    return Options(
        labels=(Split("cut", "theta", tokens),), device_s=one(device_s), encode_s=one(0.0),
        payload_bytes=one(payload_bytes), decode_s=one(decode_s), server_s=one(server_s),
        answer_bytes=one(answer_bytes), memory_bytes=one(0.0), drop_pp=one(0.0),
        depth=np.array([1]), harshness=np.array([0]), first=first,
    )  # fmt: skip


def predicted(problem: Problem) -> Predicted:
    return Predictor(problem).predict(np.zeros((1, len(problem.groups)), dtype=int))


def test_open_gpu_is_md1_and_open_link_is_ps() -> None:
    gpu = Group(options=single(server_s=0.01), rate_bps=1e12, n_devices=40, rate_rps=2.0)
    found = predicted(Problem(groups=(gpu,), link=FREE))
    assert found.latency_s[0, 0] == pytest.approx(md1_response_s(80.0, 0.01), rel=1e-6)
    assert found.server_load[0] == pytest.approx(0.8)
    link = Group(options=single(), rate_bps=8e6, n_devices=70, rate_rps=10.0)
    found = predicted(Problem(groups=(link,), link=PS))
    assert found.latency_s[0, 0] == pytest.approx(ps_response_s(700.0, 1e-3), rel=2e-3)
    assert found.link_load[0] == pytest.approx(0.7, rel=1e-3)


def test_open_device_is_md1() -> None:
    slow = Group(options=single(device_s=0.1, payload_bytes=0.0), rate_bps=1e6, rate_rps=6.0)
    found = predicted(Problem(groups=(slow,), link=FREE))
    assert found.latency_s[0, 0] == pytest.approx(md1_response_s(6.0, 0.1), rel=1e-9)
    assert found.device_load[0, 0] == pytest.approx(0.6)


def test_closed_link_against_exact_mean_value_analysis() -> None:
    """Processor sharing is insensitive, so that exact MVA holds; equal groups are one."""
    for n in (2, 4, 20):
        work = {"options": single(device_s=0.002), "rate_bps": 8e6, "think_s": 0.02}
        exact = mva(n, 0.022, [1e-3])
        one = predicted(Problem(groups=(Group(**work, n_devices=n),), link=PS))
        assert one.latency_s[0, 0] - 0.002 == pytest.approx(exact.response_s, rel=1e-9)
        halves = tuple(Group(**work, n_devices=n // 2, name=name) for name in "ab")
        two = predicted(Problem(groups=halves, link=PS))
        assert two.latency_s[0, 0] - 0.002 == pytest.approx(exact.response_s, rel=1e-9)
    many = predicted(Problem(groups=(Group(**work, n_devices=500),), link=PS))
    assert many.throughput_rps[0, 0] == pytest.approx(1000.0, rel=2e-3)


def test_one_closed_device_never_waits() -> None:
    for sharing in ("ps", "fifo", "weighted", "dedicated"):
        link = LinkSpec(sharing=sharing, rate_bps=8e6, header_bytes=0, rtt_s=2e-3)
        group = Group(options=single(device_s=3e-3, decode_s=1e-3, server_s=2e-3),
                      rate_bps=8e6, think_s=0.0)  # fmt: skip
        found = predicted(Problem(groups=(group,), link=link))
        assert found.latency_s[0, 0] == pytest.approx(9e-3, rel=1e-9)
        assert found.server_wait_s[0, 0] == found.link_wait_s[0, 0] == 0.0


def test_many_rare_devices_are_poisson() -> None:
    work = {"options": single(server_s=0.01), "rate_bps": 8e6}
    closed = Group(**work, n_devices=4000, think_s=100.0)
    open_ = Group(**work, n_devices=4000, rate_rps=4000 / 100.0 / 4000)
    waits = [predicted(Problem(groups=(g,), link=PS)).latency_s[0, 0] for g in (closed, open_)]
    assert waits[0] == pytest.approx(waits[1], rel=2e-3)


def test_two_equal_groups_are_one() -> None:
    work = {"options": single(device_s=1e-3, server_s=4e-3), "rate_bps": 8e6, "think_s": 0.02}
    whole = predicted(Problem(groups=(Group(**work, n_devices=6),), link=PS))
    halves = Problem(link=PS, groups=tuple(Group(**work, n_devices=3, name=n) for n in "ab"))
    both = predicted(halves)
    assert both.server_load[0] == pytest.approx(whole.server_load[0], rel=1e-9)
    assert both.latency_s[0] == pytest.approx(whole.latency_s[0, 0], rel=1e-9)


@pytest.mark.parametrize("link", [
    LinkSpec(sharing="wifi", rate_bps=86e6, mtu_bytes=1400, header_bytes=66,
             frame_airtime_s=32e-6, rtt_s=2e-3),
    LinkSpec(sharing="fifo", rate_bps=5e6, mtu_bytes=700, aggregation=3, frame_airtime_s=1e-4),
    LinkSpec(sharing="cellular", rate_bps=25e6, rtt_s=4e-2, grant_s=8e-3),
    LinkSpec(sharing="ps", rate_bps=9e6, downlink="shared", rtt_s=1e-3),
])  # fmt: skip
def test_latency_without_contention_is_the_simulators(link: LinkSpec) -> None:
    costs = {"device_s": 4e-3, "payload_bytes": 5001.0, "decode_s": 1e-3, "server_s": 3e-3,
             "answer_bytes": 900.0}  # fmt: skip
    group = Group(options=single(**costs), rate_bps=link.rate_bps, think_s=0.5)
    found = predicted(Problem(groups=(group,), link=link, server=ServerSpec(speed=2.0)))
    spec = SystemSpec(
        link=link, server=ServerSpec(speed=2.0), horizon_s=20.0,
        workload=WorkloadSpec(think="exponential", think_s=0.5),
    )  # fmt: skip
    played = run(spec, {"default": ConstantSource(**costs)})
    assert found.latency_s[0, 0] == pytest.approx(played.value("latency_mean_s"), rel=1e-9)
    assert found.uplink_s[0, 0] == pytest.approx(played.value("airtime_s_per_request"), rel=0.2)


def test_airtime_of_lossy_frames_counts_resending() -> None:
    lossy = LinkSpec(sharing="ps", frame_error_rate=0.2, rate_bps=8e6, header_bytes=0)
    clean = LinkSpec(sharing="ps", rate_bps=8e6, header_bytes=0)
    size = np.array([3000.0])
    assert airtime_s(lossy, size, 8e6) == pytest.approx(1.25 * airtime_s(clean, size, 8e6))


def test_answers_on_the_shared_medium_wait_and_load_it() -> None:
    costs = {"device_s": 2e-3, "payload_bytes": 900.0, "server_s": 1e-3, "answer_bytes": 700.0}
    link = LinkSpec(sharing="ps", rate_bps=8e6, header_bytes=0, downlink="shared")
    group = Group(options=single(**costs), rate_bps=8e6, n_devices=8, think_s=0.02)
    found = predicted(Problem(groups=(group,), link=link))
    spec = SystemSpec(
        link=link, fleet=FleetSpec(n_devices=8), horizon_s=30.0,
        workload=WorkloadSpec(think="exponential", think_s=0.02),
    )  # fmt: skip
    played = run(spec, {"default": ConstantSource(**costs)})
    assert found.link_load[0] == pytest.approx(played.value("link_utilization"), rel=0.08)
    assert found.latency_s[0, 0] == pytest.approx(played.value("latency_mean_s"), rel=0.1)


@pytest.mark.parametrize("n_devices", [4, 12])
def test_sessions_against_the_simulator(n_devices: int) -> None:
    """A prompt and 15 tokens; the latency predicted is a token's."""
    prompt = Draw(0, 0.004, 8000.0, 5e-4, 4e-3, 4.0, math.nan, 64, 0)
    token = Draw(0, 0.003, 160.0, 3e-4, 1e-3, 4.0, math.nan, 1, 64)
    first = First(
        device_s=np.array([0.004]), payload_bytes=np.array([8000.0]),
        decode_s=np.array([5e-4]), server_s=np.array([4e-3]),
    )  # fmt: skip
    options = single(device_s=0.003, payload_bytes=160.0, decode_s=3e-4, server_s=1e-3,
                     answer_bytes=4.0, first=first, tokens=16)  # fmt: skip
    link = LinkSpec(sharing="wifi", rate_bps=86e6, frame_airtime_s=32e-6, rtt_s=2e-3)
    group = Group(options=options, rate_bps=86e6, n_devices=n_devices, think_s=0.05)
    found = predicted(Problem(groups=(group,), link=link))
    spec = SystemSpec(
        link=link, fleet=FleetSpec(n_devices=n_devices), horizon_s=20.0,
        workload=WorkloadSpec(think="exponential", think_s=0.05),
    )  # fmt: skip
    played = run(spec, {"default": ConstantSessions(prompt=prompt, token=token, n_tokens=16)})
    worst = 0.05 if found.server_load[0] < 0.7 else 0.15
    assert found.latency_s[0, 0] == pytest.approx(played.value("tpot_s"), rel=worst)
    assert found.server_s[0] == pytest.approx(played.value("server_s_per_token"), rel=0.01)
    assert found.server_load[0] == pytest.approx(played.value("server_utilization"), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("rate_rps", "worst"), [(8.0, 0.05), (13.0, 0.05), (17.0, 0.15)])
def test_mixed_fleet_against_the_simulator(rate_rps: float, worst: float) -> None:
    quick = {"device_s": 2e-3, "payload_bytes": 900.0, "server_s": 2e-3}
    slow = {"device_s": 3e-2, "payload_bytes": 4000.0, "server_s": 5e-4}
    link = LinkSpec(sharing="wifi", rate_bps=40e6, frame_airtime_s=32e-6, rtt_s=2e-3)
    groups = tuple(
        Group(options=single(**costs), rate_bps=40e6, n_devices=20, rate_rps=rate_rps, name=name)
        for name, costs in (("quick", quick), ("slow", slow))
    )
    found = predicted(Problem(groups=groups, link=link))
    fleet = FleetSpec(n_devices=40, groups={g.name: GroupSpec() for g in groups})
    spec = SystemSpec(link=link, fleet=fleet, horizon_s=60.0,
                      workload=WorkloadSpec(kind="poisson", rate_rps=rate_rps))  # fmt: skip
    played = run(spec, {"quick": ConstantSource(**quick), "slow": ConstantSource(**slow)})
    for g, name in enumerate(("quick", "slow")):
        simulated = played.value(f"latency_mean_s_{name}")
        assert found.latency_s[0, g] == pytest.approx(simulated, rel=worst)


def test_overload_is_never_feasible() -> None:
    open_ = Group(options=single(server_s=0.01), rate_bps=8e6, n_devices=200, rate_rps=1.0)
    found = predicted(Problem(groups=(open_,), link=PS))
    assert found.server_load[0] >= 1.0
    assert not found.feasible[0]
    assert math.isinf(found.latency_s[0, 0])


def test_several_gpus_wait_less_than_one() -> None:
    group = Group(options=single(server_s=0.01), rate_bps=1e12, n_devices=40, rate_rps=2.0)
    waits = [
        predicted(Problem(groups=(group,), link=FREE, server=ServerSpec(n_gpus=n)))
        .server_wait_s[0, 0] for n in (1, 2, 4)
    ]  # fmt: skip
    assert waits[0] > waits[1] > waits[2] >= 0.0


def test_size_model_finds_a_log_linear_law_and_reports_what_it_misses() -> None:
    rng = np.random.default_rng(0)
    thetas = np.array([[s, d, m, a] for s in (0.1, 0.3, 0.5, 0.8) for d in (0.005, 0.01, 0.03)
                       for m in (1, 4) for a in (0.5, 1.0)])  # fmt: skip
    sizes = 5000 * (1 - thetas[:, 0]) ** 0.8 * thetas[:, 1] ** -0.2 * thetas[:, 2] ** 0.1
    exact = SizeModel.fit(thetas, sizes)
    assert np.abs(exact.errors).max() < 1e-3
    between = np.array([[0.4, 0.02, 2, 0.7]])
    assert exact.bytes_of(between) == pytest.approx(5000 * 0.6**0.8 * 0.02**-0.2 * 2**0.1, rel=1e-3)
    noisy = sizes * np.exp(rng.normal(0.0, 0.05, len(sizes)))
    model = SizeModel.fit(thetas, noisy)
    again = [
        SizeModel.fit(np.delete(thetas, i, 0), np.delete(noisy, i)).bytes_of(thetas[i : i + 1])[0]
        / noisy[i] - 1 for i in (0, 7, 30)
    ]  # fmt: skip
    assert model.errors[[0, 7, 30]] == pytest.approx(again, rel=1e-3)
    with pytest.raises(ValueError, match="more than 13 settings"):
        SizeModel.fit(thetas[:5], sizes[:5])
    with pytest.raises(ValueError, match="0 <= s < 1"):
        exact.bytes_of(np.array([[1.0, 0.01, 1, 1.0]]))


def test_loss_proxy_never_falls() -> None:
    errors = np.array([0.3, 0.1, 0.2, 0.4, 0.5])
    losses = np.array([2.0, 0.0, 3.0, 5.0, 9.0])
    proxy = LossProxy.fit(errors, losses)
    assert proxy.relative_l2 == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.5])
    assert proxy.drop_pp == pytest.approx([0.0, 2.5, 2.5, 5.0, 9.0])
    assert proxy.errors[3] == pytest.approx(np.interp(0.4, [0.3, 0.5], [2.5, 9.0]) - 5.0)


WIFI = LinkSpec(
    sharing="wifi", rate_bps=73.125e6, mtu_bytes=1400, header_bytes=72, frame_airtime_s=214.1e-6,
    aggregation=39, access_limit_s=5.484e-3, rtt_s=2e-3,
)  # fmt: skip


def test_one_radio_is_an_md1_queue() -> None:
    """One access a request: its own queue; the table's limits are M/D/1 and M/D/1-PS."""
    air_s = 214.1e-6 + 8 * (12_288 + 9 * 72) / 73.125e6
    for load in (0.2, 0.6, 0.8):
        group = Group(options=single(payload_bytes=12_288.0), rate_bps=73.125e6,
                      rate_rps=load / air_s)  # fmt: skip
        found = predicted(Problem(groups=(group,), link=WIFI))
        exact_s = md1_response_s(load / air_s, air_s) - air_s
        assert found.link_wait_s[0, 0] == pytest.approx(exact_s, rel=0.02)
        assert found.link_load[0] == pytest.approx(load, rel=0.01)


@pytest.mark.parametrize(("open_", "pace", "worst"), [
    (True, 20.0, 0.02), (True, 38.0, 0.06), (False, 0.1, 0.02), (False, 0.02, 0.03),
])  # fmt: skip
def test_radios_against_the_simulator(open_: bool, pace: float, worst: float) -> None:
    """Ten devices whose requests are an access each, at low and high load."""
    costs = {"payload_bytes": 12_288.0, "device_s": 2e-3, "server_s": 2e-4}
    kind = {"rate_rps": pace} if open_ else {"think_s": pace}
    group = Group(options=single(**costs), rate_bps=73.125e6, n_devices=10, **kind)
    found = predicted(Problem(groups=(group,), link=WIFI))
    workload = WorkloadSpec(kind="poisson", rate_rps=pace)
    if not open_:
        workload = WorkloadSpec(think="exponential", think_s=pace)
    spec = SystemSpec(link=WIFI, fleet=FleetSpec(n_devices=10), horizon_s=60.0, workload=workload)
    played = run(spec, {"default": ConstantSource(**costs)})
    assert found.latency_s[0, 0] == pytest.approx(played.value("latency_mean_s"), rel=worst)
    assert found.link_load[0] == pytest.approx(played.value("link_utilization"), rel=0.05)
