"""Prices: cost by device and month against sums by hand; what nobody stated is empty."""

import csv
import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import splitfleet as sf
from scenarios.__main__ import run
from scenarios.planning.bill import NO_BILL, bill_remedy, say_bill, say_bills
from scenarios.systems.case import Case
from scenarios.systems.prices import HOURS_PER_MONTH, Prices
from scenarios.systems.sheets import names, read
from sim import FleetSpec, GroupSpec, LinkSpec, ServerSpec, SystemSpec
from sim.places import group_of
from sim.planning import Goal
from sim.planning.search.remedy import Held, Remedy

COST = "cost_per_device_month"
QUICK = {"horizon_s": 4.0, "warmup_s": 1.0, "replications": 2, "workload": "poisson"}
EUR = {"currency": "EUR"}
BOARD = {"device": sf.device("raspberry_pi_4", price_per_month=3.0, **EUR)}
GPUS = {"server": sf.server("h200", price_per_hour=2.0, n_gpus=2, **EUR)}
CELLS = {"link": sf.link("ideal", price_per_month=10.0, n_cells=2, **EUR)}
SMALL = (
    "+experiment=batch_server", "server.discipline=fifo", "server.max_batch=1",
    "request.server_s=0.02", "request.batch_slope_s=null", "slo.p95_s=0.1", "horizon_s=60",
    "plan.requests_per_run=500", "plan.pilot_requests=200", "plan.n_runs=4",
    "plan.half_width=0.4", "workers=1", "name=small",
)  # fmt: skip
PRICED = (
    "server.price_per_hour=2", "server.currency=EUR", "device.price_per_month=3",
    "device.currency=EUR", "link.price_per_month=10", "link.currency=EUR",
)  # fmt: skip
HAND = ("simulate", "request=by_hand", "request.server_s=0.01", "horizon_s=4", "warmup_s=1",
        "replications=2")  # fmt: skip


def system(**parts):
    costs = sf.request(device_s=0.01, server_s=0.004)
    return sf.case(request=costs, **{"link": "ideal", **QUICK, "n_devices": 4, **parts})


def test_four_devices_two_gpus_and_two_cells_cost_what_a_sum_by_hand_says():
    row = system(**BOARD, **GPUS, **CELLS).simulate()
    assert HOURS_PER_MONTH == 365 * 24 / 12
    assert row[f"server_{COST}"] == pytest.approx(2 * 2.0 * 730 / 4)
    assert row[f"device_{COST}"] == 3.0
    assert row[f"link_{COST}"] == pytest.approx(2 * 10.0 / 4)
    assert row[COST] == pytest.approx(730.0 + 3.0 + 5.0)
    assert row["currency"] == "EUR"


@pytest.mark.parametrize("unpriced", ["device", "server", "link"])
def test_what_nobody_priced_is_not_free_and_leaves_no_sum(unpriced):
    row = system(**{k: v for k, v in {**BOARD, **GPUS, **CELLS}.items() if k != unpriced},
                 **({"server": "xeon"} if unpriced == "server" else {})).simulate()  # fmt: skip
    parts = {part: row[f"{part}_{COST}"] for part in ("server", "device", "link")}
    assert [part for part, cost in parts.items() if math.isnan(cost)] == [unpriced]
    assert math.isnan(row[COST])


def test_a_price_of_nothing_is_a_price_and_needs_no_currency():
    free = {"link": sf.link("ideal", price_per_month=0.0)}
    row = system(**BOARD, **GPUS, **free).simulate()
    assert row[f"link_{COST}"] == 0.0
    assert row[COST] == pytest.approx(733.0)


def test_prices_change_no_other_column():
    plain = system(device="raspberry_pi_4").simulate()
    priced = system(**BOARD).simulate()
    changed = {key for key in plain if repr(plain[key]) != repr(priced[key])}
    assert changed == {f"device_{COST}", "currency"}


def prices(gpu=1.0, cell=1.0, **boards):
    known = boards or {"default": 1.0}
    return Prices(gpu_per_hour=gpu, cell_per_month=cell, devices_per_month=known, currency="EUR")


def spec(n, *, n_gpus=1, n_cells=1, **shares):
    groups = {name: GroupSpec(share=share) for name, share in (shares or {"default": 1.0}).items()}
    return SystemSpec(
        fleet=FleetSpec(n_devices=n, groups=groups),
        link=LinkSpec(sharing="ps", n_cells=n_cells),
        server=ServerSpec(n_gpus=n_gpus),
    )


