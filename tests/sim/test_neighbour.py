"""The closed form beside a plan, held against what the simulator plays."""

from dataclasses import replace

import pytest

from sim import (
    ConstantSessions,
    ConstantSource,
    Draw,
    FleetSpec,
    LinkSpec,
    ServerSpec,
    SystemSpec,
    WorkloadSpec,
    run,
)
from sim.planning.forecast.neighbour import neighbour

OPEN = WorkloadSpec(kind="poisson", rate_rps=2.0, deadline_s=0.1)
QUIET = LinkSpec(sharing="dedicated", rate_bps=8e6, header_bytes=0)
SOURCE = ConstantSource(payload_bytes=1000.0, decode_s=0.002, server_s=0.005, batch_slope_s=0.001)


def compare(n: int, *, link: LinkSpec = QUIET, **server: object) -> tuple[str, float]:
    """The form's name, and the simulated mean latency over its own."""
    spec = SystemSpec(
        fleet=FleetSpec(n_devices=n),
        workload=OPEN,
        link=link,
        server=ServerSpec(**server),  # type: ignore[arg-type]
        horizon_s=160.0,
        warmup_s=10.0,
    )
    near = neighbour(spec, {"default": SOURCE}, n)
    assert near is not None
    return near.name, run(spec, {"default": SOURCE}).value("latency_mean_s") / near.latency_s


@pytest.mark.parametrize(
    ("n", "server", "words"),
    [
        (90, {"decode_on": "cpu"}, "M/D/c decoders"),
        (90, {"decode_on": "cpu", "cpu_workers": 2}, "M/D/c decoders"),
        (150, {"discipline": "take_all", "max_batch": 8, "decode_on": "cpu"}, "greedy batch"),
        (120, {"discipline": "edf", "max_batch": 8}, "greedy batch server"),
        (50, {"discipline": "edf"}, "M/D/1"),
        (50, {"overhead_s": 0.001, "copy_fixed_s": 0.0005}, "M/D/1"),
        (80, {"discipline": "take_all", "max_batch": 8, "batch_overhead_s": 0.002}, "greedy batch"),
    ],
)
def test_the_neighbour_knows_what_stands_at_the_server(
    n: int, server: dict[str, object], words: str
) -> None:
    name, ratio = compare(n, **server)
    assert words in name
    assert ratio == pytest.approx(1.0, abs=0.12)


@pytest.mark.parametrize("wait_s", [0.005, 0.02, 0.2])
@pytest.mark.parametrize("n", [1, 20, 100, 200])
def test_timed_batches_are_as_slow_as_played_from_few_devices_to_many(
    n: int, wait_s: float
) -> None:
    name, ratio = compare(n, discipline="dynamic", max_batch=8, max_wait_s=wait_s, decode_on="cpu")
    assert "timed batches" in name
    assert ratio == pytest.approx(1.0, abs=0.22)


def test_a_scheduler_grants_before_it_lets_anything_through() -> None:
    free = LinkSpec(sharing="cellular", rate_bps=8e6, header_bytes=0, grant_s=0.0)
    slow = replace(free, grant_s=0.05)
    for link in (free, slow):
        assert compare(10, link=link)[1] == pytest.approx(1.0, abs=0.05)
    waited = compare(10, link=slow)[1]
    assert waited == pytest.approx(1.0, abs=0.02)


def test_mva_is_called_exact_only_of_one_request_at_a_time() -> None:
    loop = SystemSpec(workload=WorkloadSpec(think_s=0.1), link=QUIET)
    sources = {"default": SOURCE}
    sessions = {
        "default": ConstantSessions(
            prompt=Draw(0, 0.05, 4000.0, 0.0, 0.02, 0.0, 1.0, 20, 0),
            token=Draw(0, 0.004, 200.0, 0.0, 0.002, 0.0, 1.0, 1, 20),
            n_tokens=10,
            server_token_bytes=50.0,
        )
    }
    names = [
        near.name
        for near in (
            neighbour(loop, sources, 5),
            neighbour(loop, sessions, 5),
            neighbour(replace(loop, server=ServerSpec(n_gpus=2)), sources, 5),
            neighbour(
                replace(loop, server=ServerSpec(discipline="take_all", max_batch=4)), sources, 5
            ),
        )
        if near
    ]
    assert names == [
        "exact MVA",
        "MVA, sessions as one visit each",
        "MVA, several servers as a faster one",
        "MVA, fullest batches",
    ]
