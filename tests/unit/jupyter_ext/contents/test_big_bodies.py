"""The event loop goes on while a big body is parsed or written."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from jupyter_ext.contents.bodies import decode_notebook
from jupyter_ext.contents.handlers import ContentsHandler
from jupyter_ext.platform.big_json import BigDecoder

NOTEBOOK = {
    "cells": [],
    "metadata": {"points": [number / 7 for number in range(900_000)]},
    "nbformat": 4,
    "nbformat_minor": 5,
}
BODY = json.dumps(NOTEBOOK).encode()


def handler() -> Any:
    """A handler of a request with BODY, without a server."""

    async def work(function: Callable[[], Any], size: int) -> Any:
        return await asyncio.to_thread(function)

    made: Any = ContentsHandler.__new__(ContentsHandler)
    made.application = SimpleNamespace(settings={"contents_manager": SimpleNamespace(work=work)})
    made.request = SimpleNamespace(body=BODY)
    made.answers = []
    made.finish = made.answers.append
    return made


async def parse() -> None:
    made = handler()
    await made._parse()
    assert made._parsed is not None


async def send() -> None:
    made = handler()
    made._answer = {"content": NOTEBOOK, "size": len(BODY)}
    await made._send()
    assert made.answers


@pytest.mark.parametrize("work", [parse, send])
async def test_the_loop_goes_on(work: Callable[[], Awaitable[None]]) -> None:
    """While `json.loads` or `json.dumps` run, on whichever thread, the loop has no turn."""
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0.001)
            turns += 1

    turning = asyncio.ensure_future(take_turns())
    await work()
    turning.cancel()
    assert turns > 5


def test_stored_notebooks_are_parsed_by_the_same_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[str] = []
    stock = BigDecoder.decode

    def watched(decoder: BigDecoder, text: str) -> Any:
        parsed.append(text)
        return stock(decoder, text)

    monkeypatch.setattr(BigDecoder, "decode", watched)
    assert decode_notebook(BODY).message is None
    assert parsed == [BODY.decode()]
