"""Predictions against published latencies: closed forms on invented machines."""

import math
from pathlib import Path

import numpy as np
import pytest

from profiles import CostSurface, Cut, Layer, ModelProfile, ServerSpec
from profiles.predicting import published
from profiles.predicting.published import Latency
from profiles.shipping import prediction_report as errors

CONF = Path(__file__).parents[2] / "conf"


def layer(flops):
    return Layer(name="l", flops=flops, weight_bytes=0, activation_bytes=0, kernels=9, seconds=1.0)


def latency(model, seconds, machine="gpu"):
    return Latency(
        machine=machine, model=model, precision="fp32", batch=2, prompt_tokens=0, new_tokens=0,
        seconds=seconds, source="somewhere",
    )  # fmt: skip


GPU = ServerSpec(
    name="gpu", title="a GPU", processor="gpu", peak_fp32_flops=1e12,
    memory_bandwidth_bytes_per_s=1e12,
    sources=dict.fromkeys(("peak_fp32_flops", "memory_bandwidth_bytes_per_s"), "sheet"),
)  # fmt: skip


def test_the_efficiency_comes_from_the_other_networks_alone():
    layers = {name: [layer(1e12)] for name in "abc"}  # a roof of 2 s at batch 2
    known = [latency("a", 4.0), latency("b", 8.0), latency("c", 5.0)]
    found = published.by_other_networks(known, {"gpu": GPU}, layers)
    for one, others in zip(found, [(8, 5), (4, 5), (4, 8)], strict=True):
        assert one.predicted_s == pytest.approx(math.sqrt(others[0] * others[1]))


def test_one_network_predicts_nothing():
    assert published.by_other_networks([latency("a", 4.0)], {"gpu": GPU}, {"a": [layer(1)]}) == []


def profile(name, seconds):
    cuts = tuple(
        Cut(name=cut, shape=(1,), dtype="float32", head_flops=0.0, tail_flops=0.0)
        for cut in ("input", "output")
    )
    fields = {"hardware": "measured", "cuts": ("input", "output"),
              "provenance": {"kind": "measured", "anchor_s": 0.01}}  # fmt: skip
    times = np.array([0.0, seconds])[:, None, None, None]
    return ModelProfile(
        model=name, hardware="measured", cuts=cuts, layers=(layer(1e9),),
        head=CostSurface(part="head", seconds=times, **fields),
        tail=CostSurface(part="tail", seconds=times[::-1], **fields),
    )  # fmt: skip


def test_the_report_names_what_is_not_to_be_trusted():
    sheets = errors.sheets_in(CONF)
    text = errors.report(sheets, {"resnet34": profile("resnet34", 0.02),
                                  "swin_t": profile("swin_t", 0.2)})  # fmt: skip
    assert "## Anchor: one factor" in text
    assert "| i9_10940x | resnet34 | 1 | anchor | 12.4 | 15.8 | +28 % |" in text
    assert "Beyond 30 %, not to be trusted: swin_t on i9_10940x." in text
    assert "## Roofline, one efficiency from other machines" in text


def test_a_folder_without_sheets_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no device/"):
        errors.sheets_in(tmp_path)
