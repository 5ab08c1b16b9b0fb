"""The SC2 report: its sizes against the network and against the simulated wire."""

import csv
from pathlib import Path

import numpy as np
import pytest

import codec
from profiles import schemes
from scenarios.__main__ import run

QUICK = ["plan.max_requests=1e4", "model.samples=30"]


def rows_of(name):
    with Path(f"outputs/{name}/results.csv").open() as file:
        return {row["way"]: row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def reported(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("sc2"))
        over = "plan.over=['scheme=nasc,early_exit',cut,'codec=raw8,jpeg,int8,ecsq']"
        assert run(["sc2", over, *QUICK]) == 0
        yield rows_of("sc2")


def test_encoder_bits_are_those_of_the_parameters_before_the_cut(reported):
    network = schemes.create("nasc", "scenes16").network
    bits = 32 * 2  # gain and offset of the image's only channel
    for stage in network.stages:
        module = network.module.get_submodule(stage)
        state = module.state_dict().items()  # a counter of training's batches is none of it
        bits += sum(32 * each.numel() for name, each in state if "num_batches" not in name)
        assert float(reported[f"nasc/{stage}/int8"]["encoder_bits"]) == bits
    assert float(reported["nasc/input/jpeg"]["encoder_bits"]) == 0.0


def test_data_sizes_are_those_of_the_simulated_wire(reported, tmp_path, monkeypatch):
    row = reported["nasc/block4/ecsq"]
    monkeypatch.chdir(tmp_path)
    words = ["scheme=nasc", "model=scenes16", "codec=ecsq", "model.samples=30"]
    assert run(["simulate", *words, "fleet.n_devices=2", "horizon_s=200"]) == 0
    with Path("outputs/simulate/results.csv").open() as file:
        (played,) = csv.DictReader(file)
    spread = float(row["payload_bytes_std"])
    n = float(played["n_requests"])
    near = 5.0 * spread / np.sqrt(n)
    assert abs(float(played["uplink_bytes_per_request"]) - float(row["payload_bytes"])) < near + 0.5


def test_input_compression_stands_in_every_comparison(reported):
    for way in ("nasc/input/raw8", "nasc/input/jpeg"):
        assert float(reported[way]["table_accuracy"]) > 0.5
    assert "sends raw images" in reported["nasc/input/int8"]["fate"]


def test_the_front_holds_what_nothing_beats(reported):
    known = [row for row in reported.values() if not row["fate"]]
    costs = {
        row["way"]: (-float(row["table_accuracy"]), float(row["payload_bytes"]),
                     float(row["encoder_bits"]))
        for row in known
    }  # fmt: skip
    for row in known:
        mine = costs[row["way"]]
        beaten = any(
            all(a <= b for a, b in zip(other, mine, strict=True)) and other != mine
            for other in costs.values()
        )
        assert (row["pareto"] == "True") is not beaten, row["way"]


@pytest.mark.parametrize("name", ["jpeg", "webp"])
def test_a_grey_image_is_one_of_one_channel(name):
    image = np.add.outer(np.arange(24), np.arange(16)).astype(np.uint8)[:, :, None] * 4
    coder = codec.create(name)
    got = coder.decode(coder.encode(image))
    assert got.shape == image.shape
    assert np.abs(got.astype(int) - image).mean() < 4.0
    colours = np.repeat(image, 3, axis=2)
    swapped = bytearray(coder.encode(image))
    assert coder.decode(coder.encode(colours)).shape == (24, 16, 3)
    with pytest.raises(codec.CodecError):
        coder.decode(bytes(swapped[:-3]))
