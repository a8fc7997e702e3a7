"""`down --kernels` waits until clusters have nothing left of the kernels."""

import json
from typing import Any

import pytest

from jupyter_ext.fleet import kernels, stop
from jupyter_ext.fleet.calls import CallFailed
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.platform.private_file import write_private
from jupyter_ext.platform.tokens import TokenSigner, create_private_key

POD = {"kernel_id": "1", "location": {"kind": "pod", "namespace": "kernels", "name": "ada-1"}}
YARN = {"kernel_id": "2", "location": {"kind": "yarn", "application_id": "application_1_2"}}
LOCAL = {"kernel_id": "3", "location": {"kind": "local"}}
UNKNOWN = {"kernel_id": "4", "location": None}
SETTINGS = Settings(gateways=2, ports={"gateway-1": 1, "gateway-2": 2})


class Gateways:
    """Answers the calls: `kernels` are listed until they are deleted, `left` is what is left, call
    by call, and `pooled` how many wait in pools, or how that is refused. Every call raises
    `refuses`."""

    def __init__(
        self, *left: Any, pooled: Any = (0,), kernels: Any = (), refuses: Any = None
    ) -> None:
        self.refuses = refuses
        self.kernels = list(kernels)
        self.left = list(left)
        self.asked: list[str] = []
        self.pooled = list(pooled)
        self.pools_ended: list[str] = []

    def call(self, method: str, url: str, token: str) -> Any:
        if self.refuses is not None:
            raise self.refuses
        if url.endswith("/api/kernels?personal=all"):
            return list(self.kernels)
        if "/api/kernels/" in url:
            assert method == "DELETE"
            self.kernels = [one for one in self.kernels if not url.endswith(f"/{one['id']}")]
            return None
        if url.endswith("/api/fleet/pools"):
            assert method == "DELETE"
            self.pools_ended.append(url)
            answer = self.pooled[0] if len(self.pooled) == 1 else self.pooled.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return {"pooled": answer}
        self.asked.append(url)
        answer = self.left[0] if len(self.left) == 1 else self.left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def end(data_dir: DataDir, gateways: Gateways, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(stop, "call", gateways.call)
    monkeypatch.setattr(stop, "PAUSE", 0.0)
    return stop.end_kernels(data_dir, SETTINGS)


def test_it_returns_when_the_clusters_have_nothing_left(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateways = Gateways([POD, YARN], [YARN, LOCAL], CallFailed("busy", 503), [LOCAL, UNKNOWN])
    assert end(data_dir, gateways, monkeypatch) == 0
    # The gateway after the one that was busy is asked at once.
    assert [url.split(":")[2].split("/")[0] for url in gateways.asked] == ["1", "1", "1", "2"]


def test_a_kernel_that_had_ended_before_goes_and_is_not_counted(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = ("dead", "running", "launching", "unreachable", "dead")
    kernels = [{"id": f"k{number}", "state": state} for number, state in enumerate(states)]
    gateways = Gateways([], kernels=kernels)
    assert end(data_dir, gateways, monkeypatch) == 3
    assert gateways.kernels == []


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            [POD, YARN, LOCAL],
            r"yet \(what is left in Kubernetes: kernels/ada-1; what is left in YARN: "
            r"application_1_2\): the fleet keeps running",
        ),
        (CallFailed("no answer", None), r"yet \(no answer\): the fleet keeps running"),
    ],
)
def test_it_says_what_is_left_when_it_waited_long_enough(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch, answer: Any, words: str
) -> None:
    monkeypatch.setattr(stop, "CLUSTERS_SECONDS", -1.0)
    with pytest.raises(FleetError, match=words):
        end(data_dir, Gateways(answer), monkeypatch)


def test_it_says_at_once_and_now_and_then_what_it_waits_for(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left = [[POD], [POD], [YARN, POD], []]
    assert end(data_dir, Gateways(*left), monkeypatch) == 0
    pod = "waiting for what is left in Kubernetes: kernels/ada-1"
    assert capsys.readouterr().err.splitlines() == [pod]
    monkeypatch.setattr(stop, "TELL_SECONDS", 0.0)
    assert end(data_dir, Gateways(*left), monkeypatch) == 0
    assert capsys.readouterr().err.splitlines() == [
        pod,
        pod,
        "waiting for what is left in YARN: application_1_2; what is left in Kubernetes: "
        "kernels/ada-1",
    ]


def test_what_is_left_in_a_cluster_that_is_not_configured_is_told_how_to_reach() -> None:
    words = stop.what_to_do([POD, YARN], Settings(yarn_conf="/etc/hadoop"))
    assert "`jupyter fleet up --kubeconfig …`, then run `jupyter fleet down --kernels`" in words
    words = stop.what_to_do([POD], Settings(kubeconfig="/root/.kube/config"))
    assert words == "run `jupyter fleet down` when the cluster answers again"


def test_a_fleet_that_does_not_know_its_own_key_is_told_how_to_repair_that(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = SecretFiles(data_dir.secrets)
    create_private_key(files.folder / "other.pem")
    other = TokenSigner(files.folder / "other.pem").public_key
    gateways = Gateways(refuses=CallFailed("signed by a key that this fleet does not know", 401))
    # It is of no use to wait for those; any other refusal may end.
    monkeypatch.setattr(stop, "KERNELS_SECONDS", -1.0)
    monkeypatch.setattr(kernels, "call", gateways.call)
    with pytest.raises(FleetError, match=r"cannot be ended .*does not know"):
        end(data_dir, gateways, monkeypatch)
    words = r'jwks\.json lacks the public key of .*platform\.pem.* add this to "keys" in jwks\.json'
    for broken in (json.dumps({"keys": [other, 5]}), '{"keys": 5}', "[]", "{"):
        write_private(files.token_keys, broken)
        with pytest.raises(FleetError, match=words) as refused:
            end(data_dir, gateways, monkeypatch)
        assert json.dumps(files.signer().public_key) in str(refused.value)
        with pytest.raises(FleetError, match=words):
            kernels.ask(data_dir, SETTINGS, "GET", "/api/kernels")


def test_of_many_objects_some_are_named() -> None:
    words = stop.left_words([POD] * 7)
    assert words.count("kernels/ada-1") == 5
    assert words.endswith("kernels/ada-1 and 2 more")


def test_gateways_of_the_version_before_are_not_asked_again(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateways = Gateways(CallFailed("not found", 404))
    assert end(data_dir, gateways, monkeypatch) == 0
    assert len(gateways.asked) == 1


def test_every_gateway_ends_its_pools_and_it_returns_when_no_kernel_waits(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateways = Gateways([], pooled=[3, 2, CallFailed("gone", None), 1, 0])
    assert end(data_dir, gateways, monkeypatch) == 0
    of_gateways = [url.split(":")[2].split("/")[0] for url in gateways.pools_ended]
    assert of_gateways == ["1", "2"] * 3


def test_it_says_that_kernels_still_wait_in_pools(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop, "KERNELS_SECONDS", -1.0)
    with pytest.raises(FleetError, match=r"\(still there: 1 kernel of pools\)"):
        end(data_dir, Gateways([], pooled=[1]), monkeypatch)


def test_gateways_of_the_version_before_have_no_pools(
    data_dir: DataDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateways = Gateways([], pooled=[CallFailed("not found", 404)])
    assert end(data_dir, gateways, monkeypatch) == 0
