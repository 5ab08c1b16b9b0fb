"""Rate, decision, latency and server load against time, a column per trace."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from plots.lines import Row, log_axis, names
from plots.style import COLOURS, COLUMN_IN, GREY, INK, apply

_LOOKS: dict[str, dict[str, Any]] = {
    "at once": {"color": COLOURS[1], "linewidth": 0.6},
    "reserve": {"color": COLOURS[2], "linewidth": 0.6},
    "hysteresis": {"color": COLOURS[0], "linewidth": 1.1},
}


def draw(rows: Sequence[Row], *, title: str = "") -> Figure:
    """Return four rows of panels over seconds: speed, device 0's choice, latency, server load.

    Args:
        rows: `panel` "time": `link`, `method`, `time_s`, `factor`, `decision`, `latency_mean_s`,
            `server_load`; other panels are passed over.
        title: one line above the panels.
    """
    rows = [row for row in rows if row["panel"] == "time"]
    links, methods = names(rows, "link"), names(rows)
    order = [name for name in names(rows, "decision") if name]
    order = sorted(order, key=_depth)
    places = {name: place for place, name in enumerate(order)}
    with apply():
        figure = Figure(figsize=(COLUMN_IN, 4.4))
        heights = [0.6, 0.35 + 0.16 * len(order), 1.0, 0.8]
        panels = figure.subplots(4, len(links), sharex=True, sharey="row", squeeze=False,
                                 gridspec_kw={"height_ratios": heights})  # fmt: skip
        for column, link in zip(panels.T, links, strict=True):
            here = [row for row in rows if row["link"] == link]
            first = [row for row in here if row["method"] == methods[0]]
            column[0].set_title(link, loc="left", fontsize=7)
            column[0].plot(*_line(first, "factor"), color=INK, linewidth=0.8)
            for method in methods:
                mine = [row for row in here if row["method"] == method]
                _three(column[1:], mine, places, method)
            column[-1].set_xlabel("time (s)")
        labels = ("speed", "", "latency (ms)", "server load")
        for axes, label in zip(panels[:, 0], labels, strict=True):
            axes.set_ylabel(label)
        panels[1, 0].set_yticks(range(len(order)), order, fontsize=5)
        panels[2, 0].set_yscale("log")
        log_axis(panels[2, 0].yaxis, (1, 2, 5))
        panels[0, 0].set_ylim(0.0, 1.05)
        panels[3, 0].set_ylim(bottom=0.0)
        figure.suptitle(title, x=0.02, ha="left", fontsize=8)
        handles, texts = panels[3, 0].get_legend_handles_labels()
        figure.legend(handles, texts, loc="outside lower center", ncols=3)
        return figure


def _three(column: Sequence[Axes], rows: list[Row], places: Mapping[str, int], name: str) -> None:
    look = _LOOKS.get(name, {"color": GREY, "linewidth": 0.6})
    decided = [row for row in rows if row["decision"]]
    at = [row["time_s"] for row in decided]
    column[0].step(at, [places[row["decision"]] for row in decided], where="post", **look)
    column[1].plot(*_line(rows, "latency_mean_s", 1e3), **look)
    column[2].plot(*_line(rows, "server_load"), label=name, **look)


def _line(rows: Sequence[Row], column: str, factor: float = 1.0) -> tuple[list[float], list[float]]:
    known = [row for row in rows if row.get(column) is not None]
    return [row["time_s"] for row in known], [factor * row[column] for row in known]


def _depth(name: str) -> tuple[int, str]:
    """From the input over the stages to the output, as cuts are named."""
    cut = name.split("/")[0]
    return {"input": 0, "stem": 1, "output": 9}.get(cut, 2), name
