"""Every device draws the power of its own sheet; where nobody knows it, energy is not known."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest

import sim
import splitfleet as sf
from scenarios.__main__ import run
from sim.request import DONE

QUICK = {"horizon_s": 6.0, "warmup_s": 1.0, "replications": 1, "link": "ideal", "n_devices": 6}
BOARDS = {
    "old": {"device": "raspberry_pi_4", "codec": "ecsq", "cut": "stage2"},
    "new": {"device": "raspberry_pi_5", "codec": "ecsq", "cut": "stage3"},
}
WATTS = {"old": (2.2, 5.4), "new": (3.3, 9.8)}
"""Idle and busy, as conf/device says."""
OWN = sim.PowerSpec(idle_w=1.0, compute_w=2.0, transmit_w=0.5)


def mixed(**parts):
    own = {"groups": {"old": {}, "new": {}}, "members": BOARDS}
    return sf.case(**{**QUICK, **own, **parts})


def by_hand(**parts):
    return sf.case(request=sf.request(device_s=0.05, server_s=0.001), **{**QUICK, **parts})


def joules_by_group(spec, records):
    """Idling and computing of every group alone, from its own records (no sheet: sending is 0)."""
    window_s = spec.horizon_s - spec.warmup_s
    places = [sim.build(spec, SILENT).devices[i].group for i in range(spec.fleet.n_devices)]
    for number, name in enumerate(spec.fleet.groups):
        idle_w, busy_w = WATTS[name]
        mine = (records["group"] == number) & (records["done_s"] > spec.warmup_s)
        worked_s = np.sum((records["device_end_s"] - records["device_start_s"])[mine])
        yield idle_w * window_s * places.count(number) + (busy_w - idle_w) * worked_s


SILENT = dict.fromkeys(WATTS, sim.ConstantSource())


def test_a_mixed_fleet_draws_what_each_of_its_boards_draws():
    built = mixed().built
    for name, (idle_w, busy_w) in WATTS.items():
        power = built.spec.fleet.groups[name].power
        assert (power.idle_w, power.compute_w) == pytest.approx((idle_w, busy_w - idle_w))
    result = sim.run(built.spec, built.sources)
    records = result.records
    done = np.count_nonzero((records["outcome"] == DONE) & (records["done_s"] > 1.0))
    by_group = list(joules_by_group(built.spec, records))
    assert len(set(by_group)) == 2
    assert result.value("device_energy_j_per_request") == pytest.approx(
        sum(by_group) / done, rel=1e-12
    )


def test_a_member_alone_costs_what_a_fleet_of_its_board_costs():
    alone = {name: {"share": 1.0} for name in ["new"]}
    members = {"new": BOARDS["new"]}
    group = sf.case(groups=alone, members=members, **QUICK).simulate()
    plain = sf.case("scenes", "stage3/ecsq", device="raspberry_pi_5", **QUICK).simulate()
    assert group["device_energy_j_per_request"] == plain["device_energy_j_per_request"]
    assert plain["device_energy_j_per_request"] > 0.0


def test_a_board_without_a_power_sheet_leaves_the_fleet_without_energy():
    unlike = {**BOARDS, "new": {**BOARDS["new"], "device": "raspberry_pi_zero_2w"}}
    assert math.isnan(mixed(members=unlike).simulate()["device_energy_j_per_request"])


def test_a_group_keeps_the_power_that_the_user_gave_it():
    groups = mixed(groups={"old": {"power": vars(OWN)}, "new": {}}).built.spec.fleet.groups
    assert groups["old"].power == OWN
    assert groups["new"].power.idle_w == 3.3


def test_requests_by_hand_have_no_energy_unless_someone_says_what_devices_draw():
    assert math.isnan(by_hand().simulate()["device_energy_j_per_request"])
    assert by_hand(device="raspberry_pi_4").simulate()["device_energy_j_per_request"] > 0.0
    said = by_hand(groups={"all": {"power": vars(OWN)}}).simulate()
    assert said["device_energy_j_per_request"] > 0.0


@pytest.mark.parametrize(("words", "known"), [([], False), (["device=raspberry_pi_4"], True)])
def test_the_command_line_knows_no_energy_by_hand_either(words, known, workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    costs = ["request=by_hand", "request.device_s=0.05", "horizon_s=6", "warmup_s=1"]
    assert run(["simulate", *costs, "replications=2", "name=energy", *words]) == 0
    with Path("outputs/energy/results.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert bool(row["device_energy_j_per_request"]) == known
