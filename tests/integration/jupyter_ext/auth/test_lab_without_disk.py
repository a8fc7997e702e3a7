"""A lab runs where nothing can be written, and forgets nothing when it ends."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_ext.platform.tokens import TokenSigner, create_keys
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs
from tests.servers.mariadb import MariaDB
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

# Of the lab's own view alone. Linux's own file systems stay, and what programs need of /dev.
READ_ONLY = r"""
set -eu
mount --make-rprivate /
mount -t tmpfs -o size=256m fleet-scratch "$1"
mount -t tmpfs -o size=64m fleet-shm /dev/shm
while read -r _ _ _ _ at _; do
    case "$at" in /proc|/proc/*|/sys|/sys/*|/dev|/dev/*|"$1") continue;; esac
    mount -o remount,bind,ro "$at"
done < /proc/self/mountinfo
if touch "$2/written" 2>/dev/null; then echo "the root can be written" >&2; exit 1; fi
shift 2
exec "$@"
"""


class LabWithoutDisk(Labs):
    """One lab on a read-only root, with a small tmpfs for what is temporary."""

    def command(self, number: int) -> list[str]:
        view = ["unshare", "--mount", "sh", "-c", READ_ONLY, "sh"]
        return [*view, str(self.scratch), str(self.directory), *super().command(number)]

    @property
    def scratch(self) -> Path:
        return self.directory / "scratch"

    def environment(self, number: int) -> dict[str, str]:
        temporary = dict.fromkeys(
            ("HOME", "TMPDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR"), str(self.scratch)
        )
        return {**super().environment(number), **temporary}

    def written(self) -> list[str]:
        """Names of what the lab has written into its tmpfs."""
        seen = Path(f"/proc/{self.processes[0].pid}/root{self.scratch}")
        return sorted(str(one.relative_to(seen)) for one in seen.rglob("*") if one.is_file())


@pytest.fixture
def lab(seaweedfs: SeaweedFS, mariadb: MariaDB) -> Iterator[LabWithoutDisk]:
    may = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True)
    if may.returncode:
        pytest.skip(f"only who may make mount namespaces can take the disk away: {may.stderr}")
    with short_folder("fleet-ro-") as directory:
        changes = {
            "JupyterFleet": {"database_url": mariadb.create_database()},
            # As `up` has it. It would run npm.
            "ServerApp": {"jpserver_extensions": {"jupyter_ext": True, "jupyter_lsp": False}},
        }
        create_keys(directory / "private.pem", directory / "jwks.json")
        signer = TokenSigner(directory / "private.pem")
        (directory / "scratch").mkdir()
        labs = LabWithoutDisk(directory, signer, ["http://127.0.0.1:1"], seaweedfs, 1, changes)
        try:
            yield labs
        finally:
            labs.stop()


def test_a_lab_runs_on_a_read_only_root_and_forgets_nothing(lab: LabWithoutDisk) -> None:
    ada, url = lab.client(), lab.urls[0]
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# kept"}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path = f"{url}/api/contents/demo/a.ipynb"
    body = {"type": "notebook", "content": notebook}
    assert ada.call("PUT", path, json=body).status_code == 201
    long = {"type": "file", "format": "text", "content": "x" * 20_000_000}
    assert ada.call("PUT", f"{url}/api/contents/demo/long.txt", json=long).status_code == 201
    assert len(ada.call("GET", f"{url}/files/demo/long.txt").content) == 20_000_000
    assert ada.call("POST", f"{path}/checkpoints").status_code == 201
    assert "kept" in ada.call("GET", f"{url}/nbconvert/html/demo/a.ipynb").text
    theme = f"{url}/lab/api/settings/@jupyterlab/apputils-extension:themes"
    assert ada.call("PUT", theme, json={"raw": '{"adaptive-theme": true}'}).status_code == 204
    space = {"data": {}, "metadata": {"id": "x"}}
    assert ada.call("PUT", f"{url}/lab/api/workspaces/x", json=space).status_code == 204
    assert ada.call("GET", f"{url}/lab/tree/demo/a.ipynb").status_code == 200
    # What says where the server is, for programs of its own machine.
    assert {name.partition("-")[0] for name in lab.written()} <= {"jpserver"}

    lab.processes[0].stop()
    lab.start_again(0)
    assert ada.call("GET", path).json()["content"]["cells"][0]["source"] == "# kept"
    assert len(ada.call("GET", f"{path}/checkpoints").json()) >= 1
    assert json.loads(ada.call("GET", theme).text)["settings"] == {"adaptive-theme": True}
    assert "x" in ada.call("GET", f"{url}/lab/api/workspaces").json()["workspaces"]["ids"]
