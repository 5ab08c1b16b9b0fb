"""What so many devices need: factors on what there is, with their intervals, and counts."""

import math
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullLocator

from plots.lines import Row
from plots.style import COLOURS, COLUMN_IN, GREY, INK, apply

_BLUE, _SKY = COLOURS[0], COLOURS[-1]
_LEAST_REACH, _MARGIN = 1.02, 0.15


def draw(needs: Row) -> Figure:
    """Return two panels: factors on a log axis around 1, what there is, and counts as numbers.

    Args:
        needs: `n_devices`, and `remedies` with `words`, `unit` ("x" or ""), `least` (None: it
            alone is not enough), `lo`, `hi`, `spare`, `sure` and `grade`.
    """
    factors = [remedy for remedy in needs["remedies"] if remedy["unit"] == "x"]
    counts = [remedy for remedy in needs["remedies"] if remedy["unit"] != "x"]
    with apply():
        figure = Figure(figsize=(2 * COLUMN_IN, 1.5))
        left, right = figure.subplots(1, 2, width_ratios=(5, 2))
        _factors(left, factors)
        _counts(right, counts)
        left.set_title(f"{needs['n_devices']} devices need one of these", loc="left")
        right.set_title("or so many", loc="left")
        return figure


def _factors(axes: Axes, remedies: Sequence[Row]) -> None:
    """A row each: how far from 1 the factor lies, with its interval, or a word where it is none."""
    answered = [remedy for remedy in remedies if remedy["least"] is not None]
    ends = [
        1.0,
        *(end for r in answered for end in (r["least"], r["lo"], r["hi"]) if end is not None),
    ]
    low, high = min(ends), max(ends)
    spare = max(_LEAST_REACH, (high / low) ** _MARGIN)
    low, high = low / spare, high * spare
    axes.set(xscale="log", xlim=(low, high), ylim=(-0.6, len(remedies) - 0.3))
    axes.axvline(1.0, color=INK, linewidth=0.8)
    for place, remedy in enumerate(reversed(remedies)):
        _factor(axes, place, remedy, to_left=(remedy["least"] or 1.0) > math.sqrt(low * high))
    axes.set_yticks(range(len(remedies)), [_name(remedy) for remedy in reversed(remedies)])
    axes.set_xticks(_ticks(low, high))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("times what there is")


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers within the axis: evenly spaced where it is short, 1, 2, 5 where it is long."""
    if high / low < 4.0:
        return [tick for tick in MaxNLocator(6).tick_values(low, high) if low <= tick <= high]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)))
    every = [first * 10.0**decade for decade in decades for first in (1.0, 2.0, 5.0)]
    return [tick for tick in every if low <= tick <= high]


def _factor(axes: Axes, place: int, remedy: Row, *, to_left: bool) -> None:
    least, lo, hi = remedy["least"], remedy["lo"], remedy["hi"]
    side: dict[str, Any] = {
        "ha": "right" if to_left else "left",
        "textcoords": "offset points",
        "fontsize": 7,
    }
    beside = (-4 if to_left else 4, 5)
    if least is None:
        words = "not enough up to 64"
        axes.annotate(words, (1.0, place), xytext=(4, 0), va="center", color=GREY, **side)
        return
    axes.plot([1.0, least], [place, place], color=_SKY, linewidth=1.0)
    if lo is None:
        axes.plot(least, place, marker="<", color=_BLUE)
        words = f"less than {least:.3g}"
    else:
        reach = [[least - lo], [hi - least]]
        axes.errorbar(least, place, xerr=reach, color=_BLUE, marker="o", capsize=2, elinewidth=0.8)
        words = f"{least:.3f} [{lo:.3f}, {hi:.3f}]"
    axes.annotate(words, (least, place), xytext=beside, color=INK, **side)


def _counts(axes: Axes, remedies: Sequence[Row]) -> None:
    """A number each, its spare pieces apart."""
    axes.set_axis_off()
    axes.set(xlim=(0.0, 1.0), ylim=(-0.6, len(remedies) - 0.3))
    for place, remedy in enumerate(reversed(remedies)):
        axes.text(0.0, place, _name(remedy), va="center", fontsize=7)
        least, spare = remedy["least"], remedy["spare"]
        if least is None:
            axes.text(0.52, place, "not enough", va="center", fontsize=7, color=GREY)
            continue
        words = [f"+ {spare} spare"] if spare else []
        words += [] if remedy["sure"] else ["within error"]
        axes.text(0.52, place, f"{least - spare}", va="center", fontsize=11, color=_BLUE)
        axes.text(0.66, place, "\n".join(words), va="center", fontsize=7)


def _name(remedy: Row) -> str:
    grade = f", grade {remedy['grade']}" if remedy["grade"] else ""
    return f"{remedy['words']}{grade}"
