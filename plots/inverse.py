"""What so many devices need: factors on what there is, with their intervals, and counts."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from plots.style import COLOURS, COLUMN_IN, GREY, INK, applied

__all__ = ["draw"]

_BLUE, _ORANGE, _GREEN, _PINK, _AMBER, _SKY = COLOURS
_REACH = 1.25


def draw(needs: Mapping[str, Any]) -> Figure:
    """Return two panels: factors on a log axis around 1, what there is, and counts as numbers.

    Args:
        needs: `n_devices`, and `remedies` with `words`, `unit` ("x" or ""), `least` (None: it
            alone is not enough), `lo`, `hi`, `spare`, `sure` and `grade`.
    """
    factors = [remedy for remedy in needs["remedies"] if remedy["unit"] == "x"]
    counts = [remedy for remedy in needs["remedies"] if remedy["unit"] != "x"]
    with applied():
        figure = Figure(figsize=(2 * COLUMN_IN, 1.5))
        left, right = figure.subplots(1, 2, width_ratios=(3, 1))
        _factors(left, factors)
        _counts(right, counts)
        left.set_title(f"{needs['n_devices']} devices need one of these", loc="left")
        return figure


def _factors(axes: Axes, remedies: Sequence[Mapping[str, Any]]) -> None:
    """A row each: the factor with its interval, or a word where there is none."""
    found = [remedy for remedy in remedies if remedy["least"] is not None]
    ends = [end for r in found for end in (r["least"], r["lo"], r["hi"]) if end is not None]
    low, high = min([1.0, *ends]) / _REACH, max([1.0, *ends]) * _REACH
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    axes.axvline(1.0, color=INK, linewidth=0.8)
    for place, remedy in enumerate(reversed(remedies)):
        _factor(axes, place, remedy)
    axes.set_yticks(range(len(remedies)), [_name(remedy) for remedy in reversed(remedies)])
    axes.set_ylim(-0.6, len(remedies) - 0.3)
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high / low > 3 else (1.0,)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("times what there is")


def _factor(axes: Axes, place: int, remedy: Mapping[str, Any]) -> None:
    least, lo, hi = remedy["least"], remedy["lo"], remedy["hi"]
    if least is None:
        text, at, colour = "not enough, however large", 1.0, GREY
    elif lo is None:
        axes.plot(least, place, marker="<", color=_BLUE)
        text, at, colour = f"less than {least:.3g}", least, INK
    else:
        reach = [[least - lo], [hi - least]]
        axes.errorbar(least, place, xerr=reach, color=_BLUE, marker="o", capsize=2, elinewidth=0.8)
        text, at, colour = f"{least:.3f} [{lo:.3f}, {hi:.3f}]", least, INK
    axes.annotate(
        text, (at, place), xytext=(4, 5), textcoords="offset points", color=colour, fontsize=7
    )


def _counts(axes: Axes, remedies: Sequence[Mapping[str, Any]]) -> None:
    """A number each, its spare pieces apart."""
    axes.set_axis_off()
    axes.set_xlim(0.0, 1.0)
    axes.set_ylim(-0.6, len(remedies) - 0.3)
    for place, remedy in enumerate(reversed(remedies)):
        axes.text(0.0, place, _name(remedy), va="center", fontsize=7)
        least, spare = remedy["least"], remedy["spare"]
        if least is None:
            axes.text(0.45, place, "not enough", va="center", fontsize=7, color=GREY)
            continue
        axes.text(0.45, place, f"{least - spare}", va="center", fontsize=12, color=_BLUE)
        words = [f"+ {spare} spare"] if spare else []
        words += [] if remedy["sure"] else ["(unsure)"]
        axes.text(0.65, place, " ".join(words), va="center", fontsize=7)


def _name(remedy: Mapping[str, Any]) -> str:
    grade = f" ({remedy['grade']})" if remedy["grade"] else ""
    return f"{remedy['words']}{grade}"
