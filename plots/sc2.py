"""Data size, encoder size and accuracy of every way to split (SC2), the Pareto front marked."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from plots.lines import Row, is_known, log_axis, names
from plots.style import COLOURS, COLUMN_IN, GREY, INK, apply

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h", "p")


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return three panels: accuracy over data size, over encoder size x data size, and data size
    over encoder size, the accuracy as the area of a mark.

    Args:
        rows: `scheme`, `cut`, `payload_bytes`, `encoder_bits`, `table_accuracy`, `pareto`; where
            the image itself is sent, `cut` is "input" and the mark is open.
        title: one line above.
    """
    rows = [row for row in rows if is_known(row.get("table_accuracy"))]
    schemes = names(rows, "scheme")
    looks = {n: (COLOURS[i % len(COLOURS)], _MARKERS[i % 12]) for i, n in enumerate(schemes)}
    least = min(row["table_accuracy"] for row in rows)
    with apply():
        figure = Figure(figsize=(2 * COLUMN_IN, 2.7))
        rate, product, sizes = figure.subplots(1, 3)
        for row in rows:
            colour, marker = looks[str(row["scheme"])]
            right = 100.0 * row["table_accuracy"]
            how = {
                "marker": marker, "linestyle": "", "color": colour,
                "markerfacecolor": "white" if row["cut"] == "input" else colour,
                "markeredgecolor": INK if row["pareto"] else colour, "markersize": 4.5,
                "markeredgewidth": 1.1 if row["pareto"] else 0.5, "alpha": 0.9,
            }  # fmt: skip
            rate.plot([row["payload_bytes"]], [right], **how)
            if row["encoder_bits"]:
                product.plot([row["encoder_bits"] * row["payload_bytes"] / 1e6], [right], **how)
                area = 2.0 + 6.0 * (row["table_accuracy"] - least) / max(1e-9, 1.0 - least)
                sizes.plot([row["encoder_bits"] / 1e3], [row["payload_bytes"]],
                           **{**how, "markersize": area})  # fmt: skip
        for name, (colour, marker) in looks.items():
            rate.plot([], [], marker=marker, color=colour, linestyle="", label=name)
        rate.plot([], [], marker="o", markerfacecolor="white", color=GREY, linestyle="",
                  label="image itself")  # fmt: skip
        rate.plot([], [], marker="o", color=GREY, markeredgecolor=INK, linestyle="", label="front")
        for axes, (x, y) in zip(
            (rate, product, sizes),
            (("data size (bytes)", "accuracy (%)"), ("encoder x data (Mbit x bytes)", ""),
             ("encoder size (kbit)", "data size (bytes); area: accuracy")),
            strict=True,
        ):  # fmt: skip
            axes.set_xscale("log")
            log_axis(axes.xaxis, (1, 3))
            axes.set_xlabel(x)
            axes.set_ylabel(y)
        sizes.set_yscale("log")
        log_axis(sizes.yaxis, (1, 3))
        figure.legend(*rate.get_legend_handles_labels(), loc="outside lower center", ncols=6)
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        return figure
