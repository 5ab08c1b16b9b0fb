"""The throughput figure shows the table and nothing but the table."""

import pytest

from plots import throughput
from plots.style import COLOURS, shades


def rows():
    for method, cut, codec, top in (
        ("split", "stage3", "slicer", 40.0),
        ("far", "input", "jpeg", 9.0),
    ):
        for n in (1, 4, 2):
            rate = min(5.0 * n, top)
            yield {
                "method": method, "cut": cut, "codec": codec, "n_devices": n,
                "throughput_rps": rate, "throughput_rps_lo_total": 0.9 * rate,
                "throughput_rps_hi_total": 1.1 * rate, "server_utilization": rate / top,
                "throughput_bound_rps": rate, "table_accuracy": 0.9,
            }  # fmt: skip


def test_lines_hold_the_rows_in_the_order_of_n():
    figure = throughput.draw(list(rows()))
    above, below = figure.axes
    lines = {line.get_label(): line for line in above.get_lines()}
    assert list(lines["split  90.0 %"].get_xdata()) == [1, 2, 4]
    assert list(lines["split  90.0 %"].get_ydata()) == [5.0, 10.0, 20.0]
    assert list(below.get_lines()[1].get_ydata()) == [5 / 9, 1.0, 1.0]
    assert above.get_ylabel() == "throughput (requests/s)"


def test_rows_with_an_error_are_left_out_and_nothing_is_refused():
    broken = [{**row, "error": "x"} for row in rows()]
    assert len(throughput.draw([*rows(), *broken]).axes[0].get_lines()) == 4
    with pytest.raises(ValueError, match="nothing to draw"):
        throughput.draw(broken)


def test_more_names_than_colours_are_refused():
    with pytest.raises(ValueError, match=f"at most {len(COLOURS)}"):
        shades([str(i) for i in range(len(COLOURS) + 1)])
