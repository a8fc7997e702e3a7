"""Tokens of labs and gateways, which a supervisor and a rotation may sign at the same time."""

import fcntl
import threading
from pathlib import Path
from typing import Any

import jwt
import pytest

from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.platform.tokens import TokenSigner, create_private_key


def test_no_token_of_the_key_before_is_written_over_one_of_the_new_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A supervisor has read the older key and writes its tokens after the rotation."""
    files = SecretFiles(tmp_path)
    create_private_key(files.platform_key)
    older, real = files.signer(), SecretFiles.signer
    has_read, goes_on = threading.Event(), threading.Event()
    asked: list[int] = []

    def flock(file: Any, operation: int) -> None:
        asked.append(operation)
        if len(asked) == 2:
            goes_on.set()
        real_flock(file, operation)

    def signer(self: SecretFiles) -> TokenSigner:
        if threading.current_thread() is not supervisor:
            return real(self)
        has_read.set()
        assert goes_on.wait(60)
        return older

    def renew() -> None:
        files.renew_service_tokens()
        goes_on.set()

    real_flock = fcntl.flock
    monkeypatch.setattr(SecretFiles, "signer", signer)
    monkeypatch.setattr(fcntl, "flock", flock)
    supervisor = threading.Thread(target=files.renew_service_tokens)
    supervisor.start()
    assert has_read.wait(60)
    create_private_key(files.platform_key)
    rotating = threading.Thread(target=renew)
    rotating.start()
    for thread in (supervisor, rotating):
        thread.join(60)
    for service in ("lab", "gateway"):
        header = jwt.get_unverified_header(files.service_token(service).read_text())
        assert header["kid"] == real(files).key_id != older.key_id
