"""What `up` and `status` say of the fleet's clusters."""

from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.fleet import cluster_answers as module
from jupyter_ext.fleet.calls import CallFailed
from jupyter_ext.fleet.cluster_answers import answer_line, cluster_answers, warnings
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.fleet.status import as_table

SETTINGS = Settings(
    gateways=2,
    ports={"gateway-1": 1, "gateway-2": 2},
    kubeconfig="/etc/fleet/kubeconfig",
    yarn_conf="/etc/hadoop",
)
WELL = {"name": "kubernetes", "state": "answers", "message": ""}
EXPIRED = {"name": "kubernetes", "state": "refused", "message": "it answers 401 Unauthorized"}
DENIED = {"name": "kubernetes", "state": "denied", "message": "no rights in namespace kernels"}
AWAY = {"name": "kubernetes", "state": "silent", "message": "it does not answer"}
YARN_AWAY = {"name": "yarn", "state": "silent", "message": "it does not answer"}


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (WELL, "Kubernetes answers and accepts the gateways' credentials"),
        (
            EXPIRED,
            "Kubernetes: it answers 401 Unauthorized. Renew the token or certificate in "
            "--kubeconfig /etc/fleet/kubeconfig",
        ),
        (
            DENIED,
            "Kubernetes: no rights in namespace kernels. Give their account the rights that "
            "docs/clusters.md lists, or name another one",
        ),
        (
            AWAY,
            "Kubernetes: it does not answer. Check that the API server runs, and its address in "
            "--kubeconfig /etc/fleet/kubeconfig",
        ),
        (
            YARN_AWAY,
            "YARN: it does not answer. Check that the ResourceManager runs, and its address in "
            "--yarn-conf /etc/hadoop",
        ),
    ],
)
def test_a_line_says_what_is_wrong_and_what_to_do(answer: dict[str, str], line: str) -> None:
    assert answer_line(answer, SETTINGS) == line


def test_up_warns_of_clusters_in_which_nothing_can_be_started() -> None:
    assert warnings([WELL, YARN_AWAY], SETTINGS) == [answer_line(YARN_AWAY, SETTINGS)]
    assert warnings(None, SETTINGS) == []


def test_status_has_a_line_for_each_cluster() -> None:
    one = {"name": "front", "state": "running", "pid": 1, "url": "u"}
    document = {"processes": [one], "clusters": [WELL, YARN_AWAY], "kernels": {}}
    assert as_table(document, SETTINGS).split("\n\n")[1:] == [
        f"{answer_line(WELL, SETTINGS)}\n{answer_line(YARN_AWAY, SETTINGS)}",
        "Kernels: none",
    ]


def test_the_first_gateway_that_knows_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data_dir = DataDir.at(tmp_path)
    data_dir.create()
    SecretFiles(data_dir.secrets).create()
    asked: list[str] = []

    def call(method: str, url: str, token: str, seconds: float) -> Any:
        asked.append(url)
        if len(asked) == 1:
            # One of the version before.
            raise CallFailed("not found", 404)
        return [WELL]

    monkeypatch.setattr(module, "call", call)
    assert cluster_answers(data_dir, Settings(ports={"gateway-1": 1})) == []
    assert asked == []
    assert cluster_answers(data_dir, SETTINGS) == [WELL]
    assert asked == [
        "http://127.0.0.1:1/api/fleet/clusters",
        "http://127.0.0.1:2/api/fleet/clusters",
    ]
