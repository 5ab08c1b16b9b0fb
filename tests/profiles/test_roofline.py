import numpy as np
import pytest

from profiles import CostSurface, Cut, DeviceSpec, Layer, ModelProfile
from profiles.predicting.roofline import (
    Efficiency,
    Peaks,
    fit,
    peaks_of,
    relative_errors,
    scale_profile,
)

HERE = Peaks(flops=1e11, bandwidth_bytes_per_s=1e10)
THERE = Peaks(flops=1e10, bandwidth_bytes_per_s=1e10)
TRUE = Efficiency(compute=0.4, memory=0.7, kernel_s=5e-6)


def layer(name, flops, weights, activations, kernels=6):
    plain = Layer(
        name=name,
        flops=flops,
        weight_bytes=weights,
        activation_bytes=activations,
        kernels=kernels,
        seconds=0.0,
    )
    return plain.__class__(**{**plain.__dict__, "seconds": TRUE.seconds(plain, HERE)})


LAYERS = [
    layer("a", 1e9, 1e5, 1e6, 4),
    layer("b", 3e9, 1e5, 2e6, 9),
    layer("c", 1e6, 4e7, 1e5, 5),
    layer("d", 2e6, 9e7, 1e5, 7),
    layer("e", 1e3, 1e2, 1e2, 20),
    layer("f", 2e9, 1e6, 1e6, 2),
]


def test_the_fit_recovers_the_efficiencies_behind_the_times():
    found = fit(LAYERS, HERE)
    assert found.compute == pytest.approx(TRUE.compute, rel=1e-3)
    assert found.memory == pytest.approx(TRUE.memory, rel=1e-3)
    assert found.kernel_s == pytest.approx(TRUE.kernel_s, rel=1e-3)
    assert max(map(abs, relative_errors(LAYERS, found, HERE).values())) < 1e-3


def test_both_roofs_hold():
    compute_bound, memory_bound = LAYERS[0], LAYERS[2]
    fixed = TRUE.kernel_s
    assert TRUE.seconds(compute_bound, HERE) == pytest.approx(1e9 / 0.4e11 + 4 * fixed)
    assert TRUE.seconds(memory_bound, HERE) == pytest.approx(4.01e7 / 0.7e10 + 5 * fixed)
    assert TRUE.seconds(compute_bound, HERE, batch=3) == pytest.approx(3e9 / 0.4e11 + 4 * fixed)


def profile():
    head = np.cumsum([0, *(item.seconds for item in LAYERS[:3])])
    cuts = ("input", "a", "b", "output")
    names = [
        Cut(name=name, shape=(1,), dtype="float32", head_flops=0.0, tail_flops=0.0) for name in cuts
    ]
    fields = {"hardware": "measured", "cuts": cuts, "provenance": {"kind": "measured"}}
    return ModelProfile(
        model="net",
        hardware="measured",
        cuts=tuple(names),
        layers=tuple(LAYERS[:3]),
        head=CostSurface(part="head", seconds=head[:, None, None, None], **fields),
        tail=CostSurface(part="tail", seconds=(head[-1] - head)[:, None, None, None], **fields),
    )


def test_a_scaled_profile_is_what_the_other_machine_would_take_and_says_so():
    sheet = DeviceSpec(name="board", title="A board")
    moved = scale_profile(profile(), TRUE, HERE, sheet, THERE)
    expected = [TRUE.seconds(item, THERE) for item in LAYERS[:3]]
    assert moved.head.seconds_at("b") == pytest.approx(sum(expected[:2]))
    assert moved.tail.seconds_at("b") == pytest.approx(expected[2])
    assert moved.tail.seconds_at("input") == pytest.approx(sum(expected))
    assert moved.hardware == moved.head.hardware == "board"
    assert moved.head.provenance["kind"] == moved.provenance["kind"] == "scaled"


def test_a_sheet_without_peaks_is_refused():
    with pytest.raises(ValueError, match="board states no fp16 peak or no memory bandwidth"):
        peaks_of(DeviceSpec(name="board", title="A board"), "fp16")
    with pytest.raises(ValueError, match="at least 4 measured layers, got 3"):
        fit(LAYERS[:3], HERE)
