"""Contention: what n stations get together by what they send, and the model's error at each run."""

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from plots.lines import Row, devices_axis, line
from plots.style import COLOURS, COLUMN_IN, GREY, apply

_MARKERS = "osD^v"


def draw(rows: Sequence[Row]) -> Figure:
    """Return two panels: goodput over active stations, a colour for each number of frames in an
    access (model: line, ns-3: markers, Bianchi: dashes, backoff played: crosses); and the error of
    the model at every ns-3 run.

    Args:
        rows: `method`, `n_devices`, `frames`, `frame_bytes`, `goodput_mbps`; of ns-3 `off`, too.
    """
    sizes = [row for row in rows if row["frame_bytes"] == _largest(rows)]
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 4.9))
        upper, lower = figure.subplots(2, 1, height_ratios=(1.5, 1.0))
        numbers = sorted({int(row["frames"]) for row in sizes})
        for number, frames in enumerate(numbers):
            chosen = [row for row in sizes if row["frames"] == frames]
            _goodput(upper, chosen, COLOURS[number], _MARKERS[number], frames)
            _errors(lower, chosen, COLOURS[number], _MARKERS[number], "_")
        others = [row for row in rows if row["frame_bytes"] != _largest(rows)]
        for size in sorted({row["frame_bytes"] for row in others}):
            chosen = [row for row in others if row["frame_bytes"] == size]
            label = f"{chosen[0]['frames']} frames of {size:.0f} B"
            _errors(lower, chosen, GREY, _MARKERS[-1], label)
        upper.set(ylabel="goodput of all stations [Mb/s]", ylim=(0, 1.35 * _most(rows)))
        lower.set(ylabel="model over ns-3", ylim=(-0.1, 0.1))
        lower.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        lower.axhline(0.0, color=GREY, lw=0.6)
        for axes in (upper, lower):
            devices_axis(axes, [row for row in rows if row["method"] == "model"])
        upper.set_xlabel("")
        lower.set_xlabel("active stations n")
        upper.plot([], [], color=GREY, ls="--", label="Bianchi")
        upper.plot([], [], color=GREY, ls="", marker="x", label="backoff played")
        upper.legend(loc="upper right", ncols=2)
        lower.legend(loc="upper right")
        upper.set_title("802.11ax, 20 MHz, HE-MCS 7; frames of 1,400 B", loc="left")
        lower.set_title("error at every ns-3 run", loc="left")
    return figure


def _largest(rows: Sequence[Row]) -> float:
    return float(max(row["frame_bytes"] for row in rows))


def _most(rows: Sequence[Row]) -> float:
    return float(max(row["goodput_mbps"] for row in rows))


def _name(frames: int) -> str:
    return "one frame an access" if frames == 1 else f"{frames} frames"


def _goodput(axes: Axes, rows: Sequence[Row], colour: str, marker: str, frames: int) -> None:
    looks: dict[str, dict[str, Any]] = {
        "model": {"ls": "-"},
        "ns-3": {"ls": "", "marker": marker},
        "Bianchi": {"ls": "--", "lw": 0.8},
        "backoff played": {"ls": "", "marker": "x"},
    }
    for method, look in looks.items():
        chosen = [row for row in rows if row["method"] == method]
        label = _name(frames) if method == "ns-3" else "_"
        if chosen:
            line(axes, chosen, "goodput_mbps", {"color": colour, **look}, label=label)


def _errors(axes: Axes, rows: Sequence[Row], colour: str, marker: str, label: str) -> None:
    chosen = [row for row in rows if row["method"] == "ns-3"]
    line(axes, chosen, "off", {"color": colour, "ls": "", "marker": marker}, label=label)
