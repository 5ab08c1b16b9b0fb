import math
from dataclasses import replace

import numpy as np
import pytest

import sim
from sim.medium.speeds import speeds

ONE = sim.WorkloadSpec(think_s=0.0)


def run(link, payload_bytes, n_devices=1, horizon_s=20.0, **source):
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=n_devices),
        workload=ONE,
        link=link,
        horizon_s=horizon_s,
        warmup_s=0.0,
    )
    fields = {"device_s": 1e-4, "payload_bytes": payload_bytes, "server_s": 1e-6, **source}
    return sim.run(spec, {"default": sim.ConstantSource(**fields)})


def test_ten_times_fewer_bytes_do_not_save_ten_times_the_airtime():
    link = sim.LinkSpec(
        sharing="ps",
        rate_bps=86e6,
        mtu_bytes=1400,
        header_bytes=66,
        frame_airtime_s=1.7e-4,
        aggregation=32,
    )
    full = run(link, 8192.0).value("airtime_s_per_request")
    tenth = run(link, 819.2).value("airtime_s_per_request")
    assert full == pytest.approx(1.7e-4 + 8 * (8192 + 6 * 66) / 86e6)
    assert tenth == pytest.approx(1.7e-4 + 8 * (819.2 + 66) / 86e6)
    assert 3.0 < full / tenth < 4.5
    single = sim.LinkSpec(
        sharing="ps", rate_bps=86e6, mtu_bytes=1400, header_bytes=66, frame_airtime_s=1.7e-4
    )
    assert run(single, 8192.0).value("airtime_s_per_request") == pytest.approx(full + 5 * 1.7e-4)


def test_retransmissions_follow_the_geometric_law():
    link = sim.LinkSpec(sharing="ps", frame_error_rate=0.3, max_retries=60)
    result = run(link, 15_000.0, horizon_s=8.0)
    frames = 10 * result.value("n_requests")
    resent = result.value("resent_frames_per_request") * result.value("n_requests")
    error = math.sqrt(0.3 / 0.7**2 / frames)
    assert resent / frames == pytest.approx(0.3 / 0.7, abs=4 * error)
    lossless = run(sim.LinkSpec(sharing="ps"), 15_000.0, horizon_s=1.0)
    ratio = result.value("airtime_s_per_request") / lossless.value("airtime_s_per_request")
    assert ratio == pytest.approx(1 / 0.7, rel=0.02)


def test_frames_that_run_out_of_retries_lose_the_payload():
    result = run(
        sim.LinkSpec(sharing="ps", frame_error_rate=0.5, max_retries=1), 1000.0, horizon_s=4.0
    )
    n = len(result.records["done_s"])
    assert result.value("dropped_share") == pytest.approx(0.25, abs=4 * math.sqrt(0.19 / n))
    assert result.failed_checks == ()
    erased = run(
        sim.LinkSpec(sharing="ps", frame_error_rate=0.5, transport="erasure"),
        15_000.0,
        horizon_s=4.0,
    )
    assert erased.value("dropped_share") == 0.0
    assert np.mean(erased.records["erased"]) == pytest.approx(0.5, abs=0.02)


def test_outage_blocks_fail_as_often_as_asked():
    link = sim.LinkSpec(
        sharing="ps",
        rate="outage",
        outage=0.2,
        snr_db=20.0,
        fading="rayleigh",
        coherence_s=0.002,
        transport="erasure",
    )
    result = run(link, 1000.0, horizon_s=20.0, device_s=0.01)
    erased = result.records["erased"]
    assert np.mean(erased) == pytest.approx(0.2, abs=4 * 0.4 / math.sqrt(len(erased)))


def test_fading_lowers_the_rate_below_shannon_at_the_mean():
    common = {"rate": "shannon", "snr_db": 15.0, "gap_db": 0.0, "coherence_s": 0.01}
    steady = run(sim.LinkSpec(**({"sharing": "ps"} | common)), 50_000.0).value("throughput_rps")
    faded = run(sim.LinkSpec(**({"sharing": "ps"} | common), fading="rayleigh"), 50_000.0).value(
        "throughput_rps"
    )
    snr = 10**1.5
    grid = np.linspace(0.0, 40.0, 400_001)
    ergodic = np.trapezoid(np.exp(-grid) * np.log2(1 + snr * grid), grid) / math.log2(1 + snr)
    assert faded / steady == pytest.approx(ergodic, abs=0.06)


