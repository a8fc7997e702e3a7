"""What clients send and no kernel could read."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway_ext.agent.kernel import Kernel
from gateway_ext.agent.sessions import Sessions
from gateway_ext.agent.socket_folder import SocketFolder
from jupyter_ext.wire.messages import join_v1
from tests.unit.agent.test_agent_process_unit import document

DEEP = b'{"msg_id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize("header", [DEEP, b"{}", b"[]"])
def test_a_client_s_message_whose_header_cannot_be_read_is_dropped(
    header: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    sockets = SocketFolder(tmp_path)
    kernel = Kernel(document(tmp_path), sockets, Sessions(), lambda *_: None, lambda: None)
    kernel.send("s", join_v1("shell", [header, b"{}", b"{}", b"{}"]))
    assert "dropped a message of session s" in caplog.text
