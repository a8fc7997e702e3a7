"""The files of a fleet's keys, and who encrypts with them, for tests without servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jupyter_ext.fleet.calls import CallFailed
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.platform.encryption import SecretBox
from jupyter_ext.platform.tokens import TokenVerifier

SETTINGS = Settings(ports={f"{kind}-{n}": 1 for kind in ("lab", "gateway") for n in (1, 2)})


class Servers:
    """What encrypts values, instead of labs and gateways."""

    def __init__(self, files: SecretFiles) -> None:
        self.files = files
        self.away = False
        self.stuck = ""
        self.boxes = {
            "lab": SecretBox(files.login_keys),
            "gateway": SecretBox(files.encryption_keys),
        }
        self.values = {name: [box.encrypt(b"a")] for name, box in self.boxes.items()}

    def call(self, method: str, url: str, token: str) -> Any:
        if self.away:
            raise CallFailed("away", None)
        kind = TokenVerifier(self.files.token_keys).verify(token).service
        assert kind is not None
        box = self.boxes[kind]
        if method == "POST":
            self.values[kind] = [box.renewed(one) or one for one in self.values[kind]]
        counts = dict.fromkeys(box.key_ids(), 0)
        for one in self.values[kind] + ([f"{self.stuck}:x"] if self.stuck else []):
            counts[one.partition(":")[0]] = 1
        return {"values": counts}


def file_of(files: SecretFiles, name: str) -> Path:
    return {
        "platform": files.token_keys,
        "encryption": files.encryption_keys,
        "logins": files.login_keys,
        "labs": files.shared_secrets,
    }[name]
