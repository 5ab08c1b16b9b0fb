"""Rate-distortion against closed forms."""

import numpy as np
import pytest

import codec
from codec.stages.bounds import blahut_arimoto, memoryless, symbol_entropy


def binary_entropy(p):
    return -p * np.log2(p) - (1 - p) * np.log2(1 - p)


@pytest.mark.parametrize("d", [0.02, 0.1, 0.25])
def test_bernoulli_with_hamming_distance(d):
    """R(D) = H(p) - H(D) (Cover and Thomas, theorem 10.3.1); the slope is ln((1 - D) / D)."""
    p = np.array([0.6, 0.4])
    point = blahut_arimoto(p, 1.0 - np.eye(2), np.log((1 - d) / d))
    assert point.distortion == pytest.approx(d, rel=1e-3)
    assert point.rate_bits == pytest.approx(binary_entropy(0.4) - binary_entropy(d), abs=1e-3)


def test_a_gaussian_needs_half_the_logarithm_of_its_signal_to_noise_ratio():
    x = np.random.default_rng(0).normal(size=400_000)
    errors = (0.05, 0.1, 0.3, 0.6)
    for error, rate in zip(errors, memoryless(x, errors), strict=True):
        assert rate == pytest.approx(-np.log2(error), abs=0.02)


def test_a_mixture_with_zeros_needs_less_than_the_formula_for_its_power():
    """Sparse features: the Gaussian is the worst case at given power (Cover and Thomas 10.3.2)."""
    generator = np.random.default_rng(1)
    x = generator.normal(size=200_000) * (generator.random(200_000) < 0.3)
    assert memoryless(x, [0.1])[0] < 0.75 * np.log2(10)
    assert memoryless(x, [1.0])[0] == pytest.approx(0.0, abs=1e-6)


def test_ecsq_lies_above_the_bound_by_about_a_quarter_bit():
    x = np.random.default_rng(2).laplace(size=300_000).astype(np.float32)
    made = codec.calibrate("ecsq", [x], relative_l2=0.1, coder="order0")
    data = made.encode(x)
    back = made.decode(data)
    error = float(np.linalg.norm(back - x) / np.linalg.norm(x))
    above = 8 * len(data) / x.size - memoryless(x, [error])[0]
    assert 0.2 < above < 0.3
    assert symbol_entropy(back) == pytest.approx(8 * len(data) / x.size, rel=0.01)


def test_errors_too_small_for_the_histogram_are_refused():
    with pytest.raises(codec.CodecOptionError, match=r"0\.02\.\.1, got \[0\.001\]"):
        memoryless(np.ones(4), [0.001])
