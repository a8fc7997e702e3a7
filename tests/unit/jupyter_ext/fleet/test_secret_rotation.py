"""Keys are replaced step by step, and a rotation that was killed goes on."""

import argparse
import json
import os
import time
from typing import Any

import jwt
import pytest

from jupyter_ext.fleet import secret_rotation
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.key_file import current_of, id_of, older_of, with_new, without
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.secret_rotation import IN_USE_SECONDS, KEYS, SecretRotation
from jupyter_ext.fleet.secrets_command import drop_due, run_secrets, secrets_arguments
from jupyter_ext.platform.encryption import new_key
from jupyter_ext.platform.private_file import write_private
from jupyter_ext.platform.shared_secrets import SharedSecrets
from jupyter_ext.platform.tokens import (
    TokenError,
    TokenSigner,
    TokenVerifier,
    create_private_key,
)
from tests.unit.jupyter_ext.fleet.keys_of_a_fleet import SETTINGS, Servers, file_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rotation(data_dir: DataDir, servers: Servers, clock: Clock) -> SecretRotation:
    return SecretRotation(data_dir, SETTINGS, clock)


def test_a_new_key_is_in_front_and_the_older_one_has_a_time() -> None:
    document = with_new({"keys": [{"id": "a"}], "issuers": []}, {"id": "b"}, "a", 5.0, 9.0)
    assert current_of(document) == "b"
    older = older_of(document, "b")
    assert [(one.id, one.replaced, one.drop_after) for one in older] == [("a", 5, 9)]
    again = with_new(document, {"id": "c"}, "b", 6.0, 20.0)
    assert [(one.id, one.drop_after) for one in older_of(again, "c")] == [("b", 20), ("a", 9)]
    assert without(again, {"a", "c"}, "c")["keys"][0]["id"] == "c"
    assert again["issuers"] == []


def test_a_key_that_is_used_is_no_older_one_wherever_it_stands() -> None:
    times = {"replaced": 1.0, "drop_after": 2.0}
    document = {"keys": [{"id": "a", **times}, {"id": "b", **times}]}
    assert [one.id for one in older_of(document, "b")] == ["a"]
    assert without(document, {"a", "b"}, "b")["keys"] == [{"id": "b", **times}]


# The first key of the other files is the one that is used.
@pytest.mark.parametrize(
    ("name", "in_front"), [*((name, False) for name in KEYS), ("platform", True)]
)
def test_keys_that_an_operator_has_added_stay(
    rotation: SecretRotation, files: SecretFiles, clock: Clock, name: str, in_front: bool
) -> None:
    file = file_of(files, name)
    document = json.loads(file.read_bytes())
    own = document["keys"][0]
    if name == "platform":
        create_private_key(files.folder / "of_the_operator.pem")
        added = TokenSigner(files.folder / "of_the_operator.pem").public_key
    else:
        added = {"id": "added", "key": "0f" * 32} if name == "labs" else new_key()
    document["keys"] = [added, own] if in_front else [own, added]
    write_private(file, json.dumps(document))
    rotation.rotate(KEYS[name], 60.0)
    new, *others = json.loads(file.read_bytes())["keys"]
    assert added in others
    state = rotation.state(KEYS[name])
    assert state.current == id_of(new)
    assert [one.id for one in state.older] == [id_of(own)]
    clock.now += 3600
    assert rotation.drop(KEYS[name], at_once=True) == [id_of(own)]
    assert json.loads(file.read_bytes())["keys"] == [new, added]


def test_tokens_of_the_older_platform_key_are_good_until_it_is_dropped(
    rotation: SecretRotation, files: SecretFiles, clock: Clock
) -> None:
    verifier = TokenVerifier(files.token_keys)
    before = files.signer().sign("ada", {}, 3600)
    assert "is used from now on" in rotation.rotate(KEYS["platform"], 60.0)
    after = files.signer().sign("ada", {}, 3600)
    assert files.signer().key_id == rotation.state(KEYS["platform"]).current
    assert [verifier.verify(token).user for token in (before, after)] == ["ada", "ada"]
    service = files.service_token("lab").read_text()
    assert rotation.drop(KEYS["platform"], at_once=False) == []
    clock.now += 61
    assert len(rotation.drop(KEYS["platform"], at_once=False)) == 1
    assert verifier.verify(after).user == "ada"
    # The servers' own tokens are of the new key.
    assert verifier.verify(service).service == "lab"
    with pytest.raises(TokenError):
        verifier.verify(before)


