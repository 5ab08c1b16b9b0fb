"""All schemes on one axis: a row for each, a panel for each figure, and latency over N."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.lines import Row, devices_axis, is_known, line, log_axis, names, whiskers
from plots.style import COLOURS, COLUMN_IN, INK, apply

_PANELS = (
    ("table_accuracy", 100.0, "accuracy (%)", False),
    ("n_star", 1.0, "devices $N^*$", False),
    ("payload_bytes", 1.0, "payload (bytes)", True),
    ("encoder_bits", 1e-3, "encoder (kbit)", False),
    ("device_service_s", 1e3, "device (ms)", True),
    ("server_s_per_request", 1e6, "server (us)", True),
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "*", "h", "p", "d")
"""As many as share no factor with the colours, so that no two ways look alike."""


def draw(rows: Sequence[Row], *, title: str = "", limit: str = "") -> Figure:
    """Return six panels with a row per way, at the largest N, and the 95th percentile over N.

    Args:
        rows: `way`, `n_devices`, `latency_p95_s`, `table_accuracy` and `n_star` with intervals,
            `payload_bytes`, `encoder_bits`, `device_service_s`, `server_s_per_request`.
        title: one line above.
        limit: what N* keeps.
    """
    ways = names(rows, "way")
    most = max(row["n_devices"] for row in rows)
    last = {row["way"]: row for row in rows if row["n_devices"] == most}
    places = {way: len(ways) - 1 - i for i, way in enumerate(ways)}
    with apply():
        listed = max(1.9, 0.17 * len(ways))  # of the legend's lines
        figure = Figure(figsize=(2 * COLUMN_IN, 0.7 + 0.34 * len(ways) + listed))
        heights = (0.5 + 0.3 * len(ways), listed)
        parts = figure.subfigures(2, 1, height_ratios=heights, squeeze=False)
        above, below = parts[:, 0]
        panels = above.subplots(2, 3, sharey=True).ravel()
        for axes, (column, factor, text, is_log) in zip(panels, _PANELS, strict=True):
            _dots(axes, last, places, column, factor)
            if is_log and any(is_known(r.get(column)) and r[column] > 0 for r in last.values()):
                axes.set_xscale("log")
                log_axis(axes.xaxis, (1, 3))
            axes.set_xlabel(text)
        panels[1].set_title(limit, loc="left", fontsize=6)
        for axes in panels[::3]:
            axes.set_yticks(list(places.values()), list(places), fontsize=6)
        latency = below.subplots()
        for i, way in enumerate(ways):
            mine = [row for row in rows if row["way"] == way]
            look = {"color": COLOURS[i % len(COLOURS)], "marker": _MARKERS[i % len(_MARKERS)],
                    "markersize": 3, "linewidth": 0.9}  # fmt: skip
            line(latency, mine, "latency_p95_s", look, factor=1e3, label=way, banded=False)
        latency.set_yscale("log")
        log_axis(latency.yaxis, (1, 3))
        latency.set_ylabel("p95 latency (ms)")
        devices_axis(latency, rows)
        latency.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), fontsize=6)
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        return figure


def _dots(axes: Axes, last: dict[str, Row], places: dict[str, int], column: str, by: float) -> None:
    for way, row in last.items():
        if not is_known(row.get(column)):
            continue
        ends = whiskers([row], column, by)
        axes.errorbar([by * row[column]], [places[way]], xerr=ends, color=INK, marker="o",
                      markersize=3, elinewidth=0.8, linestyle="")  # fmt: skip
    axes.set_ylim(-0.6, len(places) - 0.4)
    axes.grid(visible=True, axis="y", linewidth=0.3)
