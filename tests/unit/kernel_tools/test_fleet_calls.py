"""Calls of the fleet, from the side of the kernel's code."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.kernel_tools import fleet_calls
from gateway_ext.kernel_tools.fleet_calls import (
    FleetCallError,
    NoFleet,
    call_fleet,
    launch_details,
)
from tests.servers.short_folder import short_folder

Answer = Callable[[dict[str, Any]], bytes | None]


def answer(**fields: Any) -> bytes:
    return json.dumps({"id": 1, **fields}).encode() + b"\n"


@contextmanager
def agent(monkeypatch: pytest.MonkeyPatch, answers: list[Answer]) -> Iterator[list[Any]]:
    """An agent that answers one connection after the other so; yields what it was asked."""
    asked: list[Any] = []
    with short_folder("fleet-calls-") as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "calls"))
        listener.listen()
        monkeypatch.setenv("FLEET_SOCKET", str(folder / "calls"))

        def serve() -> None:
            for each in answers:
                connected, _ = listener.accept()
                with connected, connected.makefile("rb") as lines:
                    asked.append(json.loads(lines.readline()))
                    sent = each(asked[-1])
                    if sent is None:
                        # Silent, until the other end has gone.
                        lines.read()
                    else:
                        connected.sendall(sent)

        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        thread.join(30)
        assert not thread.is_alive()


def test_a_call_returns_its_result(monkeypatch: pytest.MonkeyPatch) -> None:
    with agent(monkeypatch, [lambda _: answer(ok=True, result={"y": "é"})] * 2) as asked:
        assert call_fleet("ask", {"x": 1}) == {"y": "é"}
        launch_details()
    assert asked == [
        {"id": 1, "call": "ask", "arguments": {"x": 1}},
        {"id": 1, "call": "launch-details", "arguments": {}},
    ]


def test_a_refusal_is_an_error_with_status_and_message(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = answer(ok=False, status=403, message="not allowed")
    with (
        agent(monkeypatch, [lambda _: refusal]),
        pytest.raises(FleetCallError, match="not allowed") as refused,
    ):
        call_fleet("ask")
    assert refused.value.status == 403


def test_a_call_that_came_too_early_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_calls, "_PAUSE_SECONDS", 0.01)
    too_many = answer(ok=False, status=429, message="too many")
    answers: list[Answer] = [lambda _: too_many] * 2 + [lambda _: answer(ok=True, result={})]
    with agent(monkeypatch, answers) as asked:
        assert call_fleet("ask") == {}
    assert len(asked) == 3
    with (
        agent(monkeypatch, [lambda _: too_many]),
        pytest.raises(FleetCallError, match="too many"),
    ):
        call_fleet("ask", timeout=0.005)


def test_an_agent_that_ends_or_is_silent_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        agent(monkeypatch, [lambda _: b'{"id": 1']),
        pytest.raises(FleetCallError, match="ended the connection") as ended,
    ):
        call_fleet("ask")
    assert ended.value.status == 503
    with agent(monkeypatch, [lambda _: None]), pytest.raises(TimeoutError):
        call_fleet("ask", timeout=0.1)


def test_outside_of_a_fleet_the_error_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("FLEET_SOCKET", raising=False)
    with pytest.raises(NoFleet, match="only a kernel that a fleet's gateway has started"):
        launch_details()
    # A process on another machine, with the kernel's environment.
    monkeypatch.setenv("FLEET_SOCKET", str(tmp_path / "calls"))
    with pytest.raises(NoFleet, match="on its own machine"):
        launch_details()


def test_what_cannot_be_sent_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_SOCKET", "/nowhere/calls")
    with pytest.raises(ValueError, match="at most 65536"):
        call_fleet("ask", {"x": "y" * 70_000})
    with pytest.raises(TypeError):
        call_fleet("ask", {"x": object()})
