"""One command line over many Hydra jobs (`-m`): which points it asked for, and their one table.

The jobs may run in other processes. They leave their point ids in a file that the environment
names, and the dispatcher builds the table from it afterwards, so that a failing job loses nothing.
"""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hydra.core.hydra_config import HydraConfig

from scenarios.shell.errors import one_line
from scenarios.sweep.store import Row, Store, point_id

__all__ = ["collect", "is_multirun", "job", "keep", "locked", "note", "note_mistake", "opened"]

_VARIABLE = "SPLITFLEET_REQUEST"


@contextmanager
def opened(folder: Path, token: str) -> Iterator[str]:
    """Hold `folder` while the jobs of one command line run and let them note their points.

    Yields the override that tells every job where, in whatever process or machine it runs.
    """
    request = folder / f".request-{token}"
    with Store(folder).lock():
        os.environ[_VARIABLE] = str(request.resolve())
        request.touch()
        try:
            yield f"+hydra.job.env_set.{_VARIABLE}='{os.environ[_VARIABLE]}'"
        finally:
            del os.environ[_VARIABLE]
            request.unlink(missing_ok=True)


def is_multirun() -> bool:
    """Return whether this job is one of many of the same command line."""
    return _VARIABLE in os.environ


def note(point_ids: Sequence[str]) -> None:
    """Record which points this job stood for; nothing outside a multirun."""
    if is_multirun():
        line = json.dumps({"job": HydraConfig.get().job.num, "points": list(point_ids)}) + "\n"
        with Path(os.environ[_VARIABLE]).open("a", encoding="utf-8") as file:
            file.write(line)


def job() -> str:
    """Return this job's number within its command line."""
    return str(HydraConfig.get().job.num)


def keep(store: Store, row: Row) -> None:
    """Store the one row of a job of a multirun, with the overrides that made it."""
    overrides = list(HydraConfig.get().overrides.task)
    point = point_id(overrides, {})
    store.append({"point_id": point, "overrides": " ".join(overrides), **row})
    note([point])


def note_mistake(error: Exception) -> None:
    """Record that this job's configuration was refused, as a row of its own in a multirun."""
    if is_multirun():
        store = Store(Path(os.environ[_VARIABLE]).parent)
        overrides = list(HydraConfig.get().overrides.task)
        point = point_id(overrides, {})
        store.append({"point_id": point, "error": f"{' '.join(overrides)}: {one_line(error)}"})
        note([point])


def collect(folder: Path) -> int:
    """Write results.csv of the request's rows in job order; return 1 if one holds an error."""
    lines = Path(os.environ[_VARIABLE]).read_text(encoding="utf-8").splitlines()
    jobs = sorted((json.loads(line) for line in lines), key=lambda job: job["job"])
    store = Store(folder)
    rows = store.latest()
    chosen: list[Row] = [rows[point] for job in jobs for point in job["points"] if point in rows]
    path = store.write_table(chosen)
    failed = [row for row in chosen if row.get("error")]
    for row in failed:
        print(f"splitfleet: {row['error']}", file=sys.stderr)
    print(f"{len(chosen)} points, {len(failed)} failed: {path}", file=sys.stderr)
    return int(bool(failed))


@contextmanager
def locked(store: Store) -> Iterator[None]:
    """Hold the folder during one job; in a multirun the dispatcher already holds it."""
    if is_multirun():
        yield
    else:
        with store.lock():
            yield
