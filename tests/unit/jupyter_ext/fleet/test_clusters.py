"""What `up` refuses of the options for clusters, and which context it keeps."""

import json
from pathlib import Path

import pytest

from jupyter_ext.fleet.clusters import Clusters, find_clusters, with_context
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.settings import Settings

DOCUMENT = {
    "clusters": [{"name": "c", "cluster": {"server": "https://c:6443"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
    "contexts": [
        {"name": "x", "context": {"cluster": "c", "user": "u"}},
        {"name": "y", "context": {"cluster": "c", "user": "u"}},
    ],
    "current-context": "x",
}


def test_without_the_options_there_are_none() -> None:
    assert find_clusters(Settings()) == Clusters()


def test_the_context_that_was_current_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "k"
    file.write_text(json.dumps(DOCUMENT))
    settings = Settings(kubeconfig=str(file))
    kept = with_context(settings, find_clusters(settings))
    assert kept.kube_context == "x"
    # `kubectl config use-context y`
    file.write_text(json.dumps({**DOCUMENT, "current-context": "y"}))
    assert with_context(kept, find_clusters(kept)).kube_context == "x"
    again = kept.changed({"kube_context": ""})
    assert with_context(again, find_clusters(again)).kube_context == "y"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (Settings(kube_context="x"), "--kube-context needs --kubeconfig"),
        (Settings(kube_namespace="x"), "--kube-namespace needs --kubeconfig"),
        (Settings(kube_namespace="X"), "--kube-namespace 'X' is not the name"),
        (Settings(kubeconfig="/nowhere"), "--kubeconfig /nowhere cannot be read"),
        (Settings(yarn_conf="/nowhere"), "--yarn-conf /nowhere is not a folder"),
        (Settings(kernelspecs="/nowhere"), "--kernelspecs /nowhere cannot be read"),
        (Settings(advertise="203.0.113.1"), "--advertise 203.0.113.1 is not an address of this"),
    ],
)
def test_what_cannot_be_used_is_named(settings: Settings, words: str) -> None:
    with pytest.raises(FleetError, match=words):
        find_clusters(settings)
