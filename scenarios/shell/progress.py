"""Progress on standard error: a bar with rate and end time on a terminal, plain lines in a log."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

Report = Callable[[int, int], None]
"""`report(done, total)`, callable as often as you like."""

_QUIET_S = 2.0
_LOG_EVERY_S = 10.0
_DRAW_EVERY_S = 0.1


@contextmanager
def progress(label: str) -> Iterator[Report]:
    """Yield a `report(done, total)` that shows itself once the work has taken two seconds."""
    if sys.stderr.isatty():
        with _bar(label) as report:
            yield report
    else:
        yield _lines(label)


@contextmanager
def _bar(label: str) -> Iterator[Report]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}/s"),
        TimeRemainingColumn(),
        TextColumn("left, ends {task.fields[end]}"),
    )
    started = time.monotonic()
    bar = Progress(*columns, console=Console(stderr=True), transient=True, auto_refresh=False)
    task = bar.add_task(label, total=None, rate="", end="")
    drawn = started + _QUIET_S

    def report(done: int, total: int) -> None:
        nonlocal drawn
        rate, _, end = _pace(done, total, started)
        bar.update(task, completed=done, total=total, rate=rate, end=end)
        if time.monotonic() - drawn > _DRAW_EVERY_S:
            bar.start()
            bar.refresh()  # by no thread of its own: this process may be copied
            drawn = time.monotonic()

    try:
        yield report
    finally:
        if bar.live.is_started:
            bar.stop()


def _lines(label: str) -> Report:
    started = time.monotonic()
    last = started + _QUIET_S - _LOG_EVERY_S

    def report(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if not 0 < done < total or now - last < _LOG_EVERY_S:
            return
        last = now
        rate, left_s, end = _pace(done, total, started)
        text = f"{label}: {done}/{total}, {rate}/s, {left_s:.0f} s left, ends {end}"
        print(text, file=sys.stderr, flush=True)

    return report


def _pace(done: int, total: int, started: float) -> tuple[str, float, str]:
    """Rate, seconds left and the clock time of the end, at the pace so far."""
    rate = done / max(time.monotonic() - started, 1e-9)
    if done <= 0:
        return "-", 0.0, "-"
    left_s = (total - done) / rate
    return f"{rate:.3g}", left_s, time.strftime("%H:%M:%S", time.localtime(time.time() + left_s))
