"""Tasks shared among copies of this process come back in order, whatever becomes of a copy."""

import os
import signal
import time
from functools import partial
from pathlib import Path

import pytest

from scenarios.shell import forks

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@pytest.fixture(autouse=True)
def no_copy_is_left():
    """Whoever was a child of this process before, by other tests, is still one; nobody else is."""
    before = children()
    yield
    assert children() <= before


def children():
    """The numbers of all children of this process, of any of its threads."""
    lists = Path("/proc/self/task").glob("*/children")
    return {word for listed in lists for word in listed.read_text().split()}


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


def test_more_tasks_than_a_pipe_holds_numbers():
    found, _ = play([partial(int, i) for i in range(forks._MOST + 9)], workers=2)
    assert found == list(range(forks._MOST + 9))


def where(given):
    return given, os.getpid()


@pytest.mark.parametrize("forked", [True, False])
def test_a_task_prepared_ahead_is_done_on_what_is_known_later(forked):
    given = {"answer": 3_000_000 * b"x"}  # more than a pipe holds
    with forks.Ahead(list, where, forked=forked) as ahead:
        ahead.begin(given)
        found, process = ahead.result()
    assert found == given
    assert (process != os.getpid()) == forked


def test_what_is_prepared_ahead_is_at_hand_in_the_copy():
    ready = []
    with forks.Ahead(partial(ready.append, "pen"), lambda word: [word, *ready], forked=True) as it:
        it.begin("figure")
        assert it.result() == ["figure", "pen"]
    assert ready == []


def test_a_task_prepared_ahead_says_why_it_failed_even_where_preparing_did():
    def fail(given):
        raise OSError(28, "no space", given)

    with forks.Ahead(partial(fail, "x"), fail, forked=True) as ahead:
        ahead.begin("figure.png")
        with pytest.raises(OSError, match=r"no space: 'figure\.png'"):
            ahead.result()


def test_the_task_of_a_copy_that_was_killed_is_done_here():
    here = os.getpid()

    def die(given=None):
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return given

    for ready in (die, list):  # before it is asked, and while it works
        with forks.Ahead(ready, die, forked=True) as ahead:
            ahead.begin(3_000_000 * b"x")
            assert ahead.result() == 3_000_000 * b"x"


def test_a_copy_that_nobody_asks_ends():
    with (
        pytest.raises(ValueError, match="no answer"),
        forks.Ahead(partial(time.sleep, 60.0), where, forked=True),
    ):
        raise ValueError("no answer")
