"""Tokens of a platform that publishes its keys at a URL."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest

from jupyter_ext.platform import published_keys, tokens
from jupyter_ext.platform.jwks import parse_key_file
from jupyter_ext.platform.published_keys import PublishedKeys
from jupyter_ext.platform.tokens import TokenError, TokenSigner, TokenVerifier, create_keys

URL, ISSUER = "https://platform.example/jwks", "https://platform.example"


class Platform:
    """Another one than the fleet's own, with keys that change."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.fetched = 0
        self.away: Exception | None = None
        self.rotate("a")

    def rotate(self, name: str) -> None:
        create_keys(self.folder / f"{name}.pem", self.folder / f"{name}.json")
        self.signer = TokenSigner(self.folder / f"{name}.pem")
        self.document = (self.folder / f"{name}.json").read_bytes()

    def fetch(self, url: str) -> bytes:
        assert url == URL
        self.fetched += 1
        if self.away is not None:
            raise self.away
        return self.document

    def sign(self, **claims: Any) -> str:
        now = int(time.time())
        document = {"sub": "ada", "aud": "jupyter-fleet", "iss": ISSUER, "iat": now}
        document |= {"exp": now + 60, "projects": {"demo": "editor"}, **claims}
        given = {name: value for name, value in document.items() if value is not None}
        key, key_id = self.signer._key, self.signer._key_id
        return jwt.encode(given, key, algorithm="EdDSA", headers={"kid": key_id})


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    platform = Platform(tmp_path)
    monkeypatch.setattr(published_keys, "_fetch", platform.fetch)
    monkeypatch.setattr(published_keys, "NEXT_SECONDS", 0.01)
    return platform


def name_issuer(folder: Path, **more: Any) -> None:
    """The fleet's own keys, and where the platform's are."""
    if not (folder / "own.pem").exists():
        create_keys(folder / "own.pem", folder / "own.json")
    document = json.loads((folder / "own.json").read_bytes())
    document["issuers"] = [{"jwks_url": URL, "issuer": ISSUER, **more}]
    (folder / "new.json").write_text(json.dumps(document))
    (folder / "new.json").replace(folder / "jwks.json")


@pytest.fixture
def verifier(platform: Platform, tmp_path: Path) -> Iterator[TokenVerifier]:
    name_issuer(tmp_path, leeway=30)
    verifier = TokenVerifier(tmp_path / "jwks.json")
    yield verifier
    verifier.stop()


def until_accepted(verifier: TokenVerifier, token: str) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            verifier.verify(token)
            return
        except TokenError:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_both_the_platforms_tokens_and_the_fleets_own_are_accepted(
    platform: Platform, verifier: TokenVerifier, tmp_path: Path
) -> None:
    assert verifier.verify(platform.sign()).user == "ada"
    own = TokenSigner(tmp_path / "own.pem")
    assert verifier.verify(own.sign("lab", {}, 60, service="lab")).service == "lab"


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"iss": None}, "does not know"),
        ({"iss": "https://evil.example"}, "does not know"),
        ({"aud": "another"}, "claim aud"),
        ({"exp": 5}, "expired"),
        ({"exp": None}, "exp"),
        ({"sub": None}, "sub"),
        ({"service": "lab"}, "only the fleet's own keys"),
        ({"projects": {"demo": "king"}}, "not a role"),
    ],
)
def test_what_another_platform_says_is_checked(
    platform: Platform, verifier: TokenVerifier, claims: dict[str, Any], words: str
) -> None:
    with pytest.raises(TokenError, match=words):
        verifier.verify(platform.sign(**claims))


def test_a_key_of_an_algorithm_that_was_not_agreed_is_not_accepted(
    platform: Platform, verifier: TokenVerifier, tmp_path: Path
) -> None:
    token = platform.sign()
    assert verifier.verify(token).user == "ada"
    name_issuer(tmp_path, algorithms=["ES256", "RS256"])
    with pytest.raises(TokenError, match="does not know"):
        verifier.verify(token)


