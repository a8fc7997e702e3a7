"""A fleet with TLS and a name, as operators set it up for people who do not trust each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.running_fleet import Fleet

HOST, FRAMES, ELSEWHERE = "fleet.test", "frames.test", "elsewhere.test"
"""The fleet, its frames, and a site of somebody else: for tests' browsers all on this machine."""


class NamedFleet(Fleet):
    """One lab and one gateway; frames have a host name of their own."""

    def __init__(self, data_dir: Path, certificate: tuple[str, str]) -> None:
        super().__init__(data_dir)
        self._certificate = certificate

    @property
    def page_url(self) -> str:
        """Where people reach it."""
        return f"https://{HOST}:{self.port}"

    @property
    def frame_url(self) -> str:
        """Where its frames come from."""
        return f"https://{FRAMES}:{self.port}"

    def up(self, *options: str) -> None:
        changes: dict[str, Any] = {
            "ServerApp": {"allow_remote_access": True},
            "FleetIdentityProvider": {"public_url": self.page_url},
            "JupyterFleet": {"frame_url": self.frame_url},
        }
        folder = self.data_dir / "config" / "lab-1"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "jupyter_config.json").write_text(json.dumps(changes))
        certificate, key = self._certificate
        tls = ("--tls-cert", certificate, "--tls-key", key)
        super().up("--labs", "1", "--gateways", "1", *tls, *options)