@pytest.mark.parametrize("contention", ["ns3", "bianchi"])
def test_wifi_loses_capacity_with_stations(contention):
    pytest.importorskip("sim.radio.contention")
    link = sim.LinkSpec(
        sharing="wifi", contention=contention, rate_bps=20e6, frame_airtime_s=1e-5, aggregation=39
    )
    alone = run(link, 14_000.0, 1).value("throughput_rps")
    crowd = run(link, 14_000.0, 20, horizon_s=10.0)
    assert 0.4 < crowd.value("throughput_rps") / alone < 1.0
    if contention == "ns3":
        assert crowd.value("throughput_rps") / alone == pytest.approx(39.0 / 66.7, rel=0.06)


def test_weights_and_slow_stations():
    groups = {"a": sim.GroupSpec(link_weight=3.0), "b": sim.GroupSpec(link_weight=1.0)}
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=2, groups=groups),
        workload=ONE,
        link=sim.LinkSpec(sharing="weighted", rate_bps=8e6, header_bytes=0),
        warmup_s=0.0,
    )
    source = sim.ConstantSource(device_s=1e-9, payload_bytes=1500, server_s=1e-9)
    counts = np.bincount(sim.run(spec, {"a": source, "b": source}).records["group"].astype(int))
    assert counts[0] / counts[1] == pytest.approx(3.0, rel=0.01)


def test_slow_wifi_station_drags_all_to_equal_frame_rates():
    pytest.importorskip("sim.radio.contention")
    groups = {"fast": sim.GroupSpec(), "slow": sim.GroupSpec(rate_bps=2e6)}
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=2, groups=groups),
        workload=ONE,
        link=sim.LinkSpec(sharing="wifi", rate_bps=20e6, frame_airtime_s=1e-5),
        warmup_s=0.0,
    )
    source = sim.ConstantSource(device_s=1e-9, payload_bytes=15_000, server_s=1e-9)
    counts = np.bincount(
        sim.run(spec, {"fast": source, "slow": source}).records["group"].astype(int)
    )
    assert counts[0] / counts[1] == pytest.approx(1.0, rel=0.02)


def test_cellular_waits_for_its_grant_and_fills_slots():
    link = sim.LinkSpec(sharing="cellular", rate_bps=8e6, header_bytes=0, slot_s=1e-3, grant_s=4e-3)
    result = run(link, 1500.0, device_s=0.01)
    assert result.value("latency_mean_s") == pytest.approx(0.01 + 0.002 + 0.004 + 1e-6, rel=1e-9)


def test_cells_are_independent():
    link = sim.LinkSpec(sharing="fifo", rate_bps=1e6)
    one, two = (
        run(link, 1500.0, 4),
        run(sim.LinkSpec(**({"sharing": "ps"} | {**vars(link), "n_cells": 2})), 1500.0, 4),
    )
    ratio = two.value("throughput_rps") / one.value("throughput_rps")
    assert ratio == pytest.approx(2.0, rel=0.01)


def test_answers_may_share_the_medium():
    fields = {"sharing": "fifo", "rate_bps": 8e6, "header_bytes": 0, "rtt_s": 0.01}
    for downlink in ("dedicated", "shared"):
        link = sim.LinkSpec(**({"sharing": "ps"} | fields), downlink=downlink)
        result = run(link, 1000.0, device_s=0.02, answer_bytes=500.0)
        assert result.value("latency_mean_s") == pytest.approx(0.0315 + 1e-6, rel=1e-9)
    assert result.value("link_utilization") == pytest.approx(0.0015 / 0.0315, rel=0.01)


@pytest.mark.parametrize("sharing", ["fifo", "ps", "dedicated", "weighted", "cellular"])
def test_outage_of_the_link_delays_but_loses_nothing(sharing):
    link = sim.LinkSpec(sharing=sharing, outage_at_s=[5.0, 9.0], outage_length_s=2.0, rate_bps=1e6)
    result = run(link, 1500.0, 3, horizon_s=15.0, device_s=0.01)
    done = result.records["done_s"]
    assert not np.any((done > 5.1) & (done < 7.0))
    assert not np.any((done > 9.1) & (done < 11.0))
    assert np.any(done > 11.0)
    assert result.value("latency_p999_s") > 2.0
    assert result.value("dropped_share") == 0.0
    assert result.failed_checks == ()