def test_an_audience_that_was_agreed_replaces_the_usual_one(
    platform: Platform, verifier: TokenVerifier, tmp_path: Path
) -> None:
    name_issuer(tmp_path, audience="notebooks")
    until_accepted(verifier, platform.sign(aud="notebooks"))
    with pytest.raises(TokenError, match="not meant for notebooks"):
        verifier.verify(platform.sign())


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Platforms that do not answer; the list has which were asked."""
    asked: list[str] = []
    answer = threading.Event()

    def fetch(url: str) -> bytes:
        asked.append(url)
        answer.wait(30)
        raise OSError("away")

    monkeypatch.setattr(published_keys, "_fetch", fetch)
    yield asked
    answer.set()


def threads() -> set[threading.Thread]:
    return {one for one in threading.enumerate() if one.name == published_keys.THREAD}


def test_a_token_gives_no_role_if_its_platform_is_asked_for_roles(
    platform: Platform, verifier: TokenVerifier, tmp_path: Path
) -> None:
    """Whoever forgets to ask lets nobody in."""
    name_issuer(tmp_path, rights_url=f"{ISSUER}/rights", secret_file="/s")
    until_accepted(verifier, platform.sign())
    identity = verifier.verify(platform.sign(projects={"demo": "owner"}))
    assert dict(identity.projects) == {}
    assert identity.issuer is not None
    assert (identity.issuer.rights_url, identity.issuer.secret_file) == (f"{ISSUER}/rights", "/s")
    own = verifier.verify(TokenSigner(tmp_path / "own.pem").sign("ada", {"demo": "owner"}, 60))
    assert own.issuer is None
    assert list(own.projects) == ["demo"]


def test_platforms_that_do_not_answer_delay_the_start_once_and_nothing_later(
    hanging: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "FIRST_ANSWER_SECONDS", 0.3)
    create_keys(tmp_path / "own.pem", tmp_path / "own.json")
    own = TokenSigner(tmp_path / "own.pem").sign("ada", {}, 60)
    document = json.loads((tmp_path / "own.json").read_bytes())
    issuers = [{"jwks_url": f"{URL}/{n}", "issuer": f"{ISSUER}/{n}"} for n in range(8)]
    (tmp_path / "jwks.json").write_text(json.dumps({**document, "issuers": issuers[:4]}))
    before, began = threads(), time.monotonic()
    verifier = TokenVerifier(tmp_path / "jwks.json")
    started = time.monotonic() - began
    assert 0.25 < started < 4 * 0.3, "they are waited for together"
    assert len(threads() - before) == 4
    (tmp_path / "new.json").write_text(json.dumps({**document, "issuers": issuers}))
    (tmp_path / "new.json").replace(tmp_path / "jwks.json")
    began = time.monotonic()
    for _ in range(20):
        assert verifier.verify(own).user == "ada"
        verifier.basis()
    assert time.monotonic() - began < 0.25, "the event loop is not held for new ones"
    verifier.stop()


def test_clocks_may_differ_as_much_as_was_agreed(
    platform: Platform, verifier: TokenVerifier
) -> None:
    now = int(time.time())
    identity = verifier.verify(platform.sign(exp=now - 10))
    assert identity.expires == now + 20, "open websockets end no sooner"
    with pytest.raises(TokenError, match="expired"):
        verifier.verify(platform.sign(exp=now - 40))


def test_a_new_key_is_read_when_it_is_used_and_a_removed_one_is_gone(
    platform: Platform, verifier: TokenVerifier
) -> None:
    old, basis = platform.sign(), verifier.basis()
    platform.rotate("b")
    until_accepted(verifier, platform.sign())
    assert verifier.basis() != basis, "logins of the old key are looked at again"
    with pytest.raises(TokenError, match="does not know"):
        verifier.verify(old)


def test_while_the_platform_is_away_its_keys_hold_and_no_unknown_one(
    platform: Platform, verifier: TokenVerifier
) -> None:
    known = platform.sign()
    platform.away = OSError("away")
    platform.rotate("b")
    for _ in range(20):
        with pytest.raises(TokenError):
            verifier.verify(platform.sign())
    assert verifier.verify(known).user == "ada"


@pytest.mark.parametrize(
    "odd", [http.client.IncompleteRead(b""), http.client.BadStatusLine("x"), RecursionError()]
)
def test_an_odd_answer_of_the_platform_does_not_end_the_reading(
    platform: Platform, verifier: TokenVerifier, odd: Exception
) -> None:
    platform.away = odd
    platform.rotate("b")
    with pytest.raises(TokenError):
        verifier.verify(platform.sign())
    before = platform.fetched
    until_fetched(platform, verifier, before + 2)
    platform.away = None
    until_accepted(verifier, platform.sign())


def until_fetched(platform: Platform, verifier: TokenVerifier, times: int) -> None:
    deadline = time.monotonic() + 10
    while platform.fetched < times:
        with pytest.raises(TokenError):
            verifier.verify(platform.sign())
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_unknown_keys_make_nobody_read_all_the_time(
    platform: Platform, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_keys, "NEXT_SECONDS", 60.0)
    create_keys(platform.folder / "x.pem", platform.folder / "x.json")
    signer, platform.signer = platform.signer, TokenSigner(platform.folder / "x.pem")
    strange = platform.sign()
    platform.signer = signer
    before = platform.fetched
    for _ in range(1000):
        with pytest.raises(TokenError):
            verifier.verify(strange)
    assert platform.fetched <= before + 1


def test_keys_that_could_not_be_read_for_a_day_let_nobody_in(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = PublishedKeys(URL, platform.fetch)
    keys.read()
    assert keys.current()
    platform.away = OSError("away")
    keys.read()
    assert keys.current()
    later = time.monotonic() + published_keys.STALE_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert not keys.current()


def test_an_issuer_that_is_named_or_removed_while_servers_run(
    platform: Platform, verifier: TokenVerifier, tmp_path: Path
) -> None:
    token = platform.sign()
    (tmp_path / "own.json").replace(tmp_path / "jwks.json")
    with pytest.raises(TokenError, match="does not know"):
        verifier.verify(token)
    create_keys(tmp_path / "own.pem", tmp_path / "own.json")
    name_issuer(tmp_path)
    until_accepted(verifier, token)


@pytest.mark.parametrize(
    ("issuer", "words"),
    [
        ("https://h", "must be an object"),
        ({"issuer": ISSUER}, "begin with https"),
        ({"jwks_url": "http://platform.example/jwks", "issuer": ISSUER}, "begin with https"),
        ({"jwks_url": "file:///etc/passwd", "issuer": ISSUER}, "begin with https"),
        ({"jwks_url": URL}, "issuer must be a text"),
        ({"jwks_url": URL, "issuer": ISSUER, "audience": 5}, "audience must be a text"),
        ({"jwks_url": URL, "issuer": ISSUER, "algorithms": ["HS256"]}, "algorithms are some of"),
        ({"jwks_url": URL, "issuer": ISSUER, "algorithms": []}, "algorithms are some of"),
        ({"jwks_url": URL, "issuer": ISSUER, "leeway": 301}, "0 to 300"),
        ({"jwks_url": URL, "issuer": ISSUER, "leeway": True}, "number of seconds"),
        ({"jwks_url": URL, "issuer": ISSUER, "isuer": 1}, "have no isuer"),
        ({"rights_url": "http://platform.example", "secret_file": "/s"}, "rights_url must begin"),
        ({"renew_url": 5, "secret_file": "/s"}, "renew_url must begin"),
        ({"rights_url": f"{ISSUER}/rights"}, "secret_file names the file"),
        ({"renew_url": f"{ISSUER}/renew", "secret_file": 5}, "secret_file names the file"),
        ({"secret_file": "/s"}, "only with them"),
    ],
)
def test_an_issuer_that_is_not_described_right_is_refused_with_the_reason(
    issuer: object, words: str
) -> None:
    if isinstance(issuer, dict) and "jwks_url" not in issuer and "issuer" not in issuer:
        issuer = {"jwks_url": URL, "issuer": ISSUER, **issuer}
    with pytest.raises(ValueError, match=words):
        parse_key_file(json.dumps({"keys": [], "issuers": [issuer]}).encode())


def test_a_loopback_address_needs_no_tls() -> None:
    document = {"keys": [], "issuers": [{"jwks_url": "http://127.0.0.1:1/j", "issuer": "x"}]}
    (issuer,) = parse_key_file(json.dumps(document).encode()).issuers
    assert issuer.audience == "jupyter-fleet"
