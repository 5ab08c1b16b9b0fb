"""Tasks shared among copies of this process come back in order, whatever becomes of a copy."""

import os
import signal
import time
from functools import partial

import pytest

from scenarios.shell import forks

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


def give(value):
    time.sleep(0.002)
    return value, os.getpid()


def play(tasks, workers=3):
    seen = []

    def done(result):
        seen.append(result)
        return result

    return forks.play(tasks, workers, done), seen


def test_results_come_in_order_from_several_processes_each_told_once():
    found, seen = play([partial(give, i) for i in range(60)])
    assert [value for value, _ in found] == list(range(60))
    assert len({pid for _, pid in found}) == 3
    assert sorted(seen) == sorted(found)


def test_large_results_do_not_block():
    found, _ = play([partial(bytes, 3_000_000) for _ in range(7)])
    assert [len(each) for each in found] == 7 * [3_000_000]


def test_the_first_task_that_fails_says_why():
    def fail(i):
        raise ValueError(f"task {i}")

    tasks = [partial(give, i) if i not in (17, 18, 40) else partial(fail, i) for i in range(60)]
    with pytest.raises(ValueError, match="task 17"):
        play(tasks)


def test_what_a_killed_copy_had_taken_is_played_here():
    here = os.getpid()

    def die(i):
        time.sleep(0.002)
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return i

    found, seen = play([partial(die, i) for i in range(20)])
    assert found == list(range(20))
    assert sorted(seen) == found


def test_what_cannot_be_sent_is_played_here():
    found, _ = play([partial(lambda i: (i, lambda: i), i) for i in range(9)])
    assert [value for value, _ in found] == list(range(9))


def test_no_copy_outlives_an_interruption():
    here = os.getpid()

    def interrupt(i):
        if os.getpid() == here:
            raise KeyboardInterrupt
        time.sleep(60.0)

    began_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        play([partial(interrupt, i) for i in range(4)])
    assert time.monotonic() - began_s < 30.0
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_more_tasks_than_a_pipe_holds_numbers():
    found, _ = play([partial(int, i) for i in range(forks._MOST + 9)], workers=2)
    assert found == list(range(forks._MOST + 9))