def test_recorded_rates_scale_the_medium(tmp_path):
    path = tmp_path / "rate.csv"
    path.write_text("time_s,factor\n0,1\n10,0.25\n")
    link = sim.LinkSpec(
        sharing="fifo", rate_bps=1e6, header_bytes=0, rate_csv=str(path), trace_end="hold"
    )
    assert list(speeds(link).changes()) == [(0.0, 1.0), (10.0, 0.25)]
    done = run(link, 12_500.0, device_s=0.0).records["done_s"]
    before, after = np.sum(done < 10.0), np.sum(done > 10.0)
    assert before / after == pytest.approx(4.0, rel=0.02)
    path.write_text("t,f\n0,1\n")
    with pytest.raises(ValueError, match=r"needs columns time_s, factor"):
        speeds(sim.LinkSpec(sharing="ps", rate_csv=str(path)))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rate": "outage"}, "link.rate=outage needs link.fading=rayleigh"),
        ({"fading": "rayleigh"}, "needs link.rate=shannon, mcs or outage"),
        ({"outage_at_s": [3.0, 1.0]}, "must ascend"),
        ({"outage_at_s": [1.0, 1.5]}, "must leave the windows apart"),
        ({"rate_format": "mahimahi"}, "need link.rate_csv, got ''"),
        ({"trace_rate_bps": 1e6}, "need link.rate_csv, got ''"),
        ({"rate_csv": "a", "trace_rate_bps": 0.0}, "link.trace_rate_bps must be > 0"),
        ({"rate_csv": "a", "rate_format": "mahi"}, "did you mean 'mahimahi'"),
        ({"frame_error_rate": 1.0}, r"within \[0, 0.99\], got 1.0"),
    ],
)
def test_contradictions_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        sim.LinkSpec(**({"sharing": "ps"} | fields))


def test_hopeless_channel_is_refused():
    with pytest.raises(ValueError, match=r"link.snr_db must let a frame"):
        run(sim.LinkSpec(sharing="ps", rate="shannon", fading="rayleigh", snr_db=-45.0), 1000.0)


def test_wifi_without_an_airtime_of_its_own_is_refused():
    with pytest.raises(ValueError, match=r"link\.frame_airtime_s must be > 0 .* got 0"):
        sim.LinkSpec(sharing="wifi")


@pytest.mark.parametrize("field", ["frame_error_rate", "bit_error_rate"])
@pytest.mark.parametrize("transport", ["exact", "erasure", "bit_error"])
def test_damaged_payloads_report_no_clean_accuracy(transport, field):
    source = {"default": sim.ConstantSource(payload_bytes=3000, server_s=0.001, correct=1.0)}
    link = sim.LinkSpec(transport=transport, **({"sharing": "ps"} | {field: 1e-4}))
    spec = sim.SystemSpec(link=link, horizon_s=1.0, warmup_s=0.0, replications=2)
    for result in (sim.run(spec, source), sim.replicate(spec, source)):
        if transport == "exact":
            assert result.value("accuracy") == 1.0
            assert not any("damages" in word for word in result.warnings)
        else:
            assert math.isnan(result.value("accuracy"))
            assert any(f"link.transport={transport} damages" in w for w in result.warnings)
    assert link.damages == (transport != "exact")
    assert not sim.LinkSpec(sharing="ps", transport=transport).damages


@pytest.mark.parametrize(
    ("fields", "saved", "small"),
    [
        ({"rate_bps": 86e6, "header_bytes": 66, "frame_airtime_s": 168.5e-6}, 7.22, 1.46),
        (
            {"rate_bps": 73.125e6, "header_bytes": 72, "frame_airtime_s": 214.1e-6,
             "aggregation": 39, "access_limit_s": 5.484e-3},
            3.71, 1.42,
        ),
    ],
)  # fmt: skip
def test_a_token_ten_times_smaller_does_not_save_ten_times_the_airtime(fields, saved, small):
    """8,192 B (width 4,096 in fp16) or 1,000 B a token, and a tenth of it: an access for every
    frame, and the shipped Wi-Fi, where the frames of a token share one.
    """
    link = sim.LinkSpec(sharing="wifi", mtu_bytes=1400, **fields)

    def token(size):
        prompt = sim.Draw(0, 0.0, 1e4, 0.0, 0.001, 4.0, math.nan, 20, 0)
        step = sim.Draw(0, 0.0, size, 0.0, 0.001, 4.0, math.nan, 1, 20)
        source = sim.ConstantSessions(prompt=prompt, token=step, n_tokens=3)
        spec = sim.SystemSpec(link=link, horizon_s=0.1, warmup_s=0.0)
        airtime_s = sim.run(spec, {"default": source}).steps["airtime_s"][1]
        frames = math.ceil(size / 1400)
        fixed_s = math.ceil(frames / link.aggregation) * link.frame_airtime_s
        bits = 8 * (size + link.header_bytes * frames)
        assert airtime_s == pytest.approx(fixed_s + bits / link.rate_bps)
        return airtime_s

    assert token(8192.0) / token(819.2) == pytest.approx(saved, abs=0.01)
    assert token(1000.0) / token(100.0) == pytest.approx(small, abs=0.01)


