"""The columns of a table: the tidy ones, the swept keys, and what else the rows hold.

A row keeps the values of its swept keys under `swept`. They name no point: the same point may be
asked for alone, in a grid or by `-m`, and is played once.
"""

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

Row = dict[str, Any]

CHOICES = ("all", "varying")
"""Which columns a table shows: all of them, or those that differ between its rows."""

COLUMNS = (
    "point_id", "method", "n_devices", "model", "cut", "scheme", "codec", "device", "link",
    "server", "seed", "throughput_rps", "throughput_bound_rps", "server_utilization",
    "link_utilization",
    "latency_mean_s", "latency_p50_s", "latency_p95_s", "latency_p99_s",
    "uplink_bytes_per_request", "server_s_per_request", "accuracy", "relative_l2", "logit_kl",
    "energy_j_per_request", "device_energy_j_per_request", "server_energy_j_per_request",
    "cost_per_device_month", "server_cost_per_device_month", "device_cost_per_device_month",
    "link_cost_per_device_month", "currency", "device_time_s", "device_busy_s",
    "tokens_per_s", "ttft_s", "tpot_s", "tpot_p95_s", "uplink_bits_per_token",
    "server_s_per_token", "bits_per_token_cv",
)  # fmt: skip
"""The tidy columns in their order; docs/results.md says what each means. Others follow."""

_LAST_LABEL = "seed"
_Z = 1.959964
_SUFFIXES = ("", "_lo", "_hi", "_lo_total", "_hi_total")


def mean_columns(name: str, values: np.ndarray, *, least: float = -inf, most: float = inf) -> Row:
    """The mean of some samples with its normal 95 % interval, which ends at `least` and `most`."""
    mean = float(values.mean())
    reach = _Z * float(values.std(ddof=1)) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return {
        name: mean,
        f"{name}_lo": max(least, mean - reach),
        f"{name}_hi": min(most, mean + reach),
    }


def swept_columns(row: Row) -> Row:
    """The values of the row's swept keys by column, without those that the row tells itself."""
    named = {_column(key): value for key, value in row.get("swept", {}).items()}
    return {name: value for name, value in named.items() if name not in row}


def swept_names(rows: Sequence[Row]) -> list[str]:
    """The columns that tell the swept keys of some rows."""
    return list(dict.fromkeys(_column(key) for row in rows for key in row.get("swept", ())))


def _column(key: str) -> str:
    """The tidy column that tells a key, or the key itself."""
    if key == "fleet.n_devices":
        return "n_devices"
    group = key.removesuffix(".name")
    return group if group in COLUMNS else key


def spread(row: Row) -> Row:
    """The row with its swept keys as columns of their own."""
    return {**{key: row[key] for key in row if key != "swept"}, **swept_columns(row)}


def columns_of(rows: Sequence[Row]) -> list[str]:
    """The columns of a table: tidy labels, swept keys, tidy metrics, then others as they come."""
    own = dict.fromkeys(key for row in rows for key in row if key != "swept")
    swept = [key for row in rows for key in swept_columns(row) if key not in own]
    order: list[str] = []
    for column in COLUMNS:
        names = [f"{column}{suffix}" for suffix in _SUFFIXES]
        order += [name for name in names if name in own or name in swept]
        order += [key for key in swept if key not in COLUMNS] if column == _LAST_LABEL else []
    return list(dict.fromkeys([*order, *own]))


def varying(rows: Sequence[Row]) -> list[str]:
    """The columns that differ between rows, with the name of the point and every swept key.

    Of a single row all columns are, for nothing can differ.
    """
    if len(rows) < 2:
        return columns_of(rows)
    flat = [spread(row) for row in rows]
    kept = {"point_id", *swept_names(rows)}
    return [
        name
        for name in columns_of(rows)
        if name in kept or any(row.get(name) != flat[0].get(name) for row in flat)
    ]
