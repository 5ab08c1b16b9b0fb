"""A plan on one page: the curve through its limit, what would help, where slow requests wait.

If systems were compared, they stand below against what they cost.
"""

import math
from collections.abc import Sequence
from textwrap import fill
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from plots import systems
from plots.lines import Row, is_known
from plots.style import COLOURS, COLUMN_IN, GREY, INK, apply

_MOST = 4.0
_STRIP_PT = 13.0
_BLUE, _ORANGE, _GREEN, _PINK, _, _SKY = COLOURS
_REFINED = {"color": _BLUE, "marker": "o", "zorder": 3}
_SCOUTS = {"color": _BLUE, "marker": "o", "fillstyle": "none", "linestyle": "none", "alpha": 0.45}


def draw(plan: Row) -> Figure:
    """Return three panels, and one more for each cost that two compared systems are known by.

    Args:
        plan: `n_star` with its interval (an end is None where nothing bounds it), `limit`,
            `column`, `curve` (n, value, lo, hi, n_runs), `n_runs` of the refined points, `gains`,
            `stages`, and `choice` if systems were compared; where fewer devices miss the limit,
            `n_least` with its interval and `least_curve`.
    """
    compared = {c: systems.comparable(plan.get("choice") or (), c) for c in systems.COSTS}
    compared = {cost: rows for cost, rows in compared.items() if rows}
    with apply():
        figure = Figure(figsize=(2 * COLUMN_IN, 4.5 if compared else 2.2))
        curve, gains, stages, *costs = _panels(figure, len(compared))
        _curve(curve, plan)
        _gains(gains, plan["gains"])
        _stages(stages, plan)
        for axes, (cost, rows) in zip(costs, compared.items(), strict=True):
            systems.scatter(axes, rows, cost)
        if compared:
            systems.key(figure, [row for rows in compared.values() for row in rows])
        for axes, (cost, rows) in zip(costs, compared.items(), strict=True):
            systems.label(axes, rows, cost)
        return figure


def _panels(figure: Figure, n_costs: int) -> list[Axes]:
    """Three in a row without costs, two by two with one, three above two with two."""
    rows = {0: (3,), 1: (2, 2), 2: (3, 2)}[n_costs]
    parts = figure.subfigures(len(rows), 1, squeeze=False)[:, 0]
    axes = [
        each
        for part, count in zip(parts, rows, strict=True)
        for each in part.subplots(1, count, squeeze=False)[0]
    ]
    for each in axes:
        each.set_axisbelow(True)
    return axes


def _curve(axes: Axes, plan: Row) -> None:
    """The limited figure against N, with the limit and the interval of N*.

    Points with fewer runs than the refined ones only showed where to look: hollow and unjoined.
    """
    least = [point for point in plan.get("least_curve") or () if is_known(point["value"])]
    values = [point["value"] for point in (*plan["curve"], *least)]
    known = [plan["limit"], *(value for value in values if is_known(value))]
    most_s = min(max(known), _MOST * plan["limit"])  # outliers leave the panel
    factor, unit = _unit(most_s) if plan["column"].endswith("_s") else (100.0, "%")
    name = plan["column"].removesuffix("_s").replace("_", " ")
    limit = factor * plan["limit"]
    curve = [point for point in plan["curve"] if is_known(point["value"])]
    refined = [point for point in curve if _is_refined(point, plan)]
    scouts = [point for point in curve if not _is_refined(point, plan)]
    fewer = [p for p in least if p["n_runs"] == max(p["n_runs"] for p in least)]
    scouts += [point for point in least if point not in fewer]
    bottom, top = _scale(limit, [*refined, *fewer], scouts, factor)
    for points, look in ((refined, _REFINED), (scouts, _SCOUTS)):
        if points:
            _whiskers(axes, points, factor, top, f"{_runs(points, plan)} runs each", look)
    if fewer:
        _whiskers(axes, fewer, factor, top, "", _REFINED)
    axes.axhline(limit, color=GREY, linewidth=0.8, linestyle="--")
    axes.annotate(
        "limit", (1.0, limit), (-1.0, -1.5), xycoords=axes.get_yaxis_transform(),
        textcoords="offset points", ha="right", va="top", fontsize=5.5, color=GREY,
    )  # fmt: skip
    _interval(axes, plan)
    axes.set(xlabel="number of devices $N$", ylabel=f"{name} ({unit})", ylim=(bottom, top))
    if plan.get("n_runs") is not None:
        _legend_above(axes)


def _unit(most_s: float) -> tuple[float, str]:
    """Seconds where the largest exceeds one, else milliseconds; and the factor to them."""
    return (1.0, "s") if most_s > 1.0 else (1e3, "ms")


def _is_refined(point: Row, plan: Row) -> bool:
    """All points are, in files that do not say how often each was played."""
    runs, most = point.get("n_runs"), plan.get("n_runs")
    return runs is None or most is None or runs >= most


def _runs(points: Sequence[Row], plan: Row) -> str:
    """How often each of the points was played, in words."""
    counts = {point.get("n_runs") or plan.get("n_runs") or 0 for point in points}
    return f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"


def _scale(
    limit: float, refined: Sequence[Row], scouts: Sequence[Row], factor: float
) -> tuple[float, float]:
    """Both ends of an axis of times or shares: none below 0, no outlier above `_MOST` limits.

    Every value is within, and the refined points' intervals where they are finite; the scouts' by
    at most 15 % beyond.
    """
    held = [limit, *(factor * point["value"] for point in (*refined, *scouts))]
    held += [factor * end for end in _ends(refined)]
    low, high = 0.85 * min(held), 1.15 * max(held)
    held += [min(max(factor * end, low), high) for end in _ends(scouts)]
    held = [min(max(value, 0.0), _MOST * limit) for value in held]
    spare = 0.06 * (max(held) - min(held)) or 0.1 * limit
    return max(0.0, min(held) - spare), max(held) + spare