def test_answers_on_a_shared_wifi_medium_take_turns_with_uploads():
    """One device sends much, one receives much: frames alternate, so bytes flow equally fast."""
    link = sim.LinkSpec(sharing="wifi", downlink="shared", rate_bps=20e6, frame_airtime_s=1e-5)
    groups = {"up": sim.GroupSpec(), "down": sim.GroupSpec()}
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=2, groups=groups),
        workload=ONE,
        link=link,
        horizon_s=4.0,
        warmup_s=0.0,
    )
    sources = {
        "up": sim.ConstantSource(device_s=1e-9, payload_bytes=15_000, server_s=1e-9),
        "down": sim.ConstantSource(device_s=1e-9, server_s=1e-9, answer_bytes=15_000),
    }
    counts = np.bincount(sim.run(spec, sources).records["group"].astype(int))
    assert counts[0] / counts[1] == pytest.approx(1.0, rel=0.02)


@pytest.mark.parametrize(
    ("group", "link", "message"),
    [
        ({"link_weight": 2.0}, {"sharing": "dedicated"}, "link_weight needs .* got dedicated"),
        ({"rate_bps": 1e6}, {"rate": "mcs"}, r"rate_bps needs link\.rate=fixed, got mcs"),
        ({"snr_db": 10.0}, {}, r"snr_db needs link\.rate=shannon, mcs or outage, got fixed"),
    ],
)
def test_what_a_group_says_of_its_link_is_heard_or_refused(group, link, message):
    fleet = sim.FleetSpec(groups={"far": sim.GroupSpec(**group)})
    with pytest.raises(ValueError, match=r"fleet\.groups\.far\." + message):
        sim.SystemSpec(fleet=fleet, link=sim.LinkSpec(**({"sharing": "ps"} | link)))


def test_the_grant_is_paid_once_however_many_blocks_a_payload_takes():
    link = sim.LinkSpec(
        sharing="cellular", rate="shannon", fading="rayleigh", snr_db=10.0, coherence_s=0.005,
        grant_s=0.008, slot_s=1e-4,
    )  # fmt: skip
    result = run(link, 60_000.0, n_devices=1, device_s=0.05)
    assert result.value("link_grant_s") == pytest.approx(0.008)
    assert result.value("airtime_s_per_request") > 2 * 0.005  # several blocks
    assert result.value("link_wait_s") == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("downlink", ["dedicated", "shared"])
def test_answers_come_down_at_the_groups_own_rate(downlink):
    link = sim.LinkSpec(
        sharing="ps", rate="shannon", snr_db=20.0, bandwidth_hz=1e6, gap_db=0.0, header_bytes=0,
        downlink=downlink,
    )  # fmt: skip
    groups = {"near": sim.GroupSpec(), "far": sim.GroupSpec(snr_db=5.0)}
    source = sim.ConstantSource(device_s=1.0, server_s=1e-6, answer_bytes=10_000)
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=2, groups=groups),
        workload=sim.WorkloadSpec(start_spread_s=1.0),
        link=link,
        warmup_s=0.0,
        horizon_s=20.0,
    )
    records = sim.run(spec, dict.fromkeys(groups, source)).records
    for number, snr_db in enumerate((20.0, 5.0)):
        expected_s = 8e4 / (1e6 * math.log2(1.0 + 10.0 ** (snr_db / 10.0)))
        least_s = records["network_s"][records["group"] == number].min()
        assert least_s == pytest.approx(expected_s, rel=1e-9)


