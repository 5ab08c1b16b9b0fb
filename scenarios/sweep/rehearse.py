"""A dry run: the points that would be played, and about how long they would take."""

import sys
from collections.abc import Sequence
from operator import itemgetter

import numpy as np

from scenarios.shell.duration import say_duration
from scenarios.sweep.play import Job
from scenarios.sweep.store import Store

_PROBES = 3


def rehearse(jobs: Sequence[Job], store: Store, *, workers: int = 1) -> int:
    """Print every point, marked where it is finished already, and the time of the others.

    The estimate times one replication of the smallest, the middle and the largest point, and
    interpolates between them over the work that is foreseen for each (over the number of devices
    where none is). What asks for force=true, or is refused, is marked with the reason, and not
    played here either.

    Raises:
        ValueError: the reason, where the only point is refused.
    """
    refused = {job.point_id: words for job in jobs if (words := _refusal(job))}
    if len(jobs) == 1 and refused:
        raise ValueError(*refused.values())
    finished = store.finished()
    todo = {job.point_id: job for job in jobs if job.point_id not in finished}
    for job in jobs:
        mark = "to run  " if job.point_id in todo else "finished"
        words = " ".join(f"{key}={value}" for key, value in job.labels.items())
        print(f"{mark} {job.point_id} {words}")
        reason = refused.get(job.point_id) or (job.refusal() if job.refusal is not None else "")
        if reason:
            print(f"         {reason}")
    total = _estimate_s([job for key, job in todo.items() if key not in refused])
    about = (
        "" if total is None else f", about {say_duration(total / workers)} with workers={workers}"
    )
    print(f"{len(jobs)} points, {len(jobs) - len(todo)} finished, {len(todo)} to run{about}")
    print(f"dry run: nothing written to {store.folder}", file=sys.stderr)
    return 0


def _refusal(job: Job) -> str:
    """Why a point cannot be played at all; nothing where it can, however long it takes."""
    try:
        words = job.refusal() if job.refusal is not None else ""
    except ValueError as error:
        return str(error)
    return words if job.seconds is None else ""


def _estimate_s(jobs: list[Job]) -> float | None:
    known = sorted(((_size(job), job.seconds) for job in jobs if job.seconds), key=itemgetter(0))
    if not known:
        return 0.0 if not jobs else None
    picks = np.linspace(0, len(known) - 1, min(_PROBES, len(known))).round().astype(int)
    at = {known[i][0]: known[i][1]() for i in picks}
    seconds = np.interp([size for size, _ in known], list(at), list(at.values()))
    return float(seconds.sum())


def _size(job: Job) -> float:
    return job.foreseen() if job.foreseen else float(job.labels.get("n_devices", 1))
