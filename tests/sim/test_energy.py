"""Joules per answer against sums by hand: what idles, what works, and nobody left out."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sim

SECONDS, DEVICES = 20.0, 2
SOURCE = {"default": sim.ConstantSource(device_s=0.05, server_s=0.1)}
BOARD = sim.PowerSpec(idle_w=2.0, compute_w=3.0, transmit_w=0.0)


def two_devices(*, power=BOARD, rate_rps=1.0, **server):
    """Two devices that ask once a second each, and wait for nobody."""
    return sim.SystemSpec(
        fleet=sim.FleetSpec(n_devices=DEVICES, groups={"default": sim.GroupSpec(power=power)}),
        workload=sim.WorkloadSpec(kind="periodic", rate_rps=rate_rps),
        link=sim.LinkSpec(sharing="dedicated"),
        server=sim.ServerSpec(**server),
        horizon_s=SECONDS,
        warmup_s=0.0,
    )


def joules(spec):
    result = sim.run(spec, SOURCE)
    names = ("energy", "device_energy", "server_energy")
    return {name: result.value(f"{name}_j_per_request") for name in names}, result


def test_two_devices_and_one_gpu_cost_what_a_sum_by_hand_says():
    each, result = joules(two_devices(power_idle_w=50.0, power_busy_w=300.0))
    assert result.value("n_requests") == 40
    # 50 W for 20 s and 250 W more for 40 x 0.1 s; 2 x 2 W for 20 s and 3 W more for 40 x 0.05 s
    assert each["server_energy"] == pytest.approx((50.0 * 20.0 + 250.0 * 4.0) / 40.0)
    assert each["device_energy"] == pytest.approx((2.0 * 2.0 * 20.0 + 3.0 * 2.0) / 40.0)
    assert each["energy"] == pytest.approx(50.0 + 2.15)


def test_a_second_gpu_idles_at_the_cost_of_all_requests():
    one, _ = joules(two_devices(power_idle_w=50.0, power_busy_w=300.0))
    two, _ = joules(two_devices(power_idle_w=50.0, power_busy_w=300.0, n_gpus=2))
    assert two["server_energy"] - one["server_energy"] == pytest.approx(50.0 * 20.0 / 40.0)
    assert two["device_energy"] == one["device_energy"]


def test_half_the_requests_pay_twice_for_what_idles():
    idle_j = 50.0 * 20.0
    for rate_rps, n in ((1.0, 40), (0.5, 20)):
        watts = {"power_idle_w": 50.0, "power_busy_w": 300.0}
        each, result = joules(two_devices(rate_rps=rate_rps, **watts))
        assert result.value("n_requests") == n
        assert each["server_energy"] == pytest.approx(idle_j / n + 25.0)


@pytest.mark.parametrize("watts", [{}, {"power_idle_w": 50.0}, {"power_busy_w": 300.0}])
def test_without_both_watts_of_a_gpu_there_is_no_sum_that_leaves_it_out(watts):
    each, _ = joules(two_devices(**watts))
    assert math.isnan(each["energy"])
    assert math.isnan(each["server_energy"])
    assert each["device_energy"] == pytest.approx(2.15)


def test_without_a_power_sheet_of_the_devices_the_server_has_its_part():
    each, _ = joules(two_devices(power=None, power_idle_w=50.0, power_busy_w=300.0))
    assert math.isnan(each["energy"])
    assert math.isnan(each["device_energy"])
    assert each["server_energy"] == pytest.approx(50.0)


def test_nothing_answered_costs_nobody_anything_that_is_known():
    spec = two_devices(power_idle_w=50.0, power_busy_w=300.0)
    result = sim.run(spec, {"default": sim.ConstantSource(server_s=1e3)})
    assert math.isnan(result.value("energy_j_per_request"))


@settings(max_examples=25, deadline=None)
@given(idle_w=st.floats(0.0, 500.0), more_w=st.floats(0.0, 500.0), factor=st.floats(0.1, 10.0))
def test_energy_is_linear_in_the_watts(idle_w, more_w, factor):
    plain, _ = joules(two_devices(power_idle_w=idle_w, power_busy_w=idle_w + more_w))
    times = {"power_idle_w": factor * idle_w, "power_busy_w": factor * (idle_w + more_w)}
    scaled, _ = joules(two_devices(**times))
    assert scaled["server_energy"] == pytest.approx(factor * plain["server_energy"], abs=1e-9)


def test_a_gpu_at_work_draws_no_less_than_one_that_idles():
    with pytest.raises(ValueError, match=r"^server\.power_busy_w must be >= 50, got 40\.0$"):
        sim.ServerSpec(power_idle_w=50.0, power_busy_w=40.0)
