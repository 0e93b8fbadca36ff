"""Calls over executors: any of the standard kind, and processes that may die."""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from sim.errors import EngineError
from sim.executors import Crew, Processes, processes, run_over

_given: list[int] = []


def give(number: int) -> None:
    _given.append(number)


def times(job: int) -> int:
    return _given[0] * job


def pid(_: int) -> int:
    return os.getpid()


def die_once(path: str) -> str:
    """Kill the own process, unless it was done before."""
    mark = Path(path)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return path


def die(_: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_if_odd(job: int) -> int:
    if job % 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return job


def refuse(_: int) -> None:
    raise ValueError("not this one")


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor, Processes])
def test_any_executor_will_do(kind):
    _given[:] = []
    with kind(2, initializer=give, initargs=(7,)) as executor:
        found = dict(run_over(Crew(executor, lambda: 2), times, range(9), str))
    assert found == {job: 7 * job for job in range(9)}


def test_no_more_calls_are_under_way_than_asked_for():
    under_way, most, lock = 0, 0, threading.Lock()

    def call(job):
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        with lock:
            under_way -= 1
        return job

    with ThreadPoolExecutor(8) as executor:
        assert len(list(run_over(Crew(executor, lambda: 2), call, range(40), str))) == 40
    assert most <= 2


def test_workers_are_started_once_and_stay():
    with processes(2, give, (1,)) as crew:
        first = {result for _, result in run_over(crew, pid, range(6), str)}
        second = {result for _, result in run_over(crew, pid, range(6), str)}
    assert len(first | second) == 2


def test_a_worker_that_is_killed_is_replaced_and_its_call_made_again(tmp_path):
    jobs = [str(tmp_path / name) for name in "abcd"]
    with processes(2, give, (1,)) as crew:
        found = dict(run_over(crew, die_once, jobs, str))
    assert found == {job: job for job in jobs}


def test_the_second_death_of_the_same_call_is_told():
    with (
        pytest.raises(EngineError, match=r"block 5: the worker that ran it ended before its time, 2 times"),
        processes(2, give, (1,)) as crew,
    ):
        list(run_over(crew, die_if_odd, [0, 2, 4, 5], lambda job: f"block {job}"))


def test_what_is_running_goes_on_while_a_worker_dies(tmp_path):
    """Only the call of the worker that died is made again."""
    with processes(2, give, (1,)) as crew:
        before = {crew.executor.submit(pid, 0).result(), crew.executor.submit(pid, 0).result()}
        victim = crew.executor.submit(die, "")
        with pytest.raises(Exception, match="terminated abruptly"):
            victim.result()
        after = {result for _, result in run_over(crew, pid, range(4), str)}
    assert len(before & after) >= len(before) - 1


def test_too_many_deaths_end_a_run(tmp_path, monkeypatch):
    monkeypatch.setattr("sim.executors.MOST_REPLACED", 1)
    jobs = [str(tmp_path / name) for name in "abc"]
    with pytest.raises(EngineError, match="2 workers ended before their time"), processes(1, give, (1,)) as crew:
        list(run_over(crew, die_once, jobs, str))


def test_what_a_call_raises_is_raised():
    with pytest.raises(ValueError, match="not this one"), processes(1, give, (1,)) as crew:
        list(run_over(crew, refuse, [1], str))
