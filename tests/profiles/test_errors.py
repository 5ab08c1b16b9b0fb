"""Predictions against published latencies: closed forms on invented machines."""

import math
from pathlib import Path

import pytest

from profiles import CostSurface, Layer
from profiles.predicting import fitting
from profiles.predicting.published import Comparison, Latency
from profiles.predicting.roles import predict
from profiles.predicting.roofline import Efficiency, Peaks
from profiles.shipping import prediction_report as errors
from profiles.shipping.shipped import DATA

CONF = Path(__file__).parents[2] / "conf"


def layer(flops):
    return Layer(name="l", flops=flops, weight_bytes=0, activation_bytes=0, kernels=9, seconds=1.0)


def latency(model, seconds, machine="gpu"):
    return Latency(
        machine=machine, model=model, precision="fp32", batch=2, prompt_tokens=0, new_tokens=0,
        seconds=seconds, source="somewhere",
    )  # fmt: skip


def test_the_shipped_report_and_errors_are_those_of_the_shipped_profiles(tmp_path):
    text = errors.make(CONF, tmp_path / "published.md")
    assert text == (DATA / "published.md").read_text()
    assert (tmp_path / "ways.csv").read_text() == (DATA / "ways.csv").read_text()
    assert "| i9_10940x | resnet34 | 1 | anchor | 12.4 | 16.0 | +29 % |" in text
    assert "not to be trusted: efficientnet_b0 on i9_10940x" in text


def test_the_error_of_a_way_is_the_root_mean_square_of_its_logarithms():
    known = [latency("a", 4.0), latency("b", 8.0)]
    found = [
        Comparison(published=known[0], method="m", predicted_s=8.0),
        Comparison(published=known[1], method="m", predicted_s=8.0),
    ]
    assert fitting.way_of("m", "gpu", found).log_error == pytest.approx(math.log(2) / math.sqrt(2))


def test_a_fit_finds_the_efficiencies_that_made_the_seconds():
    peaks = Peaks(flops=1e12, bandwidth_bytes_per_s=1e11)
    true = Efficiency(compute=0.3, memory=0.6, kernel_s=1e-5)
    networks = [
        [Layer(name="l", flops=f, weight_bytes=w, activation_bytes=a, kernels=k, seconds=0.0)]
        for f, w, a, k in ((1e9, 1e6, 1e6, 9), (1e7, 4e7, 1e7, 3), (1e8, 1e5, 1e5, 90))
    ]
    timed = []
    for layers in networks:
        seconds = predict(layers, "tail", peaks, (1, 8, 64), true)[:, :, None, None]
        tail = CostSurface(part="tail", hardware="card", cuts=("input", "output"),
                           batches=(1, 8, 64), seconds=seconds)  # fmt: skip
        timed.append(fitting.Timed(layers, tail))
    found = fitting.fit_efficiency(timed, peaks)
    for name in ("compute", "memory", "kernel_s"):
        assert getattr(found, name) == pytest.approx(getattr(true, name), rel=1e-3)


def test_a_folder_without_sheets_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds no device/"):
        errors.sheets_in(tmp_path)
