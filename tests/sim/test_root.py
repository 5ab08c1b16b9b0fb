"""The root finder against scipy's, whose steps it takes."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from sim.root import root

_SIZES = st.floats(0.01, 100.0)


@given(steep=_SIZES, power=st.integers(1, 9), at=st.floats(0.001, 0.999), within=st.sampled_from(
    [1e-14, 1e-9, 1e-3]))  # fmt: skip
def test_every_bit_is_that_of_scipy(steep, power, at, within):
    curves = (
        lambda x: math.expm1(steep * (x - at)),
        lambda x: steep * x**power - steep * at**power,
        lambda x: math.tanh(steep * (x - at)) + (x - at) ** 3,
    )
    for curve in curves:
        if curve(0.0) * curve(1.0) < 0.0:
            theirs = brentq(curve, 0.0, 1.0, xtol=within)
            assert root(curve, 0.0, 1.0, within=within) == theirs


def test_an_end_may_be_the_root():
    assert root(lambda x: x, 0.0, 1.0) == 0.0
    assert root(lambda x: x - 1.0, 0.0, 1.0) == 1.0


def test_one_side_of_zero_is_refused_with_both_values():
    with pytest.raises(ValueError, match="got 1 at 0 and 2 at 1"):
        root(lambda x: 1.0 + x, 0.0, 1.0)


def test_what_is_never_small_is_refused():
    with pytest.raises(ValueError, match="no root within 100 steps between 0 and 1e\\+300"):
        root(lambda x: -1.0 if x < 1e-300 else 1.0, 0.0, 1e300, within=1e-320)
