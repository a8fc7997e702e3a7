"""A fleet of somebody who is not root. Where the tests are run by somebody else than root, all of
them are that."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import (
    REPOSITORY,
    Gateways,
    agents_of,
    gateway_python,
    wait_until,
)
from tests.servers.process import ServerProcess
from tests.servers.short_folder import short_folder

UID = 54_321
AS_USER = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]


class UsersGateways(Gateways):
    """Gateways of a user, who owns all that they need."""

    user_home: Path | None = None
    """Their folder, if it is not set before they start."""

    def command(self, number: int) -> list[str]:
        return [
            *AS_USER,
            "env",
            f"HOME={self.user_home or self.directory}",
            "USER=somebody",
            *super().command(number),
        ]

    def _start(self, number: int) -> ServerProcess:
        (self.directory / f"config-{number}").mkdir(exist_ok=True)
        for path in (self.directory, *self.directory.rglob("*")):
            os.chown(path, UID, UID)
        return super()._start(number)


def others_cannot_run_gateways() -> bool:
    """Whether the repository, or its environments, can be read by its owner alone."""
    program = [gateway_python(), "-c", f"import os; os.listdir({str(REPOSITORY)!r})"]
    return subprocess.run([*AS_USER, *program], capture_output=True, check=False).returncode != 0


@pytest.fixture
def users_gateways() -> Iterator[Gateways]:
    """Two gateways of a user."""
    if os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    if others_cannot_run_gateways():
        pytest.skip(f"{REPOSITORY} and its environments are closed to other users")
    with short_folder("fleet-user-") as folder:
        gateways = UsersGateways(folder, 2)
        try:
            yield gateways
        finally:
            gateways.stop()


def test_kernels_of_a_user_run_as_that_user_and_change_hands(users_gateways: Gateways) -> None:
    gateways = users_gateways
    client = gateways.client()
    kernel_id = gateways.start_kernel(0)
    url = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
    with client.channels(gateways.urls[1], kernel_id) as channels:
        pid = channels.run("print(get_ipython().kernel.ident)")
        channels.run("import os; x = 41")
        assert channels.run("print(os.getuid(), os.getgid())") == f"{UID} {UID}\n"
        gateways.processes[0].signal(signal.SIGKILL)
        assert channels.run("print(x + 1, get_ipython().kernel.ident)") == f"42 {pid}"
        assert client.call("POST", f"{url}/restart").status_code == 200
        assert channels.run("print('x' in dir())") == "False\n"
    (agent,) = agents_of(kernel_id)
    os.kill(agent, signal.SIGKILL)
    wait_until(lambda: client.call("GET", url).json()["state"] == "dead")
    # A new agent, started by the gateway that is left.
    assert client.call("POST", f"{url}/restart").status_code == 200
    assert client.call("DELETE", url).status_code == 204
    wait_until(lambda: not agents_of(kernel_id))
    wait_until(lambda: not list((gateways.directory / "k" / "k").iterdir()))
    gateways.start_again(0)
