"""A gateway asks labs which tokens were taken back."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.kernels import revocation_reader
from gateway_ext.kernels.agents.lab_calls import LabCalls, NotAnswered
from gateway_ext.kernels.revocation_reader import RevocationReader
from jupyter_ext.platform.revocations import Revocations, Revoked
from tests.servers.scripted_http import Answer, Request, ScriptedServer

NOW = float(int(time.time()))


class Labs:
    """What labs answer."""

    possible = True

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)

    async def get(self, path: str) -> bytes:
        assert path == "/api/fleet/revocations"
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer).encode() if not isinstance(answer, bytes) else answer


def reader(labs: Any, revocations: Revocations) -> RevocationReader:
    return RevocationReader(labs, revocations, logging.getLogger("test"))


async def test_it_knows_what_labs_know() -> None:
    revocations = Revocations()
    said = {"revocations": [{"user": "ada", "until": NOW}, {"project": "demo", "until": NOW + 9}]}
    one = reader(Labs(said), revocations)
    assert one.state() == {"read_seconds_ago": None, "problem": ""}
    await one.look()
    assert revocations.holds(Revoked.USER, "ada", NOW)
    assert revocations.holds(Revoked.PROJECT, "demo", NOW + 9)
    assert not revocations.holds(Revoked.USER, "ada", NOW + 1)
    assert one.state()["read_seconds_ago"] == 0.0


async def test_labs_that_do_not_answer_are_told_once_and_what_is_known_holds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    revocations = Revocations()
    said = {"revocations": [{"user": "ada", "until": NOW}]}
    away = NotAnswered("away")
    answers = [said, away, away, b"nonsense", {"revocations": [{}]}, said, b"[]"]
    one = reader(Labs(*answers), revocations)
    for _ in answers:
        await one.look()
    assert revocations.holds(Revoked.USER, "ada", NOW)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2


async def test_labs_of_the_version_before_know_none(caplog: pytest.LogCaptureFixture) -> None:
    await reader(Labs(NotAnswered("no", 403)), Revocations()).look()
    assert caplog.records == []


async def test_without_labs_nobody_is_asked_and_everybody_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    labs = Labs()
    labs.possible = False
    one = reader(labs, Revocations())
    await one.run()
    assert "FleetGatewayApp.lab_urls" in caplog.text
    assert one.state() == {"read_seconds_ago": None, "problem": "no labs are configured"}
    await one.first_look()


async def test_a_gateway_looks_at_once_and_people_wait_for_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(revocation_reader, "LOOK_SECONDS", 60.0)
    revocations = Revocations()
    one = reader(Labs({"revocations": [{"user": "ada", "until": NOW}]}), revocations)
    waiting = asyncio.ensure_future(one.first_look())
    await asyncio.sleep(0)
    assert not waiting.done()
    running = asyncio.ensure_future(one.run())
    await asyncio.wait_for(waiting, 10)
    assert revocations.holds(Revoked.USER, "ada", NOW)
    running.cancel()


async def test_people_wait_for_labs_that_hang_for_a_moment_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(revocation_reader, "FIRST_LOOK_SECONDS", 0.05)
    await asyncio.wait_for(reader(Labs(), Revocations()).first_look(), 10)


class Lab(ScriptedServer):
    def answer(self, request: Request) -> Answer:
        return Answer(body={"revocations": [{"user": "ada", "until": NOW}]})


async def test_a_lab_that_hangs_is_left_for_another_one_in_time(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "token").write_text("t")
    hangs, answers, revocations = Lab(), Lab(), Revocations()
    hangs.script("GET", "/api/fleet/revocations", Answer(delay=30), forever=True)
    try:
        urls = [hangs.url, answers.url]
        labs = LabCalls(urls, str(tmp_path / "token"), 1, revocation_reader.LAB_SECONDS)
        one = reader(labs, revocations)
        began = time.monotonic()
        await one.look()
        assert revocations.holds(Revoked.USER, "ada", NOW)
        took = time.monotonic() - began
        assert took + revocation_reader.LOOK_SECONDS < 5, "with the wait before it"
        await one.look()
        assert len(hangs.requests) == 1, "it is asked last from now on"
        assert caplog.records == []
    finally:
        hangs.stop()
        answers.stop()