def _ends(points: Sequence[Row]) -> list[float]:
    return [point[end] for point in points for end in ("lo", "hi") if is_known(point[end])]


def _whiskers(
    axes: Axes, points: Sequence[Row], factor: float, top: float, label: str, look: Row
) -> None:
    """Values with intervals that stop at 0, and leave the panel at its top where nothing is known.

    Approximation: an interval by a t test may reach below 0, which no time or share does.
    """
    values = [factor * point["value"] for point in points]
    lows = [max(0.0, factor * p["lo"]) if is_known(p["lo"]) else 0.0 for p in points]
    highs = [factor * p["hi"] if is_known(p["hi"]) else 2.0 * top for p in points]
    below = [max(0.0, value - low) for value, low in zip(values, lows, strict=True)]
    above = [max(0.0, high - value) for value, high in zip(values, highs, strict=True)]
    drawn = axes.errorbar([point["n"] for point in points], values, yerr=[below, above],
                          label=label, capsize=1.5, elinewidth=0.8, **look)  # fmt: skip
    if max(values) <= top:
        drawn.lines[0].set_clip_on(False)  # a marker at 0 stays whole


def _interval(axes: Axes, plan: Row) -> None:
    """N* and its interval as a line and a band, and as the title; an open end runs on."""
    left, right = axes.get_xlim()
    if plan.get("n_least", 1) > 1:
        axes.axvspan(plan["n_least_lo"], plan["n_least_hi"], color=_SKY, alpha=0.35, linewidth=0)
        axes.axvline(plan["n_least"], color=INK, linewidth=0.6)
    low = plan["n_star_lo"] if is_known(plan["n_star_lo"]) else 1  # one device is the least
    high = plan["n_star_hi"] if is_known(plan["n_star_hi"]) else None
    axes.axvspan(low, right if high is None else high, color=_SKY, alpha=0.35, linewidth=0)
    axes.axvline(plan["n_star"], color=INK, linewidth=0.6)
    axes.set_xlim(min(left, plan["n_star"]), max(right, plan["n_star"], high or right))
    end = "$\\infty$)" if high is None else f"{high}]"
    fewest = f"{plan['n_least']} to " if plan.get("n_least", 1) > 1 else ""
    title = f"$N^*$ = {fewest}{plan['n_star']} [{low}, {end}"
    axes.set_title(title, loc="left", pad=_STRIP_PT)


def _legend_above(axes: Axes, **what: Any) -> None:
    """A legend in the strip that every title leaves above its panel, where nothing is drawn."""
    legend = axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, borderaxespad=0.2,
                borderpad=0.1, handlelength=1.2, columnspacing=1.0, **what)  # fmt: skip
    legend.set_in_layout(False)


def _gains(axes: Axes, gains: Sequence[Row]) -> None:
    """Devices that one per cent more of everything brings."""
    shown = list(reversed(gains))
    places = range(len(shown))
    values = [gain["devices"] for gain in shown]
    reach = [
        [abs(gain["devices"] - gain[end]) if _is_known(gain[end]) else 0.0 for gain in shown]
        for end in ("lo", "hi")
    ]
    colours = [_ORANGE if gain["resource"] else GREY for gain in shown]
    seen = {
        c for c, v in zip(colours, values, strict=True) if abs(v) > 0.01 * max(map(abs, values))
    }
    axes.barh(places, values, color=colours, height=0.7)
    axes.errorbar(values, places, xerr=reach, linestyle="none", color=INK, elinewidth=0.8)
    words = [fill(gain["words"].removeprefix("the "), 14) for gain in shown]
    axes.set_yticks(places, words)
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="devices per 1 % more of it")
    axes.set_title("What would help", loc="left", pad=_STRIP_PT)
    keys = {_ORANGE: "can be bought", GREY: "cannot be bought"}
    handles = [Patch(color=each, label=text) for each, text in keys.items() if each in seen]
    _legend_above(axes, handles=handles)


def _is_known(value: float | None) -> bool:
    return value is not None and not math.isnan(value)


def _stages(axes: Axes, plan: Row) -> None:
    """Mean time at every stage, of all requests (or steps of sessions) and of the slowest."""
    shown = [each for each in plan["stages"] if each["mean_s"] > 0.0 or each["slowest_s"] > 0.0]
    shown.reverse()
    times = [stage[key] for stage in shown for key in ("mean_s", "slowest_s")]
    factor, unit = _unit(max(times, default=0.0))
    of = "step" if "ttft_s" in plan.get("at_n_star", ()) else "request"
    places = list(range(len(shown)))
    for shift, key, colour, label in (
        (0.2, "mean_s", _GREEN, "all"),
        (-0.2, "slowest_s", _PINK, "slowest 5 %"),
    ):
        axes.barh(
            [place + shift for place in places], [factor * stage[key] for stage in shown],
            height=0.38, color=colour, label=label,
        )  # fmt: skip
    axes.set_yticks(places, [stage["words"] for stage in shown])
    axes.grid(visible=False, axis="y")
    axes.set(xlabel=f"mean per {of} ({unit})")
    axes.set_title("Where time goes at $N^*$", loc="left", pad=_STRIP_PT)
    _legend_above(axes)
