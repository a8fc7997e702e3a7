"""A whole fleet as `jupyter fleet up` starts it, and its files as the REST interface shows them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import psutil
import requests

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.kept_settings import load_settings
from jupyter_ext.fleet.status import describe
from jupyter_ext.fleet.supervisor import Supervisor
from tests.e2e.lab_page import wait_for
from tests.servers.folder_for_kernels import SHOWN_FOLDERS
from tests.servers.ports import free_ports

COMMAND = Path(sys.executable).parent / "jupyter-fleet"


@dataclass(frozen=True)
class Process:
    """A process of the fleet, as `jupyter fleet status` describes it."""

    name: str
    role: str
    pid: int | None
    url: str | None
    state: str


class Fleet:
    """Two labs and two gateways on a data directory of their own."""

    def __init__(self, data_dir: Path):
        self.data_dir = data_dir
        (self.port,) = free_ports(1)

    def command(self, *arguments: str, timeout: float = 120) -> str:
        """Run `jupyter-fleet`; its standard output. AssertionError with all it said if it fails."""
        done = subprocess.run(
            [str(COMMAND), *arguments, "--data-dir", str(self.data_dir)],
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def up(self, *options: str) -> None:
        for folder in SHOWN_FOLDERS:
            folder.mkdir(parents=True, exist_ok=True)
        shown = [word for folder in SHOWN_FOLDERS for word in ("--shown-folders", str(folder))]
        self.command("up", "--detach", "--port", str(self.port), *shown, *options)

    def down(self, *arguments: str) -> None:
        self.command("down", *arguments)

    def status(self) -> dict[str, Any]:
        status: dict[str, Any] = json.loads(self.command("status", "--json"))
        return status

    @cached_property
    def url(self) -> str:
        """The address that `status` says; it is the same as long as the fleet lives."""
        return str(self.status()["url"])

    def login_link(self) -> str:
        status = json.loads(self.command("status", "--json", "--token"))
        return str(status["login_url"])

    def processes(self, role: str) -> list[Process]:
        return [process for process in self._listed() if process.role == role]

    def process(self, name: str) -> Process:
        return next(process for process in self._listed() if process.name == name)

    def _listed(self) -> list[Process]:
        """Asked without the command: tests wait for changes of it, and the command takes a tenth of
        a second of a processor."""
        data_dir = DataDir.at(self.data_dir)
        settings = load_settings(data_dir)
        assert settings is not None
        states = Supervisor(data_dir).states()
        listed = [describe(member, states.get(member.name)) for member in settings.members]
        return [
            Process(one["name"], one["role"], one["pid"], one["url"], one["state"])
            for one in listed
        ]

    @cache  # noqa: B019 (there is one fleet, and it lives as long as the tests)
    def token(self, user: str, role: str = "editor") -> str:
        return self.command("token", user, "--project", f"demo={role}").strip()

    def short_token(self, user: str, seconds: float) -> str:
        """A new token that ends so many seconds from now."""
        expires = ["--expires", str(seconds)]
        return self.command("token", user, "--project", "demo=editor", *expires).strip()

    @cache  # noqa: B019
    def token_in(self, user: str, *roles: str) -> str:
        """A token with several roles, such as `demo=editor`, one for each project."""
        options = [word for role in roles for word in ("--project", role)]
        return self.command("token", user, *options).strip()

    def replaced(self, old: Process) -> Process:
        """The process that the supervisor started in place of `old`, once it answers."""

        def answers() -> Process | None:
            new = self.process(old.name)
            if new.pid in (None, old.pid) or new.url is None:
                return None
            try:
                requests.get(f"{new.url}/api", timeout=2)
            except requests.RequestException:
                return None
            return new

        return wait_for(f"another {old.name}", answers, 60)

    def log(self) -> str:
        """The last lines of every log of the fleet."""
        tails = []
        for path in sorted((self.data_dir / "logs").glob("*")):
            lines = path.read_text(errors="replace").splitlines()[-60:]
            tails.append(f"==== {path.name}\n" + "\n".join(lines))
        return "\n".join(tails)


def connected(pid: int, ports: set[int]) -> bool:
    """Whether a process or a child of it holds a connection to one of `ports` of this machine."""
    tree = [psutil.Process(pid)]
    tree += tree[0].children(recursive=True)
    return any(
        c.raddr and c.raddr.port in ports and c.status == psutil.CONN_ESTABLISHED
        for member in tree
        for c in member.net_connections("tcp")
    )


def stop(process: Process, how: signal.Signals) -> float:
    """Send a signal to a process of the fleet; the time (monotonic) at which it was sent."""
    assert process.pid is not None
    sent = time.monotonic()
    os.kill(process.pid, how)
    return sent


class Files:
    """The contents and kernels of the fleet for one user, at one address."""

    def __init__(self, url: str, token: str):
        self.url = url.rstrip("/")
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def get(self, path: str) -> dict[str, Any]:
        """The model with content; requests.HTTPError if there is no such file."""
        return self._answer("GET", path)

    def save(self, path: str, model: dict[str, Any]) -> dict[str, Any]:
        return self._answer("PUT", path, json=model)

    def rename(self, path: str, new_path: str) -> dict[str, Any]:
        return self._answer("PATCH", path, json={"path": new_path})

    def kernels(self) -> list[dict[str, Any]]:
        """The models of every kernel that this user may see."""
        listed = self.session.get(f"{self.url}/api/kernels", timeout=30)
        listed.raise_for_status()
        models: list[dict[str, Any]] = listed.json()
        return models

    def sessions(self) -> list[dict[str, Any]]:
        """The models of every session that this user may see."""
        listed = self.session.get(f"{self.url}/api/sessions", timeout=30)
        listed.raise_for_status()
        models: list[dict[str, Any]] = listed.json()
        return models

    def default_kernel(self) -> str:
        """The name of the kernel that a notebook gets unless it asks for another."""
        answer = self.session.get(f"{self.url}/api/kernelspecs", timeout=30)
        answer.raise_for_status()
        name: str = answer.json()["default"]
        return name

    def journal(self, kernel_id: str) -> bytes:
        """What the store has of a kernel, messages and all; empty before it has anything."""
        url = f"{self.url}/api/fleet/kernels/{kernel_id}/journal"
        answer = self.session.get(url, timeout=30)
        return answer.content if answer.ok else b""

    def delete_kernels(self) -> None:
        """End every kernel that this user may see."""
        for kernel in self.kernels():
            address = f"{self.url}/api/kernels/{kernel['id']}"
            self.session.delete(address, timeout=30).raise_for_status()

    def session_paths(self) -> list[str]:
        """The paths of all sessions that this user may see, as their pages know them."""
        listed = self.session.get(f"{self.url}/api/sessions", timeout=30)
        listed.raise_for_status()
        return [session["path"] for session in listed.json()]

    def _answer(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        answer = self.session.request(
            method, f"{self.url}/api/contents/{path}", timeout=30, **options
        )
        answer.raise_for_status()
        model: dict[str, Any] = answer.json()
        return model
