"""How long a closed loop takes to go round: what is shared by whom, against what is simulated."""

from dataclasses import replace

import pytest

import sim
from sim import FleetSpec, LinkSpec, ServerSpec, SystemSpec, WorkloadSpec
from sim.planning.runs.pace import cycle_s

LINK = LinkSpec(rate_bps=8e6, mtu_bytes=10_000, header_bytes=0, sharing="fifo", n_cells=4)
SOURCE = sim.ConstantSource(
    device_s=0.01, payload_bytes=20_000.0, decode_s=0.008, server_s=0.002
)  # fmt: skip
MEAN = SOURCE.mean()


def system(n, **parts):
    return SystemSpec(
        fleet=FleetSpec(n_devices=n), link=parts.pop("link", LINK),
        workload=WorkloadSpec(kind="closed", think_s=0.05, think="constant"), horizon_s=20.0,
        warmup_s=5.0, replications=1, **parts,
    )  # fmt: skip


def test_a_cell_is_shared_by_its_own_devices_alone():
    light = MEAN._replace(decode_s=0.0, server_s=1e-4)
    assert cycle_s(system(32), light) == pytest.approx(8 * 0.02)  # 20 ms of air, eight to a cell
    assert cycle_s(system(33), light) == pytest.approx(9 * 0.02)
    assert cycle_s(system(32, link=replace(LINK, n_cells=1)), light) == pytest.approx(32 * 0.02)
    assert cycle_s(system(33), MEAN) == pytest.approx(33 * 0.01)  # the GPU, for all
    alone = 0.05 + 0.01 + 0.02 + 0.01
    assert cycle_s(system(1), MEAN) == pytest.approx(alone + LINK.rtt_s)


def test_cores_decode_side_by_side_and_gpus_serve_side_by_side():
    cores = ServerSpec(decode_on="cpu", cpu_workers=4)
    wide = replace(LINK, sharing="dedicated")
    assert cycle_s(system(100, link=wide, server=cores), MEAN) == pytest.approx(100 * 0.002)
    two = replace(cores, n_gpus=2)
    assert cycle_s(system(100, link=wide, server=two), MEAN) == pytest.approx(100 * 0.002)
    more = replace(two, cpu_workers=16)
    assert cycle_s(system(100, link=wide, server=more), MEAN) == pytest.approx(100 * 0.001)


@pytest.mark.parametrize("n", [8, 24])
@pytest.mark.parametrize("decode_on", ["gpu", "cpu"])
def test_no_simulated_fleet_goes_round_faster(n, decode_on):
    spec = system(n, server=ServerSpec(decode_on=decode_on, cpu_workers=4))
    found = sim.run(spec, {"default": SOURCE})
    turns = found.value("throughput_rps") * cycle_s(spec, MEAN) / n
    assert 0.8 <= turns <= 1.01
