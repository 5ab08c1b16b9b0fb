from functools import partial

import numpy as np
import pytest

from profiles import Column, TraceTable
from profiles.shipping import tolerance
from profiles.shipping.matching import find_tolerance, interpolate_tolerance


def table(points, n=1000):
    """A table whose settings have the given mean errors and shares of wrong answers."""
    shape = (n, 2, len(points))
    correct, error = np.ones(shape), np.zeros(shape)
    for at, (l2, lost) in enumerate(points):
        correct[: round(lost * n), 0, at] = 0
        error[:, 0, at] = l2
    dims = ("sample", "cut", "setting")
    return TraceTable(
        model="net",
        cuts=("stem", "output"),
        settings=tuple(f"s{at}" for at in range(len(points))),
        sample_ids=np.arange(n),
        columns={"payload_bytes": np.zeros(shape), "correct": correct, "relative_l2": error},
        schema={
            "payload_bytes": Column(unit="B", dims=dims),
            "correct": Column(unit="1", dims=dims),
            "relative_l2": Column(unit="1", dims=dims),
        },
    )


def test_tolerated_error_is_interpolated_between_settings():
    points = [(0.4, 0.05), (0.1, 0.0), (0.2, 0.005), (0.3, 0.015)]
    assert find_tolerance(table(points), "stem") == pytest.approx(0.25)
    assert find_tolerance(table(points), "stem", loss=0.05) == pytest.approx(0.4)


def test_nothing_is_extrapolated():
    with pytest.raises(ValueError, match=r"no traced setting loses 1 pp, the worst 0\.50 pp"):
        find_tolerance(table([(0.1, 0.0), (0.2, 0.005)]), "stem")


def test_a_loss_that_every_setting_exceeds_is_not_taken_for_met():
    with pytest.raises(ValueError, match=r"even the mildest traced setting loses 5\.00 pp"):
        find_tolerance(table([(0.1, 0.05), (0.2, 0.08)]), "stem")
    assert find_tolerance(table([(0.1, 0.01), (0.2, 0.08)]), "stem") == pytest.approx(0.1)


def test_a_cut_that_bears_less_than_was_traced_is_not_passed_over():
    """The tolerance of a task is that of its tightest cut: leaving that one out would raise it."""
    tight = partial(interpolate_tolerance, np.array([0.3]), np.array([0.05]), 0.01, "stem")
    mild = partial(interpolate_tolerance, np.array([0.3]), np.array([0.001]), 0.01, "stage1")
    assert tolerance._evaluate("classify", {"stage1": mild}) == {}
    with pytest.raises(ValueError, match="trace a milder one"):
        tolerance._evaluate("classify", {"stem": tight, "stage1": mild})
