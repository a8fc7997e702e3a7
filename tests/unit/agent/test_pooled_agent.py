"""An agent whose kernel is nobody's: what it obeys, and what it becomes."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gateway_ext.agent.commands import Commands
from gateway_ext.agent.kernel_state import ReportedState
from gateway_ext.agent.start_document import (
    StartDocumentError,
    claimed_document,
    claimed_environment,
    parse_start_document,
)

LATE: dict[str, Any] = {
    "kernel_id": "of-ada",
    "kernelspec": {"argv": ["python"], "env": {"A": "1"}},
    "environment": {"MINE": "yes"},
    "orphan_seconds": 3600,
}
DOCUMENT = parse_start_document(
    '{"kernel_id": "member", "agent_key": "' + "00" * 32 + '", "gateways": ["http://g"],'
    '"kernelspec": {"argv": ["python"]}, "kernel_name": "python", "directory": "d",'
    '"journal_bytes": 1, "ping_seconds": 1, "ping_timeout": 5, "orphan_seconds": 60,'
    '"environment": {"OF_POOL": "yes"}, "pooled": true}'
)


def test_a_claimed_kernel_is_somebody_s_and_connects_as_before() -> None:
    claimed = claimed_document(DOCUMENT, {**LATE, "cwd": "/home/ada"})
    assert (claimed.kernel_id, claimed.claimed_as) == ("member", "of-ada")
    assert (claimed.agent_key, claimed.directory) == (DOCUMENT.agent_key, DOCUMENT.directory)
    assert claimed.environment == {"MINE": "yes"}
    assert claimed.kernelspec == LATE["kernelspec"]
    assert (claimed.cwd, claimed.orphan_seconds) == (Path("/home/ada"), 3600)
    assert (DOCUMENT.pooled, claimed.pooled) == (True, False)
    assert claimed_document(DOCUMENT, LATE).cwd == DOCUMENT.cwd
    assert claimed.prepared_by == ()
    assert claimed_document(DOCUMENT, {**LATE, "prepared_by": ["ada"]}).prepared_by == ("ada",)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"kernel_id": ""}, "kernel_id"),
        ({"kernelspec": {"argv": []}}, "argv"),
        ({"environment": {"A": 1}}, "environment"),
        ({"orphan_seconds": 0}, "orphan_seconds"),
        ({"cwd": "relative"}, "cwd"),
        ({"prepared_by": "ada"}, "prepared_by"),
        ({"kernelspec": {"argv": ["python"], "interrupt_mode": "shout"}}, "interrupt_mode"),
    ],
)
def test_what_cannot_be_claimed_says_what_is_wrong(wrong: dict[str, Any], word: str) -> None:
    with pytest.raises(StartDocumentError, match=word):
        claimed_document(DOCUMENT, {**LATE, **wrong})
    with pytest.raises(StartDocumentError, match="object"):
        claimed_document(DOCUMENT, None)


def test_a_claimed_agent_has_the_variables_of_its_container_and_of_the_kernel_alone() -> None:
    container = {"PATH": "/bin", "LANG": "C"}
    pooled = {"LANG": "pool", "OF_POOL": "yes"}
    # Imports set some.
    present = {**container, **pooled, "PYDEVD_USE_FRAME_EVAL": "NO"}
    found = claimed_environment(present, container, pooled, {"MINE": "yes"})
    assert found == {
        "PATH": "/bin",
        "LANG": "C",
        "PYDEVD_USE_FRAME_EVAL": "NO",
        "MINE": "yes",
    }


class Agent:
    """What is around the commands of one connection."""

    def __init__(self, *, pooled: bool = True) -> None:
        self.connection: Any = SimpleNamespace(epoch=7)
        self.answers: list[dict[str, Any]] = []
        self.claims: list[tuple[Any, int]] = []
        self.interrupts = 0
        sender: Any = SimpleNamespace(post=self.answers.append)
        self.state = ReportedState(pooled=pooled)
        kernel: Any = SimpleNamespace(state=self.state, interrupt=self._interrupt)
        nothing: Any = None
        self.commands = Commands(
            self.connection,
            sender,
            kernel,
            nothing,
            nothing,
            on_shutdown=lambda: None,
            on_handover=lambda gateways: None,
            on_gateways=lambda gateways: None,
            on_called=lambda frame: None,
            on_kept=lambda frame: None,
            on_ticket=lambda frame: None,
            on_claim=self._claim,
        )

    def _interrupt(self, by: str | None) -> None:
        self.interrupts += 1

    def _claim(self, document: Any, epoch: int) -> None:
        if document is None:
            raise StartDocumentError("it is no object")
        self.claims.append((document, epoch))
        self.state.pooled = False

    def say(self, command: str, **more: Any) -> dict[str, Any]:
        """The answer to a command."""
        frame = {"type": "command", "id": 1, "epoch": 7, "command": command}
        self.commands.text({**frame, **more})
        return self.answers.pop()


@pytest.mark.parametrize("command", ["open", "close", "interrupt", "restart"])
def test_nobody_reaches_a_kernel_that_is_nobody_s(command: str) -> None:
    agent = Agent()
    answer = agent.say(command, stream=1, session_id="s", nonce="n", received=None)
    assert not answer["ok"]
    assert "nobody's" in answer["message"]
    assert agent.interrupts == 0


def test_a_claim_raises_the_epoch_of_the_connection() -> None:
    agent = Agent()
    assert agent.say("claim", raised=8, document={"kernel_id": "k"})["ok"]
    assert agent.claims == [({"kernel_id": "k"}, 8)]
    assert not agent.say("interrupt", epoch=7)["ok"]
    assert agent.say("interrupt", epoch=8)["ok"]
    assert agent.interrupts == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"raised": 6, "document": {}},
        {"raised": "8", "document": {}},
        {"document": {}},
        {"raised": 8, "document": None},
        {"raised": 9, "document": {}, "epoch": 6},
    ],
)
def test_a_claim_that_is_refused_leaves_the_epoch(wrong: dict[str, Any]) -> None:
    agent = Agent()
    assert not agent.say("claim", **wrong)["ok"]
    assert agent.claims == []
    assert agent.connection.epoch == 7
