"""The object store, against a real one."""

import io
from pathlib import Path

import pytest

from jupyter_ext.contents.bucket import (
    HASH_METADATA,
    Bucket,
    ObjectMissing,
    StoreUnavailable,
    check,
)


def test_check_makes_the_bucket(bucket_url: str) -> None:
    bucket = Bucket(bucket_url)
    with pytest.raises(StoreUnavailable) as refused:
        bucket.get("k")
    assert "create it" in refused.value.for_operator
    check(bucket_url)
    check(bucket_url)
    with pytest.raises(ObjectMissing):
        bucket.get("k")
    bucket.put("k", b"x", {})
    assert bucket.get("k") == b"x"


def test_check_names_what_is_wrong(
    bucket_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        check("s3://b?endpoint=http://127.0.0.1:1")
    assert "http://127.0.0.1:1 cannot be reached" in refused.value.for_operator
    assert "127.0.0.1" not in str(refused.value)
    wrong = tmp_path / "credentials"
    wrong.write_text("[default]\naws_access_key_id = fleet-test\naws_secret_access_key = wrong\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(wrong))
    with pytest.raises(StoreUnavailable) as refused:
        check(bucket_url)
    assert "rejects our credentials" in refused.value.for_operator
    wrong.unlink()
    with pytest.raises(StoreUnavailable) as refused:
        check(bucket_url)
    assert "no credentials" in refused.value.for_operator


def test_a_key_is_written_once(bucket_url: str) -> None:
    check(bucket_url)
    bucket = Bucket(bucket_url)
    bucket.put("a/b", b"first", {HASH_METADATA: "1"})
    with pytest.raises(StoreUnavailable):
        bucket.put("a/b", b"second", {HASH_METADATA: "2"})
    assert bucket.get("a/b") == b"first"
    # The same body again is a repeated request whose first answer was lost.
    bucket.put("a/b", b"first", {HASH_METADATA: "1"})


def test_prefixes_keep_fleets_apart(bucket_url: str) -> None:
    check(bucket_url)
    one, two = (Bucket(bucket_url.replace("?", f"/{name}?")) for name in ("one", "two"))
    one.put("k", b"1", {})
    with pytest.raises(ObjectMissing):
        two.get("k")
    two.put("k", b"2", {})
    one.delete(["k", "not there"])
    assert two.get("k") == b"2"
    with pytest.raises(ValueError, match="without a key"):
        two.delete(["k", ""])
    assert two.get("k") == b"2"


def test_big_files_go_in_parts(bucket_url: str) -> None:
    check(bucket_url)
    bucket = Bucket(bucket_url)
    body = bytes(range(256)) * (70 * 4096)
    bucket.put_file("big", io.BytesIO(body), {HASH_METADATA: "h"})
    assert bucket.get("big") == body
    bucket.copy("big", "copy", {HASH_METADATA: "h2"})
    assert bucket.get("copy") == body


def test_joining_parts(bucket_url: str) -> None:
    check(bucket_url)
    bucket = Bucket(bucket_url)
    for part in ("a", "b"):
        bucket.put(part, part.encode() * 5_000_000, {})
    with bucket.join(["b", "a"]) as joined:
        assert joined.read() == b"b" * 5_000_000 + b"a" * 5_000_000
    with pytest.raises(ObjectMissing):
        bucket.join(["a", "none"])
