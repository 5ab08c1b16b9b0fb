"""Where splitting wins and where it loses: both shipped scenarios, each against its two ends."""

import csv
from pathlib import Path

import pytest

from scenarios.__main__ import run

FULL_SERVER, FULL_DEVICE = ("cut=input", "codec=jpeg"), ("cut=output",)
QUICK = ("horizon_s=10", "warmup_s=2", "replications=3", "name=one")


@pytest.fixture(scope="module")
def played(workplace):
    """Every way of every scenario, played once: its row."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(workplace)
        return {
            (scenario, name): play(scenario, words)
            for scenario in ("split_wins", "split_loses")
            for name, words in WAYS.items()
        }


WAYS = {"split": (), "full server": FULL_SERVER, "full device": FULL_DEVICE}


def play(scenario, words):
    assert run(["simulate", f"+experiment={scenario}", *words, *QUICK]) == 0
    with Path("outputs/one/results.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    return row


def interval(row, column):
    """The whole one, with the errors of table and machines."""
    return float(row[f"{column}_lo_total"]), float(row[f"{column}_hi_total"])


@pytest.mark.parametrize("end", ["full server", "full device"])
def test_a_split_wins_where_both_ends_fall_behind(played, end):
    split, other = played["split_wins", "split"], played["split_wins", end]
    assert interval(split, "latency_p95_s")[1] < interval(other, "latency_p95_s")[0]
    assert float(split["throughput_rps"]) > 1.2 * float(other["throughput_rps"])
    assert float(split["dropped_share"]) == 0.0
    assert float(other["dropped_share"]) > 0.1
    assert split["server_machine"].startswith("h100 measured")
    assert split["device_machine"].startswith("xeon measured")


def test_the_split_drops_nothing_beyond_the_intervals(played):
    answers = {name: interval(played["split_wins", name], "throughput_rps") for name in WAYS}
    assert answers["split"][0] > answers["full server"][1]
    asked = 32 * 10.0
    assert answers["split"][0] <= asked * 1.005
    assert answers["split"][1] >= asked * 0.995


def test_a_split_loses_where_the_device_is_faster_than_the_link(played):
    split, device = (played["split_loses", name] for name in ("split", "full device"))
    for column in ("latency_mean_s", "latency_p95_s"):
        assert interval(device, column)[1] < interval(split, column)[0]
    assert float(device["latency_mean_s"]) < 0.5 * float(split["latency_mean_s"])
    assert float(device["server_s_per_request"]) == 0.0


def test_the_reason_given_is_the_one(played):
    """The whole network on the device takes less than the round trip and the air of a split."""
    split = played["split_loses", "split"]
    sent_s = float(split["network_s"]) + float(split["link_service_s"])
    assert float(played["split_loses", "full device"]["device_service_s"]) < sent_s
    camera = played["split_wins", "full device"]
    assert 0.1 < float(camera["device_service_s"]) < 0.14  # eight pictures a second, ten are taken
    assert float(played["split_wins", "full server"]["link_utilization"]) > 0.95
