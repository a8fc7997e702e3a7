"""What `up` reads in a kubeconfig, and what it says about one that gateways could not use."""

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.kubeconfig import Context, check_namespace, read_context


def kubeconfig(**changes: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "c", "cluster": {"server": "https://c:6443"}},
            {"name": "d", "cluster": {"server": "https://d:6443"}},
        ],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [
            {"name": "x", "context": {"cluster": "c", "user": "u"}},
            {"name": "y", "context": {"cluster": "d", "user": "u", "namespace": "team"}},
        ],
        "current-context": "x",
        **changes,
    }


def written(folder: Path, document: object) -> str:
    file = folder / "kubeconfig"
    file.write_text(document if isinstance(document, str) else json.dumps(document))
    return str(file)


def test_the_current_context_or_the_named_one(tmp_path: Path) -> None:
    file = written(tmp_path, kubeconfig())
    assert read_context(file, None) == Context("x", "https://c:6443", None)
    assert read_context(file, "y") == Context("y", "https://d:6443", "team")


def test_an_unknown_context_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    file = written(tmp_path, kubeconfig())
    with pytest.raises(FleetError, match=r"no context 'z' \(--kube-context\).* are: x, y"):
        read_context(file, "z")
    file = written(tmp_path, kubeconfig(**{"current-context": "gone"}))
    with pytest.raises(FleetError, match=r"no context 'gone' \(its current context\)"):
        read_context(file, None)
    file = written(tmp_path, kubeconfig(**{"current-context": ""}))
    with pytest.raises(FleetError, match=r"choose one of its contexts \(x, y\)"):
        read_context(file, None)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1\nb: [", "cannot be parsed: line 2, column 5: .* Correct the file"),
        ("a: \0", "cannot be parsed: .* Correct the file"),
        ("just words", "has no contexts"),
        ({"kind": "Pod"}, "has no contexts"),
        (kubeconfig(contexts=[]), "has no context 'x'"),
        (kubeconfig(clusters=[]), "has no cluster 'c'"),
        (kubeconfig(users=[{"name": "u"}]), "has no user 'u'"),
        (kubeconfig(clusters=[{"name": "c", "cluster": {"server": "c:6443"}}]), "no URL"),
    ],
)
def test_what_is_no_kubeconfig_is_refused_with_its_name(
    tmp_path: Path, content: object, words: str
) -> None:
    file = written(tmp_path, content)
    with pytest.raises(FleetError, match=f"--kubeconfig {file} .*{words}"):
        read_context(file, None)


def test_a_missing_file_a_folder_and_binary_data(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="nowhere cannot be read: No such file"):
        read_context(str(tmp_path / "nowhere"), None)
    with pytest.raises(FleetError, match="cannot be read: Is a directory"):
        read_context(str(tmp_path), None)
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FleetError, match="cannot be read: it is not a text file"):
        read_context(str(tmp_path / "binary"), None)


def test_files_are_looked_for_beside_the_kubeconfig(tmp_path: Path) -> None:
    users = [{"name": "u", "user": {"client-certificate": "u.crt", "client-key": "u.key"}}]
    file = written(tmp_path, kubeconfig(users=users))
    (tmp_path / "u.crt").touch()
    with pytest.raises(FleetError, match=f"refers to {tmp_path}/u.key, which is missing"):
        read_context(file, None)
    (tmp_path / "u.key").touch()
    assert read_context(file, None).files == ("u.crt", "u.key")


def test_a_plugin_that_is_not_installed_is_named(tmp_path: Path) -> None:
    def plugin(program: str) -> list[dict[str, Any]]:
        return [{"name": "u", "user": {"exec": {"command": program}}}]

    file = written(tmp_path, kubeconfig(users=plugin("no-x")))
    with pytest.raises(FleetError, match="the program no-x, which is not in PATH"):
        read_context(file, None)
    file = written(tmp_path, kubeconfig(users=plugin("sh")))
    assert read_context(file, None).program == "sh"


@pytest.mark.parametrize("name", ["Kernels", "a/b", "-a", "a.b", "x" * 64, "a\n", "k-{user}"])
def test_names_that_no_namespace_has(name: str) -> None:
    with pytest.raises(FleetError, match="--kube-namespace"):
        check_namespace(name)
    check_namespace("kernels-1")
    check_namespace("kernels-{project}")
