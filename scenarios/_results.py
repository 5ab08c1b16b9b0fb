"""One folder per run: rows that survive interruption, the last table, and how it came about.

`rows.jsonl` grows by one line per finished point and is never rewritten: a torn last line (power
loss, SIGKILL) is passed over and its point runs again. `results.csv` holds exactly the rows of the
last request, `run.json` how they came about.
"""

import csv
import hashlib
import io
import json
import math
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

__all__ = ["COLUMNS", "MODEL_VERSION", "Row", "Store", "point_id"]

Row = dict[str, Any]

MODEL_VERSION = 1
"""Version of the simulated system's meaning: raise it when the same spec would give other rows."""

COLUMNS = (
    "point_id", "method", "n_devices", "model", "cut", "scheme", "codec", "device", "link",
    "server", "seed", "throughput_rps", "throughput_bound_rps", "server_utilization",
    "link_utilization",
    "latency_mean_s", "latency_p50_s", "latency_p95_s", "latency_p99_s",
    "uplink_bytes_per_request", "server_s_per_request", "accuracy", "relative_l2", "logit_kl",
    "energy_j_per_request", "device_time_s", "device_busy_s",
    "tokens_per_s", "ttft_s", "tpot_s", "tpot_p95_s", "uplink_bits_per_token",
    "server_s_per_token", "bits_per_token_cv",
)  # fmt: skip
"""The tidy columns in their order; docs/results.md says what each means. Others follow."""


_SUFFIXES = ("", "_lo", "_hi", "_lo_total", "_hi_total")


def point_id(spec: Any, digests: Mapping[str, str]) -> str:
    """Return the name of a point: a hash of its resolved spec, its tables and the model version."""
    content = {"spec": spec, "digests": dict(digests), "model_version": MODEL_VERSION}
    text = json.dumps(content, sort_keys=True, default=str, allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Store:
    """The results folder of one run name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r}, {len(self.finished())} points)"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this run.

        Raises:
            ValueError: if another run holds it.
        """
        guard = FileLock(self.folder / ".lock", timeout=0)
        try:
            guard.acquire()
        except Timeout:
            raise ValueError(
                f"{self.folder} is in use by another run; wait for it or choose name=OTHER"
            ) from None
        try:
            yield
        finally:
            guard.release()

    def latest(self) -> dict[str, Row]:
        """Return the last row of every point by `point_id`, failed ones among them."""
        path = self.folder / "rows.jsonl"
        if not path.exists():
            return {}
        rows = (_parse(line) for line in path.read_text(encoding="utf-8").splitlines())
        return {row["point_id"]: row for row in rows if row}

    def finished(self) -> dict[str, Row]:
        """Return the rows that need not run again: the latest without those that hold an error."""
        return {key: row for key, row in self.latest().items() if not row.get("error")}

    def append(self, row: Row) -> Row:
        """Add one row durably and return it as a later reader would see it."""
        line = json.dumps({key: _plain(value) for key, value in row.items()})
        with FileLock(self.folder / ".append"), (self.folder / "rows.jsonl").open("a+b") as file:
            torn = file.tell() > 0 and _last_byte(file) != b"\n"
            file.write((b"\n" if torn else b"") + line.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return json.loads(line)

    def write_table(self, rows: Iterable[Row]) -> Path:
        """Write results.csv, the rows of this request in their order, and return its path."""
        rows = list(rows)
        present = {key for row in rows for key in row}
        extra = [key for key in dict.fromkeys(k for r in rows for k in r) if not _listed(key)]
        order = [
            f"{column}{suffix}"
            for column in COLUMNS
            for suffix in _SUFFIXES
            if f"{column}{suffix}" in present
        ]
        text = io.StringIO()
        writer = csv.DictWriter(text, [*order, *extra], restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({k: _cell(v) for k, v in row.items()} for row in rows)
        return self._replace("results.csv", text.getvalue())

    def write_run(self, **content: Any) -> Path:
        """Write run.json: the spec, versions, seeds and provenance behind results.csv."""
        text = json.dumps(
            {**content, "versions": _versions()}, indent=2, sort_keys=True, default=str
        )
        return self._replace("run.json", text + "\n")

    def _replace(self, name: str, text: str) -> Path:
        path = self.folder / name
        partial = path.with_suffix(path.suffix + ".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
        return path


def _listed(key: str) -> bool:
    return any(key.endswith(suffix) and key.removesuffix(suffix) in COLUMNS for suffix in _SUFFIXES)


def _parse(line: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError:
        return {}
    return row if isinstance(row, dict) and "point_id" in row else {}


def _last_byte(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    return file.read(1)


def _plain(value: Any) -> Any:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _cell(value: Any) -> Any:
    return "" if value is None else repr(value) if isinstance(value, float) else value


def _versions() -> dict[str, str]:
    packages = ("splitfleet", "simpy", "numpy", "scipy", "torch", "numba", "hydra-core")
    return {"python": platform.python_version(), **{p: version(p) for p in packages}}
