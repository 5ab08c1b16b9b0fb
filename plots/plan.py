"""A plan on one page: the curve through its limit, what would help, where slow requests wait."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.style import COLOURS, COLUMN_IN, GREY, INK, applied

__all__ = ["draw"]

_MOST = 4.0
_BLUE, _ORANGE, _GREEN, _PINK, _AMBER, _SKY = COLOURS


def draw(plan: Mapping[str, Any]) -> Figure:
    """Return three panels, and a fourth with the systems that were compared, if there are any.

    Args:
        plan: `n_star` with its interval, `limit`, `column`, `curve` (n, value, lo, hi), `gains`,
            `stages`, and `choice` if systems were compared.
    """
    compared = [row for row in plan.get("choice", ()) if row["n_star"] is not None]
    with applied():
        figure = Figure(figsize=(2 * COLUMN_IN, 3.9 if compared else 2.2))
        grid = figure.subplots(2 if compared else 1, 3 if not compared else 2, squeeze=False)
        axes = list(grid.flat)
        for each in axes:
            each.set_axisbelow(True)
        _curve(axes[0], plan)
        _gains(axes[1], plan["gains"])
        _stages(axes[2], plan["stages"])
        if compared:
            _choice(axes[3], compared)
        return figure


def _curve(axes: Axes, plan: Mapping[str, Any]) -> None:
    """The limited figure against N, with the limit and the interval of N*."""
    seconds = plan["column"].endswith("_s")
    factor, unit = (1e3, "ms") if seconds else (100.0, "%")
    name = plan["column"].removesuffix("_s").replace("_", " ")
    curve = plan["curve"]
    n = [point["n"] for point in curve]
    values = [factor * point["value"] for point in curve]
    reach = [[factor * abs(point["value"] - point[end]) for point in curve] for end in ("lo", "hi")]
    axes.axvspan(plan["n_star_lo"], plan["n_star_hi"], color=_SKY, alpha=0.35, linewidth=0)
    axes.axhline(factor * plan["limit"], color=GREY, linewidth=0.8, linestyle="--")
    axes.errorbar(n, values, yerr=reach, color=_BLUE, marker="o", capsize=1.5, elinewidth=0.8)
    axes.axvline(plan["n_star"], color=INK, linewidth=0.6)
    shown = [factor * plan["limit"], *(min(v, _MOST * factor * plan["limit"]) for v in values)]
    spare = 0.15 * (max(shown) - min(shown))
    axes.set_ylim(min(shown) - spare, max(shown) + spare)  # an interval may reach to infinity
    axes.set(xlabel="devices", ylabel=f"{name}, {unit}")
    axes.set_title(f"N* = {plan['n_star']} [{plan['n_star_lo']}, {plan['n_star_hi']}]", loc="left")


def _gains(axes: Axes, gains: Sequence[Mapping[str, Any]]) -> None:
    """Devices that one per cent more of everything brings."""
    shown = list(reversed(gains))
    places = range(len(shown))
    values = [gain["devices"] for gain in shown]
    reach = [[abs(gain["devices"] - gain[end]) for gain in shown] for end in ("lo", "hi")]
    colours = [_ORANGE if gain["resource"] else GREY for gain in shown]
    axes.barh(places, values, color=colours, height=0.7)
    axes.errorbar(values, places, xerr=reach, linestyle="none", color=INK, elinewidth=0.8)
    axes.set_yticks(places, [gain["words"].removeprefix("the ") for gain in shown])
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="devices per 1 % more of it")


def _stages(axes: Axes, stages: Sequence[Mapping[str, Any]]) -> None:
    """Mean seconds of every stage, of all requests and of the slowest."""
    shown = [stage for stage in stages if stage["mean_s"] > 0.0 or stage["slowest_s"] > 0.0]
    shown.reverse()
    places = list(range(len(shown)))
    for shift, key, colour, label in (
        (0.2, "mean_s", _GREEN, "all requests"),
        (-0.2, "slowest_s", _PINK, "slowest 5 %"),
    ):
        axes.barh(
            [place + shift for place in places], [1e3 * stage[key] for stage in shown],
            height=0.38, color=colour, label=label,
        )  # fmt: skip
    axes.set_yticks(places, [stage["words"] for stage in shown])
    axes.grid(visible=False, axis="y")
    axes.set(xlabel="ms")
    axes.legend(loc="best")


def _choice(axes: Axes, rows: Sequence[Mapping[str, Any]]) -> None:
    """N* of what was searched against the devices' seconds; filled: nothing is better in all."""
    for row in rows:
        on_front = row["pareto"]
        axes.plot(
            1e3 * row["device_s"], row["n_star"], marker="o", color=_BLUE,
            fillstyle="full" if on_front else "none",
        )  # fmt: skip
        axes.annotate(
            f" {row['cut']} {row['codec']}", (1e3 * row["device_s"], row["n_star"]), fontsize=5.5
        )
    axes.margins(x=0.25)
    axes.set(xlabel="device ms per request", ylabel="N*", yscale="log")
