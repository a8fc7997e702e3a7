"""A sign-in at the platform goes on by itself in the tab that has begun it, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from playwright.sync_api import Browser, expect
from tornado.httputil import url_concat

from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs, start_bare_labs
from tests.servers.http_thread import serve_in_thread
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder


class Platform(ThreadingHTTPServer):
    """Signs everybody in as `user`; a server at another port of the fleet's host, as a kernel's."""

    user = "ada"
    labs: Labs

    def code(self) -> str:
        token = self.labs.signer.sign(self.user, {"demo": "owner"}, 3600)
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.post(f"{self.labs.urls[0]}/api/fleet/sign-in-codes", headers=headers)
        return str(answer.json()["code"])


class Handler(BaseHTTPRequestHandler):
    server: Platform

    def do_GET(self) -> None:
        asked = {name: found[0] for name, found in parse_qs(urlsplit(self.path).query).items()}
        back = {"code": self.server.code(), "state": asked["state"]}
        self.send_response(302)
        if "toss" in asked:
            # A browser has one cookie of a name for all ports of a host.
            self.send_header("Set-Cookie", f"jupyter-fleet-session-state={asked['state']}; Path=/")
        self.send_header("Location", url_concat(asked["return_to"], back))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def platform(seaweedfs: SeaweedFS) -> Iterator[Platform]:
    server = Platform(("127.0.0.1", 0), Handler)
    serve_in_thread(server)
    with short_folder("fleet-elsewhere-") as directory:
        address = f"http://127.0.0.1:{server.server_port}/"
        changes = {"FleetIdentityProvider": {"sign_in_url": address}}
        server.labs = start_bare_labs(directory, seaweedfs, 1, changes)
        try:
            yield server
        finally:
            server.labs.stop()
            server.shutdown()
            server.server_close()


def test_a_sign_in_goes_on_in_the_tab_that_began_it_and_asks_in_others(
    platform: Platform, browser: Browser
) -> None:
    (url,) = platform.labs.urls
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{url}/login?start&next=/login%3Fdone")
    expect(page.locator("h1")).to_have_text("You are signed in as ada")
    assert page.request.get(f"{url}/api/me").json()["identity"]["username"] == "ada"

    # Another port of the host begins a sign-in of its own, and puts its state into the cookie.
    platform.user = "mallory"
    query = urlencode({"state": "chosen", "return_to": f"{url}/login", "toss": "1"})
    page.goto(f"http://127.0.0.1:{platform.server_port}/?{query}")
    expect(page.locator("h1")).to_have_text("Sign in as mallory?")
    assert page.request.get(f"{url}/api/me").json()["identity"]["username"] == "ada"
    context.close()
