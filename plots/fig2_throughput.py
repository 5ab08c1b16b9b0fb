"""Throughput against the number of devices, a line per method (the paper's Fig. 2 left)."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from plots.lines import Row, devices_axis, line, log_axis, names
from plots.methods import looks, shorten
from plots.style import COLUMN_IN, GREY, apply, shades

_SPLITS = "splits"


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return a panel per network, every method at one split, and one where the split moves.

    Args:
        rows: columns `panel` (a network's name, or "splits"), `n_devices`, `method`, `cut`,
            `throughput_rps` (with `_lo_total`, `_hi_total`) and, where one is known,
            `throughput_bound_rps`; `device` and `server`.
        title: one line above the axes.

    Raises:
        ValueError: if there is no row to draw.
    """
    if not rows:
        raise ValueError("nothing to draw: no row without an error")
    panels = names(rows, "panel")
    networks = [row for row in rows if row["panel"] != _SPLITS]
    how = looks(names(networks))
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 1.2 + 1.65 * len(panels)))
        drawn = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, panel, letter in zip(drawn, panels, "abcdefgh", strict=False):
            here = [row for row in rows if row["panel"] == panel]
            if panel == _SPLITS:
                _panel(axes, here, _split_looks(here))
                axes.set_title(f"({letter}) {here[0]['model']}, the split moves", loc="left")
                _legend_within(axes)
            else:
                _panel(axes, here, how)
                cut = next((r["cut"] for r in here if r["cut"] not in ("input", "output")), "")
                axes.set_title(f"({letter}) {panel}, split after {cut}", loc="left")
                _say_machines(axes, here[0], rows[0])
            devices_axis(axes, rows, label=axes is drawn[-1])
        drawn[0].set_title(f"{title}\n{drawn[0].get_title(loc='left')}", loc="left")
        handles = [
            Line2D([], [], label=shorten(name), markersize=3.2, **look)
            for name, look in how.items()
        ]
        handles.append(Line2D([], [], color=GREY, linewidth=0.6, linestyle="--", label="bound"))
        figure.legend(
            handles=handles, loc="outside lower left", ncols=4, columnspacing=1.0, alignment="left",
            title="line: method (split unless it says full), band: 95 % interval",
            title_fontsize=6.5,
        )  # fmt: skip
        return figure


def _say_machines(axes: Axes, row: Row, first: Row) -> None:
    """Name a panel's machines where they are not the first panel's."""
    if _machines(row) != _machines(first):
        axes.text(0.99, 0.04, _machines(row), transform=axes.transAxes, ha="right", fontsize=6.5)


def _machines(row: Row) -> str:
    return ", ".join(str(row[role]) for role in ("device", "server") if row.get(role))


def _panel(axes: Axes, rows: Sequence[Row], how: Mapping[str, Mapping[str, Any]]) -> None:
    for method, look in how.items():
        chosen = [row for row in rows if row["method"] == method]
        line(axes, chosen, "throughput_rps", look, label=method)
        bound = sorted(
            (row for row in chosen if row.get("throughput_bound_rps") is not None),
            key=lambda row: row["n_devices"],
        )
        axes.plot(
            [row["n_devices"] for row in bound],
            [row["throughput_bound_rps"] for row in bound],
            color=look["color"], linestyle="--", linewidth=0.5, alpha=0.7, zorder=1,
        )  # fmt: skip
    axes.set(yscale="log", ylabel="requests/s")
    log_axis(axes.yaxis, (1,))


def _legend_within(axes: Axes) -> None:
    axes.legend(
        loc="upper left", ncols=2, fontsize=5.5, columnspacing=0.8, handlelength=1.8,
        labelspacing=0.25, borderaxespad=0.1,
    )  # fmt: skip
    low, high = axes.get_ylim()
    axes.set_ylim(low, high * (high / low) ** 0.35)  # room for the legend


def _split_looks(rows: Sequence[Row]) -> dict[str, dict[str, Any]]:
    """Colour tells the cut; dotted with open markers where nothing is compressed."""
    colours = shades(list(dict.fromkeys(str(row["cut"]) for row in rows)))
    by_name = {}
    for row in rows:
        raw = str(row["method"]).endswith("no codec")
        colour = colours[row["cut"]]
        by_name[row["method"]] = {
            "color": colour,
            "marker": "o",
            "markerfacecolor": "white" if raw else colour,
            "linewidth": 0.9 if raw else 1.2,
            "linestyle": (0, (1, 1)) if raw else "-",
        }
    return by_name
