"""Workers: tasks played in order, here or in processes, with the progress shown."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from scenarios.shell import forks
from scenarios.shell.progress import Report, progress
from sim.planning.runs.probe import Player

_WORTH_S = 4.0
_WORTH_FORKING_S = 0.1
"""Processes are started for more than that: they take two seconds to begin, forked ones 0.01."""


@contextmanager
def playing(label: str, workers: int) -> Iterator[Player]:
    """Yield a player of tasks, in copies of this process where those may be made, else by joblib
    (extra `parallel`); here where processes would take longer to start than the tasks to play.
    """
    with progress(label) as report:
        counter = _Counter(report)

        def play(tasks: Iterable[Callable[[], Any]]) -> list[Any]:
            todo = list(tasks)
            counter.more(len(todo))
            if workers == 1 or len(todo) < 2:
                return [counter.one(task()) for task in todo]
            began_s = time.perf_counter()
            first = counter.one(todo[0]())
            rest_s = (time.perf_counter() - began_s) * (len(todo) - 1)
            return [first, *_play_rest(todo[1:], rest_s, workers, counter)]

        yield play


def _play_rest(
    tasks: list[Callable[[], Any]], needed_s: float, workers: int, counter: "_Counter"
) -> list[Any]:
    """Tasks that will take about so long, wherever they are done first."""
    if needed_s > _WORTH_FORKING_S and forks.can_fork():
        return forks.play(tasks, workers, counter.one)
    pool = _pool(workers) if needed_s > _WORTH_S else None
    if pool is None:
        return [counter.one(task()) for task in tasks]
    return [counter.one(result) for result in pool(tasks)]


class _Counter:
    """Runs that are done, of those known to be needed so far."""

    def __init__(self, report: Report) -> None:
        self._report, self._done, self._total = report, 0, 0

    def more(self, count: int) -> None:
        self._total += count

    def one(self, result: Any) -> Any:
        self._done += 1
        self._report(self._done, self._total)
        return result


def _pool(workers: int) -> Callable[[list[Any]], Iterable[Any]] | None:
    try:
        from joblib import Parallel, delayed
    except ImportError:
        return None
    parallel = Parallel(n_jobs=workers, max_nbytes=None, return_as="generator", batch_size=1)
    return lambda tasks: parallel(delayed(task)() for task in tasks)
