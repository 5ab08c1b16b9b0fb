"""Points to rows: what is finished is kept, what fails is a row, what runs shows progress."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from scenarios import _request
from scenarios._progress import progress
from scenarios._results import Row, Store, point_id

__all__ = ["Job", "play"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One point ready to run: its identity, its labels and the function that measures it."""

    spec: dict[str, Any]
    digests: dict[str, str]
    labels: dict[str, Any]
    evaluate: Callable[[], Row]

    @property
    def point_id(self) -> str:
        """Name of the point: hash of the spec and of all tables behind it."""
        return point_id({**self.spec, "labels": self.labels}, self.digests)


def play(jobs: Sequence[Job], store: Store, *, label: str = "simulating") -> list[Row]:
    """Run what is not finished yet and return the rows of all jobs in their order.

    A point whose spec is refused on the way becomes a row with its `error`; a single one raises.

    Raises:
        ValueError: the refusal, where there is only one point to run.
    """
    finished = store.finished()
    rows = []
    with progress(label) as report:
        for done, job in enumerate(jobs):
            report(done, len(jobs))
            row = finished.get(job.point_id)
            rows.append(row or store.append(_row(job, alone=len(jobs) == 1)))
        report(len(jobs), len(jobs))
    _request.note([job.point_id for job in jobs])
    return rows


def _row(job: Job, *, alone: bool) -> Row:
    try:
        metrics = job.evaluate()
    except ValueError as error:
        if alone and not _request.is_multirun():
            raise
        metrics = {"error": str(error)}
    return {"point_id": job.point_id, **job.labels, **metrics}
