"""Rows as a table are the requests that they were made of, one by one, to the bit."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.sources.draw import Draw, Draws

COSTS = st.floats(0.0, 1e9)
DRAWS = st.lists(
    st.builds(
        Draw, st.integers(0, 2**40), COSTS, COSTS, COSTS, COSTS, COSTS, st.floats(0.0, 1.0),
        st.integers(0, 1000), st.integers(0, 1000), st.booleans(), COSTS,
    ),
    min_size=1, max_size=20,
)  # fmt: skip


def anew(draws):
    """The same table without the requests that it was made of."""
    return Draws(draws.costs)


@given(DRAWS)
def test_every_request_comes_back_with_its_types(every):
    table = anew(Draws.of(every))
    assert list(table) == every
    assert [[type(value) for value in one] for one in table] == [
        [int, *[float] * 6, int, int, bool, float]
    ] * len(every)
    assert table[1:] == every[1:]
    assert table[-1] == every[-1]
    assert pickle.loads(pickle.dumps(table)) == table
    assert Draws.of(table) is table


@given(DRAWS, st.floats(0.1, 10.0))
def test_columns_are_changed_as_each_would_be(every, factor):
    table = Draws.of(every)
    changed = table.change(server_s=table.column("server_s") * factor, sample=7)
    assert list(changed) == [
        one._replace(server_s=one.server_s * factor, sample=7) for one in every
    ]
    assert list(table) == every


@given(DRAWS, st.data())
def test_picks_stand_in_their_order(every, data):
    picks = data.draw(st.lists(st.integers(0, len(every) - 1), min_size=1, max_size=30))
    assert list(Draws.of(every).take(np.array(picks))) == [every[pick] for pick in picks]


@given(DRAWS)
def test_the_mean_is_added_up_request_by_request(every):
    mean = anew(Draws.of(every)).mean()
    assert mean[1:7] == tuple(np.mean([one[1:7] for one in every], axis=0).tolist())
    assert (mean.sample, mean[7:]) == (0, every[0][7:])


def test_unknown_answers_are_alike_and_other_numbers_are_not():
    unknown = Draw(0, 1.0, 2.0, 3.0, 4.0, 5.0, float("nan"))
    assert anew(Draws.of([unknown])) == anew(Draws.of([unknown]))
    assert Draws.of([unknown]) != Draws.of([unknown._replace(sample=1)])
    with pytest.raises(IndexError):
        Draws.of([unknown])[1]