@given(
    gpu=st.floats(0, 100), cell=st.floats(0, 1000), board=st.floats(0, 1000),
    n=st.integers(1, 10_000), n_gpus=st.integers(1, 64), n_cells=st.integers(1, 64),
    doubled=st.sampled_from(["server", "device", "link"]),
)  # fmt: skip
def test_doubling_a_price_doubles_its_part_alone(gpu, cell, board, n, n_gpus, n_cells, doubled):
    asked = spec(n, n_gpus=n_gpus, n_cells=n_cells)
    once = prices(gpu, cell, default=board).per_device_month(asked)
    twice = {part: 1 + (part == doubled) for part in ("server", "device", "link")}
    other = prices(gpu * twice["server"], cell * twice["link"], default=board * twice["device"])
    costs = other.per_device_month(asked)
    for part, factor in twice.items():
        assert costs[f"{part}_{COST}"] == pytest.approx(factor * once[f"{part}_{COST}"])
    parts = sum(costs[f"{part}_{COST}"] for part in twice)
    assert costs[COST] == pytest.approx(parts)


@given(n=st.integers(1, 300), share=st.floats(0.1, 10.0))
def test_an_unlike_fleet_is_counted_member_by_member(n, share):
    found = prices(camera=2.0, robot=7.0).per_device_month(spec(n, camera=share, robot=1.0))
    counts = Counter(group_of(index, (share, 1.0)) for index in range(n))
    assert found[f"device_{COST}"] == pytest.approx((2.0 * counts[0] + 7.0 * counts[1]) / n)


def test_one_unpriced_kind_of_device_leaves_the_fleet_unpriced():
    found = prices(camera=2.0, robot=None).per_device_month(spec(10, camera=1.0, robot=1.0))
    assert math.isnan(found[f"device_{COST}"])
    assert found[f"server_{COST}"] == pytest.approx(73.0)


