"""Options whose requests go unlike ways: those ended on the device, and branches, against closed
forms, against themselves and against the simulator.
"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profiles.tables.split import Split
from sim.search import SEARCHES, Group, Limits, Options, Predicted, Predictor, Problem, Requests
from sim.search.fleet import front
from sim.search.problem import REQUEST_COSTS
from sim.sources.gated import GatedSource
from sim.sources.source import Source, TraceSource, rows_of
from sim.specs import LinkSpec, ServerSpec
from sim.theory import mg1_response_s, mva, ps_response_s
from sim.theory.closed import repairman
from sim.validation.playback import play
from tests.sim.test_branched import branched
from tests.sim.test_source import HEAD, source, table

FREE = LinkSpec(sharing="dedicated", rate_bps=1e12, header_bytes=0)
PS = LinkSpec(sharing="ps", rate_bps=8e6, mtu_bytes=1500, header_bytes=0)
WIFI = LinkSpec(
    sharing="wifi", rate_bps=73.125e6, mtu_bytes=1400, header_bytes=72, frame_airtime_s=214.1e-6,
    aggregation=39, access_limit_s=5.484e-3, rtt_s=2e-3,
)  # fmt: skip


def mixture(*ways: dict[str, float]) -> Requests:
    """Requests of one option; what a way does not name is 0, and without a name it is all."""
    columns = {name: np.array([way.get(name, 0.0) for way in ways]) for name in REQUEST_COSTS}
    columns["share"] = np.array([way.get("share", 1.0) for way in ways])
    return Requests(option=np.zeros(len(ways), dtype=int), **columns)


def options(*each: Requests) -> Options:
    """An option for each of some mixtures."""
    n = len(each)
    own = {name: np.concatenate([getattr(one, name) for one in each]) for name in REQUEST_COSTS}
    number = np.repeat(np.arange(n), [len(one) for one in each])
    made = Requests(option=number, **own)
    means = {name: made.mean(getattr(made, name)) for name in REQUEST_COSTS if name != "share"}
    return Options(
        labels=tuple(Split("cut", f"t{i}") for i in range(n)), requests=made, encode_s=np.zeros(n),
        memory_bytes=np.zeros(n), drop_pp=np.zeros(n), depth=np.ones(n, dtype=int),
        harshness=np.arange(n), **means,
    )  # fmt: skip


def predict(made: Options, link: LinkSpec, **fleet: float) -> Predicted:
    group = Group(options=made, rate_bps=link.rate_bps, **fleet)
    return Predictor(Problem(groups=(group,), link=link)).predict(np.arange(len(made))[:, None])


def test_a_gpu_that_some_requests_reach_is_a_thinned_mg1_queue() -> None:
    """Poisson arrivals thinned by a coin are Poisson: Pollaczek and Khinchine of those that come,
    whose service is one of two branches'.
    """
    rate, sent = 60.0, 0.4
    slow, quick = 0.03, 0.01
    made = mixture(
        {"share": 0.6, "device_s": 0.002},
        {"share": 0.1, "device_s": 0.002, "payload_bytes": 1e-9, "server_s": slow},
        {"share": 0.3, "device_s": 0.002, "payload_bytes": 1e-9, "server_s": quick},
    )
    found = predict(options(made), FREE, n_devices=600, rate_rps=rate / 600)
    mean_s = (slow + 3.0 * quick) / 4.0
    cv = np.sqrt((slow**2 + 3.0 * quick**2) / 4.0 / mean_s**2 - 1.0)
    exact_s = 0.002 + sent * mg1_response_s(sent * rate, mean_s, cv)
    own_wait_s = 0.5 * 0.1 * 0.002**2 / (1.0 - 0.1 * 0.002)
    assert found.latency_s[0, 0] == pytest.approx(exact_s + own_wait_s, rel=1e-9)
    assert found.server_load[0] == pytest.approx(sent * rate * mean_s)
    assert found.server_s[0] == pytest.approx(sent * mean_s)


@pytest.mark.parametrize("sent", [0.1, 0.5, 1.0])
def test_a_link_that_some_requests_take_is_thinned(sent: float) -> None:
    made = mixture({"share": 1.0 - sent}, {"share": sent, "payload_bytes": 1000.0})
    found = predict(options(made), PS, n_devices=100, rate_rps=7.0 / sent)
    assert found.latency_s[0, 0] == pytest.approx(sent * ps_response_s(700.0, 1e-3), rel=2e-3)
    assert found.link_load[0] == pytest.approx(0.7, rel=1e-3)


def test_a_device_whose_requests_take_unlike_seconds_is_an_mg1_queue() -> None:
    made = mixture({"share": 0.5, "device_s": 0.02}, {"share": 0.5, "device_s": 0.1})
    found = predict(options(made), FREE, rate_rps=10.0)
    cv = np.sqrt((0.02**2 + 0.1**2) / 2.0 / 0.06**2 - 1.0)
    assert found.latency_s[0, 0] == pytest.approx(mg1_response_s(10.0, 0.06, cv), rel=1e-9)


@pytest.mark.parametrize("sent", [0.05, 0.3, 0.9])
def test_a_closed_link_is_met_as_often_as_it_is_visited(sent: float) -> None:
    """Exact mean value analysis with visit ratios: the demand is the share times the airtime."""
    made = mixture(
        {"share": 1.0 - sent, "device_s": 2e-3},
        {"share": sent, "device_s": 2e-3, "payload_bytes": 1000.0},
    )
    for n in (2, 8, 40):
        found = predict(options(made), PS, n_devices=n, think_s=0.02)
        exact = mva(n, 0.022, [sent * 1e-3])
        assert found.latency_s[0, 0] - 2e-3 == pytest.approx(exact.response_s, rel=1e-9)
        assert found.throughput_rps[0, 0] == pytest.approx(exact.throughput_rps, rel=1e-9)


@pytest.mark.parametrize("n", [2, 6, 30])
def test_a_closed_gpu_is_a_repairman_whom_machines_call_more_seldom(n: int) -> None:
    """Of very unlike service, whose residual is that of an exponential one: N machines that run
    for think / share between two calls.
    """
    sent, mean_s, think_s = 0.25, 0.01, 0.02
    levels = -np.log1p(-(np.arange(400) + 0.5) / 400) * mean_s  # an exponential in even slices
    levels *= mean_s / levels.mean()
    calls = [{"share": sent / 400, "payload_bytes": 1e-9, "server_s": s} for s in levels.tolist()]
    made = mixture({"share": 1.0 - sent}, *calls)
    found = predict(options(made), FREE, n_devices=n, think_s=think_s)
    rate, _ = repairman(n, think_s / sent, mean_s)[:2]
    assert sent * found.throughput_rps[0, 0] == pytest.approx(rate, rel=5e-3)


@settings(max_examples=30, deadline=None)
@given(
    shares=st.lists(st.floats(0.05, 1.0), min_size=1, max_size=4),
    costs=st.fixed_dictionaries({
        "device_s": st.floats(0.0, 5e-3), "payload_bytes": st.floats(1.0, 2e4),
        "decode_s": st.floats(0.0, 1e-3), "server_s": st.floats(1e-6, 2e-3),
        "answer_bytes": st.floats(0.0, 500.0),
    }),
    link=st.sampled_from([PS, WIFI, LinkSpec(sharing="fifo", rate_bps=2e7, rtt_s=1e-3),
                          LinkSpec(sharing="ps", rate_bps=3e7, downlink="shared")]),
    closed=st.booleans(),
)  # fmt: skip
def test_requests_that_are_all_alike_are_no_mixture(shares, costs, link, closed) -> None:
    fleet = {"think_s": 0.05} if closed else {"rate_rps": 5.0}
    each = [{"share": share / sum(shares), **costs} for share in shares]
    mixed = predict(options(mixture(*each)), link, n_devices=5, **fleet)
    columns = {name: np.array([value]) for name, value in costs.items()}
    zero = np.zeros(1)
    plain = Options(
        labels=(Split("cut", "t0"),), encode_s=zero, memory_bytes=zero, drop_pp=zero,
        depth=np.ones(1, dtype=int), harshness=np.zeros(1, dtype=int), **columns,
    )  # fmt: skip
    alone = predict(plain, link, n_devices=5, **fleet)
    for name in Predicted._fields:
        a, b = (np.asarray(getattr(one, name), dtype=float) for one in (mixed, alone))
        assert a == pytest.approx(b, rel=1e-9, abs=1e-15), name


def half(share: float) -> list[bool]:
    """Which of 400 inputs end on the device: an exact share, spread over the table."""
    return [(i * 0.6180339887) % 1.0 < share for i in range(400)]


def of_source(made: Source) -> Options:
    """The option that a source's rows make."""
    rows = rows_of(made)
    assert rows is not None
    names = [name for name in REQUEST_COSTS if name != "share"]
    ways = [{name: getattr(row, name) for name in names} for row in rows]
    return options(mixture(*({"share": 1.0 / len(rows), **way} for way in ways)))


