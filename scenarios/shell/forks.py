"""Forks: tasks shared among copies of this process, which begin in hundredths of a second.

A copy has everything in memory that the tasks refer to, so that nothing is sent to it; what it
finds comes back through a pipe. Numbers of tasks are taken from a common pipe in order, so that
whoever is done takes the next. `Ahead` is one copy that gets ready for a single task early.
"""

import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Self

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
    share = partial(_play, tasks, numbers, lambda result: result)
    copies = [_start(share) for _ in range(min(workers, len(tasks)) - 1)]
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


class Ahead:
    """A task for later whose preparation begins now, in a copy of this process where `forked`, else
    here when it is asked for.

    `ready` is called at once and prepares; `work` is called with what `begin` was given, once that
    is known. Leaving the block ends the copy, whether it was asked or not.
    """

    def __init__(
        self, ready: Callable[[], object], work: Callable[[Any], Any], *, forked: bool
    ) -> None:
        self._work, self._given = work, None
        self._copy: tuple[int, int] | None = None
        if forked:
            given, self._into = os.pipe()
            self._copy = _start(partial(_wait, ready, work, given, self._into))
            os.close(given)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._copy:
            os.close(self._into)
            _end(*self._copy)

    def begin(self, given: Any) -> None:
        """Let the copy work on `given` while this process goes on."""
        self._given = given
        if self._copy:
            with suppress(BrokenPipeError):  # it was killed
                _write(self._into, pickle.dumps([given], pickle.HIGHEST_PROTOCOL))

    def result(self) -> Any:
        """What came of it; of a copy that was killed, the work is done here.

        Raises:
            Exception: what the work raised.
        """
        found = _receive(self._copy[1]) if self._copy else {}
        return _result(partial(self._work, self._given), found.get(0), lambda result: result)


def _wait(
    ready: Callable[[], object], work: Callable[[Any], Any], given: int, into: int
) -> "Found":
    """What a copy comes to that prepares, and then waits for what it shall work on."""
    os.close(into)
    with suppress(Exception):  # the work will say what is wrong
        ready()
    with os.fdopen(given, "rb") as file:
        try:
            (value,) = pickle.load(file)
        except EOFError:  # it is not needed
            return {}
    try:
        return {0: (True, work(value))}
    except Exception as error:
        return {0: (False, error)}


def _write(into: int, content: bytes) -> None:
    while content:
        content = content[os.write(into, content) :]


def _start(find: Callable[[], "Found"]) -> tuple[int, int]:
    """A copy of this process that finds something; its number and where its results come out."""
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
            file.write(_pack(find()))
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
