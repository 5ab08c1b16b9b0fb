"""Texts beside points that hide neither each other nor a point: near where there is room."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from plots.style import GREY, INK

_NEAR_PT = 3.5
_STEPS_PT = (6.5, 10.0, 14.0, 19.0, 26.0)
_AIR_PT = 0.6
_ALIGNED = {-1: ("right", "top"), 0: ("center", "center"), 1: ("left", "bottom")}
_SIDES = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))

Named = tuple[float, float, str]
Bar = tuple[float, float, float]


def beside(
    axes: Axes, named: Sequence[Named], bars: Iterable[Bar], *, size_pt: float = 5.5
) -> list[Annotation]:
    """Write each text next to its point, further off with a stem where that is taken.

    Call it last: the limits and the layout must not change any more. A text for which no place
    within the panel is free is left out, so the most important come first.

    Args:
        axes: where the points are.
        named: x and y, in data coordinates, and the text.
        bars: x and both ends in y, in data coordinates, of all that must stay visible.
        size_pt: size of the type, points.
    """
    figure = axes.get_figure(root=True)
    assert figure is not None
    figure.draw_without_rendering()
    pixels, room = figure.dpi / 72.0, axes.get_window_extent()
    taken = [_around(axes, bar, 0.6 * _NEAR_PT * pixels) for bar in bars]
    written = []
    for x, y, text in named:
        width, height = _size(axes, text, size_pt)
        for dx, dy, step in _places():
            box = _box(axes, (x, y), (dx, dy), step * pixels, width, height)
            stem = _stem(axes, (x, y), (dx, dy), step) if step > _NEAR_PT else []
            if _inside(box, room) and not any(each.count_overlaps(taken) for each in (box, *stem)):
                taken += [box.padded(_AIR_PT * pixels), *stem]
                written.append(_write(axes, (x, y, text), (dx, dy), step, size_pt))
                break
    return written


def _places() -> Iterator[tuple[int, int, float]]:
    """Direction and distance in points, the nearest first: those at the point's own height."""
    yield from ((dx, dy, _NEAR_PT) for dx, dy in _SIDES[:2])
    yield from ((dx, dy, step) for step in _STEPS_PT for dx, dy in _SIDES)


def _around(axes: Axes, bar: Bar, reach: float) -> Bbox:
    """The pixels of a bar and its marker."""
    x, low, high = bar
    return Bbox(axes.transData.transform([(x, low), (x, high)])).padded(reach)


def _size(axes: Axes, text: str, size_pt: float) -> tuple[float, float]:
    """Width and height of a text in pixels."""
    trial = axes.text(0.5, 0.5, text, fontsize=size_pt, transform=axes.transAxes)
    box = trial.get_window_extent()
    trial.remove()
    return box.width, box.height


def _box(
    axes: Axes,
    point: tuple[float, float],
    side: tuple[int, int],
    step: float,
    width: float,
    height: float,
) -> Bbox:
    """The pixels of a text whose near edge or corner is `step` away from the point."""
    x, y = axes.transData.transform(point)
    left = x + side[0] * step + 0.5 * (side[0] - 1) * width
    foot = y + side[1] * step + 0.5 * (side[1] - 1) * height
    return Bbox.from_bounds(left, foot, width, height)


def _stem(axes: Axes, point: tuple[float, float], side: tuple[int, int], step: float) -> list[Bbox]:
    """Small boxes of pixels along the line from a point's marker to its text `step` points away."""
    figure = axes.get_figure(root=True)
    assert figure is not None
    x, y = axes.transData.transform(point)
    lengths = np.arange(0.75 * _NEAR_PT, step, 1.0) * figure.dpi / 72.0
    return [Bbox.from_bounds(x + side[0] * d, y + side[1] * d, 1.0, 1.0) for d in lengths]


def _inside(box: Bbox, room: Bbox) -> bool:
    across = room.x0 <= box.x0 and box.x1 <= room.x1
    return bool(across and room.y0 <= box.y0 and box.y1 <= room.y1)


def _write(
    axes: Axes, named: Named, side: tuple[int, int], step: float, size_pt: float
) -> Annotation:
    x, y, text = named
    stem = {"arrowstyle": "-", "color": GREY, "linewidth": 0.4, "shrinkA": 0.0, "shrinkB": 1.5,
            "relpos": (0.5 * (1 - side[0]), 0.5 * (1 - side[1]))}  # fmt: skip
    note = axes.annotate(
        text, (x, y), (side[0] * step, side[1] * step), textcoords="offset points",
        ha=_ALIGNED[side[0]][0], va=_ALIGNED[side[1]][1], fontsize=size_pt, color=INK,
        arrowprops=stem if step > _NEAR_PT else None,
    )  # fmt: skip
    note.set_in_layout(False)
    return note
