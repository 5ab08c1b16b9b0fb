"""Rate against error and, with answers, what the task loses: every chain a line, the bounds below.

The memoryless rate-distortion bound is a dotted line; the order-0 entropy of a setting's symbols
is a hollow marker below or, where contexts or a basis beat it, above its filled one.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots import lines, style
from plots.lines import Row

_MARKERS = "osD^vPX*<>"
_BOUND = "memoryless R(D)"
_TASKS = (
    ("accuracy_drop", 100.0, "accuracy drop (pp)"),
    ("bits_per_byte_rise", 1.0, "rise in bits per byte"),
)
"""Column, factor and label of what a task loses."""


def draw(rows: Sequence[Row], *, title: str) -> Figure:
    """Bits per element over relative L2 error, both logarithmic; below it the loss over the bits.

    Args:
        rows: `method`, `bits_per_element` and `relative_l2`; `symbol_entropy_bits` where symbols
            are known, and `accuracy_drop` or `bits_per_byte_rise` where there are answers.
        title: one line above the axes.
    """
    task = [each for each in _TASKS if any(row.get(each[0]) is not None for row in rows)]
    with style.apply():
        figure = Figure(figsize=(style.COLUMN_IN, 3.7 + 1.9 * len(task)))
        panels = figure.subplots(
            1 + len(task), 1, squeeze=False, height_ratios=[1.6, *[1.0] * len(task)]
        )[:, 0]
        _rates(panels[0], rows)
        panels[0].set_title(title, loc="left")
        for axes, (column, factor, label) in zip(panels[1:], task, strict=True):
            _losses(axes, rows, column, factor)
            axes.set(xlabel="bits per element, headers included", ylabel=label)
            lines.log_axis(axes.xaxis)
        share = 0.75 / float(figure.get_figheight())
        lines.legend_below(figure, panels[0], bottom=0.0, share=share, ncols=3)
    return figure


def _rates(axes: Axes, rows: Sequence[Row]) -> None:
    for chosen, look in _chains(rows):
        axes.plot(*_pairs(chosen, "relative_l2", "bits_per_element"), **look)
        bare = {**look, "ls": "none", "mfc": "none", "mew": 0.6, "zorder": 3, "label": "_"}
        axes.plot(*_pairs(chosen, "relative_l2", "symbol_entropy_bits"), **bare)
    axes.plot([], [], marker="o", mfc="none", mew=0.6, color=style.GREY, ls="none",
              label="entropy of symbols")  # fmt: skip
    bound = [row for row in rows if row["method"] == _BOUND and row["bits_per_element"] > 0.01]
    at, bits = _pairs(bound, "relative_l2", "bits_per_element")
    axes.plot(at, bits, color=style.INK, ls=":", label=_BOUND, zorder=1)
    axes.set(xscale="log", yscale="log", xlabel="relative $L_2$ error of the decoded feature",
             ylabel="bits per element, headers included")  # fmt: skip
    errors = [row["relative_l2"] for row in rows if (row["relative_l2"] or 0) > 0]
    lowest = min(errors, default=1.0)
    lines.log_axis(axes.xaxis, subs=(1, 2, 5) if lowest > 0.01 else (1,))
    lines.log_axis(axes.yaxis)


def _losses(axes: Axes, rows: Sequence[Row], column: str, factor: float) -> None:
    for chosen, look in _chains(rows):
        known = sorted(
            (row for row in chosen if row.get(column) is not None),
            key=lambda row: row["bits_per_element"],
        )
        at = [row["bits_per_element"] for row in known]
        lost = [factor * row[column] for row in known]
        axes.plot(at, lost, **look)
        ends = lines.whiskers(known, column, factor)
        axes.errorbar(at, lost, yerr=ends, fmt="none", ecolor=look["color"], elinewidth=0.4,
                      alpha=0.35, zorder=1)  # fmt: skip
    axes.axhline(0.0, color=style.GREY, linewidth=0.6, zorder=1)
    axes.set_xscale("log")


def _chains(rows: Sequence[Row]) -> Iterator[tuple[list[Row], dict[str, Any]]]:
    """The rows of every chain, bounds left out, with its look."""
    for i, name in enumerate(n for n in lines.names(rows) if n != _BOUND):
        yield (
            [row for row in rows if row["method"] == name],
            {
                "color": style.COLOURS[i % len(style.COLOURS)],
                "marker": _MARKERS[i % len(_MARKERS)],
                "ls": "-" if i < len(style.COLOURS) else "--",
                "label": name,
                "zorder": 2,
            },
        )


def _pairs(rows: Sequence[Row], x: str, y: str) -> tuple[list[float], list[float]]:
    """Two columns by rising x, where both are positive."""
    known = sorted((row[x], row[y]) for row in rows if (row.get(y) or 0) > 0 and (row[x] or 0) > 0)
    return [at for at, _ in known], [height for _, height in known]