def sources() -> dict[str, Source]:
    early = TraceSource(table(), "output", "raw", HEAD, None)
    return {
        **{f"{share:g} end": GatedSource(early, source(), half(share)) for share in (0.3, 0.9)},
        "branches": branched(),
    }


@pytest.mark.parametrize(("load", "worst"), [(0.3, 0.01), (0.6, 0.02), (0.85, 0.04)])
@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize("name", ["0.3 end", "0.9 end", "branches"])
def test_mixtures_against_the_simulator(name: str, closed: bool, load: float, worst: float) -> None:
    """The busier of link and server at a load; latency, loads and server seconds."""
    made = sources()[name]
    alone = predict(of_source(made), WIFI, rate_rps=1e-6)
    busiest_s = max(alone.link_load[0], alone.server_load[0]) / 1e-6
    n = 60
    cycle_s = n * busiest_s / load
    fleet = {"rate_rps": load / busiest_s / n}
    if closed:
        fleet = {"think_s": max(1e-6, cycle_s - float(alone.latency_s[0, 0]))}
    group = Group(options=of_source(made), rate_bps=WIFI.rate_bps, n_devices=n, **fleet)
    problem = Problem(groups=(group,), link=WIFI)
    found = Predictor(problem).predict(np.array([[0]]))
    played = play(problem, [0], [made], answers=30_000, replications=1)
    assert played.latency_s[0] == pytest.approx(found.latency_s[0, 0], rel=worst)
    assert played.link_load == pytest.approx(found.link_load[0], rel=0.05, abs=0.005)
    assert played.server_load == pytest.approx(found.server_load[0], rel=0.05, abs=0.005)
    assert played.server_s == pytest.approx(found.server_s[0], rel=0.05)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_the_fleet_search_finds_the_best_mixture(seed: int, closed: bool) -> None:
    """Brute force over options of unlike shares, and what is pruned is no better than the rest."""
    rng = np.random.default_rng(seed)

    def option() -> Requests:
        sent = float(rng.uniform(0.02, 1.0))
        device_s = float(rng.uniform(1e-3, 8e-3))
        return mixture(
            {"share": 1.0 - sent, "device_s": device_s * float(rng.uniform(0.5, 1.0))},
            {"share": sent, "device_s": device_s, "payload_bytes": float(rng.uniform(50, 3e4)),
             "server_s": float(rng.uniform(2e-4, 5e-3))},
        )  # fmt: skip

    made = options(*(option() for _ in range(12)))
    fleet = {"think_s": 0.1} if closed else {"rate_rps": float(rng.uniform(1.0, 12.0))}
    free = predict(made, WIFI, n_devices=10, **fleet).latency_s[:, 0]
    limit_s = float(np.sort(free[np.isfinite(free)])[:6].max()) if np.isfinite(free).any() else 0.1
    group = Group(options=made, rate_bps=WIFI.rate_bps, n_devices=10,
                  limits=Limits(latency_s=limit_s), **fleet)  # fmt: skip
    problem = Problem(groups=(group,), link=WIFI, server=ServerSpec())
    best, ours = SEARCHES["exhaustive"](problem), SEARCHES["fleet"](problem)
    assert ours.feasible == best.feasible
    if best.feasible:
        assert ours.server_s == pytest.approx(best.server_s, rel=1e-9)
    assert set(front(Predictor(problem), 0)) <= set(range(12))


