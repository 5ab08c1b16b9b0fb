"""The figure of a plan: what was played how often, nothing below 0, names that can be read."""

import itertools
import math
from typing import Any

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from plots import plan
from plots.style import GREY

CURVE = [
    {"n": n, "value": value, "lo": value - 0.004, "hi": value + 0.004, "n_runs": runs}
    for n, value, runs in (
        (90, 0.08, 4), (95, 0.09, 4), (98, 0.097, 20), (100, 0.1, 20), (102, 0.103, 20),
        (105, 0.11, 4), (110, 0.12, 4),
    )
]  # fmt: skip
PLAN = {
    "n_star": 100, "n_star_lo": 99, "n_star_hi": 101, "n_runs": 20, "limit": 0.1,
    "column": "latency_p95_s", "curve": CURVE,
    "gains": [
        {"words": "the server", "resource": True, "devices": 1.0, "lo": 0.8, "hi": 1.2},
        {"words": "the codec's bits", "resource": False, "devices": 0.1, "lo": -0.1, "hi": 0.3},
    ],
    "stages": [{"words": "server: waiting", "mean_s": 0.05, "slowest_s": 0.08}],
}  # fmt: skip
TIME, DROP = (
    "time on the device per request (ms)",
    "accuracy drop, upper end of its 95 % interval (pp)",
)


def system(n_star: int | None, **other: Any) -> dict[str, Any]:
    lo, hi = (None, None) if n_star is None else (n_star - 2, n_star + 2)
    return {
        "cut": "stage2", "codec": f"codec{n_star}", "n_star": n_star, "n_star_lo": lo,
        "n_star_hi": hi, "accuracy_drop_pp_hi": 0.01 * (n_star or 0), "device_energy_j": 0.02,
        "device_s": 1e-4 * (n_star or 0), "pareto": True, **other,
    }  # fmt: skip


def panel(figure: Figure, xlabel: str) -> Axes:
    (axes,) = (axes for axes in figure.axes if axes.get_xlabel() == xlabel)
    return axes


def curve(**other: Any) -> Axes:
    return plan.draw({**PLAN, **other}).axes[0]


def bars(axes: Axes) -> list[tuple[float, float]]:
    """Both ends of every interval in the panel."""
    found = (each.lines[2][0].get_segments() for each in axes.containers)
    return [(segment[0][1], segment[1][1]) for each in found for segment in each]


def named(axes: Axes) -> list[Annotation]:
    return [text for text in axes.texts if isinstance(text, Annotation)]


def test_only_points_with_all_runs_are_joined_and_a_legend_says_how_many():
    axes = curve()
    refined, scouts = (each.lines[0] for each in axes.containers)
    assert list(refined.get_xdata()) == [98, 100, 102]
    assert refined.get_linestyle() == "-"
    assert list(scouts.get_xdata()) == [90, 95, 105, 110]
    assert scouts.get_linestyle() == "None"
    assert scouts.get_fillstyle() == "none"
    legend = axes.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["20 runs each", "4 runs each"]


@pytest.mark.parametrize("missing", [{}, {"n_runs": None}])
def test_points_of_unknown_runs_are_refined(missing):
    old = [{k: v for k, v in point.items() if k != "n_runs"} | missing for point in CURVE]
    (drawn,) = curve(curve=old).containers
    assert list(drawn.lines[0].get_xdata()) == [point["n"] for point in CURVE]


def test_points_of_unequal_runs_are_given_as_a_range():
    points = [{**CURVE[0], "n_runs": 12}, *CURVE[1:]]
    texts = curve(curve=points).get_legend().get_texts()
    assert [text.get_text() for text in texts] == ["20 runs each", "4 to 12 runs each"]


@pytest.mark.parametrize("column", ["deadline_miss_share", "latency_p95_s"])
def test_neither_an_interval_nor_the_axis_reaches_below_zero(column):
    points = [{**point, "lo": -0.01, "value": 0.001 * place} for place, point in enumerate(CURVE)]
    axes = curve(column=column, limit=0.004, curve=points)
    assert axes.get_ylim()[0] == 0.0
    assert min(low for low, _ in bars(axes)) == 0.0


def test_all_values_and_the_refined_intervals_are_within_the_panel():
    axes = curve()
    bottom, top = axes.get_ylim()
    refined = axes.containers[0].lines[2][0].get_segments()
    ends = [y for segment in refined for _, y in segment]
    assert bottom <= min(ends) <= max(ends) <= top
    assert bottom <= 80.0 < 120.0 <= top


@pytest.mark.parametrize("unknown", [None, math.inf, math.nan])
def test_what_has_no_bound_runs_on(unknown):
    points = [*CURVE[:-2], {**CURVE[-2], "hi": unknown}, {**CURVE[-1], "value": unknown}]
    axes = curve(n_star_hi=unknown, curve=points)
    assert axes.get_title(loc="left") == "$N^*$ = 100 [99, $\\infty$)"
    assert axes.patches[0].get_extents().x1 == pytest.approx(axes.get_window_extent().x1)
    assert max(high for _, high in bars(axes)) > axes.get_ylim()[1]
    assert [list(each.lines[0].get_xdata()) for each in axes.containers][1] == [90, 95, 105]


