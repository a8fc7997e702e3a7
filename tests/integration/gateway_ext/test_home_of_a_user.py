"""What kernels of a fleet that is not root's reach of its user's home, and of the fleet."""

import contextlib
import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.integration.gateway_ext.fleet_of_gateways import Gateways, kernel_python
from tests.integration.gateway_ext.test_gateway_as_a_user import (
    UID,
    UsersGateways,
    others_cannot_run_gateways,
)
from tests.servers.folder_for_kernels import folder_for_kernels
from tests.servers.short_folder import short_folder

SECRETS = (".ssh/id", ".docker/config.json", ".local/share/keyrings/login")


def make_environment(home: Path) -> Path:
    """A virtual environment in a home, of a Python of pyenv there; its interpreter."""
    look = "import sys, sysconfig; print(sys.base_prefix, sysconfig.get_path('purelib'))"
    asked = subprocess.run([kernel_python(), "-c", look], stdout=subprocess.PIPE, text=True)
    base, packages = asked.stdout.split()
    versions = home / ".pyenv" / "versions"
    versions.mkdir(parents=True)
    (versions / "3.11").symlink_to(base)
    folder = home / "envs" / "mine"
    site = folder / "lib" / "python3.11" / "site-packages"
    site.mkdir(parents=True)
    (site / "kernels.pth").write_text(packages)
    (folder / "bin").mkdir()
    (folder / "bin" / "python").symlink_to(versions / "3.11" / "bin" / "python3.11")
    (folder / "pyvenv.cfg").write_text(f"home = {versions / '3.11' / 'bin'}\n")
    return folder / "bin" / "python"


class WithHome(UsersGateways):
    """Kernels of the kernelspec `mine` are started with a Python of their user's home."""

    def __init__(self, directory: Path, home: Path, **options: Any) -> None:
        self.user_home = self._home = home
        app = {
            "kernel_walls": "required",
            "hidden_folders": [str(directory)],
            "one_user": True,
            # As `up` sets it.
            "agent_command": [kernel_python(), "-m", "gateway_ext.agent"],
        }
        super().__init__(directory, 1, changes={"FleetGatewayApp": app | options})

    def _write_kernelspec(
        self, name: str, proxy: dict[str, Any], argv: list[str] | None = None
    ) -> None:
        super()._write_kernelspec(name, proxy, argv)
        if name == "python":
            mine = [str(make_environment(self._home)), "-m", "ipykernel_launcher"]
            super()._write_kernelspec("mine", {}, [*mine, "-f", "{connection_file}"])
            for path in (self._home, *self._home.rglob("*")):
                os.chown(path, UID, UID, follow_symlinks=False)


@contextlib.contextmanager
def gateway_of(home: Path, **options: Any) -> Iterator[Gateways]:
    """A gateway of the user whose home that is: kernels have the user id of all that the fleet
    has."""
    with short_folder("fleet-user-") as folder:
        gateways = WithHome(folder, home, **options)
        try:
            url = f"{gateways.urls[0]}/api/kernels"
            answer = gateways.client().call("POST", url, json={"name": "missing"})
            if "of its own" in answer.text:
                pytest.skip(answer.text)
            yield gateways
        finally:
            gateways.stop()


@pytest.fixture
def home() -> Iterator[Path]:
    """The home of a user with what lets in whoever reaches it, none of which is in /tmp."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    if others_cannot_run_gateways():
        pytest.skip("the repository and its environments are closed to other users")
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(folder_for_kernels("fleet-home-"))
        for name in SECRETS:
            (home / name).parent.mkdir(parents=True)
            (home / name).write_text("secret")
        listening = stack.enter_context(socket.socket(socket.AF_UNIX))
        listening.bind(str(home / ".ssh" / "agent"))
        listening.listen()
        os.mkfifo(home / "fifo")
        yield home


@pytest.fixture
def users(home: Path) -> Iterator[Gateways]:
    """Of a user who serves whoever comes first."""
    with gateway_of(home) as gateways:
        yield gateways


REACH = """
import json, os, socket, sys
done = []
for path in PATHS:
    for reach in (os.stat, lambda path: os.open(path, os.O_RDWR | os.O_NONBLOCK),
                  lambda path: socket.socket(socket.AF_UNIX).connect(path)):
        try: reach(path)
        except FileNotFoundError: continue
        except OSError as error: done.append((path, error.strerror))
        else: done.append(path)
seen = sorted(os.listdir(HOME))
print(json.dumps([done, seen, sys.prefix, os.path.expanduser("~") == HOME]))
"""


def test_a_kernel_sees_of_the_users_home_its_environment_alone(users: Gateways, home: Path) -> None:
    paths = [str(home / name) for name in (*SECRETS, ".ssh/agent", "fifo")]
    assert all(map(os.path.exists, paths))
    kernel_id = users.start_kernel(0, name="mine")
    code = REACH.replace("HOME", repr(str(home))).replace("PATHS", repr(paths))
    reached = json.loads(users.run_in(kernel_id, code))
    assert reached == [[], [".pyenv", "envs"], str(home / "envs" / "mine"), False]


def test_the_kernels_of_the_one_user_whom_the_operator_names_read_the_home(home: Path) -> None:
    secret = str(home / SECRETS[0])
    look = f"import os; print(open({secret!r}).read(), os.access({secret!r}, os.W_OK))"
    with gateway_of(home, only_user="ada") as gateways:
        kernel_id = gateways.start_kernel(0, name="mine")
        assert gateways.run_in(kernel_id, look) == "secret False\n"


def test_a_kernel_of_a_user_does_not_read_what_its_user_can(users: Gateways) -> None:
    bob, url = users.client("bob", demo="owner", other="owner"), f"{users.urls[0]}/api/kernels"
    # A start with which something is wrong is none: bob does not become the one who is served.
    for body in ({"name": "no such kernel"}, {"project": "not his"}, {"launch_options": {"no": 1}}):
        answer = bob.call("POST", url, json={"project": "other", **body})
        assert 400 <= answer.status_code < 500
    kernel_id = users.start_kernel(0, name="lossless")
    names = [
        str(users.directory / name) for name in ("encryption.json", "gateway.sqlite", "k/logs")
    ]
    assert all(os.path.exists(name) for name in names)
    look = f"import os; print([os.path.exists(name) for name in {names!r}])"
    assert users.run_in(kernel_id, look) == "[False, False, False]\n"
    # The home of its project is in a hidden folder, and shown.
    write = "open('mine', 'w').write('x'); print(os.listdir('.').count('mine'), os.getuid())"
    assert users.run_in(kernel_id, write) == f"1 {UID}\n"
    # It cannot change what its user runs later, which is also the gateway's.
    look = "print([os.statvfs(place).f_flag & os.ST_RDONLY for place in ('/', '.', '/tmp')])"
    assert users.run_in(kernel_id, look) == "[1, 0, 0]\n"
    # As it would be without walls: ada came first.
    for call in (
        ("POST", url),
        ("DELETE", f"{url}/{kernel_id}"),
        ("POST", f"{url}/{kernel_id}/restart"),
    ):
        answer = bob.call(*call, json={"project": "other"})
        assert (answer.status_code, "runs code of ada alone" in answer.text) == (403, True)
    assert bob.call("GET", f"{url}/{kernel_id}").json()["walls"] == "namespaces"
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        bob.channels(users.urls[0], kernel_id)
