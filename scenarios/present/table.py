"""Rows as a person reads them."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from scenarios.sweep.columns import Row, spread, swept_columns, varying
from sim.planning.finding import Trust

__all__ = ["line", "show", "show_trust"]

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
    console = Console()
    if len(rows) == 1 and not rows[0].get("error"):
        console.print(_title(rows[0]), soft_wrap=True, highlight=False)
        console.print(_point(rows[0]))
    else:
        shown = varying(rows) if columns == "varying" else _LABELS
        for row in rows:
            console.print(line(row, shown), markup=False, highlight=False, soft_wrap=True)
    console.print(escape(_origin(provenance)), highlight=False, soft_wrap=True)


def show_trust(trust: Trust) -> None:
    """Print the grade, what to do with it, and every finding behind it."""
    console = Console()
    console.print(f"grade {trust.grade}: {trust.action}", highlight=False, style="bold")
    table = Table(box=None, pad_edge=False, padding=(0, 2), show_header=False)
    for finding in trust.findings:
        table.add_row(finding.verdict, finding.name, escape(finding.words))
    console.print(table)


def line(row: Row, shown: Sequence[str] = _LABELS) -> str:
    """Return one row as one line: what varied, and the figures that matter most."""
    swept = swept_columns(row).items()
    words = "".join(f"{f'{key}={value}':<{len(key) + 9}} " for key, value in swept)
    if row.get("error"):
        return f"N={spread(row).get('n_devices', '?')}: {row['error']}"
    words += f"N={row['n_devices']:<5} " if "n_devices" in shown else ""
    words += f"{row['method']:<22} " if "method" in shown else ""
    return (
        f"{words}{row['throughput_rps']:9.2f} requests/s   "
        f"server {100 * row['server_utilization']:5.1f} %   "
        f"uplink {100 * row['link_utilization']:5.1f} %   "
        f"p95 {1e3 * row['latency_p95_s']:8.2f} ms   grade {row.get('grade', '-')}"
    )


def _title(row: Row) -> str:
    return (
        f"{row['n_devices']} x {row['device']}, {row['model']} cut at {row['cut']}, "
        f"{row['codec']}, {row['link']}, server {row['server']}"
    )


def _point(row: Row) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2))
    for heading, justify in (("", "left"), ("", "right"), ("95 % interval", "left"), ("", "left")):
        table.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for column, name, unit, factor in _SHOWN:
        if row.get(column) is not None:
            table.add_row(name, _number(row[column] * factor), _interval(row, column, factor), unit)
    if row.get("warning"):
        table.add_row("warning", "", row["warning"], "")
    return table


def _interval(row: Row, column: str, factor: float) -> str:
    ends = [row.get(f"{column}{end}") for end in ("_lo_total", "_hi_total")]
    if None in ends or ends[0] == ends[1]:
        return ""
    if factor == 100.0:  # a share: its t interval may reach beyond what a share can be
        ends = [min(max(end, 0.0), 1.0) for end in ends]
    return f"[{_number(ends[0] * factor)}, {_number(ends[1] * factor)}]"


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"


def _origin(provenance: Mapping[str, Any]) -> str:
    if "request" in provenance:
        return "Requests all cost the same, as given by hand: every number is assumed."
    head, tail = provenance["head_seconds"], provenance["tail_seconds"]
    return (
        f"Payloads and answers: measured on {provenance['samples']} test samples. "
        f"Device seconds: {_kind(head)}. Server seconds: {_kind(tail)}. "
        "Intervals include the table's sampling error."
    )


def _kind(surface: Mapping[str, Any]) -> str:
    if surface["kind"] != "scaled":
        return str(surface["kind"])
    return f"scaled by {surface['factor']:.3g} ({surface['source']})"
