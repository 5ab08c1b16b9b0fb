"""Lost accuracy and relative error against bits per element, a line per chain, a row per cut."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.lines import Row, claim, legend_below, log_axis, names, whiskers
from plots.methods import looks
from plots.style import COLUMN_IN, GREY, apply


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return two panels per cut: accuracy drop above, relative L2 error below, both over the rate.

    Args:
        rows: `cut`, `method`, `bits_per_element`, `relative_l2` and, on trained weights,
            `accuracy_drop` with their intervals.
        title: one line above the axes.
    """
    cuts = names(rows, "cut")
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 0.9 + 2.1 * len(cuts) + 1.6))
        ratios = (1.25,) * len(cuts) + (1.0,)
        *drops, errors = figure.subplots(len(cuts) + 1, 1, sharex=True, height_ratios=ratios)
        for axes, cut in zip(drops, cuts, strict=True):
            _panel(axes, [row for row in rows if row["cut"] == cut], "accuracy_drop", 100.0)
            claim(axes, 0.0, 3.0, "claimed: 0-3 pp")
            axes.plot([0.6, 0.8], [1.0, 1.0], color=GREY, linewidth=2.5, solid_capstyle="butt")
            stem = {"arrowstyle": "-", "color": GREY, "linewidth": 0.5}
            axes.annotate("Cohen et al. 2021: < 1 %", (0.8, 1.0), (45, 58), fontsize=5.5,
                          textcoords="offset points", color=GREY, arrowprops=stem)  # fmt: skip
            axes.set(ylabel="accuracy drop (pp)", ylim=(-2.2, 12))
            axes.set_title(f"{title}, cut at {cut}", loc="left")
        last = [row for row in rows if row["cut"] == cuts[-1]]
        _panel(errors, last, "relative_l2", 1.0)
        errors.set_title(f"cut at {cuts[-1]}", loc="left", fontsize=7)
        errors.set(xscale="log", yscale="log", ylabel="relative $L_2$ error",
                   xlabel="bits per element, everything counted")  # fmt: skip
        log_axis(errors.xaxis)
        log_axis(errors.yaxis)
        height = float(figure.get_figheight())
        legend_below(figure, errors, bottom=0.0, share=0.62 / height, ncols=4)
        return figure


def _panel(axes: Axes, rows: Sequence[Row], y: str, factor: float) -> None:
    rows = [row for row in rows if row.get(y) is not None]
    known = {_rename(name): name for name in names(rows)}
    for method, look in looks(list(known)).items():
        name = known[method]
        chosen = sorted(
            (row for row in rows if row["method"] == name), key=lambda row: row["bits_per_element"]
        )
        axes.errorbar(
            [row["bits_per_element"] for row in chosen],
            [factor * row[y] for row in chosen],
            yerr=whiskers(chosen, y, factor), label=name, elinewidth=0.6, **look,
        )  # fmt: skip


def _rename(name: str) -> str:
    """The name under which other figures draw the same chain."""
    return "split, no codec" if name.startswith("raw") else f"split, {name}"
