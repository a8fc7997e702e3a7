"""Whether name servers answer."""

import socket
import threading

import pytest

from gateway_ext.kernel_tools import name_look_up
from gateway_ext.kernel_tools.name_look_up import no_server_answers


@pytest.mark.parametrize(
    ("error", "unanswered"),
    [
        (None, False),
        (socket.gaierror(socket.EAI_AGAIN, "temporary failure"), True),
        # A server has said so.
        (socket.gaierror(socket.EAI_NONAME, "name or service not known"), False),
        (UnicodeError("label too long"), False),
    ],
)
def test_a_server_that_does_not_know_a_name_has_answered(
    error: Exception | None, unanswered: bool
) -> None:
    def look_up(host: str, port: None) -> None:
        assert host == "packages.example"
        if error is not None:
            raise error

    assert no_server_answers("packages.example", look_up) is unanswered


def test_a_server_that_takes_too_long_has_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(name_look_up, "ANSWER_SECONDS", 0.05)
    ended = threading.Event()
    try:
        assert no_server_answers("packages.example", lambda host, port: ended.wait(60))
    finally:
        ended.set()
