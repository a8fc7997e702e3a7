"""A kubeconfig that changes while its gateway runs."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.process_proxies import kubernetes_connection
from gateway_ext.process_proxies.cluster_calls import NoCluster
from gateway_ext.process_proxies.kubernetes_connection import (
    KubernetesConnection,
    referenced_files,
)


def write(file: Path, server: str = "http://one:6443", **user: Any) -> None:
    other = {"name": "other", "cluster": {"server": "http://other:6443"}}
    document = {
        "clusters": [{"name": "c", "cluster": {"server": server}}, other],
        "users": [{"name": "u", "user": user or {"token": "first"}}],
        "contexts": [
            {"name": "x", "context": {"cluster": "c", "user": "u"}},
            {"name": "y", "context": {"cluster": "other", "user": "u"}},
        ],
        "current-context": "x",
    }
    file.write_text(json.dumps(document))


def connection(file: Path | str, context: str = "") -> KubernetesConnection:
    return KubernetesConnection(
        str(file), context, connections=4, log=logging.getLogger("test_kubernetes_connection")
    )


def told(connected: KubernetesConnection) -> tuple[str, str]:
    configuration = connected.client().configuration
    return configuration.host, configuration.get_api_key_with_prefix("BearerToken")


def test_the_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    write(file)
    connected = connection(file)
    before = connected.client()
    assert told(connected) == ("http://one:6443", "Bearer first")
    assert connected.client() is before
    write(file, "http://two:6443", token="second")
    assert told(connected) == ("http://two:6443", "Bearer second")


def test_so_is_a_token_file_beside_it(tmp_path: Path) -> None:
    file, token = tmp_path / "kubeconfig", tmp_path / "token"
    token.write_text("first")
    write(file, tokenFile="token")
    connected = connection(file)
    assert told(connected)[1] == "Bearer first"
    # As tools replace files.
    (tmp_path / "new").write_text("renewed")
    (tmp_path / "new").replace(token)
    assert told(connected)[1] == "Bearer renewed"


def test_another_current_context_does_not_move_the_gateway(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    write(file)
    connected = connection(file)
    assert told(connected)[0] == "http://one:6443"
    document = json.loads(file.read_text())
    file.write_text(json.dumps({**document, "current-context": "y", "more": "bytes"}))
    assert told(connected)[0] == "http://one:6443"
    assert told(connection(file, "x"))[0] == "http://one:6443"
    assert told(connection(file))[0] == "http://other:6443"


@pytest.mark.parametrize("content", ["{", "[]", "", None])
def test_a_file_that_becomes_unusable_leaves_the_connection(
    tmp_path: Path, content: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "kubeconfig"
    write(file)
    connected = connection(file)
    before = connected.client()
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    assert connected.client() is before
    assert connected.client() is before
    assert len(caplog.messages) == 1
    assert "called with what was there before" in caplog.text
    write(file, "http://two:6443")
    assert told(connected)[0] == "http://two:6443"


def test_a_file_that_was_never_usable_is_said_until_it_is(tmp_path: Path) -> None:
    file = tmp_path / "kubeconfig"
    connected = connection(file)
    for _ in range(2):
        with pytest.raises(NoCluster, match="`jupyter fleet up --kubeconfig FILE`"):
            connected.client()
    write(file)
    assert told(connected)[0] == "http://one:6443"


def test_a_plugin_is_asked_again_when_the_cluster_rejects_what_it_gave(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, program = tmp_path / "kubeconfig", tmp_path / "plugin"
    program.write_text(
        '#!/bin/sh\necho x >>"$0.calls"\n'
        'echo "{\\"apiVersion\\": \\"client.authentication.k8s.io/v1\\",'
        ' \\"kind\\": \\"ExecCredential\\",'
        ' \\"status\\": {\\"token\\": \\"token-$(wc -l <"$0.calls")\\"}}"\n'
    )
    program.chmod(0o755)
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./plugin",
        "interactiveMode": "Never",
    }
    write(file, exec=plugin)
    connected = connection(file)
    assert told(connected)[1] == "Bearer token-1"
    # Not at every call: each one runs a program.
    connected.credentials_rejected()
    assert told(connected)[1] == "Bearer token-1"
    monkeypatch.setattr(kubernetes_connection, "_RENEW_SECONDS", 0.0)
    connected.credentials_rejected()
    assert told(connected)[1] == "Bearer token-2"


def test_the_files_that_a_kubeconfig_names() -> None:
    document = {
        "clusters": [{"name": "c", "cluster": {"certificate-authority": "ca.crt"}}, "x"],
        "users": [{"name": "u", "user": {"client-certificate": "/c", "client-key": "k"}}, {}],
    }
    assert referenced_files(document) == ["ca.crt", "/c", "k"]
    assert referenced_files({"clusters": None}) == []
    assert referenced_files("words") == []