MONEY = "prices must be in one currency, got server h100 in USD and link ideal in EUR;"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["server=h100", "link=ideal", "link.price_per_month=5", "link.currency=EUR"],
         f"{MONEY} nothing is converted"),
        (["link.price_per_month=5"],
         "link.currency must name the money of link.price_per_month, got none"),
        (["server.price_per_hour=-1", "server.currency=EUR"],
         "xeon.price_per_hour must be >= 0, got -1.0"),
        (["device.price_per_month=nan", "device.currency=EUR"],
         "unknown.price_per_month must be >= 0, got nan"),
    ],
)  # fmt: skip
def test_a_wrong_price_is_refused_in_one_line(words, said, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert run([*HAND, *words]) == 2
    lines = capfd.readouterr().err.strip().splitlines()
    assert lines == [f"splitfleet: {said}"]


def test_two_currencies_are_refused_by_a_plan_and_in_a_script(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    other = [word.replace("link.currency=EUR", "link.currency=USD") for word in PRICED]
    assert run(["plan", *SMALL, *other]) == 2
    assert "got server xeon in EUR and link ideal in USD" in capfd.readouterr().err
    with pytest.raises(ValueError, match="nothing is converted"):
        system(server="h100", **BOARD).simulate()


def test_a_plan_says_what_its_answer_costs(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert run(["plan", *SMALL, *PRICED]) == 0
    said = capfd.readouterr().out
    plan = json.loads(Path("outputs/small/plan.json").read_text())
    n = plan["n_star"]
    assert plan[f"server_{COST}"] == pytest.approx(2.0 * 730 / n)
    assert plan[COST] == pytest.approx(2.0 * 730 / n + 3.0 + 10.0 / n)
    assert plan["energy_j_per_request"] is None  # nobody said a watt
    assert "EUR per device and month" in said
    assert "What it costs at N*" in said
    (row,) = csv.DictReader(Path("outputs/small/plan.csv").read_text().splitlines())
    assert float(row[COST]) == pytest.approx(plan[COST])
    assert row["energy_j_per_request"] == ""


def test_an_answer_without_prices_and_watts_says_nothing_of_them():
    unknown = {**NO_BILL, "device_energy_j_per_request": 1.0}
    assert say_bill(unknown) == say_bills([unknown, NO_BILL]) == []


def test_the_inverse_prices_pieces_and_no_factors(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert run(["plan", *SMALL, *PRICED, "plan.n_devices=30", "plan.spare=1"]) == 0
    said = " ".join(capfd.readouterr().out.split())
    rows = json.loads(Path("outputs/small/plan.json").read_text())["remedies"]
    remedies = {row["name"]: row for row in rows}
    gpus = remedies["n_gpus"]
    assert gpus[COST] == pytest.approx((gpus["least"] * 2.0 * 730 + 10.0) / 30 + 3.0)
    assert remedies["server_speed"][COST] is None  # nobody sells a GPU of any speed
    assert remedies["server_speed"][f"device_{COST}"] == 3.0
    assert remedies["n_cells"]["least"] is None
    assert remedies["n_cells"][COST] is None
    assert "What each costs, EUR per device and month" in said
    assert "server speed - 3 0.333 - -" in said
    assert f"GPUs {gpus[f'server_{COST}']:.3g} 3 0.333 {gpus[COST]:.3g} -" in said


def test_a_script_reads_the_cost_of_a_plan():
    search = {"requests_per_run": 400, "pilot_requests": 400, "n_runs": 4, "half_width": 0.2}
    answer = system(**BOARD, **GPUS, **CELLS).plan(p95_s=0.02, **search)
    costs = (2 * 2.0 * 730 + 2 * 10.0) / answer["n_star"] + 3.0
    assert answer[COST] == pytest.approx(costs)
    assert answer["energy_j_per_request"] == pytest.approx(
        answer["device_energy_j_per_request"] + answer["server_energy_j_per_request"]
    )


def test_systems_that_were_compared_have_their_costs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(["plan", *SMALL, *PRICED, "plan.over=['server.n_gpus=1,2']"]) == 0
    rows = json.loads(Path("outputs/small/plan.json").read_text())["choice"]
    assert {row["server.n_gpus"] for row in rows} == {1, 2}
    for row in rows:
        n, gpus = row["n_star"], row["server.n_gpus"]
        if n is None:
            assert row[COST] is None
        else:
            assert row[COST] == pytest.approx((gpus * 2.0 * 730 + 10.0) / n + 3.0)
    assert any(row[COST] is not None for row in rows)


COLUMNS = {
    "throughput_rps": 50.0, "energy_j_per_request": 9.0, "device_energy_j_per_request": 1.0,
    "server_energy_j_per_request": 8.0,
}  # fmt: skip


def remedy_bill(name, spare, columns=COLUMNS, **server):
    held = spec(10, n_gpus=3, n_cells=2)
    held = replace(held, server=replace(held.server, **server))
    case = Case(spec=held, sources={}, labels={}, identity=None, digests={}, prices=prices(2, 4))
    remedy = Remedy(name=name, words=name, unit="", least=3 + spare, spare=spare)
    goal = Goal(column="latency_p95_s", limit=0.1)
    return bill_remedy(case, remedy, Held(spec=held, sources={}, goal=goal, n_runs=4), columns)


def test_a_spare_gpu_is_paid_for_and_idles():
    found = remedy_bill("n_gpus", 2, power_idle_w=60.0, power_busy_w=300.0)
    assert found[f"server_{COST}"] == pytest.approx(5 * 2.0 * 730 / 10)
    assert found["server_energy_j_per_request"] == pytest.approx(8.0 + 2 * 60.0 / 50.0)
    assert found["energy_j_per_request"] == pytest.approx(9.0 + 2 * 60.0 / 50.0)
    assert found["device_energy_j_per_request"] == 1.0


def test_a_spare_cell_is_paid_for():
    assert remedy_bill("n_cells", 1)[f"link_{COST}"] == pytest.approx(3 * 4.0 / 10)


@pytest.mark.parametrize(
    ("name", "unknown"), [("server_speed", "server"), ("channel_width", "link")]
)
def test_a_factor_has_no_price_of_its_own_part(name, unknown):
    found = remedy_bill(name, 0)
    parts = {part: found[f"{part}_{COST}"] for part in ("server", "device", "link")}
    assert [part for part, cost in parts.items() if cost is None] == [unknown]
    assert found[COST] is None
    assert (found["energy_j_per_request"] is None) == (unknown == "server")


def test_the_page_of_an_answer_shows_both_rows_where_both_are_known():
    case = Case(spec=spec(10), sources={}, labels={}, identity=None, digests={}, prices=prices(2))
    (section,) = say_bill({**remedy_bill("n_gpus", 0), "n_star": 10})
    assert case.prices.currency == "EUR"
    assert [row[0] for row in section.rows] == ["EUR per device and month", "J per request"]
    assert section.rows[1] == ("J per request", "8", "1", "-", "9")


@pytest.mark.parametrize("group", ["server", "device"])
def test_every_shipped_price_and_watt_has_its_source_and_its_money(group):
    stated = 0
    for name in names(group):
        sheet = read(group, name)
        for key in ("price_per_hour", "price_per_month", "power_idle_w", "power_busy_w"):
            if key in sheet:
                stated += 1
                assert sheet["sources"][key].strip(), f"{name}.{key}"
        if {"price_per_hour", "price_per_month"} & set(sheet):
            assert sheet["currency"] == "USD"
        assert ("power_idle_w" in sheet) == ("power_busy_w" in sheet)
    assert stated >= 4


def test_the_page_on_planning_says_what_its_example_costs(tmp_path, monkeypatch):
    """`splitfleet plan +experiment=prices`, with fewer runs than for docs/planning.md."""
    monkeypatch.chdir(tmp_path)
    quick = ("plan.requests_per_run=2000", "plan.pilot_requests=500", "plan.n_runs=4",
             "plan.half_width=0.2", "workers=1", "name=page")  # fmt: skip
    assert run(["plan", "+experiment=prices", *quick]) == 0
    plan = json.loads(Path("outputs/page/plan.json").read_text())
    assert plan["n_star"] == pytest.approx(217, rel=0.05)
    assert plan[f"server_{COST}"] == pytest.approx(3.59 * 730 / plan["n_star"])
    assert plan[COST] == pytest.approx(14.7, rel=0.05)
    assert plan["energy_j_per_request"] == pytest.approx(5.0, rel=0.05)
    assert plan["server_energy_j_per_request"] == pytest.approx(2.7, rel=0.05)