@pytest.mark.parametrize("killed_at", ["create_private_key", "_write", "replace", "tokens"])
def test_a_rotation_that_was_killed_goes_on(
    rotation: SecretRotation,
    files: SecretFiles,
    monkeypatch: pytest.MonkeyPatch,
    killed_at: str,
) -> None:
    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    verifier, before = TokenVerifier(files.token_keys), files.signer()
    with monkeypatch.context() as patch:
        if killed_at == "create_private_key":
            patch.setattr(secret_rotation, "create_private_key", killed)
        elif killed_at == "_write":
            patch.setattr(SecretRotation, "_write", killed)
        elif killed_at == "replace":
            patch.setattr(os, "replace", _unless_pem(killed))
        else:
            patch.setattr(SecretFiles, "renew_service_tokens", killed)
        with pytest.raises(KeyboardInterrupt):
            rotation.rotate(KEYS["platform"], 60.0)
    # Whatever signs meanwhile is accepted, and nothing is dropped that is used.
    assert verifier.verify(files.signer().sign("ada", {}, 60)).user == "ada"
    used = files.signer().key_id
    rotation.drop(KEYS["platform"], at_once=False)
    assert verifier.verify(files.signer().sign("ada", {}, 60)).user == "ada"
    assert rotation.state(KEYS["platform"]).unfinished == (killed_at in ("_write", "replace"))
    rotation.rotate(KEYS["platform"], 60.0)
    assert files.signer().key_id != before.key_id
    if killed_at == "tokens":
        assert files.signer().key_id == used
    assert not files.next_platform_key.exists()
    assert len(json.loads(files.token_keys.read_bytes())["keys"]) == 2
    assert verifier.verify(before.sign("ada", {}, 60)).user == "ada"


