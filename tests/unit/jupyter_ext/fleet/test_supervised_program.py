"""A supervised program that is started and stopped at the same time."""

import asyncio
import contextlib
import os
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from jupyter_ext.fleet import supervised_program
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.process_stat import ProcessStat
from jupyter_ext.fleet.supervised_program import Definition, SupervisedProgram

# It ends when told to, but not at once.
SLOW = ("sh", "-c", "trap 'sleep 0.3; exit' TERM; touch ready; while :; do sleep 0.02; done")


@pytest.fixture
def data_dir(tmp_path: Path) -> DataDir:
    data_dir = DataDir.at(tmp_path)
    data_dir.create()
    return data_dir


@contextlib.asynccontextmanager
async def slow_program(data_dir: DataDir) -> AsyncIterator[SupervisedProgram]:
    log = os.fspath(data_dir.log("slow"))
    definition = Definition("slow", SLOW, {}, log, "TERM", 10.0, "")
    program = SupervisedProgram(definition, data_dir, lambda line: None)
    try:
        yield program
    finally:
        program.send(signal.SIGKILL)
        await program.stop()


async def until(come: Callable[[], object]) -> None:
    """Waits on a thread, so that the loop goes on."""

    def wait() -> None:
        deadline = time.monotonic() + 20
        while not come():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    await asyncio.to_thread(wait)


async def pid_of_started(program: SupervisedProgram, data_dir: DataDir) -> int:
    ready = data_dir.root / "ready"
    await until(ready.exists)
    ready.unlink()
    assert program.pid is not None
    return program.pid


async def test_a_start_during_a_stop_is_done_once_the_program_has_ended(data_dir: DataDir) -> None:
    async with slow_program(data_dir) as program:
        program.start()
        first = await pid_of_started(program, data_dir)
        stopping = asyncio.ensure_future(program.stop())
        await asyncio.sleep(0)
        program.start()
        await asyncio.wait_for(stopping, 10)
        assert ProcessStat.of(first) is None
        assert await pid_of_started(program, data_dir) != first
        # The other way round: who stops it last has it stopped.
        stopping = asyncio.ensure_future(program.stop())
        await asyncio.sleep(0)
        program.start()
        await asyncio.wait_for(program.stop(), 10)
        await asyncio.wait_for(stopping, 10)
        assert (program.state, program.pid) == ("stopped", None)


async def test_the_search_for_orphans_stops_nobody_and_a_stop_meanwhile_counts(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    searching, go_on = threading.Event(), threading.Event()

    def search(*_: object) -> None:
        searching.set()
        assert go_on.wait(10)

    monkeypatch.setattr(supervised_program, "end_orphans", search)
    async with slow_program(data_dir) as program:
        program.start()
        await until(searching.is_set)
        stopping = asyncio.ensure_future(program.stop())
        await asyncio.sleep(0)
        go_on.set()
        await asyncio.wait_for(stopping, 10)
        assert (program.state, program.pid, program.started_with) == ("stopped", None, {})


async def test_a_program_that_cannot_be_watched_is_not_left_running(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = []

    def no_descriptor(pid: int) -> int:
        pids.append(pid)
        raise OSError("too many open files")

    monkeypatch.setattr(os, "pidfd_open", no_descriptor)
    async with slow_program(data_dir) as program:
        program.start()
        await until(lambda: pids)
        assert ProcessStat.of(pids[0]) is None
        assert program.state == "backoff"