def test_an_interval_without_a_lower_end_starts_at_one_device():
    assert curve(n_star_lo=None).get_title(loc="left") == "$N^*$ = 100 [1, 101]"


def test_where_fewer_devices_miss_the_limit_both_ends_are_drawn():
    few = [{**point, "n": 120 - point["n"]} for point in CURVE]  # from 10 to 30, falling
    axes = curve(n_least=20, n_least_lo=19, n_least_hi=21, least_curve=few)
    assert axes.get_title(loc="left") == "$N^*$ = 20 to 100 [99, 101]"
    joined = [sorted(each.lines[0].get_xdata()) for each in axes.containers]
    assert [18, 20, 22] in joined
    assert [98, 100, 102] in joined  # no line from one end to the other
    assert axes.get_xlim()[0] <= 10
    assert len(axes.patches) == 2
    texts = [text.get_text() for text in axes.get_legend().get_texts()]
    assert texts == ["20 runs each", "4 runs each"]


@pytest.mark.parametrize("rows", [[], [system(100)], [system(100), system(None)]])
def test_one_system_is_no_comparison(rows):
    assert len(plan.draw({**PLAN, "choice": rows}).axes) == 3


def test_accuracy_has_a_panel_where_two_systems_know_it():
    rows = [system(100), system(50), system(25, accuracy_drop_pp_hi=None, pareto=False)]
    figure = plan.draw({**PLAN, "choice": rows})
    assert len(figure.axes) == 5
    assert len(panel(figure, TIME).containers) == 3
    drops = [each.lines[0] for each in panel(figure, DROP).containers]
    assert sorted((line.get_xdata()[0], line.get_ydata()[0]) for line in drops) == [
        (0.5, 50), (1.0, 100),
    ]  # fmt: skip
    rows[1]["accuracy_drop_pp_hi"] = None
    assert len(plan.draw({**PLAN, "choice": rows}).axes) == 4


def test_the_front_is_filled_and_named_and_the_rest_hollow_and_grey():
    rows = [system(100), system(50), system(25, pareto=False)]
    axes = panel(plan.draw({**PLAN, "choice": rows}), TIME)
    rest, *front = (each.lines[0] for each in axes.containers)
    assert (rest.get_fillstyle(), rest.get_ydata()[0]) == ("none", 25)
    assert same_color(rest.get_color(), GREY)
    assert [line.get_fillstyle() for line in front] == ["full", "full"]
    assert {text.get_text() for text in named(axes)} == {"stage2 codec100", "stage2 codec50"}


def test_what_serves_most_has_its_name_on_the_front_or_not_and_labels_say_what_varied():
    rows = [system(100, pareto=False, label="batch 8"), system(50, label="batch 1")]
    axes = panel(plan.draw({**PLAN, "choice": rows}), TIME)
    assert {text.get_text() for text in named(axes)} == {"batch 8", "batch 1"}


def test_many_names_hide_neither_each_other_nor_a_point():
    rows = [
        system(100 + 3 * i, device_s=0.004 + 2e-4 * (i * 7 % 5), label=f"stage{i}, slicer_strong")
        for i in range(14)
    ]
    figure = plan.draw({**PLAN, "choice": rows})
    figure.draw_without_rendering()
    axes = panel(figure, TIME)
    boxes = [super(Annotation, text).get_window_extent() for text in named(axes)]
    assert len(boxes) >= 7
    assert "stage13, slicer_strong" in {text.get_text() for text in named(axes)}
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    points = axes.transData.transform([(1e3 * row["device_s"], row["n_star"]) for row in rows])
    assert not any(box.contains(*point) for box in boxes for point in points)
    room = axes.get_window_extent()
    assert all(room.x0 <= box.x0 and box.x1 <= room.x1 for box in boxes)


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_unknown_power_time_and_bounds_break_nothing(unknown):
    rows = [system(100, n_star_hi=None), system(50), system(25, device_s=unknown)]
    rows = [{**row, "device_energy_j": unknown} for row in rows]
    figure = plan.draw({**PLAN, "choice": rows})
    axes = panel(figure, TIME)
    assert len(axes.containers) == 2
    assert max(high for _, high in bars(axes)) > axes.get_ylim()[1]


@pytest.mark.parametrize(("n_stars", "scale"), [((95, 100), "linear"), ((9, 100), "log")])
def test_systems_that_serve_about_as_many_have_a_linear_scale_from_no_negative_time(n_stars, scale):
    rows = [system(n, device_s=s) for n, s in zip(n_stars, (0.0, 0.01), strict=True)]
    axes = panel(plan.draw({**PLAN, "choice": rows}), TIME)
    assert axes.get_yscale() == scale
    assert axes.get_xlim()[0] == 0.0
    ends = [end for each in bars(axes) for end in each]
    assert axes.get_ylim()[0] <= min(ends) <= max(ends) <= axes.get_ylim()[1]
