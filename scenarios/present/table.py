"""Rows of a simulation, and how far to believe them, as a person reads them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from textwrap import shorten
from typing import Any

from scenarios.present.summary import Summary, between, number
from scenarios.sweep.columns import Row, spread, swept_names, varying
from sim.planning.trust.finding import Trust

STAGES = (
    ("memory_wait_s", "server memory: waiting"),
    ("device_wait_s", "device: waiting"),
    ("device_service_s", "device: head + encode"),
    ("link_grant_s", "uplink: grant"),
    ("link_wait_s", "uplink: waiting"),
    ("link_service_s", "uplink: airtime"),
    ("link_resend_s", "uplink: sent again"),
    ("link_outage_s", "uplink: outage"),
    ("decoder_wait_s", "decoding cores: waiting"),
    ("decoder_service_s", "decoding cores: decode"),
    ("server_wait_s", "server: waiting"),
    ("server_service_s", "server: decode + tail"),
    ("repair_wait_s", "server: repair"),
    ("answer_wait_s", "answer: waiting"),
    ("network_s", "network: round trip"),
)
"""Where a request spends its time, in order; they add up to its latency."""

_RARE = (
    "memory_wait_s", "link_grant_s", "link_resend_s", "link_outage_s", "decoder_wait_s",
    "decoder_service_s", "repair_wait_s", "answer_wait_s", "dropped_share", "in_flight_share",
    "truncated_share",
)  # fmt: skip
"""Shown where they are not 0."""

_FEW = 0.01  # of the requests are in flight when any run ends

_SHOWN = (
    ("throughput_rps", "throughput", "1/s", 1.0),
    ("throughput_bound_rps", "bound min(N/(D+Z), 1/S)", "1/s", 1.0),
    ("server_utilization", "server busy", "%", 100.0),
    ("link_utilization", "uplink busy", "%", 100.0),
    ("latency_mean_s", "latency, mean", "ms", 1e3),
    ("latency_p50_s", "latency, median", "ms", 1e3),
    ("latency_p95_s", "latency, 95th percentile", "ms", 1e3),
    ("latency_p99_s", "latency, 99th percentile", "ms", 1e3),
    ("tokens_per_s", "tokens", "1/s", 1.0),
    ("ttft_s", "first token, mean", "ms", 1e3),
    ("tpot_s", "later token, mean", "ms", 1e3),
    ("tpot_p95_s", "later token, 95th percentile", "ms", 1e3),
    *((column, words, "ms", 1e3) for column, words in STAGES),
    ("server_s_per_request", "server time per request", "ms", 1e3),
    ("uplink_bytes_per_request", "payload", "B", 1.0),
    ("accuracy", "accuracy as delivered", "%", 100.0),
    ("energy_j_per_request", "energy, devices and GPUs", "J", 1.0),
    ("device_energy_j_per_request", "device energy", "J", 1.0),
    ("server_energy_j_per_request", "GPU energy", "J", 1.0),
    ("cost_per_device_month", "cost per device and month", "", 1.0),
    ("server_cost_per_device_month", "cost per device and month: GPUs", "", 1.0),
    ("device_cost_per_device_month", "cost per device and month: devices", "", 1.0),
    ("link_cost_per_device_month", "cost per device and month: access points", "", 1.0),
    ("device_time_s", "device 0 done after", "s", 1.0),
    ("dropped_share", "dropped", "%", 100.0),
    ("in_flight_share", "in flight at the end", "%", 100.0),
    ("truncated_share", "cut short", "%", 100.0),
)

_SESSION = {"throughput": "sessions", "latency": "whole session", "payload": "payload per session",
            "per request": "per session"}  # fmt: skip
_LABELS = ("n_devices", "method")


def show(rows: Sequence[Row], provenance: Mapping[str, Any], columns: str = "all") -> None:
    """Print one point as a list of quantities, several as one line each.

    Every swept key that differs leads them. With `columns` "varying" they leave out the number of
    devices and the method where these are the same in all.
    """
    alone = len(rows) == 1 and not rows[0].get("error")
    labels = [name for name in _LABELS if columns != "varying" or name in varying(rows)]
    summary = _point(rows[0]) if alone else _points(rows, [*_keys(rows), *labels])
    replace(summary, origin=_origin(rows, provenance)).show()


def tell_trust(trust: Trust, columns: Sequence[str] = ()) -> Summary:
    """The grade, what to do with it, and every finding behind it."""
    return Summary(
        title=f"grade {trust.grade}: {trust.action}",
        columns=tuple(columns),
        rows=tuple((each.verdict, each.name, each.words) for each in trust.findings),
    )


def line(row: Row) -> str:
    """Return one row as one line: what varied, and the figures that matter most."""
    if row.get("error"):
        return f"N={spread(row).get('n_devices', '?')}: {row['error']}"
    cells = _cells(row, [*swept_names([row]), *_LABELS])
    return ", ".join(f"{heading} {cell}" for heading, cell in cells.items())


def _keys(rows: Sequence[Row]) -> list[str]:
    """The swept keys that differ and that neither `_LABELS` nor the method's name tells."""
    flat = [spread(row) for row in rows]
    return [
        key
        for key in swept_names(rows)
        if key not in _LABELS
        and len({str(row.get(key)) for row in flat}) > 1
        and not all(str(row.get(key)) in row.get("method", "").split() for row in flat)
    ]


