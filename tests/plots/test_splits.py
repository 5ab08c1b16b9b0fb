"""Every cut at several numbers of devices: what few points leave of the drawing."""

import warnings

import pytest

from plots.splits import draw


def row(cut, n_devices, phase):
    columns = ("throughput_rps", "device_time_s", "server_s_per_request", "latency_mean_s")
    return {"cut": cut, "n_devices": n_devices, "phase": phase, **dict.fromkeys(columns, 1.0)}


@pytest.mark.parametrize(("sizes", "named"), [((2, 256), []), ((1, 2, 4), ["N = 1", "N = 4"])])
def test_lines_that_are_drawn_have_a_legend_and_no_others(sizes, named):
    rows = [row(cut, n, phase) for cut in ("input", "stage1") for n in sizes
            for phase in ("steady", "fixed work")]  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        legend = draw(rows).axes[0].get_legend()
    assert [text.get_text() for text in legend.get_texts()] == named if named else legend is None
