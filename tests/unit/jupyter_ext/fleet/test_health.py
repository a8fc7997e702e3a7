import asyncio

import pytest

from jupyter_ext.fleet import health
from jupyter_ext.fleet.health import (
    LATE_SECONDS,
    MISSES,
    MISSES_DURING_CHANGE,
    misses_after,
    to_replace,
)


def after(*rounds):
    misses = {}
    for answered, late in rounds:
        misses = misses_after(misses, answered, late)
    return misses


SILENT = {"lab-1": False, "lab-2": True}


def test_three_misses_in_a_row_replace_a_process():
    assert to_replace(after((SILENT, 0), (SILENT, 0)), changing=False) is None
    assert to_replace(after(*[(SILENT, 0)] * 3), changing=False) == "lab-1"


def test_an_answer_starts_the_count_anew():
    answered = {"lab-1": True, "lab-2": True}
    misses = after((SILENT, 0), (SILENT, 0), (answered, 0), (SILENT, 0), (SILENT, 0))
    assert to_replace(misses, changing=False) is None


def test_what_a_late_checker_saw_counts_for_nothing():
    late = LATE_SECONDS + 0.1
    assert to_replace(after(*[(SILENT, late)] * 100), changing=False) is None
    assert to_replace(after((SILENT, 0), (SILENT, late), (SILENT, 0)), changing=False) is None
    misses = after((SILENT, 0), (SILENT, late), (SILENT, 0), (SILENT, 0))
    assert to_replace(misses, changing=False) == "lab-1"


def test_one_process_is_replaced_at_a_time():
    everybody = dict.fromkeys(("lab-1", "lab-2", "gateway-1"), False)
    misses = after(*[(everybody, 0)] * 5)
    assert to_replace(misses, changing=False) == "lab-1"
    del misses["lab-1"]
    assert to_replace(misses, changing=False) == "lab-2"


def test_while_up_changes_the_fleet_a_process_that_hangs_is_still_replaced_but_later():
    assert to_replace(after(*[(SILENT, 0)] * (MISSES_DURING_CHANGE - 1)), changing=True) is None
    assert to_replace(after(*[(SILENT, 0)] * MISSES_DURING_CHANGE), changing=True) == "lab-1"
    assert MISSES < MISSES_DURING_CHANGE


def test_a_process_that_is_not_asked_is_forgotten():
    assert after((SILENT, 0), ({"lab-2": True}, 0)) == {"lab-2": 0}


def test_nobody_is_replaced_where_nobody_runs():
    assert to_replace({}, changing=False) is None


def test_a_checker_that_was_held_up_knows_it(monkeypatch):
    now = 1000.0
    monkeypatch.setattr(health.time, "clock_gettime", lambda clock: now)

    async def work():
        nonlocal now
        # The watch has begun; then this process is held up, and the work ends before the watch.
        await asyncio.sleep(0)
        now += health._TICK + 0.6
        return {"lab-1": False}

    answered, late = asyncio.run(health.with_lateness(work))
    assert answered == {"lab-1": False}
    assert late == pytest.approx(0.6)


def answers_at_all(serve, path="/healthz", seconds=5):
    """What the check says of a server whose connections are handled by `serve`."""

    async def run():
        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            return await health.answers_at_all(f"http://127.0.0.1:{port}{path}", seconds)

    return asyncio.run(run())


@pytest.mark.parametrize("says", [b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 403 Forbidden\r\n"])
def test_a_refusal_is_an_answer(says):
    async def serve(reader, writer):
        await reader.readline()
        writer.write(says)
        writer.close()

    assert answers_at_all(serve) is True


def test_silence_is_no_answer():
    async def serve(reader, writer):
        await reader.readline()
        await reader.read()
        writer.close()

    assert answers_at_all(serve, seconds=0.3) is False


def test_one_that_closes_the_connection_does_not_hang():
    async def serve(reader, writer):
        await reader.readline()
        writer.close()

    assert answers_at_all(serve) is True


def test_each_kind_of_process_is_asked_for_its_own_path():
    asked = []

    async def serve(reader, writer):
        asked.append(await reader.readline())
        writer.close()

    answers_at_all(serve, "/healthz")
    assert asked == [b"GET /healthz HTTP/1.1\r\n"]


def test_a_refused_connection_is_no_answer():
    assert asyncio.run(health.answers_at_all("http://127.0.0.1:1", 0.3)) is False