def _cells(row: Row, shown: Sequence[str]) -> dict[str, str]:
    """The labels `shown`, and the figures that matter most, by heading."""
    labels, known = {"n_devices": "N", "method": "system"}, spread(row)
    told = {labels.get(name, name): str(known[name]) for name in shown if name in known}
    unit, late = ("sessions/s", "session p95 ms") if _generates(row) else ("requests/s", "p95 ms")
    return {
        **told,
        unit: number(row["throughput_rps"]),
        "server %": number(100 * row["server_utilization"]),
        "uplink %": number(100 * row["link_utilization"]),
        late: number(1e3 * row["latency_p95_s"]),
        "grade": str(row.get("grade", "-")),
    }


def _points(rows: Sequence[Row], shown: Sequence[str]) -> Summary:
    cells = [_cells(row, shown) for row in rows if not row.get("error")]
    headings = list(dict.fromkeys(heading for each in cells for heading in each))
    failed = [line(row) for row in rows if row.get("error")]
    return Summary(
        columns=tuple(headings),
        rows=tuple(tuple(each.get(heading, "-") for heading in headings) for each in cells),
        sections=tuple(Summary(finding=words) for words in failed),
        keys=len(shown),
    )


def _point(row: Row) -> Summary:
    shown = [
        (_named(name, row), _seen(row, column, factor), unit or str(row["currency"]))
        for column, name, unit, factor in _SHOWN
        if row.get(column) is not None and _is_telling(row, column)
    ]
    n, link = row["n_devices"], row["link"]
    by_hand = f"{n} device{'s' * (n != 1)}, requests that all cost the same, {link}"
    measured = (
        f"{n} x {row['device']}, {row['model']} cut at {row['cut']}, {row['codec']}, {link},"
        f" server {row['server']}"
    )
    return Summary(
        title=by_hand if row["model"] == "-" else measured,
        columns=("", "mean [95 % interval]", ""),
        rows=tuple(shown),
        sections=(Summary(finding=f"warning: {row['warning']}"),) if row.get("warning") else (),
    )


def _is_telling(row: Row, column: str) -> bool:
    """Whether a figure is worth a line."""
    if column not in _RARE:
        return True
    return bool(row[column] > (_FEW if column == "in_flight_share" else 0.0))


def _generates(row: Row) -> bool:
    return row.get("ttft_s") is not None


def _named(name: str, row: Row) -> str:
    """A quantity's name; where a row has sessions, that of one, or at a place of one step of it."""
    if not _generates(row):
        return name
    for request, session in _SESSION.items():
        name = name.replace(request, session)
    return f"{name}, per step" if ": " in name else name


def _seen(row: Row, column: str, factor: float) -> str:
    ends = [f"{column}{end}" for end in ("_lo_total", "_hi_total")]
    if None in (known := [row.get(end) for end in ends]) or known[0] == known[1]:
        return number(row[column] * factor, 4)
    if factor == 100.0:  # a share: its t interval may reach beyond what a share can be
        row = row | {end: min(max(row[end], 0.0), 1.0) for end in ends}
    return between(row, column, factor, 4)


def _origin(rows: Sequence[Row], provenance: Mapping[str, Any]) -> str:
    if "request" in provenance:
        return "Requests all cost the same, as given by hand: every number is assumed."
    head, tail = provenance["head_seconds"], provenance["tail_seconds"]
    tokens = provenance["payloads"].get("prompt_tokens")
    samples = "test samples" if tokens is None else f"generations from {tokens} tokens each"
    known = [str(row["codec_machine"]) for row in rows if row.get("codec_machine")]
    coded = f"Codec seconds: {', '.join(dict.fromkeys(known))}. " if known else ""
    return (
        f"{say_scheme(provenance)}"
        f"Payloads and answers: measured on {provenance['samples']} {samples}. "
        f"Device seconds: {describe_seconds(head)}. Server seconds: {describe_seconds(tail)}. "
        f"{coded}Intervals include the table's sampling error and those of the machines."
    )


def say_scheme(provenance: Mapping[str, Any]) -> str:
    """Which scheme is played, what its gate decides by, and where its weights come from; nothing
    of a plain split.
    """
    about = provenance.get("scheme")
    if not about:
        return ""
    gate = f" ({about['gate']})" if "gate" in about else ""
    right = f", {100.0 * about['accuracy']:.2f} % right on {about['n_test']} test samples"
    return f"Scheme {about['name']}{gate}: trained here on {about['trained_on']}{right}. "


_MODES = {"graph": "CUDA graph", "compiled": "compiled", "eager": "eager"}


def describe_seconds(surface: Mapping[str, Any]) -> str:
    """How a role's seconds are known, and how surely."""
    kind, machine = str(surface["kind"]), surface.get("hardware", "")
    if kind == "measured":
        how = [_MODES.get(str(surface.get("mode")), ""), str(surface.get("precision", ""))]
        return ", ".join(["measured on " + machine if machine else kind, *filter(None, how)])
    base = surface.get("from", {}).get("hardware", machine)
    by = f" by {number(surface['factor'])}" if "factor" in surface else ""
    error = surface.get("log_error", 0.0)
    sure = f", x/: {math.exp(error):.2f} (1 sigma)" if error else ""
    source = shorten(str(surface["source"]).split(" (")[0], 60, placeholder="...")
    return f"{kind}{by} from {base}{sure} ({source})" if kind == "scaled" else f"{kind} ({source})"
