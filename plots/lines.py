"""Lines with bands over the number of devices, and the legend below: parts of several figures.

Rows are tidy dicts; a line holds the rows of one method in the order of N.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeGuard

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

Row = Mapping[str, Any]


def names(rows: Sequence[Row], column: str = "method") -> list[str]:
    """Distinct values of a column in the order of the rows."""
    return list(dict.fromkeys(str(row[column]) for row in rows))


def is_known(value: float | None) -> TypeGuard[float]:
    """Whether a number can be drawn: files hold null for what is unknown or without end."""
    return value is not None and math.isfinite(value)


def line(
    axes: Axes,
    rows: Sequence[Row],
    y: str,
    look: Mapping[str, Any],
    *,
    x: str = "n_devices",
    label: str = "_",
    factor: float = 1.0,
    banded: bool = True,
) -> None:
    """Draw column `y` times `factor` against `x` with its 95 % band.

    Without a band the interval of the last point is a whisker beside it.
    """
    rows = sorted((row for row in rows if row.get(y) is not None), key=lambda row: row[x])
    at = [row[x] for row in rows]
    axes.plot(at, [factor * row[y] for row in rows], label=label, zorder=3, **look)
    if banded:
        band(axes, rows, y, look["color"], x=x, factor=factor)
    elif rows:
        last, ends = rows[-1], whiskers(rows[-1:], y, factor)
        axes.errorbar([last[x]], [factor * last[y]], yerr=ends, color=look["color"],
                      elinewidth=0.6, alpha=0.7)  # fmt: skip


def band(
    axes: Axes, rows: Sequence[Row], y: str, colour: str, *, x: str, factor: float = 1.0
) -> None:
    """Fill between the ends of the wider interval that the rows have, if any."""
    for ends in (("_lo_total", "_hi_total"), ("_lo", "_hi")):
        if all(row.get(f"{y}{end}") is not None for row in rows for end in ends):
            low, high = ([factor * row[f"{y}{end}"] for row in rows] for end in ends)
            at = [row[x] for row in rows]
            axes.fill_between(at, low, high, color=colour, alpha=0.22, linewidth=0, zorder=2)
            return


def devices_axis(axes: Axes, rows: Sequence[Row], *, label: bool = True) -> None:
    """A logarithmic axis of N with a tick at every N that was played."""
    n_devices = sorted({int(row["n_devices"]) for row in rows})
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticks(n_devices, [str(n) for n in n_devices])
    if label:
        axes.set_xlabel("number of devices $N$")


def claim(
    axes: Axes, low: float, high: float, text: str, *, vertical: bool = False, below: bool = False
) -> None:
    """A claim of the paper as a labelled band: never a datum.

    The label stands inside the band at its right end; `below` it at the left where asked for.
    """
    fill: Callable[..., Any] = axes.axvspan if vertical else axes.axhspan
    fill(low, high, color="#d9d2e9", alpha=0.55, linewidth=0, zorder=0)
    x, y = (high, 0.98) if vertical else (0.01 if below else 0.99, low)
    transform = axes.get_xaxis_transform() if vertical else axes.get_yaxis_transform()
    axes.text(
        x,
        y,
        text,
        transform=transform,
        ha="left" if below else "right",
        va="top" if vertical or below else "bottom",
        fontsize=5.5,
        color="#5b4a8a",
        rotation=90 if vertical else 0,
        zorder=1,
    )


def legend_below(
    figure: Figure, axes: Axes, *, bottom: float, share: float, title: str = "", ncols: int = 2
) -> None:
    """The legend in the lowest `share` of the figure, its foot at `bottom` (figure fractions)."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0.0, bottom),
        ncols=ncols,
        title=title or None,
        title_fontsize=6.5,
        alignment="left",
        columnspacing=1.2,
    )
    figure.get_layout_engine().set(rect=(0, share, 1, 1 - share))  # type: ignore[union-attr, call-arg]


def log_axis(axis: Axis, subs: Sequence[float] = (1, 2, 5)) -> None:
    """A logarithmic axis with plain numbers at 1, 2 and 5 of every decade."""
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.7g}"))
    axis.set_minor_formatter(NullFormatter())


def whiskers(rows: Sequence[Row], y: str, factor: float = 1.0) -> list[list[float]] | None:
    """Distances from the mean to both ends of the wider interval, for `errorbar`; None if none."""
    for ends in (("_lo_total", "_hi_total"), ("_lo", "_hi")):
        if all(row.get(f"{y}{end}") is not None for row in rows for end in ends):
            below = [max(0.0, factor * (row[y] - row[f"{y}{ends[0]}"])) for row in rows]
            above = [max(0.0, factor * (row[f"{y}{ends[1]}"] - row[y])) for row in rows]
            return [below, above]
    return None
