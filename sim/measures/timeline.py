"""A run's records as a Chrome trace (chrome://tracing, Perfetto): one bar per stage."""

import math
from typing import Any

from sim.measures.meters import Records

_STAGES = (
    ("device", "device_start_s", "device_end_s"),
    ("uplink", "link_start_s", "link_end_s"),
    ("server wait", "link_end_s", "server_start_s"),
    ("server", "server_start_s", "server_end_s"),
    ("answer", "server_end_s", "done_s"),
)


def chrome_trace(records: Records, *, first: int = 0, count: int = 10_000) -> dict[str, Any]:
    """The trace as a JSON-ready dict; times in microseconds, a row per device and stage.

    Only the requests `first` to `first + count`, in order of leaving, are drawn.
    """
    chosen = slice(first, first + count)
    device = records["device"][chosen].astype(int).tolist()
    events: list[dict[str, Any]] = []
    for number, (name, begin, end) in enumerate(_STAGES):
        events.append({"ph": "M", "pid": number, "name": "process_name", "args": {"name": name}})
        spans = zip(
            device, records[begin][chosen].tolist(), records[end][chosen].tolist(), strict=True
        )
        events += [
            {
                "ph": "X",
                "pid": number,
                "tid": index,
                "name": name,
                "ts": 1e6 * start_s,
                "dur": 1e6 * (end_s - start_s),
            }
            for index, start_s, end_s in spans
            if not math.isnan(start_s + end_s) and end_s > start_s
        ]
    return {"traceEvents": events, "displayTimeUnit": "ms"}
