"""Equal servers are asked one after the other."""

from pathlib import Path
from typing import Any, Literal

import pytest

from jupyter_ext.fleet import first_answer as module
from jupyter_ext.fleet.calls import CallFailed
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.first_answer import first_answer
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.platform.tokens import TokenVerifier

SETTINGS = Settings(
    labs=2, gateways=2, ports={"gateway-1": 1, "gateway-2": 2, "lab-1": 3, "lab-2": 4}
)


@pytest.mark.parametrize(("role", "ports"), [("gateway", (1, 2)), ("lab", (3, 4))])
def test_the_first_server_that_answers_well_is_believed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    role: Literal["gateway", "lab"],
    ports: tuple[int, int],
) -> None:
    data_dir = DataDir.at(tmp_path)
    data_dir.create()
    secrets = SecretFiles(data_dir.secrets)
    secrets.create()
    secrets.service_token(role).write_text("expired")
    # The first one is of the version before, or away; an empty list is an answer.
    answers: list[Any] = [CallFailed("not found", 404), [], CallFailed("x", None), None]
    asked: list[tuple[str, str | None, float]] = []

    def call(method: str, url: str, token: str | None, timeout: float) -> Any:
        asked.append((url, token, timeout))
        answer = answers.pop(0)
        if isinstance(answer, CallFailed):
            raise answer
        return answer

    monkeypatch.setattr(module, "call", call)
    assert first_answer(data_dir, SETTINGS, role, "/api/x", seconds=3.0) == []
    assert [(url, seconds) for url, _, seconds in asked] == [
        (f"http://127.0.0.1:{port}/api/x", 3.0) for port in ports
    ]
    # Signed for this call: the servers' own expire while there is no supervisor.
    verifier = TokenVerifier(secrets.token_keys)
    assert {verifier.verify(token or "").service for _, token, _ in asked} == {role}
    answers[1] = CallFailed("y", 503)
    assert first_answer(data_dir, SETTINGS, role, "/api/x", seconds=3.0) is None
