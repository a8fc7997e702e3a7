"""What `up` and `status` say of the fleet's clusters."""

from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.fleet import cluster_answers as module
from jupyter_ext.fleet.cluster_answers import answer_line, cluster_answers, warnings
from jupyter_ext.fleet.data_dir import DataDir
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


def test_a_fleet_without_clusters_asks_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def answer(data_dir: DataDir, settings: Settings, role: str, path: str, **_: Any) -> Any:
        asked.append(f"{role} {path}")
        return [WELL]

    monkeypatch.setattr(module, "first_answer", answer)
    assert cluster_answers(DataDir.at(tmp_path), Settings(ports={"gateway-1": 1})) == []
    assert asked == []
    assert cluster_answers(DataDir.at(tmp_path), SETTINGS) == [WELL]
    assert asked == ["gateway /api/fleet/clusters"]
