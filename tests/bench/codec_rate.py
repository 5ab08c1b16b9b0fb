"""Bits of every chain on the same features: at equal error, and at a loss of one point.

Rates do not depend on the clock: the same figures come out on every machine, up to the last bits
of the features themselves. `slicer` packed stands at its best setting, searched over blocks, widths
and distortion; everything else at its defaults but for the one knob that meets the target.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

import codec
from codec.chains.tiled import FORMATS, has
from codec.entropy.frequency_tables import entropy_bits
from codec.stages import scalar
from profiles.measuring.activations import Activations, activations

ERROR = 0.1
LOSS = 0.01
_FITTED = 100
"""Calibration samples of a basis: enough for 32 channels of 8 x 8 places and more."""
SLICER = {
    "n_blocks": (1, 2, 4),
    "bits_max": (3, 4, 5, 6),
    "distortion": (0.003, 0.01, 0.015),
    "block_rule": ("cardinality", "lloyd"),
}
RATIOS = {  # bits over those of slicer packed, at a relative L2 error of 0.1
    ("resnet34", "layer1", "ecsq"): 0.66,
    ("resnet34", "layer3", "ecsq"): 0.84,
    ("bytellama", "layers.1", "klt+ecsq"): 0.38,
}


class Rate(NamedTuple):
    """Bits per element and relative L2 error of a codec on features [sample, ...]."""

    bits: float
    error: float
    codec: Any


def rate(made: Any, x: np.ndarray) -> Rate:
    """One stream for each sample."""
    streams = [made.encode(each) for each in x]
    decoded = np.stack([made.decode(stream) for stream in streams])
    error = np.linalg.norm((decoded - x).astype(np.float64)) / np.linalg.norm(x.astype(np.float64))
    return Rate(8 * sum(map(len, streams)) / x.size, float(error), made)


def slicer_settings() -> Iterator[dict[str, Any]]:
    """Everything of slicer packed but its sparsity; a single block has no rule."""
    for values in itertools.product(*SLICER.values()):
        chosen = dict(zip(SLICER, values, strict=True))
        if chosen["n_blocks"] > 1 or chosen["block_rule"] == "cardinality":
            yield {**chosen, "bits_min": 1}


def best_slicer(x: np.ndarray, error: float) -> Rate:
    """The fewest bits of slicer packed within the error."""
    found = []
    for setting in slicer_settings():
        try:
            made = codec.calibrate("slicer", list(x), relative_l2=error, **setting)
        except codec.CodecOptionError:
            continue  # these widths alone miss the error
        found.append(rate(made, x))
    return min(found, key=lambda each: each.bits)


def at_error(model: str, cut: str, n: int) -> list[tuple[str, Rate, Rate]]:
    """(chain, its rate, slicer packed's) on one tensor, at a relative L2 error of 0.1."""
    test = activations(model, cut, n).features
    fit = activations(model, cut, 4 * n, split_name="calibration").features
    axis = -1 if model == "bytellama" else -3
    packed = best_slicer(test, ERROR)
    ranged = {"entropy": "rans", "positions": "entropy", "n_blocks": 1, "bits_max": 5}
    made = {
        "slicer, rANS": lambda: codec.calibrate(
            "slicer", list(test), relative_l2=ERROR, distortion=0.005, **ranged
        ),
        "ecsq": lambda: codec.calibrate("ecsq", list(test), relative_l2=ERROR),
        "ecsq, adaptive": lambda: codec.calibrate(
            "ecsq", list(test), relative_l2=ERROR, coder="adaptive"
        ),
        "klt+ecsq": lambda: codec.calibrate("klt+ecsq", list(fit), relative_l2=ERROR, axis=axis),
        "topk": lambda: codec.calibrate("topk", list(test), relative_l2=ERROR),
        "aiq": lambda: _first("aiq", "bits", range(2, 9), test),
        "tabq": lambda: _first("tabq", "distortion", (0.3, 0.2, 0.15, 0.1, 0.07, 0.05), test),
        "int8": lambda: codec.create("int8"),
        **{f"tiled, {name}": partial(_picture, name, test) for name in FORMATS if has(name)},
    }
    return [(name, rate(make(), test), packed) for name, make in made.items()]


def _picture(name: str, x: np.ndarray) -> Any:
    """The lowest quality of an image codec that is within the error; the highest where none is."""
    low, high = 0, 100
    while low < high:
        middle = (low + high) // 2
        within = rate(codec.create("tiled", format=name, quality=middle), x).error <= ERROR
        low, high = (low, middle) if within else (middle + 1, high)
    return codec.create("tiled", format=name, quality=low)


def _first(chain: str, option: str, values: Sequence[float], x: np.ndarray) -> Any:
    """The first of the settings, from coarse to fine, that is within the error."""
    for value in values:
        made = codec.create(chain, **{option: value})
        if rate(made, x).error <= ERROR:
            break
    return made


def entropy_gaps() -> Iterator[tuple[int, float, float]]:
    """(symbols, bytes, order-0 entropy in bytes) of ecsq's entropy stage."""
    for n in (1 << 16, 1 << 18, 1 << 20):
        x = np.random.default_rng(n).laplace(size=n).astype(np.float32)
        step = 0.35 * scalar.scale_of(x)
        bins, counts, _ = scalar.bin_chunk(x, step)
        levels = scalar.levels(x, bins, scalar.fit(counts, 0.1155, 1.0).table)
        ideal = entropy_bits(np.unique(levels, return_counts=True)[1]) / 8
        yield n, len(codec.create("ecsq", step=0.35, coder="order0").encode(x)), ideal


def within_loss(parts: Sequence[Activations], settings: Sequence[Any]) -> tuple[Rate, float] | None:
    """The fewest bits whose paired loss over all parts is at most a point, and that loss."""
    found = []
    for make in settings:
        found_here = [_judged(make(part), part) for part in parts]
        bits, error, loss = (float(np.mean(column)) for column in zip(*found_here, strict=True))
        if loss <= LOSS:
            found.append((Rate(bits, error, None), loss))
    return min(found, key=lambda each: each[0].bits, default=None)


def _judged(made: Any, part: Activations) -> tuple[float, float, float]:
    """Bits per element, relative L2 error and lost share of answers of one part."""
    x = part.features
    streams = [made.encode(each) for each in x]
    decoded = np.stack([made.decode(stream) for stream in streams])
    error = float(np.linalg.norm(decoded - x) / np.linalg.norm(x))
    bits = 8 * sum(map(len, streams)) / x.size
    return bits, error, part.judge(decoded)["accuracy_drop"]


def task_chains(fits: dict[int, np.ndarray]) -> dict[str, list[Callable[[Activations], Any]]]:
    """Chains and the settings that compete; `fits` are calibration features by part."""

    def calibrated(error: float) -> Callable[[Activations], Any]:
        return lambda part: codec.calibrate(
            "klt+ecsq", list(fits[id(part)][:_FITTED]), relative_l2=error, axis=-3
        )

    packed = [
        {"n_blocks": m, "bits_max": b, "bits_min": min(2, b), "sparsity": s}
        for m, b, s in itertools.product((1, 2), (1, 2, 3), (0.6, 0.7, 0.8, 0.9, 0.94))
    ]
    return {
        "slicer": [lambda _, o=o: codec.create("slicer", **o) for o in packed],
        "ecsq": [
            lambda _, s=s: codec.create("ecsq", step=s) for s in (0.8, 1.1, 1.4, 1.7, 2.0, 2.4)
        ],
        "klt+ecsq": [calibrated(e) for e in (0.25, 0.35, 0.42, 0.5)],
    }


def main() -> None:
    """Print three tables."""
    console = Console(width=110)
    table = Table("features", "chain", "bits", "rel. L2", "slicer", "ratio", "target", box=None)
    for model, cut, n in (
        ("resnet34", "layer1", 2), ("resnet34", "layer3", 2), ("bytellama", "layers.1", 16),
        ("scenes", "stage2", 16),
    ):  # fmt: skip
        for name, found, packed in at_error(model, cut, n):
            target = RATIOS.get((model, cut, name))
            table.add_row(
                f"{model} {cut}", name, f"{found.bits:.3f}", f"{found.error:.3f}",
                f"{packed.bits:.3f}", f"{found.bits / packed.bits:.3f}",
                "" if target is None else f"<= {target}",
            )  # fmt: skip
    console.print(table)
    table = Table("symbols", "bytes", "order-0 entropy", "beyond 1 %", "target", box=None)
    for n, size, ideal in entropy_gaps():
        table.add_row(
            f"{n:,}", f"{size:,}", f"{ideal:,.0f}", f"{size - 1.01 * ideal:.0f} B", "<= 64 B"
        )
    console.print(table)
    table = Table("task", "chain", "bits at <= 1 pp", "loss pp", "ratio", "target", box=None)
    for task, parts, fits in _tasks():
        base = None
        for name, settings in task_chains(fits).items():
            found = within_loss(parts, settings)
            if found is None:
                table.add_row(task, name, "-", "-", "-", "")
                continue
            base = base or found[0].bits
            table.add_row(
                task, name, f"{found[0].bits:.3f}", f"{100 * found[1]:.2f}",
                f"{found[0].bits / base:.3f}", "" if name == "slicer" else "best <= 0.5",
            )  # fmt: skip
    console.print(table)
    console.print("losses: settings are chosen on the samples that they are reported on")


def _tasks() -> Iterator[tuple[str, list[Activations], dict[int, np.ndarray]]]:
    """Features and calibration features of the two trained vision tasks."""
    part = activations("scenes", "stage2", 400)
    fit = activations("scenes", "stage2", 200, split_name="calibration").features
    yield "scenes stage2, 400", [part], {id(part): fit}
    parts, fits = [], {}
    for fold in range(5):
        part = activations("digits", "stage2", None, fold=fold)  # type: ignore[arg-type]
        parts.append(part)
        fits[id(part)] = activations(
            "digits",
            "stage2",
            None,
            split_name="calibration",
            fold=fold,  # type: ignore[arg-type]
        ).features
    yield "digits stage2, all 1,797", parts, fits


if __name__ == "__main__":
    main()
