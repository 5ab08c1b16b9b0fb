"""Forks: tasks shared among copies of this process, which begin in hundredths of a second.

A copy has everything in memory that the tasks refer to, so that nothing is sent to it; what it
finds comes back through a pipe. Numbers of tasks are taken from a common pipe in order, so that
whoever is done takes the next.
"""

import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

_BYTES = 4
_MOST = 8192  # numbers that a pipe holds
_CHUNK = 1 << 20

Found = dict[int, tuple[bool, Any]]
"""By number of task whether it was played, and its result or what it raised."""


def can_fork() -> bool:
    """Whether copies may be made: on Linux, while no other thread runs that could hold a lock."""
    return sys.platform == "linux" and threading.active_count() == 1


def play(tasks: Sequence[Callable[[], Any]], workers: int, done: Callable[[Any], Any]) -> list[Any]:
    """The results of all tasks in order, by this process and `workers` - 1 copies of it.

    `done` is called here with every result. A task whose process was killed is played again here.

    Raises:
        Exception: what the first task that failed raised.
    """
    if len(tasks) > _MOST:
        return [each for i in range(0, len(tasks), _MOST)
                for each in play(tasks[i : i + _MOST], workers, done)]  # fmt: skip
    numbers, entrance = os.pipe()
    os.write(entrance, b"".join(i.to_bytes(_BYTES, "little") for i in range(len(tasks))))
    os.close(entrance)
    copies = [_start(tasks, numbers) for _ in range(min(workers, len(tasks)) - 1)]
    try:
        found = _play(tasks, numbers, done)
        for _, out in copies:
            theirs = _receive(out)
            found |= theirs
            for whole, result in theirs.values():
                if whole:
                    done(result)
    finally:
        os.close(numbers)
        for pid, out in copies:
            _end(pid, out)
    return [_result(tasks[i], found.get(i), done) for i in range(len(tasks))]


def _start(tasks: Sequence[Callable[[], Any]], numbers: int) -> tuple[int, int]:
    """A copy of this process that plays tasks; its number and where its results come out."""
    out, into = os.pipe()
    with warnings.catch_warnings():  # from 3.12 on for threads of libraries, which run nothing
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        os.close(into)
        return pid, out
    status = 1
    try:
        os.close(out)
        with os.fdopen(into, "wb") as file:
            file.write(_pack(_play(tasks, numbers, lambda result: result)))
        status = 0
    finally:
        os._exit(status)  # nothing of the first process is closed, flushed or said twice


def _play(tasks: Sequence[Callable[[], Any]], numbers: int, done: Callable[[Any], Any]) -> Found:
    """What this process finds out, up to the first task that fails."""
    found: Found = {}
    while number := os.read(numbers, _BYTES):
        i = int.from_bytes(number, "little")
        try:
            found[i] = True, done(tasks[i]())
        except Exception as error:
            found[i] = False, error
            break
    return found


def _pack(found: Found) -> bytes:
    try:
        return pickle.dumps(found, pickle.HIGHEST_PROTOCOL)
    except Exception:  # what cannot be sent is played by the first process
        return pickle.dumps({})


def _receive(out: int) -> Found:
    chunks = []
    while chunk := os.read(out, _CHUNK):
        chunks.append(chunk)
    try:
        found: Found = pickle.loads(b"".join(chunks))
        return found
    except (EOFError, pickle.UnpicklingError):  # it was killed
        return {}


def _end(pid: int, out: int) -> None:
    os.close(out)
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)  # it has ended, unless this process was interrupted
    os.waitpid(pid, 0)


def _result(
    task: Callable[[], Any], found: tuple[bool, Any] | None, done: Callable[[Any], Any]
) -> Any:
    if found is None:
        return done(task())
    whole, result = found
    if not whole:
        raise result
    return result