def test_a_rotation_that_goes_on_accepts_the_older_key_for_as_long_as_it_is_told(
    rotation: SecretRotation,
    files: SecretFiles,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def killed() -> None:
        raise KeyboardInterrupt

    before = files.signer().key_id
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", _unless_pem(killed))
        with pytest.raises(KeyboardInterrupt):
            rotation.rotate(KEYS["platform"], 60.0)
    clock.now += 3600
    rotation.rotate(KEYS["platform"], 7200.0)
    (older,) = rotation.state(KEYS["platform"]).older
    assert (older.id, older.replaced, older.drop_after) == (before, clock.now, clock.now + 7200)


@pytest.mark.parametrize("finished_by", ["rotate", "drop"])
def test_servers_have_tokens_that_are_accepted_after_a_rotation_that_was_killed(
    rotation: SecretRotation,
    files: SecretFiles,
    monkeypatch: pytest.MonkeyPatch,
    finished_by: str,
) -> None:
    def killed(*arguments: object) -> None:
        raise KeyboardInterrupt

    before = files.signer().key_id
    with monkeypatch.context() as patch:
        patch.setattr(SecretFiles, "renew_service_tokens", killed)
        with pytest.raises(KeyboardInterrupt):
            rotation.rotate(KEYS["platform"], 60.0)
    if finished_by == "rotate":
        rotation.rotate(KEYS["platform"], 60.0)
        _without_key(files, before)
    else:
        assert rotation.drop(KEYS["platform"], at_once=True) == [before]
    for service in ("lab", "gateway"):
        token = files.service_token(service).read_text()
        assert TokenVerifier(files.token_keys).verify(token).service == service


def _without_key(files: SecretFiles, key_id: str) -> None:
    document = json.loads(files.token_keys.read_bytes())
    document["keys"] = [one for one in document["keys"] if one["kid"] != key_id]
    write_private(files.token_keys, json.dumps(document))


def test_tokens_that_a_supervisor_signs_late_are_replaced_when_their_key_is_dropped(
    rotation: SecretRotation, files: SecretFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    late, file = files.sign_service_token("lab"), files.service_token("lab")
    real, older = SecretRotation._write, files.signer().key_id

    def write(*arguments: Any) -> None:
        assert jwt.get_unverified_header(file.read_text())["kid"] != older
        file.write_text(late)
        real(*arguments)

    rotation.rotate(KEYS["platform"], 60.0)
    file.write_text(late)
    monkeypatch.setattr(SecretRotation, "_write", write)
    assert rotation.drop(KEYS["platform"], at_once=True) == [older]
    assert TokenVerifier(files.token_keys).verify(file.read_text()).service == "lab"


def _unless_pem(killed: Any) -> Any:
    real = os.replace

    def replace(source: Any, target: Any) -> None:
        if str(target).endswith("platform.pem"):
            killed()
        real(source, target)

    return replace


@pytest.mark.parametrize(("name", "kind"), [("logins", "lab"), ("encryption", "gateway")])
def test_what_an_older_key_encrypts_is_encrypted_again_before_it_is_dropped(
    rotation: SecretRotation, servers: Servers, clock: Clock, name: str, kind: str
) -> None:
    older = rotation.state(KEYS[name]).current
    assert servers.values[kind][0].startswith(older)
    rotation.rotate(KEYS[name], 3600.0)
    state = rotation.state(KEYS[name])
    assert state.current != older
    assert state.values == {state.current: 1, older: 0}
    # Of a server that was just encrypting.
    clock.now += 3601
    assert rotation.drop(KEYS[name], at_once=False) == [older]
    assert servers.boxes[kind].decrypt(servers.values[kind][0]) == b"a"
    assert rotation.state(KEYS[name]).values == {state.current: 1}


def test_a_key_that_something_needs_is_not_dropped(
    rotation: SecretRotation, servers: Servers, clock: Clock
) -> None:
    key = KEYS["encryption"]
    older = rotation.state(key).current
    rotation.rotate(key, 0.0)
    with pytest.raises(FleetError, match="try again in 60 s"):
        rotation.drop(key, at_once=True)
    clock.now += IN_USE_SECONDS
    servers.away = True
    with pytest.raises(FleetError, match="no gateway answers"):
        rotation.drop(key, at_once=True)
    servers.away, servers.stuck = False, older
    with pytest.raises(FleetError, match="still encrypted"):
        rotation.drop(key, at_once=True)
    servers.stuck = ""
    assert rotation.drop(key, at_once=True) == [older]


def command(data_dir: DataDir, *arguments: str) -> int:
    parser = argparse.ArgumentParser()
    secrets_arguments(parser)
    return run_secrets(parser.parse_args(arguments), data_dir, SETTINGS)


def test_where_one_key_is_needed_none_is_dropped(
    rotation: SecretRotation, data_dir: DataDir, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    # The command has the real clock, by which the keys of `rotation` were replaced long ago.
    for key in KEYS.values():
        rotation.rotate(key, 60.0)
    clock.now = time.time()
    rotation.drop(KEYS["encryption"], at_once=True)
    rotation.rotate(KEYS["encryption"], 3600.0)
    with pytest.raises(FleetError, match=r"nothing was dropped.*encryption: .*try again in"):
        command(data_dir, "drop")
    assert [len(rotation.state(key).older) for key in KEYS.values()] == [1, 1, 1, 1]
    assert command(data_dir, "drop", "platform", "logins", "labs") == 0
    assert [name for name, key in KEYS.items() if rotation.state(key).older] == ["encryption"]
    assert capsys.readouterr().out.count("no longer accepted") == 3


def test_ids_of_keys_are_shown_whole_but_thumbprints(
    rotation: SecretRotation,
    data_dir: DataDir,
    files: SecretFiles,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command(data_dir, "status")
    shown = capsys.readouterr().out
    assert "cookie_secret " in shown
    assert f"{files.signer().key_id[:15]}… " in shown


def test_a_second_rotation_first_ends_the_one_before(
    rotation: SecretRotation, servers: Servers, clock: Clock
) -> None:
    key = KEYS["logins"]
    servers.away = True
    rotation.rotate(key, 60.0)
    current, (older,) = rotation.state(key).current, rotation.state(key).older
    servers.away = False
    assert "still accepted" in rotation.rotate(key, 60.0)
    assert rotation.state(key).values == {current: 1, older.id: 0}
    assert rotation.state(key).current == current


def test_secrets_of_labs_begin_with_the_servers_own(
    rotation: SecretRotation, files: SecretFiles
) -> None:
    secrets = SharedSecrets(files.shared_secrets)
    assert secrets.all(b"own") == (b"own",)
    rotation.rotate(KEYS["labs"], 60.0)
    assert len(secrets.all(b"own")) == 2
    assert secrets.all(b"own")[1] == b"own"
    assert rotation.drop(KEYS["labs"], at_once=True) == ["cookie_secret"]
    assert b"own" not in secrets.all(b"own")
    for file in files.folder.iterdir():
        assert file.is_dir() or file.stat().st_mode & 0o777 == 0o600, file


def test_the_supervisor_drops_what_is_due(
    rotation: SecretRotation, data_dir: DataDir, files: SecretFiles
) -> None:
    said: list[str] = []
    drop_due(data_dir, SETTINGS, said.append)
    assert said == []
    # Long ago by the real clock.
    for key in KEYS.values():
        rotation.rotate(key, 60.0)
    drop_due(data_dir, SETTINGS, said.append)
    assert len(said) == len(KEYS)
    assert all("no longer accepted" in one for one in said)
    events = [json.loads(one) for one in data_dir.audit_file("command").read_text().splitlines()]
    assert [one["object"]["name"] for one in events] == list(KEYS)
    assert {one["action"] for one in events} == {"secrets.drop"}
    assert (
        TokenSigner(files.platform_key).key_id in data_dir.secrets.joinpath("jwks.json").read_text()
    )


def test_a_file_that_is_missing_is_said(rotation: SecretRotation, files: SecretFiles) -> None:
    files.shared_secrets.unlink()
    with pytest.raises(FleetError, match=r"jupyter fleet up"):
        rotation.rotate(KEYS["labs"], 60.0)
