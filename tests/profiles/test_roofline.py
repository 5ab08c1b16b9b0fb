import pytest

from profiles import DeviceSpec, Layer
from profiles.predicting.roofline import (
    Efficiency,
    Peaks,
    peaks_of,
)

HERE = Peaks(flops=1e11, bandwidth_bytes_per_s=1e10)
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


def test_both_roofs_hold():
    compute_bound, memory_bound = LAYERS[0], LAYERS[2]
    fixed = TRUE.kernel_s
    assert TRUE.seconds(compute_bound, HERE) == pytest.approx(1e9 / 0.4e11 + 4 * fixed)
    assert TRUE.seconds(memory_bound, HERE) == pytest.approx(4.01e7 / 0.7e10 + 5 * fixed)
    assert TRUE.seconds(compute_bound, HERE, batch=3) == pytest.approx(3e9 / 0.4e11 + 4 * fixed)


def test_a_sheet_without_peaks_is_refused():
    with pytest.raises(ValueError, match="board states no fp16 peak or no memory bandwidth"):
        peaks_of(DeviceSpec(name="board", title="A board"), "fp16")
