"""Which bodies may be long, and who may send these."""

import time
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from tornado.httputil import HTTPHeaders
from tornado.web import create_signed_value

from jupyter_ext.auth import earlier_cookie, lab_secrets
from jupyter_ext.auth.identity_provider import FleetIdentityProvider
from jupyter_ext.auth.known_senders import KnownSenders
from jupyter_ext.auth.strangers_bodies import may_be_long
from jupyter_ext.logins.logins import Logins
from jupyter_ext.logins.session_id import new_session_id
from jupyter_ext.platform.encryption import SecretBox, create_keys_file
from jupyter_ext.platform.kernel_tickets import KernelTicket, KernelTickets
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import TokenSigner, TokenVerifier, create_keys

SECRET = b"s" * 32
TICKET = KernelTicket("k-1", "demo", Role.EDITOR, "ada", "demo/a.ipynb", "python", 1)
EXPIRED = -3600.0


class Lab:
    """One lab's view of headers, and who makes what it knows."""

    def __init__(self, folder: Path, secret: bytes = SECRET) -> None:
        folder.mkdir(exist_ok=True)
        create_keys(folder / "private.pem", folder / "jwks.json")
        create_keys_file(folder / "keys.json")
        self.signer = TokenSigner(folder / "private.pem")
        self.tickets = KernelTickets(secret)
        self.secret = secret
        self.box = SecretBox(folder / "keys.json")
        verifier = TokenVerifier(folder / "jwks.json")
        logins = Logins(MagicMock(), self.box, verifier)
        shared = MagicMock(all=lambda own: (own,))
        provider = FleetIdentityProvider(verifier=verifier, logins=logins)
        settings = {
            "cookie_secret": secret,
            "identity_provider": provider,
            lab_secrets.SETTING: shared,
        }
        self.is_known = KnownSenders(settings)

    def made(self) -> list[tuple[str, dict[str, str]]]:
        """Path and headers of requests with what this fleet has made."""
        token = self.signer.sign("ada", {"demo": "owner"}, EXPIRED)
        login = new_session_id(self.box)
        earlier = create_signed_value(self.secret, earlier_cookie.NAME, token).decode()
        return [
            ("/a", {"Authorization": f"Bearer {token}"}),
            ("/a", {"authorization": f"token {token}"}),
            (f"/a?x=1&token={token}", {}),
            ("/a", {"Authorization": f"Bearer {self.tickets.issue(TICKET, EXPIRED)}"}),
            ("/a", {"Cookie": f"a=b; jupyter-fleet-session={login}"}),
            ("/a", {"Cookie": f"__Host-jupyter-fleet-session={login}"}),
            ("/a", {"Cookie": f"__Secure-jupyter-fleet-session={login}"}),
            ("/a", {"Cookie": f'{earlier_cookie.NAME}="{earlier}"'}),
        ]


def test_what_the_fleet_has_made_says_who_sends_it_also_when_it_has_expired(tmp_path: Path) -> None:
    lab, other = Lab(tmp_path / "own"), Lab(tmp_path / "other", b"o" * 32)
    for path, headers in lab.made():
        assert lab.is_known(path, HTTPHeaders(headers)), (path, headers)
        assert not other.is_known(path, HTTPHeaders(headers)), (path, headers)


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/login", {}),
        ("/login?next=token%3D", {}),
        ("/a?token=a.b.c", {}),
        ("/a", {"Authorization": "Bearer known"}),
        ("/a", {"Authorization": "Bearer a.b.c"}),
        ("/a", {"Authorization": "Bearer \u00e4.b.c"}),
        ("/a", {"Authorization": "Basic YTpi"}),
        ("/a", {"Cookie": "a=b"}),
        ("/a", {"Cookie": "jupyter-fleet-session=x"}),
        ("/a", {"Cookie": "jupyter-fleet-session=" + "x" * 43}),
        ("/a", {"Cookie": f"{earlier_cookie.NAME}=2|1:0|10:1|4:name|4:abcd|00"}),
    ],
)
def test_what_anybody_can_make_up_does_not(
    tmp_path: Path, path: str, headers: dict[str, str]
) -> None:
    assert not Lab(tmp_path).is_known(path, HTTPHeaders(headers))


def test_it_costs_little(tmp_path: Path) -> None:
    lab = Lab(tmp_path)
    headers = HTTPHeaders({"Authorization": "Bearer a.b.c", "Cookie": "jupyter-fleet-session=x"})
    begun = time.process_time()
    for _ in range(100):
        lab.is_known("/a?token=d.e.f", headers)
    assert time.process_time() - begun < 1.0


@pytest.mark.parametrize(
    ("headers", "long"),
    [
        ({}, False),
        ({"Content-Length": "65536"}, False),
        ({"Content-Length": "65537"}, True),
        ({"Content-Length": "9" * 5000}, True),
        ({"Content-Length": "x"}, True),
        ({"Content-Length": "5, 5"}, True),
        ({"Transfer-Encoding": "chunked"}, True),
    ],
)
def test_which_bodies_may_be_long(headers: dict[str, str], long: bool) -> None:
    assert may_be_long(HTTPHeaders(headers)) is long
