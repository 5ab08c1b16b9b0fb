"""Rows of a simulation, and how far to believe them, as a person reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from scenarios.present.summary import Summary, between, number
from scenarios.sweep.columns import Row, spread, swept_columns, varying
from sim.planning.finding import Trust

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
    ("device_service_s", "device: head + encode", "ms", 1e3),
    ("link_service_s", "uplink: airtime", "ms", 1e3),
    ("link_wait_s", "uplink: waiting for others", "ms", 1e3),
    ("server_wait_s", "server: queue", "ms", 1e3),
    ("server_s_per_request", "server: decode + tail", "ms", 1e3),
    ("uplink_bytes_per_request", "payload", "B", 1.0),
    ("accuracy", "accuracy as delivered", "%", 100.0),
    ("energy_j_per_request", "device energy", "J", 1.0),
    ("device_time_s", "device 0 done after", "s", 1.0),
    ("dropped_share", "dropped", "%", 100.0),
)

_LABELS = ("n_devices", "method")


def show(rows: Sequence[Row], provenance: Mapping[str, Any], columns: str = "all") -> None:
    """Print one point as a list of quantities, several as one line each.

    With `columns` "varying" the lines leave out the number of devices and the method where these
    are the same in all.
    """
    alone = len(rows) == 1 and not rows[0].get("error")
    shown = varying(rows) if columns == "varying" else _LABELS
    summary = _point(rows[0]) if alone else _points(rows, shown)
    replace(summary, origin=_origin(provenance)).show()


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
    return ", ".join(f"{heading} {cell}" for heading, cell in _cells(row, _LABELS).items())


def _cells(row: Row, shown: Sequence[str]) -> dict[str, str]:
    """What varied, and the figures that matter most, by heading."""
    labels = {"n_devices": "N", "method": "system"}
    return {
        **{key: str(value) for key, value in swept_columns(row).items()},
        **{labels[name]: str(row[name]) for name in _LABELS if name in shown},
        "requests/s": number(row["throughput_rps"]),
        "server %": number(100 * row["server_utilization"]),
        "uplink %": number(100 * row["link_utilization"]),
        "p95 ms": number(1e3 * row["latency_p95_s"]),
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
    )


def _point(row: Row) -> Summary:
    shown = [
        (name, _seen(row, column, factor), unit)
        for column, name, unit, factor in _SHOWN
        if row.get(column) is not None
    ]
    return Summary(
        title=(
            f"{row['n_devices']} x {row['device']}, {row['model']} cut at {row['cut']}, "
            f"{row['codec']}, {row['link']}, server {row['server']}"
        ),
        columns=("", "mean [95 % interval]", ""),
        rows=tuple(shown),
        sections=(Summary(finding=f"warning: {row['warning']}"),) if row.get("warning") else (),
    )


def _seen(row: Row, column: str, factor: float) -> str:
    ends = [f"{column}{end}" for end in ("_lo_total", "_hi_total")]
    if None in (known := [row.get(end) for end in ends]) or known[0] == known[1]:
        return number(row[column] * factor, 4)
    if factor == 100.0:  # a share: its t interval may reach beyond what a share can be
        row = row | {end: min(max(row[end], 0.0), 1.0) for end in ends}
    return between(row, column, factor, 4)


def _origin(provenance: Mapping[str, Any]) -> str:
    if "request" in provenance:
        return "Requests all cost the same, as given by hand: every number is assumed."
    head, tail = provenance["head_seconds"], provenance["tail_seconds"]
    return (
        f"Payloads and answers: measured on {provenance['samples']} {_samples(provenance)}. "
        f"Device seconds: {_kind(head)}. Server seconds: {_kind(tail)}. "
        "Intervals include the table's sampling error."
    )


def _kind(surface: Mapping[str, Any]) -> str:
    if surface["kind"] != "scaled":
        return str(surface["kind"])
    return f"scaled by {number(surface['factor'])} ({surface['source']})"


def _samples(provenance: Mapping[str, Any]) -> str:
    tokens = provenance["payloads"].get("prompt_tokens")
    return "test samples" if tokens is None else f"generations from {tokens} tokens each"
