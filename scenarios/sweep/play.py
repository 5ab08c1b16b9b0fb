"""Points to rows: what is finished is kept, what fails is a row, what runs shows progress."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol, Self, runtime_checkable

from scenarios.shell import forks
from scenarios.shell.progress import progress
from scenarios.sweep import multirun
from scenarios.sweep.store import Row, Store, point_id

_CHUNKS_PER_WORKER = 8


@runtime_checkable
class Shared(Protocol):
    """What makes the row of a point of several runs."""

    def __call__(self) -> Row:
        """Make it here."""

    def by(self, workers: int) -> Row:
        """The same row, by so many processes."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One point ready to run: its identity, its labels and the function that measures it.

    `evaluate` is pickled where workers play; where it is alone, a `Shared` one is shared among
    them. For a dry run `foreseen` tells its CPU seconds without playing anything, `seconds` by
    playing a part of it, `refusal` why it would be refused.
    `swept` holds the values of the keys that a sweep varies: columns, but no part of the identity;
    `engine`, what plays it, and why not the compiled one, likewise.
    """

    spec: Any
    digests: dict[str, str]
    labels: dict[str, Any]
    evaluate: Callable[[], Row]
    seconds: Callable[[], float] | None = None
    foreseen: Callable[[], float] | None = None
    refusal: Callable[[], str] | None = None
    swept: dict[str, Any] = field(default_factory=dict)
    engine: str = ""

    @cached_property
    def point_id(self) -> str:
        """Name of the point: hash of the spec and of all tables behind it."""
        return point_id({"spec": self.spec, "labels": self.labels}, self.digests)

    def at(self, values: Mapping[str, Any]) -> Self:
        """The job as the point of a sweep whose keys have these values."""
        return replace(self, swept=dict(values))


def failing(error: str, labels: dict[str, Any]) -> Job:
    """A point whose configuration was refused: it becomes a row with that error."""

    def evaluate() -> Row:
        raise ValueError(error)

    return Job(spec=error, digests={}, labels=labels, evaluate=evaluate, refusal=lambda: error)


def left_out(reason: str, labels: dict[str, str], columns: Iterable[str] = ()) -> Job:
    """A point that there is not, which is no mistake: its row says why in `fate`, and knows nothing
    in `columns`.
    """
    row = {**dict.fromkeys(columns), "fate": reason}
    return Job(spec=reason, digests={}, labels=dict(labels), evaluate=partial(dict, row))


def count_engines(jobs: Iterable[Job]) -> dict[str, int]:
    """How many points each engine plays; of SimPy with the reason."""
    return dict(Counter(job.engine for job in jobs if job.engine))


def play(
    jobs: Sequence[Job], store: Store, *, workers: int = 1, label: str = "simulating"
) -> list[Row]:
    """Run what is not finished yet and return the rows of all jobs in their order.

    With `workers` > 1 the points run in as many processes (joblib); every process adds its rows to
    the store by itself, so that an interrupted sweep loses only the points under way. The runs of a
    single point are shared among them. A point that fails becomes a row with its `error`; a single
    one raises.

    Raises:
        ValueError: the refusal, where there is only one point to run.
    """
    finished = store.finished()
    whole = multirun.swept()
    jobs = [replace(job, swept={**whole, **job.swept}) for job in jobs] if whole else jobs
    todo = {job.point_id: job for job in jobs if job.point_id not in finished}
    fresh = _play_jobs(list(todo.values()), store, workers, alone=len(jobs) == 1)
    with progress(label) as report:
        for done, row in enumerate(fresh, 1):
            finished[row["point_id"]] = row
            report(done, len(todo))
    multirun.note([job.point_id for job in jobs])
    rows = [_label(finished[job.point_id], job.swept) for job in jobs]
    for row in rows:
        if row != finished[row["point_id"]]:  # played before, under other axes or none
            store.append(row)
    return rows


def _play_jobs(jobs: list[Job], store: Store, workers: int, *, alone: bool) -> Iterator[Row]:
    if workers == 1 or len(jobs) < 2:
        several = multirun.is_multirun()  # then other jobs may append meanwhile
        with store.appending(alone=not several) as append:
            for job in jobs:
                if workers > 1 and isinstance(job.evaluate, Shared) and forks.can_fork():
                    job = replace(job, evaluate=partial(job.evaluate.by, workers))
                yield append(_row(job, alone=alone and not several))
        return
    from joblib import Parallel, delayed

    n_chunks = min(len(jobs), workers * _CHUNKS_PER_WORKER)
    chunks = (delayed(_chunk)(jobs[i::n_chunks], store.folder) for i in range(n_chunks))
    parallel = Parallel(n_jobs=workers, return_as="generator_unordered", batch_size=1)
    for rows in parallel(chunks):
        yield from rows


def _chunk(jobs: Iterable[Job], folder: Path) -> list[Row]:
    """Play some jobs in a worker; jobs that share tables arrive with one copy of them."""
    with Store(folder).appending() as append:
        return [append(_row(job, alone=False)) for job in jobs]


def _label(row: Row, swept: Mapping[str, Any]) -> Row:
    """The row with the values of this request's swept keys, whatever request played it."""
    plain = {key: value for key, value in row.items() if key != "swept"}
    return {**plain, "swept": dict(swept)} if swept else plain


def _row(job: Job, *, alone: bool) -> Row:
    try:
        metrics = job.evaluate()
    except Exception as error:  # a sweep of days must not end with one of its points
        if alone:
            raise
        known = isinstance(error, ValueError)
        metrics = {"error": str(error) if known else f"{type(error).__name__}: {error}"}
    return _label({"point_id": job.point_id, **job.labels, **metrics}, job.swept)
