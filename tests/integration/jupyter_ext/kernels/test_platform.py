"""Labs and gateways of a platform that is asked for roles, and renews tokens."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
import requests

from tests.integration.gateway_ext.fleet_of_gateways import Client, wait_until
from tests.integration.jupyter_ext.auth.browsers import TYPED
from tests.integration.jupyter_ext.kernels.cursor_page import CursorPage
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet
from tests.integration.jupyter_ext.kernels.test_ended_logins import close_code, dial
from tests.servers.scripted_http import Answer
from tests.servers.scripted_platform import ScriptedPlatform

LIFE = 24


@pytest.fixture
def platform(fleet: Fleet, tmp_path: Path) -> Iterator[ScriptedPlatform]:
    """One that the fleet's key file names while a test runs."""
    platform = ScriptedPlatform(tmp_path)
    keys = fleet.gateways.directory / "jwks.json"
    before = keys.read_text()
    try:
        yield platform
    finally:
        replace(keys, before)
        platform.stop()


def name_platform(fleet: Fleet, platform: ScriptedPlatform, *services: str) -> None:
    """Have every server know it."""
    keys = fleet.gateways.directory / "jwks.json"
    urls = {f"{service}_url": f"{platform.url}/{service}" for service in services}
    document = {**json.loads(keys.read_text()), "issuers": [platform.issuer(**urls)]}
    replace(keys, json.dumps(document))
    platform.roles["probe"] = {}
    probe = Client(platform.sign("probe", 60))
    for url in (*fleet.urls, *fleet.gateways.urls):
        wait_until(lambda url=url: probe.call("GET", f"{url}/api/kernels").status_code == 200)


def replace(file: Path, text: str) -> None:
    new = file.with_name("jwks.new")
    new.write_text(text)
    new.replace(file)


def test_roles_are_those_that_the_platform_names_at_labs_and_gateways(
    fleet: Fleet, platform: ScriptedPlatform
) -> None:
    name_platform(fleet, platform, "rights")
    lab, gateway = fleet.urls[0], fleet.gateways.urls[0]
    platform.roles = {"rita": {"demo": "owner"}, "vera": {"demo": "viewer"}}
    rita, vera, nobody = (
        Client(platform.sign(user, 600, demo="owner", other="owner"))
        for user in ("rita", "vera", "nobody")
    )
    roles = rita.call("GET", f"{lab}/api/me").json()["identity"]["projects"]
    assert roles == {"demo": "owner"}, "what the token claims counts for nothing"
    assert rita.call("GET", f"{lab}/api/contents/other").status_code == 404
    assert nobody.call("GET", f"{lab}/api/me").json()["identity"]["projects"] == {}
    started = rita.call("POST", f"{lab}/api/kernels", json={"name": "python", "project": "demo"})
    assert started.status_code == 201, started.text
    kernel = f"/api/kernels/{started.json()['id']}"
    for client, status in ((rita, 200), (vera, 200), (nobody, 404)):
        assert client.call("GET", gateway + kernel).status_code == status
        assert client.call("GET", lab + kernel).status_code == status
    for url in (lab, gateway):
        assert vera.call("POST", f"{url}{kernel}/interrupt").status_code == 403

    # While the platform is away, who is known goes on, and nobody else is let in.
    platform.script("POST", "/rights", Answer(500), forever=True)
    late = Client(platform.sign("late", 600, demo="owner"))
    platform.roles["late"] = {"demo": "owner"}
    for url in (lab, gateway):
        assert rita.call("GET", url + kernel).status_code == 200
        refused = late.call("GET", url + kernel)
        assert refused.status_code == 503
        assert "platform does not answer" in refused.json()["message"]
    own = fleet.gateways.client("ada", demo="owner")
    assert own.call("GET", lab + kernel).status_code == 200, "tokens of the fleet's own key"
    platform.end_scripts()
    for url in (lab, gateway):
        wait_until(lambda url=url: late.call("GET", url + kernel).status_code == 200)
    asked = [request.body["user"] for request in platform.asked("POST", "/rights")]
    assert asked.count("rita") <= 4, "each server asks once a minute"


@pytest.mark.long
@pytest.mark.timeout(180)
def test_pages_are_open_for_longer_than_a_token_without_anybody_doing_anything(
    fleet: Fleet, platform: ScriptedPlatform
) -> None:
    """The login is renewed at the platform, and the wires to the kernel's owner with it."""
    name_platform(fleet, platform, "renew")
    platform.life, platform.signed_out = LIFE, {"sid"}
    lab = fleet.urls[0]
    with fleet.kernel(name="lossless") as kernel_id:
        renewed, refused = (
            signed_in(lab, platform.sign(user, LIFE, demo="owner")) for user in ("rex", "sid")
        )
        began = time.monotonic()
        ends = dial(lab, kernel_id, cookie=cookie_of(refused))
        stock = dial(lab, kernel_id, cookie=cookie_of(renewed))
        with CursorPage([lab], kernel_id, {"Cookie": cookie_of(renewed)}) as page:
            page.until(lambda: page.answered or page.ends)
            assert close_code(ends, LIFE + 10) == 4401
            assert time.monotonic() - began > LIFE - 5
            # Twice the life of the first token.
            wait_until(lambda: time.monotonic() - began > 2 * LIFE + 5, seconds=3 * LIFE, every=0.5)
            assert page.run("print(6 * 7)") == "42\n"
            assert page.ends == []
        stock.ping()
        assert stock.connected
        stock.close()
        me = renewed.get(f"{lab}/api/me")
        assert me.json()["identity"]["username"] == "rex"
        assert refused.get(f"{lab}/api/me").status_code in (401, 403)
        asked = platform.asked("POST", "/renew")
        print(f"{len(asked)} calls for {2 * LIFE + 5} s with tokens of {LIFE} s")
        assert len(asked) <= 8


def signed_in(lab: str, token: str) -> requests.Session:
    session = requests.Session()
    link = f"{lab}/login?{urlencode({'token': token})}"
    answer = session.get(link, headers=TYPED, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    return session


def cookie_of(session: requests.Session) -> str:
    return "; ".join(f"{name}={value}" for name, value in session.cookies.items())
