"""Compared systems: how many devices each serves against what it costs, the front filled."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from plots.labels import beside
from plots.lines import Row, is_known, log_axis
from plots.style import COLOURS, GREY

COSTS = {
    "device_s": (1e3, "time on the device per request (ms)"),
    "accuracy_drop_pp_hi": (1.0, "accuracy drop, upper end of its 95 % interval (pp)"),
}
"""Column of a cost, its factor and its words."""

_FRONT = {"color": COLOURS[0], "marker": "o"}
_REST = {"color": GREY, "marker": "o", "fillstyle": "none", "markersize": 2.6, "alpha": 0.8}


def comparable(rows: Sequence[Row], cost: str) -> list[Row]:
    """The rows with an N* and a known cost; none if that leaves nothing to compare."""
    shown = [row for row in rows if is_known(row["n_star"]) and is_known(row.get(cost))]
    return shown if len(shown) > 1 else []


def scatter(axes: Axes, rows: Sequence[Row], cost: str) -> None:
    """N* with its interval against a cost; filled: no other is as good in all and better in one.

    Args:
        axes: the panel.
        rows: `n_star`, `n_star_lo`, `n_star_hi` (None where nothing bounds it), `pareto` and the
            cost; the caller has asked `comparable`.
        cost: one of `COSTS`.
    """
    factor, words = COSTS[cost]
    ends = [end for row in rows for end in _ends(row, row["n_star"], row["n_star"])]
    low, high, scale = _scale(ends)
    for row in sorted(rows, key=lambda each: bool(each["pareto"])):
        lo, hi = _ends(row, low, 2.0 * high)
        n_star = row["n_star"]
        drawn = axes.errorbar(
            factor * row[cost], n_star, yerr=[[max(0.0, n_star - lo)], [max(0.0, hi - n_star)]],
            elinewidth=0.7, linestyle="none", **(_FRONT if row["pareto"] else _REST),
        )  # fmt: skip
        drawn.lines[0].set_clip_on(False)  # a marker at 0 stays whole
    axes.set(yscale=scale, ylim=(low, high), xlabel=words, ylabel="devices served, $N^*$")
    if scale == "log":
        log_axis(axes.yaxis)
    axes.margins(x=0.12)
    if cost == "device_s":
        axes.set_xlim(left=max(0.0, axes.get_xlim()[0]))


def label(axes: Axes, rows: Sequence[Row], cost: str) -> None:
    """Name the front and what serves most devices; call it when the layout is settled."""
    factor = COSTS[cost][0]
    ranked = sorted(rows, key=lambda row: -row["n_star"])
    named = [
        (factor * row[cost], row["n_star"], _name(row))
        for place, row in enumerate(ranked)
        if row["pareto"] or place == 0
    ]
    bottom, top = axes.get_ylim()
    beside(axes, named, [(factor * row[cost], *_ends(row, bottom, top)) for row in rows])


def key(figure: Figure, rows: Sequence[Row]) -> None:
    """What filled and hollow mean, below all panels."""
    words = {True: "Pareto front of $N^*$, accuracy, device energy and device time",
             False: "searched, off the front"}  # fmt: skip
    seen = [front for front in words if any(bool(row["pareto"]) is front for row in rows)]
    handles = [
        Line2D([], [], linestyle="none", label=words[front], **(_FRONT if front else _REST))
        for front in seen
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, handletextpad=0.2)


def _scale(ends: Sequence[float]) -> tuple[float, float, str]:
    """Limits of N* that hold all intervals, and the scale: logarithmic from a factor of four on.

    There is more room above, for the name of the largest.
    """
    low, high = max(1.0, min(ends)), max(1.0, *ends)
    if high >= 4.0 * low:
        return low / (high / low) ** 0.08, high * (high / low) ** 0.14, "log"
    span = (high - low) or 0.5 * high
    return low - 0.1 * span, high + 0.16 * span, "linear"


def _name(row: Row) -> str:
    """What varied; files without labels say cut and codec."""
    return str(row.get("label") or f"{row['cut']} {row['codec']}")


def _ends(row: Row, low: float, high: float) -> tuple[float, float]:
    """The interval of N*, these ends where it has none."""
    lo, hi = row.get("n_star_lo"), row.get("n_star_hi")
    return (lo if is_known(lo) else low), (hi if is_known(hi) else high)