def test_some_of_the_options_keep_their_own_requests() -> None:
    each = [
        mixture({"share": 1.0 - s}, {"share": s, "payload_bytes": 100.0, "server_s": 1e-3})
        for s in (0.2, 0.5, 0.8)
    ]
    whole, some = options(*each), options(*each).take(np.array([2, 0]))
    fleet = {"n_devices": 10, "rate_rps": 10.0}
    assert predict(some, PS, **fleet).latency_s[:, 0] == pytest.approx(
        predict(whole, PS, **fleet).latency_s[[2, 0], 0]
    )


@pytest.mark.parametrize(("change", "said"), [
    ({"share": np.array([0.5, 0.4])}, "requests.share of option 0 must sum to 1, got 0.9"),
    ({"server_s": np.array([0.1, -0.1])}, "requests.server_s must be finite and >= 0, got -0.1"),
    ({"device_s": np.zeros(3)}, r"requests.device_s must have shape \(2,\), got \(3,\)"),
])  # fmt: skip
def test_mistakes_in_requests_are_one_line(change, said) -> None:
    columns = {name: np.array([0.5, 0.5]) for name in REQUEST_COSTS}
    with pytest.raises(ValueError, match=said):
        Requests(option=np.zeros(2, dtype=int), **{**columns, **change})
