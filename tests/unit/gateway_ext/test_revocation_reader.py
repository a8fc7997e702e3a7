"""A gateway asks labs which tokens were taken back."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from gateway_ext.kernels.agents.lab_calls import NotAnswered
from gateway_ext.kernels.revocation_reader import RevocationReader
from jupyter_ext.platform.revocations import Revocations, Revoked


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
    said = {"revocations": [{"user": "ada", "until": 10.5}, {"project": "demo", "until": 20}]}
    await reader(Labs(said), revocations).look()
    assert revocations.holds(Revoked.USER, "ada", 10)
    assert revocations.holds(Revoked.PROJECT, "demo", 20)
    assert not revocations.holds(Revoked.USER, "ada", 11)


async def test_labs_that_do_not_answer_are_told_once_and_what_is_known_holds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    revocations = Revocations()
    said = {"revocations": [{"user": "ada", "until": 10}]}
    away = NotAnswered("away")
    answers = [said, away, away, b"nonsense", {"revocations": [{}]}, said, b"[]"]
    one = reader(Labs(*answers), revocations)
    for _ in answers:
        await one.look()
    assert revocations.holds(Revoked.USER, "ada", 10)
    assert [record.levelname for record in caplog.records] == ["WARNING"] * 2


async def test_labs_of_the_version_before_know_none(caplog: pytest.LogCaptureFixture) -> None:
    await reader(Labs(NotAnswered("no", 403)), Revocations()).look()
    assert caplog.records == []


async def test_without_labs_nobody_is_asked() -> None:
    labs = Labs()
    labs.possible = False
    await reader(labs, Revocations()).look()
