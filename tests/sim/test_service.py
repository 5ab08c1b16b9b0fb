"""What holds a GPU beside the layers: overheads, copies, and service times that vary."""

from dataclasses import replace

import numpy as np
import pytest

import sim
from sim.planning.forecast.demands import demands
from sim.server.service import ServiceLaw, batch_s
from sim.streams import Streams

OWN = sim.LinkSpec(sharing="dedicated")
COSTLY = sim.ServerSpec(
    speed=2.0, overhead_s=0.001, batch_overhead_s=0.002, copy_fixed_s=0.0005, copy_bytes_per_s=1e6
)


def closed(n, server, **fields):
    return sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n),
        workload=sim.WorkloadSpec(think_s=0.05, think="constant"),
        link=OWN,
        server=server,
        **fields,
    )


def test_a_lone_request_pays_for_everything_once():
    source = sim.ConstantSource(payload_bytes=3000, decode_s=0.004, server_s=0.01)
    result = sim.run(closed(1, COSTLY), {"default": source})
    expected_s = (0.004 + 0.01) / 2.0 + 0.002 + 0.001 + 0.0005 + 3000 / 1e6
    assert result.value("server_service_s") == pytest.approx(expected_s)
    assert result.value("server_s_per_request") == pytest.approx(expected_s)
    load = demands(closed(1, COSTLY), {"default": source})
    assert load.server_s == pytest.approx(expected_s)


def test_cores_decode_and_tensors_are_copied():
    """The decoded tensor crosses to the GPU where cores decode, the payload where the GPU does."""
    draw = sim.Draw(0, 0.0, 3000.0, 0.004, 0.01, 0.0, 1.0, tensor_bytes=20_000.0)
    cores = replace(COSTLY, decode_on="cpu")
    beside_s = 0.002 + 2 * (0.001 + 0.0005)
    assert batch_s(COSTLY, [draw] * 2, 0.012) == pytest.approx(0.01 + beside_s + 6000 / 1e6)
    assert batch_s(cores, [draw] * 2, 0.012) == pytest.approx(0.006 + beside_s + 40_000 / 1e6)


def test_a_batch_shares_its_own_overhead():
    source = sim.ConstantSource(server_s=0.01, batch_slope_s=0.001)
    server = sim.ServerSpec(
        discipline="dynamic", max_batch=4, max_wait_s=9.0, overhead_s=0.003, batch_overhead_s=0.02
    )
    spec = replace(closed(4, server), workload=sim.WorkloadSpec(think_s=0.0))
    result = sim.run(spec, {"default": source})
    full_s = 0.013 + 0.02 + 4 * 0.003
    assert result.value("server_service_s") == pytest.approx(full_s)
    assert result.value("server_s_per_request") == pytest.approx(full_s / 4)
    assert result.failed_checks == ()


def test_plain_and_explicit_servers_cost_the_same():
    source = sim.ConstantSource(payload_bytes=500, decode_s=0.001, server_s=0.01)
    spec = closed(8, replace(COSTLY, speed=3.0))
    plain = sim.system.play(sim.system.build(spec, {"default": source}))
    explicit = sim.system.play(sim.system.build(spec, {"default": source}, explicit=True))
    assert plain.records["done_s"].tobytes() == explicit.records["done_s"].tobytes()


def law(tmp_path, lines, **fields):
    path = tmp_path / "service.csv"
    path.write_text("\n".join(["# measured", *lines]) + "\n")
    return sim.ServerSpec(service_law="empirical", service_csv=str(path), **fields)


def test_service_times_follow_the_file_in_blocks(tmp_path):
    """Stalls keep their length: within a block the factors are those of the file, in its order."""
    factors = [1.0] * 6 + [5.0] * 3 + [2.0, 0.5, 1.5]
    server = law(tmp_path, ["factor", *map(str, factors)], service_block=4)
    played = ServiceLaw(server, Streams(3).stream("service"))
    seen = [played.factor(0) for _ in range(4000)]
    for start in range(0, 4000, 4):
        block = seen[start : start + 4]
        places = [i for i in range(12) if [factors[(i + k) % 12] for k in range(4)] == block]
        assert places, block
    assert np.mean(seen) == pytest.approx(np.mean(factors), rel=0.05)
    assert ServiceLaw.mean(server) == pytest.approx(np.mean(factors))


def test_a_sample_keeps_its_own_factor(tmp_path):
    """Two passes over three samples: a block lies in one pass, pairing stays."""
    rows = ["factor,sample", "1,0", "2,1", "4,2", "10,0", "20,1", "40,2"]
    played = ServiceLaw(law(tmp_path, rows, service_block=3), Streams(1).stream("service"))
    seen = [tuple(played.factor(sample) for sample in (2, 0, 1)) for _ in range(60)]
    assert set(seen) == {(4.0, 1.0, 2.0), (40.0, 10.0, 20.0)}
    assert [played.factor(7) for _ in range(3)] in ([7 / 3] * 3, [70 / 3] * 3)  # unknown: the mean


def test_the_mean_of_a_varying_server_is_that_of_its_law(tmp_path):
    server = law(tmp_path, ["factor", "1", "3"], service_block=2)
    spec = sim.SystemSpec(
        workload=sim.WorkloadSpec(kind="poisson", rate_rps=20.0), link=OWN, server=server
    )
    result = sim.run(spec, {"default": sim.ConstantSource(server_s=0.01)})
    assert result.value("server_s_per_request") == pytest.approx(0.02, rel=0.02)
    assert result.failed_checks == ()
    assert set(np.round(result.records["server_service_s"], 9)) >= {0.01, 0.03}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["seconds", "1"], "needs a column factor"),
        (["factor"], "must hold rows, got a header alone"),
        (["factor", "0"], "line 3: factor must be a number .*, got '0'"),
        (["factor", "nan"], "line 3: factor must be a number .*, got 'nan'"),
        (["factor", "x"], "line 3: factor must be a number .*, got 'x'"),
        (["factor,sample", "1,0.5"], "line 3: sample must be a whole number .*, got '0.5'"),
    ],
)
def test_a_bad_law_is_refused_in_one_line(tmp_path, lines, said):
    with pytest.raises(ValueError, match=said):
        ServiceLaw(law(tmp_path, lines), Streams(0).stream("service"))


def test_law_and_file_go_together():
    with pytest.raises(ValueError, match="go together"):
        sim.ServerSpec(service_law="empirical")
    with pytest.raises(ValueError, match=r"nowhere\.csv: no such file"):
        ServiceLaw(
            sim.ServerSpec(service_law="empirical", service_csv="nowhere.csv"),
            Streams(0).stream("service"),
        )
