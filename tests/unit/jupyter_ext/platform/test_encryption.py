import json

import pytest
from cryptography.fernet import Fernet

from jupyter_ext.platform.encryption import (
    DecryptionError,
    EncryptionKeysError,
    SecretBox,
    create_keys_file,
)


@pytest.fixture
def file(tmp_path):
    create_keys_file(tmp_path / "keys.json")
    return tmp_path / "keys.json"


def test_what_is_encrypted_can_be_read_again(file):
    box = SecretBox(file)
    value = box.encrypt(b"secret \x00\xff")
    assert "secret" not in value
    assert box.decrypt(value) == b"secret \x00\xff"
    assert value.partition(":")[0] == json.loads(file.read_text())["keys"][0]["id"]


def test_the_first_key_encrypts_and_all_decrypt(file):
    box = SecretBox(file)
    old = box.encrypt(b"old")
    entries = json.loads(file.read_text())["keys"]
    new_key = {"id": "new", "key": Fernet.generate_key().decode()}
    file.write_text(json.dumps({"keys": [new_key, *entries]}))
    new = box.encrypt(b"new")
    assert new.startswith("new:")
    assert (box.decrypt(old), box.decrypt(new)) == (b"old", b"new")


def test_a_value_of_an_unknown_key_is_refused_by_name(file, tmp_path):
    create_keys_file(tmp_path / "other.json")
    value = SecretBox(tmp_path / "other.json").encrypt(b"x")
    with pytest.raises(DecryptionError, match=value.partition(":")[0]):
        SecretBox(file).decrypt(value)


def test_a_changed_value_is_refused(file):
    box = SecretBox(file)
    value = box.encrypt(b"x" * 40)
    middle = len(value) // 2
    flipped = "A" if value[middle] != "A" else "B"
    with pytest.raises(DecryptionError, match="was changed or cut off"):
        box.decrypt(value[:middle] + flipped + value[middle + 1 :])


@pytest.mark.parametrize(
    "content",
    [None, "{", "{}", '{"keys": []}', '{"keys": [{"id": "a", "key": "short"}]}', '{"keys": 3}'],
)
def test_a_box_needs_keys(tmp_path, content):
    file = tmp_path / "keys.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(EncryptionKeysError, match=r"keys\.json"):
        SecretBox(file)


def test_the_key_file_is_private(file):
    assert file.stat().st_mode & 0o777 == 0o600
