"""Recorded arrivals, what `workload.replay_csv` names: times, and lengths of sessions if any.

Layouts, told by their header or named by `workload.replay_format`:

- times: columns time_s and, if wanted, device
- azure: TIMESTAMP (a date), ContextTokens, GeneratedTokens (Patel et al., ISCA 2024)
- vidur: arrived_at (s), num_prefill_tokens, num_decode_tokens (Agrawal et al., MLSys 2024)
- burstgpt: Timestamp (s), Request tokens, Response tokens (Wang et al., 2024)

Rows without a device go to device 0, 1, ... by turns. Dates, and times of a clock (since 1970),
count from the first one; other times from 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from profiles.tables.columns import Columns, read_columns
from profiles.tables.text import Stamp, stamp_of
from sim.sources.sizes import Size
from sim.specs import WorkloadSpec

_MOST_TOKENS = 1e7


class _Layout(NamedTuple):
    time: str
    prompt: str
    tokens: str


_SESSIONS = {
    "azure": _Layout("timestamp", "contexttokens", "generatedtokens"),
    "vidur": _Layout("arrived_at", "num_prefill_tokens", "num_decode_tokens"),
    "burstgpt": _Layout("timestamp", "request tokens", "response tokens"),
}


@dataclass(frozen=True)
class Arrivals:
    """Times in s by device, ascending, and beside each the `Size` of its session, if known.

    `words`: what was read.
    """

    times_s: Mapping[int, tuple[float, ...]]
    sizes: Mapping[int, tuple[Size, ...]] = field(default_factory=dict)
    words: str = ""

    @property
    def every_s(self) -> list[float]:
        """All times."""
        return [time_s for each in self.times_s.values() for time_s in each]

    @property
    def every_size(self) -> list[Size]:
        """All sizes; none where they are not known."""
        return [size for each in self.sizes.values() for size in each]

    def sizes_until(self, horizon_s: float) -> list[Size]:
        """The sessions that begin until then."""
        return [
            size
            for index, sizes in self.sizes.items()
            for time_s, size in zip(self.times_s[index], sizes, strict=True)
            if time_s <= horizon_s
        ]


def arrivals(spec: WorkloadSpec, n_devices: int) -> Arrivals:
    """What the file of a workload holds for a fleet.

    Raises:
        ValueError: no such file or layout, what is no number or out of range, a device that the
            fleet does not have, no session that generates a token.
    """
    stamp = stamp_of(spec.replay_csv, "workload.replay_csv")
    return _read(spec.replay_csv, spec.replay_format, n_devices, stamp)


@lru_cache(maxsize=16)
def _read(path: str, layout: str, n_devices: int, stamp: Stamp) -> Arrivals:
    """A file of another `stamp` is read again."""
    columns = read_columns(path, "workload.replay_csv")
    chosen = _tell(columns) if layout == "auto" else layout
    if chosen == "times":
        return _times(columns, n_devices)
    return _sessions(columns, chosen, n_devices)


def _tell(columns: Columns) -> str:
    """The layout that a header shows; of Azure's and BurstGPT's the one with its columns."""
    if columns.named:
        fit = [name for name, each in _SESSIONS.items() if set(each) <= set(columns.heading)]
        if len(fit) + ("time_s" in columns) > 1:
            raise ValueError(
                f"{columns.source} fits several layouts: name one by workload.replay_format"
            )
        return fit[0] if fit else "times"
    raise ValueError(
        f"{columns.source} needs a column time_s, got no header: write one above the times"
    )


def _times(columns: Columns, n_devices: int) -> Arrivals:
    told = columns.numbers("time_s", low=0.0)
    times, start_s = columns.since_start("time_s", told)
    if "device" in columns:
        numbers = columns.numbers("device", low=0.0, high=n_devices - 1.0, whole=True)
        devices = [int(number) for number in numbers]
    else:
        devices = [number % n_devices for number in range(len(times))]
    by: dict[int, list[float]] = {}
    for index, time_s in zip(devices, times, strict=True):
        by.setdefault(index, []).append(time_s)
    words = _say(times, start_s)
    return Arrivals({index: tuple(sorted(each)) for index, each in by.items()}, {}, words)


def _sessions(columns: Columns, name: str, n_devices: int) -> Arrivals:
    """Times with lengths; what generates no token (a request that failed) is passed over."""
    layout = _SESSIONS[name]
    times, start_s = _session_times(columns, name)
    generated = columns.numbers(layout.tokens, low=0.0, high=_MOST_TOKENS, whole=True)
    prompts = columns.numbers(layout.prompt, low=0.0, high=_MOST_TOKENS, whole=True)
    for row, (prompt, tokens) in enumerate(zip(prompts, generated, strict=True)):
        if tokens and not prompt:
            raise columns.refusal(row, layout.prompt, "above 0 where tokens are generated")
    rows = sorted(
        (time_s, row)
        for row, time_s in enumerate(times)
        if generated[row] > 0.0
    )  # fmt: skip
    if not rows:
        raise ValueError(f"{columns.source} must hold a session with a token, got none")
    by: dict[int, list[tuple[float, Size]]] = {}
    for number, (time_s, row) in enumerate(rows):
        size = Size(int(prompts[row]), int(generated[row]))
        by.setdefault(number % n_devices, []).append((time_s, size))
    sizes = {index: tuple(size for _, size in each) for index, each in by.items()}
    words = (
        f"{_TITLES[name]}, {_say([time_s for time_s, _ in rows], start_s)}, prompts of"
        f" {_span([prompts[row] for _, row in rows])} tokens,"
        f" {_span([generated[row] for _, row in rows])} generated"
    )
    if failed := len(times) - len(rows):
        words += f", {failed:,} that generate none passed over"
    return Arrivals(
        {index: tuple(time_s for time_s, _ in each) for index, each in by.items()}, sizes, words
    )


def _session_times(columns: Columns, name: str) -> tuple[list[float], float]:
    """Times in s, and what was taken from them."""
    column = _SESSIONS[name].time
    if name == "azure":
        times = columns.dates_s(column)
        first_s = min(times)
        return [time_s - first_s for time_s in times], 0.0
    return columns.since_start(column, columns.numbers(column, low=0.0))


_TITLES = {"azure": "Azure", "vidur": "Vidur", "burstgpt": "BurstGPT"}


def _say(times: list[float], start_s: float) -> str:
    count = f"{len(times):,} request{'s' * (len(times) != 1)} until {max(times):.4g} s"
    return count + (f", counted from {start_s:.10g} s" if start_s else "")


def _span(values: list[float]) -> str:
    low, high = f"{min(values):,.0f}", f"{max(values):,.0f}"
    return low if low == high else f"{low} to {high}"
