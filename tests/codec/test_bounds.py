"""Rate-distortion against closed forms."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def water(share, power, error):
    """Reverse water-filling (Cover and Thomas 10.3.3) over two kinds of Gaussian elements, the
    rarer ones, a `share` of all, of that power beside 1: bits where the kind is known.
    """
    target = error**2 * (share * power + 1 - share)
    low, high = 0.0, power
    for _ in range(200):
        level = (low + high) / 2
        under = share * min(level, power) + (1 - share) * min(level, 1.0) < target
        low, high = (level, high) if under else (low, level)
    bits = [max(0.0, np.log2(p / level)) / 2 for p in (power, 1.0)]
    return share * bits[0] + (1 - share) * bits[1]


def two_kinds(share, scale, n=200_000, seed=0):
    """Elements of deviation 1, and `share` of them of deviation `scale`, exactly so many."""
    x = np.random.default_rng(seed).normal(size=n)
    n_wild = round(share * n)
    for part in (x[:n_wild], x[n_wild:]):
        part /= np.sqrt(np.mean(part**2))
    x[:n_wild] *= scale
    return x


@pytest.mark.parametrize(
    ("share", "scale", "error"),
    [
        (0.001, 51.0, 0.1),  # 0.1 % outliers: 0.58 bits where a histogram cuts them off
        (0.001, 51.0, 0.05),
        (0.001, 51.0, 0.3),
        (0.01, 20.0, 0.2),
        (1 / 64, 1e6, 0.1),  # one strong channel of 64
        (1 / 64, 1e6, 0.02),
        (0.3, 3.0, 0.05),
    ],
)
def test_outliers_and_strong_channels_need_what_water_filling_says(share, scale, error):
    """Not knowing the kind costs at most its entropy: R(D) lies between the sum and that much more.

    200 outliers are no perfect Gaussian: 2 % of their bits are left to chance.
    """
    known = water(share, scale**2, error)
    found = memoryless(two_kinds(share, scale), [error])[0]
    assert known * 0.98 <= found <= known * 1.02 + binary_entropy(share) + 0.01
    if (share, scale, error) == (0.001, 51.0, 0.1):
        assert found == pytest.approx(2.41, abs=0.03)


def test_the_rate_of_two_values_is_below_that_of_finding_out_which():
    """A fair sign at mean square error: answers between both may do better than either."""
    x = np.where(np.arange(4000) % 2, 1.0, -1.0)
    rates = memoryless(x, [0.02, 0.3, 0.6, 1.0])
    assert rates[0] == pytest.approx(1.0, abs=0.01)
    for error, rate in zip((0.3, 0.6), rates[1:3], strict=True):
        assert rate < 1 - binary_entropy(error**2 / 4) + 0.01  # answers of 1 and -1 only
        assert rate < -np.log2(error)  # the Gaussian is worst
    assert rates[3] == 0


@pytest.mark.parametrize("scale", [1e-45, 1e-38, 1.0, 1e38])
def test_the_bound_does_not_depend_on_the_scale(scale):
    x = np.random.default_rng(5).normal(size=30_000)
    usual = memoryless(x, [0.05, 0.3])
    assert memoryless(x * scale, [0.05, 0.3]) == pytest.approx(usual, abs=1e-9)


_NUMBERS = st.sampled_from([0.0, -0.0, 1e-45, 1e-38, 1.0, -1.0, 1.5, 1e4, -1e30, 3.4e38])


@settings(max_examples=25)
@given(
    values=st.lists(_NUMBERS | st.floats(-100, 100, width=32), min_size=1, max_size=60),
    repeats=st.integers(1, 40),
)
def test_bounds_of_odd_arrays_fall_with_the_error_and_stay_below_entropy(values, repeats):
    x = np.repeat(np.array(values, np.float32), repeats)
    errors = [0.02, 0.1, 0.5, 1.0]
    if not x.any():
        with pytest.raises(codec.CodecOptionError, match="not all zero"):
            memoryless(x, errors)
        return
    rates = memoryless(x, errors)
    assert np.isfinite(rates).all()
    assert rates == sorted(rates, reverse=True)
    assert rates[0] <= symbol_entropy(x) + 0.01
    assert rates[0] <= -np.log2(0.02) + 0.01
    assert rates[3] == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("x", [[], [0.0], [np.nan, 1.0], [np.inf]])
def test_what_has_no_relative_error_is_refused(x):
    with pytest.raises(codec.CodecOptionError, match="finite values that are not all zero"):
        memoryless(np.array(x), [0.1])


def test_errors_too_small_for_the_histogram_are_refused():
    with pytest.raises(codec.CodecOptionError, match=r"0\.02\.\.1, got \[0\.001\]"):
        memoryless(np.ones(4), [0.001])
