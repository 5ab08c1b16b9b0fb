"""Bits of `ecsq` with `coder=adaptive` over those of its default, at the same step.

The levels are the same, hence so is the error. Trained networks first: those that are shipped, then
an OCR network out of a package where it is installed (`tests.bench.rivals.ocr_maps`); a ResNet-34
with random weights stands for maps without anything to learn. Rates do not depend on the clock;
microseconds are of whole chains, medians in turns.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

import codec
from profiles.measuring.activations import activations
from profiles.measuring.machine import fingerprint
from tests.bench.codec_speed import medians
from tests.bench.rivals import ocr_maps

ERRORS = (0.05, 0.1)
REPEATS = 7
TARGET = 0.96
CUTS = {
    "scenes": ("stem", "stage1", "stage2", "stage3", "stage4"),
    "digits": ("stem", "stage1", "stage2", "stage3"),
    "bytellama": ("layers.0", "layers.1", "layers.2", "layers.3"),
    "resnet34": ("layer1", "layer2", "layer3"),
}
SAMPLES = {"scenes": 16, "digits": 64, "bytellama": 4, "resnet34": 2}


def shipped() -> Iterator[tuple[str, np.ndarray]]:
    """(network and cut, features [sample, ...]) of the networks at hand."""
    for model, cuts in CUTS.items():
        for cut in cuts:
            name = "resnet34, random" if model == "resnet34" else model
            yield f"{name} {cut}", activations(model, cut, SAMPLES[model]).features


def compare(x: np.ndarray, error: float) -> tuple[float, float, dict[str, float]]:
    """Bits per element of the default and of the adaptive coder; seconds of the first sample."""
    plain = codec.calibrate("ecsq", list(x), relative_l2=error)
    assert dataclasses.is_dataclass(plain)
    made = {"plain": plain, "adaptive": dataclasses.replace(plain, coder="adaptive")}
    streams = {name: [each.encode(one) for one in x] for name, each in made.items()}
    for one, other in zip(*streams.values(), strict=True):
        assert np.array_equal(codec.decode(one), codec.decode(other))
    work: dict[str, Any] = {}
    for name, each in made.items():
        work[f"{name} encode"] = partial(each.encode, x[0])
        work[f"{name} decode"] = partial(codec.decode, streams[name][0])
    plain_bits, bits = (8 * sum(map(len, found)) / x.size for found in streams.values())
    return plain_bits, bits, medians(work, REPEATS)


def main() -> None:
    """Print the table."""
    console = Console(width=110)
    console.print(f"machine: {fingerprint()['processor']}, one thread", highlight=False)
    table = Table(
        "features",
        "elements",
        "rel. L2",
        "bits",
        "adaptive",
        "ratio",
        "us",
        "adaptive us",
        box=None,
    )
    gone = ocr_maps.missing()
    for name, x in (*shipped(), *(() if gone else ocr_maps.maps())):
        for error in ERRORS:
            plain, bits, seconds = compare(x, error)
            us = {each: f"{1e6 * found:,.0f}" for each, found in seconds.items()}
            table.add_row(
                name, f"{x[0].size:,}", f"{error}", f"{plain:.3f}", f"{bits:.3f}",
                f"{bits / plain:.3f}", f"{us['plain encode']} / {us['plain decode']}",
                f"{us['adaptive encode']} / {us['adaptive decode']}",
            )  # fmt: skip
    console.print(table)
    console.print(
        f"target: <= {TARGET} on trained maps at both errors, <= 1 on bytellama; us encode / decode"
    )
    if gone:
        console.print(f"no OCR maps without {', '.join(gone)}: see tests/bench/rivals/ocr_maps.py")


if __name__ == "__main__":
    main()
