import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from profiles import CostSurface


def surface(**changes):
    seconds = np.fromfunction(
        lambda cut, batch, token, kv: 1 + cut + 2 * batch + 3 * token + 4 * kv, (2, 3, 2, 2)
    )
    fields = {
        "part": "head",
        "hardware": "measured",
        "cuts": ("input", "stem"),
        "batches": (1, 2, 3),
        "new_tokens": (1, 2),
        "kv_lengths": (0, 1),
        "seconds": seconds,
        "provenance": {"kind": "measured"},
    }
    return CostSurface(**(fields | changes))


@given(batch=st.floats(1, 3), tokens=st.floats(1, 2), kv=st.floats(0, 1))
def test_multilinear_function_is_reproduced_exactly(batch, tokens, kv):
    expected = 1 + 1 + 2 * (batch - 1) + 3 * (tokens - 1) + 4 * kv
    got = surface().seconds_at("stem", batch=batch, new_tokens=tokens, kv_length=kv)
    assert got == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "point", [{"batch": 4}, {"batch": 0.5}, {"new_tokens": 3}, {"kv_length": 2}]
)
def test_extrapolation_is_refused(point):
    with pytest.raises(ValueError, match=r"must lie in the measured range .* got"):
        surface().seconds_at("stem", **point)


@given(
    axis=st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True).map(sorted),
    most=st.integers(1, 45),
    first=st.sampled_from([(1, 0), (2, 0), (1, 3)]),
    seed=st.integers(0, 99),
)
def test_all_batches_at_once_are_those_one_by_one(axis, most, first, seed):
    seconds = np.random.default_rng(seed).exponential(size=(2, len(axis), 2, 2))
    tokens, kv = first
    made = surface(batches=tuple(axis), new_tokens=(tokens, 7), kv_lengths=(kv, 9), seconds=seconds)

    def alone(size):
        try:
            return made.seconds_at("stem", batch=size)
        except ValueError:
            return np.nan

    found = made.seconds_by_batch("stem", most)
    assert np.array_equal(found, [alone(n) for n in range(1, most + 1)], equal_nan=True)


def test_unknown_cut_names_the_nearest():
    with pytest.raises(ValueError, match="cut must be one of stem; got 'stam'"):
        surface().seconds_at("stam")


@pytest.mark.parametrize("value", [np.nan, np.inf, -1e-9])
def test_bad_time_is_refused(value):
    seconds = surface().seconds.copy()
    seconds[1, 0, 0, 0] = value
    with pytest.raises(ValueError, match=r"cost\.seconds must be finite and >= 0"):
        surface(seconds=seconds)


def test_scaling_multiplies_and_says_so():
    slow = surface().scale(3.0, hardware="board", source="a book")
    slower = slow.scale(2.0, hardware="chip", source="another book")
    assert slower.seconds == pytest.approx(surface().seconds * 6)
    assert (slow.factor, slower.factor) == (3, 6)
    assert slower.provenance["kind"] == "scaled"
    assert slower.provenance["from"]["from"]["kind"] == "measured"


def test_a_surface_comes_back_from_its_header():
    back = CostSurface.from_header(surface().header(), surface().seconds)
    assert back.header() == surface().header()
    assert np.array_equal(back.seconds, surface().seconds)


def test_seconds_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        surface().seconds[0] = 0
