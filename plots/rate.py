"""Rate against error: every chain a line, the memoryless bound below them."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from plots import lines, style

__all__ = ["draw"]

_MARKERS = "osD^vPX*<>"
_BOUND = "memoryless R(D)"


def draw(rows: Sequence[Mapping[str, Any]], *, title: str) -> Figure:
    """Bits per element over relative L2 error, both logarithmic; one marker and colour a chain."""
    with style.applied():
        figure = Figure(figsize=(style.COLUMN_IN, 3.6))
        axes = figure.add_subplot()
        for i, name in enumerate(n for n in lines.names(rows) if n != _BOUND):
            _line(axes, [row for row in rows if row["method"] == name], name, i)
        bound = sorted(
            (row["relative_l2"], row["bits_per_element"])
            for row in rows
            if row["method"] == _BOUND and row["bits_per_element"] > 0.01
        )
        axes.plot(*zip(*bound, strict=True), color=style.INK, ls=":", label=_BOUND, zorder=1)
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("relative L2 error of the decoded feature")
        axes.set_ylabel("bits per element, headers included")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.set_minor_formatter(NullFormatter())
        axes.set_title(title, loc="left")
        lines.legend_below(figure, axes, bottom=0.0, share=0.24, ncols=3)
    return figure


def _line(axes: Any, rows: Sequence[Mapping[str, Any]], name: str, i: int) -> None:
    points = sorted((row["relative_l2"], row["bits_per_element"]) for row in rows)
    points = [point for point in points if point[0] > 0]
    if not points:
        return
    axes.plot(
        *zip(*points, strict=True),
        color=style.COLOURS[i % len(style.COLOURS)],
        marker=_MARKERS[i % len(_MARKERS)],
        ls="-" if i < len(style.COLOURS) else "--",
        label=name,
        zorder=2,
    )
