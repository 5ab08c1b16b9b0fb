"""One folder per run: rows that survive interruption, the last table, and how it came about.

`rows.jsonl` grows by one line per finished point, whole or, where the disk is full, not at all. A
torn line (power loss, SIGKILL) is passed over, its point runs again, and the next run takes it out.
`results.csv` holds exactly the rows of the last request, `run.json` how they came about. Files of a
folder are files: what a link leads to is neither read nor written.
"""

import csv
import hashlib
import io
import json
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from scenarios.sweep.columns import Row as Row
from scenarios.sweep.lines import add, is_signed, mend, open_own, parse, read
from scenarios.sweep.tables import replace
from scenarios.sweep.tables import write_table as write_table

MODEL_VERSION = 8
"""Version of the simulated system's meaning: raise it when the same spec would give other rows."""

_SYNC_EVERY_S = 1.0


def point_id(spec: Any, digests: Mapping[str, str]) -> str:
    """Return the name of a point: a hash of its resolved spec, its tables and the model version."""
    content = {"spec": spec, "digests": dict(digests), "model_version": MODEL_VERSION}
    text = json.dumps(content, sort_keys=True, default=str, allow_nan=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Store:
    """The results folder of one run name, made when something is written to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self) -> Path:
        """The folder, there to write to."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self.folder

    def __repr__(self) -> str:
        return f"Store({str(self.folder)!r}, {len(self.finished())} points)"

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for this run.

        Raises:
            ValueError: if another run holds it.
        """
        guard = FileLock(self.make() / ".lock", timeout=0)
        try:
            guard.acquire()
        except Timeout:
            raise ValueError(
                f"{self.folder} is in use by another run; wait for it or choose name=OTHER"
            ) from None
        try:
            self._mend()
            yield
        finally:
            guard.release()

    def _mend(self) -> None:
        """Take torn lines out of rows.jsonl."""
        with FileLock(self.folder / ".append"):
            torn = mend(self.folder / "rows.jsonl")
        if torn:
            print(f"splitfleet: {torn} torn lines taken out of {self.folder}/rows.jsonl",
                  file=sys.stderr)  # fmt: skip

    def latest(self) -> dict[str, Row]:
        """Return the last row of every point by `point_id`, failed ones among them."""
        return {row["point_id"]: row for row in self.rows() if row}

    def rows(self) -> list[Row]:
        """Return every line of rows.jsonl in its order; one that is no row of ours is empty."""
        return [parse(line) for line in read(self.folder / "rows.jsonl")]

    def finished(self) -> dict[str, Row]:
        """Return the rows that need not run again: the latest without those that hold an error, or
        that no checksum vouches for, so that anything may stand in them.
        """
        lines = read(self.folder / "rows.jsonl")
        last = {row["point_id"]: (row, line) for line in lines if (row := parse(line))}
        kept = {key: row for key, (row, line) in last.items() if is_signed(line)}
        return {key: row for key, row in kept.items() if not row.get("error")}

    def requested(self) -> list[str]:
        """Return the ids of the points in results.csv, in order; none before it was written, or
        where something else lies there.
        """
        text = b"\n".join(read(self.folder / "results.csv"))
        try:
            table = csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline=""))
            return [row.get("point_id") or "" for row in table]
        except (csv.Error, UnicodeDecodeError):
            return []

    def append(self, row: Row) -> Row:
        """Add one row durably and return it as a later reader would see it."""
        with self.appending() as append:
            return append(row)

    @contextmanager
    def appending(self, *, alone: bool = False) -> Iterator[Callable[[Row], Row]]:
        """Yield `append(row)` on an open file; several processes may append at once.

        A row is with the operating system when `append` returns (SIGKILL loses nothing) and on the
        disk within a second and at the end. With `alone` the file is held all the while, which
        saves locking it for every row.
        """
        synced = time.monotonic()
        guard = FileLock(self.make() / ".append")
        each: AbstractContextManager[Any]
        held: AbstractContextManager[Any]
        each, held = (nullcontext(), guard) if alone else (guard, nullcontext())
        with held, open_own(self.folder / "rows.jsonl") as file:

            def append(row: Row) -> Row:
                nonlocal synced
                line = json.dumps({key: _finite(value) for key, value in row.items()})
                with each:
                    add(file, line.encode())
                if time.monotonic() - synced > _SYNC_EVERY_S:
                    os.fsync(file.fileno())
                    synced = time.monotonic()
                kept: Row = json.loads(line)
                return kept

            try:
                yield append
            finally:
                os.fsync(file.fileno())

    def write_table(self, rows: Iterable[Row], columns: str = "all") -> Path:
        """Write results.csv, the rows of this request in their order, and return its path.

        Where pyarrow is installed, results.parquet holds the same table.
        """
        return write_table(self.make() / "results.csv", list(rows), columns)

    def write_run(self, **content: Any) -> Path:
        """Write run.json: the spec, versions, seeds and provenance behind results.csv."""
        packages = ("splitfleet", "simpy", "numpy", "scipy", "torch", "numba", "hydra-core")
        versions = {"python": platform.python_version(), **{p: version(p) for p in packages}}
        made = {**content, "versions": versions}
        text = json.dumps(made, indent=2, sort_keys=True, default=str)
        return self.write_text("run.json", text + "\n")

    def write_text(self, name: str, text: str) -> Path:
        """Write one file of the folder, whole or not at all."""
        return replace(self.make() / name, text.encode())


def plain(value: Any) -> Any:
    """JSON has no NaN: unknown numbers become null, at any depth."""
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return [plain(each) for each in value] if isinstance(value, list | tuple) else _finite(value)


def _finite(value: Any) -> Any:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
