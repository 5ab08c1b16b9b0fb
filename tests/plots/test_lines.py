"""The parts of figures: lines hold the rows, bands their intervals, claims are labelled."""

import pytest
from matplotlib.figure import Figure

from plots import fig2_throughput as throughput
from plots import lines, methods
from plots.style import COLOURS, shades

ROWS = [
    {"n_devices": n, "method": "split, ecsq", "throughput_rps": 5.0 * n,
     "throughput_rps_lo": 4.0 * n, "throughput_rps_hi": 6.0 * n,
     "throughput_rps_lo_total": 3.0 * n, "throughput_rps_hi_total": 7.0 * n}
    for n in (1, 4, 2)
]  # fmt: skip


def test_a_line_holds_its_rows_in_order_and_the_band_the_wider_interval():
    axes = Figure().subplots()
    look = methods.looks(["split, ecsq"])["split, ecsq"]
    lines.line(axes, ROWS, "throughput_rps", look, factor=2.0)
    (drawn,) = axes.get_lines()
    assert list(drawn.get_xdata()) == [1, 2, 4]
    assert list(drawn.get_ydata()) == [10.0, 20.0, 40.0]
    corners = axes.collections[0].get_paths()[0].vertices
    assert {(1.0, 6.0), (4.0, 56.0)} <= {tuple(corner) for corner in corners}


def test_whiskers_are_distances_and_absent_without_intervals():
    assert lines.whiskers(ROWS, "throughput_rps") == [[2.0, 8.0, 4.0], [2.0, 8.0, 4.0]]
    assert lines.whiskers([{"x": 1.0}], "x") is None


def test_a_claim_says_that_it_is_one():
    axes = Figure().subplots()
    lines.claim(axes, 1.0, 4.4, "claimed: up to 4.4x")
    assert [text.get_text() for text in axes.texts] == ["claimed: up to 4.4x"]
    assert not axes.get_lines()


def test_unknown_methods_get_looks_of_their_own_and_known_ones_keep_theirs():
    names = ["split, ecsq", "split, new", "split, newer", "full device"]
    looks = methods.looks(names)
    assert len({(look["color"], look["marker"]) for look in looks.values()}) == len(names)
    assert methods.looks(["full device"])["full device"] == looks["full device"]


def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="nothing to draw"):
        throughput.draw([])


def test_more_names_than_colours_are_refused():
    with pytest.raises(ValueError, match=f"at most {len(COLOURS)}"):
        shades([str(i) for i in range(len(COLOURS) + 1)])
