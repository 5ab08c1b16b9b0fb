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
from typing import Any

from hydra.core.hydra_config import HydraConfig

from scenarios.shell.errors import one_line
from scenarios.sweep.axes import values_of
from scenarios.sweep.mixed import mark_mixed, tell_mixed
from scenarios.sweep.store import Row, Store, point_id

_VARIABLE = "SPLITFLEET_REQUEST"


@contextmanager
def open_request(folder: Path, token: str, keys: Sequence[str]) -> Iterator[str]:
    """Hold `folder` while the jobs of one command line run and let them note their points.

    The jobs differ in `keys`, whose values become columns. Yields the override that tells every
    job where to note, in whatever process or machine it runs.
    """
    request = folder / f".request-{token}"
    with Store(folder).lock():
        os.environ[_VARIABLE] = str(request.resolve())
        request.write_text(json.dumps(list(keys)) + "\n", encoding="utf-8")
        try:
            yield f"+hydra.job.env_set.{_VARIABLE}='{os.environ[_VARIABLE]}'"
        finally:
            del os.environ[_VARIABLE]
            request.unlink(missing_ok=True)


def is_multirun() -> bool:
    """Return whether this job is one of many of the same command line."""
    return _VARIABLE in os.environ


def enter() -> None:
    """Work in the folder that the command was started from, wherever this job was started."""
    if is_multirun():
        os.chdir(Path(os.environ[_VARIABLE]).parents[2])  # of outputs/NAME/.request-TOKEN


def swept() -> dict[str, Any]:
    """The values that this job has of the keys in which the jobs differ; none outside `-m`."""
    if not is_multirun():
        return {}
    keys, _ = _request()
    return values_of(HydraConfig.get().overrides.task, keys)


def note(point_ids: Sequence[str]) -> None:
    """Record which points this job stood for; nothing outside a multirun."""
    if is_multirun():
        content = {"job": HydraConfig.get().job.num, "points": list(point_ids), "swept": swept()}
        with Path(os.environ[_VARIABLE]).open("a", encoding="utf-8") as file:
            file.write(json.dumps(content) + "\n")


def _request() -> tuple[list[str], list[dict[str, Any]]]:
    """The keys in which the jobs differ, and what the jobs have noted so far."""
    lines = Path(os.environ[_VARIABLE]).read_text(encoding="utf-8").splitlines()
    keys, *jobs = (json.loads(line) for line in lines)
    return keys, sorted(jobs, key=lambda job: job["job"])


def job() -> str:
    """Return this job's number within its command line."""
    return str(HydraConfig.get().job.num)


def keep(store: Store, row: Row) -> None:
    """Store the one row of a job of a multirun, with the overrides that made it."""
    overrides = list(HydraConfig.get().overrides.task)
    point = point_id(overrides, {})
    store.append({"point_id": point, "overrides": " ".join(overrides), **row, "swept": swept()})
    note([point])


def note_mistake(error: Exception) -> None:
    """Record why this job of a multirun failed, as a row unless its points are rows already."""
    if is_multirun() and HydraConfig.get().job.num not in [job["job"] for job in _request()[1]]:
        store = Store(Path(os.environ[_VARIABLE]).parent)
        point = point_id(list(HydraConfig.get().overrides.task), {})
        store.append({"point_id": point, "error": one_line(error), "swept": swept()})
        note([point])


def collect(folder: Path, columns: str = "all") -> int:
    """Write results.csv of the request's rows in job order; return 1 if one holds an error."""
    store = Store(folder)
    rows = store.latest()
    chosen: list[Row] = mark_mixed(
        [
            {**rows[point], "swept": {**rows[point].get("swept", {}), **job["swept"]}}
            for job in _request()[1]
            for point in job["points"]
            if point in rows
        ]
    )
    path = store.write_table(chosen, columns)
    failed = [row for row in chosen if row.get("error")]
    for row in failed:
        words = " ".join(f"{key}={value}" for key, value in row["swept"].items())
        told = row["error"].startswith(words)  # an inner sweep says itself which point
        print(f"splitfleet: {'' if told else f'{words}: '}{row['error']}", file=sys.stderr)
    tell_mixed(chosen)
    print(f"{len(chosen)} points, {len(failed)} failed: {path}", file=sys.stderr)
    return int(bool(failed))


@contextmanager
def lock(store: Store) -> Iterator[None]:
    """Hold the folder during one job; in a multirun the dispatcher already holds it."""
    if is_multirun():
        yield
    else:
        with store.lock():
            yield
