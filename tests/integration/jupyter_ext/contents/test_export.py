"""One notebook in a process that can be ended."""

import asyncio
import json

import psutil
import pytest

from jupyter_ext.contents.export import ExportBusy, Exports, ExportTooBig

ENDLESS = "![a](" * 200_000
"""Markdown that takes nbconvert hours."""


def job(source: str, format: str = "html") -> bytes:
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": source}
    return json.dumps(
        {
            "format": format,
            "notebook": {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5},
            "resources": {"metadata": {"name": "n", "modified_date": "today"}, "config_dir": "/"},
            "config": {},
            "sanitize_html": None,
        }
    ).encode()


async def test_a_conversion_without_end_is_ended() -> None:
    with pytest.raises(ExportTooBig, match="takes more than 1 seconds"):
        await Exports(seconds=1).run(job(ENDLESS))


async def test_a_result_that_is_too_big_is_none() -> None:
    with pytest.raises(ExportTooBig, match="more than 10 bytes"):
        await Exports(result_bytes=10).run(job("x"))


async def test_who_waits_too_long_for_a_place_is_told() -> None:
    exports = Exports(at_once=1, wait_seconds=0.01)
    async with exports.turn("ann"):
        with pytest.raises(ExportBusy):
            async with exports.turn("ann"):
                pass
    async with exports.turn("ann"):
        pass


async def test_one_user_takes_neither_all_places_nor_the_whole_queue() -> None:
    exports = Exports(waiting_of_one_user=2)

    async def export(user: str, end: asyncio.Event) -> None:
        async with exports.turn(user):
            await end.wait()

    end = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(3):
            tasks.create_task(export("eve", end))
        await asyncio.sleep(0)
        with pytest.raises(ExportBusy):
            async with exports.turn("eve"):
                pass
        async with asyncio.timeout(10), exports.turn("otto"):
            end.set()


async def test_canceling_ends_the_process() -> None:
    before = set(psutil.Process().children())
    running = asyncio.ensure_future(Exports().run(job(ENDLESS)))
    async with asyncio.timeout(20):
        while not (started := set(psutil.Process().children()) - before):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    (process,) = started
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert not process.is_running()