def test_shadowing_is_drawn_anew_in_every_replication():
    link = sim.LinkSpec(
        sharing="dedicated", rate="shannon", snr_db=20.0, snr_spread_db=6.0, header_bytes=0
    )
    spec = sim.SystemSpec(fleet=sim.FleetSpec(n_devices=40), workload=ONE, link=link, warmup_s=0.0)
    source = {"default": sim.ConstantSource(device_s=1.0, payload_bytes=5_000, server_s=1e-9)}
    means = []
    for replication in range(6):
        records = sim.run(spec, source, replication=replication).records
        first = records["device"] == 0
        means.append((records["airtime_s"][first][0], records["airtime_s"].mean()))
    own, fleet = map(np.array, zip(*means, strict=True))
    assert len(set(np.round(own, 12))) == 6  # device 0 stands elsewhere
    assert np.ptp(fleet) < 0.1 * fleet.mean()  # the law of the fleet is the same


def test_a_lost_block_is_heard_of_after_a_round_trip():
    link = sim.LinkSpec(
        sharing="ps", rate="outage", fading="rayleigh", outage=0.3, snr_db=20.0, rtt_s=0.2,
        coherence_s=0.01, max_retries=50, header_bytes=0, mtu_bytes=1000,
    )  # fmt: skip
    result = run(link, 500.0, n_devices=1, device_s=0.05)
    resent = result.value("resent_frames_per_request")
    assert 0.2 < resent < 0.8
    assert result.value("link_outage_s") == pytest.approx(0.2 * resent)


@pytest.mark.parametrize("start_s", [33_000.0, 1.1e6])
def test_late_blocks_still_pass(start_s):
    """The end of a block late in a long run, as a time, may round back into it."""
    churn = sim.ChurnSpec(join_s=start_s)
    link = sim.LinkSpec(
        sharing="ps", rate="mcs", fading="rayleigh", snr_db=15.0, coherence_s=1e-3, mtu_bytes=200
    )
    spec = sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=2, groups={"default": sim.GroupSpec(churn=churn)}),
        workload=sim.WorkloadSpec(think_s=0.01),
        link=link,
        warmup_s=0.0,
        horizon_s=start_s + 20.0,
        max_events=400_000,
    )
    result = sim.run(spec, {"default": sim.ConstantSource(payload_bytes=1e4, server_s=1e-3)})
    assert result.value("n_requests") > 500


@pytest.mark.parametrize(("snr_db", "rate"), [(-6, 0.239), (0, 0.0786), (7, 0.00077)])
def test_an_uncoded_radio_flips_the_bits_of_its_ratio(snr_db, rate):
    """BPSK over AWGN; the ends are those that SemanticNN trains between."""
    link = sim.LinkSpec(sharing="ps", uncoded=True, snr_db=snr_db)
    assert link.wrong_bits == pytest.approx(rate, rel=5e-3)
    assert not link.plain
    assert sim.LinkSpec(sharing="ps", snr_db=snr_db).wrong_bits == 0.0


def test_an_uncoded_radio_repeats_frames_as_its_bits_say():
    """The same run as with that rate stated."""
    stated = sim.LinkSpec(sharing="ps", uncoded=True, snr_db=7.5)
    how = {"fleet": sim.FleetSpec(n_devices=2), "horizon_s": 5.0, "warmup_s": 0.5}
    spec = sim.SystemSpec(link=stated, **how)
    source = {"default": sim.ConstantSource(device_s=0.01, payload_bytes=100.0, server_s=0.001)}
    given = sim.LinkSpec(sharing="ps", bit_error_rate=stated.wrong_bits, snr_db=7.5)
    one, other = (sim.run(each, source) for each in (spec, replace(spec, link=given)))
    assert one.value("resent_frames_per_request") > 0.1
    assert one.value("resent_frames_per_request") == other.value("resent_frames_per_request")


@pytest.mark.parametrize(("more", "said"), [
    ({"bit_error_rate": 0.1}, "got link.bit_error_rate=0.1"),
    ({"snr_spread_db": 3.0}, "got link.snr_spread_db=3"),
    ({"rate": "shannon", "fading": "rayleigh"}, "got link.fading=rayleigh"),
])  # fmt: skip
def test_an_uncoded_radio_has_one_ratio(more, said):
    with pytest.raises(ValueError, match=said):
        sim.LinkSpec(sharing="ps", uncoded=True, **more)
    groups = {"near": sim.GroupSpec(snr_db=30.0)}
    with pytest.raises(ValueError, match=r"groups\.near\.snr_db needs link\.uncoded=false"):
        sim.SystemSpec(
            link=sim.LinkSpec(sharing="ps", uncoded=True, rate="mcs"),
            fleet=sim.FleetSpec(n_devices=2, groups=groups),
        )
