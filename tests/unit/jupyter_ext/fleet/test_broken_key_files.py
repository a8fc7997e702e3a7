"""Nothing is replaced or dropped in a file that lacks the key in use, or holds what is no key."""

from __future__ import annotations

import argparse
import json
from typing import Any

import pytest

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.secret_rotation import KEYS, Key, SecretRotation
from jupyter_ext.fleet.secrets_command import run_secrets
from jupyter_ext.platform.encryption import new_key
from jupyter_ext.platform.private_file import write_private
from jupyter_ext.platform.tokens import TokenSigner, create_private_key
from tests.unit.jupyter_ext.fleet.keys_of_a_fleet import SETTINGS, Servers, file_of


@pytest.fixture
def rotation(data_dir: DataDir, servers: Servers) -> SecretRotation:
    return SecretRotation(data_dir, SETTINGS)


def refusal(rotation: SecretRotation, key: Key, words: str) -> str:
    """What is said of a key's file, whatever is to be done."""
    for do in (
        lambda: rotation.rotate(key, 60.0),
        lambda: rotation.drop(key, at_once=True),
        lambda: rotation.state(key),
    ):
        with pytest.raises(FleetError, match=words) as refused:
            do()
    return str(refused.value)


@pytest.mark.parametrize("name", list(KEYS))
@pytest.mark.parametrize("entry", [{"kid": "x"}, {"id": "evil", "key": "AAAA"}])
@pytest.mark.parametrize("alone", [True, False])
def test_nothing_is_done_to_a_file_with_what_is_no_key(
    rotation: SecretRotation, files: SecretFiles, name: str, entry: Any, alone: bool
) -> None:
    file, key = file_of(files, name), KEYS[name]
    keys = json.loads(file.read_bytes())["keys"]
    write_private(file, json.dumps({"keys": [entry] if alone else [*keys, entry]}))
    before = file.read_bytes()
    words = rf"{file.name}: entry {1 if alone else 2}.* is no key .*: remove it, or restore"
    refusal(rotation, key, words)
    assert file.read_bytes() == before


@pytest.mark.parametrize("same_name", [True, False])
def test_the_public_keys_must_hold_that_of_the_private_key(
    rotation: SecretRotation, files: SecretFiles, same_name: bool
) -> None:
    key, own = KEYS["platform"], files.signer()
    create_private_key(files.folder / "other.pem")
    other = TokenSigner(files.folder / "other.pem").public_key
    if same_name:
        other["kid"] = own.key_id
    write_private(files.token_keys, json.dumps({"keys": [other]}))
    before = files.token_keys.read_bytes()
    told = refusal(rotation, key, r"jwks\.json lacks the public key of .*pem")
    assert files.token_keys.read_bytes() == before
    assert files.signer().key_id == own.key_id
    # What it says to add repairs it.
    entry = json.loads(told.partition("read again: ")[2])
    write_private(files.token_keys, json.dumps({"keys": [entry]}))
    assert "is used from now on" in rotation.rotate(key, 60.0)


@pytest.mark.parametrize(("name", "kind"), [("logins", "lab"), ("encryption", "gateway")])
def test_a_file_must_hold_a_key_of_the_values_that_are_stored(
    rotation: SecretRotation, servers: Servers, files: SecretFiles, name: str, kind: str
) -> None:
    file, key = file_of(files, name), KEYS[name]
    used = json.loads(file.read_bytes())["keys"]
    older = {**new_key(), "replaced": 0.0, "drop_after": 0.0}
    write_private(file, json.dumps({"keys": [new_key(), older]}))
    before = file.read_bytes()
    words = rf"{file.name} holds none of the keys with which {kind}s .*{used[0]['id']}.* restore"
    refusal(rotation, key, words)
    assert file.read_bytes() == before
    write_private(file, json.dumps({"keys": [new_key(), *used]}))
    assert "is used from now on" in rotation.rotate(key, 60.0)
    # A server that does not answer cannot be asked; one without values has nothing to lose.
    for values, away in ((servers.values[kind], True), ([], False)):
        servers.values[kind], servers.away = values, away
        write_private(file, json.dumps({"keys": [new_key()]}))
        assert "is used from now on" in rotation.rotate(key, 60.0)


def test_no_key_is_replaced_if_the_file_of_another_is_broken(
    data_dir: DataDir, files: SecretFiles, servers: Servers
) -> None:
    write_private(files.login_keys, json.dumps({"keys": [new_key()]}))
    refused_whatever_is_done(data_dir, r"login_keys\.json holds none of the keys")
    write_private(files.shared_secrets, json.dumps({"keys": [{"kid": "x"}]}))
    servers.away = True
    refused_whatever_is_done(data_dir, r"lab_secrets\.json: entry 1")


def refused_whatever_is_done(data_dir: DataDir, words: str) -> None:
    files = SecretFiles(data_dir.secrets)
    before = {file: file.read_bytes() for file in files.folder.iterdir() if file.is_file()}
    for action in ("rotate", "drop"):
        options = argparse.Namespace(action=action, names=[], keep=None, dry_run=False, json=False)
        with pytest.raises(FleetError, match=words):
            run_secrets(options, data_dir, SETTINGS)
    assert {file: file.read_bytes() for file in before} == before
