"""Codes that sign a browser in once."""

import html
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.integration.jupyter_ext.auth.browsers import SESSION, TYPED, browser, token
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs, start_bare_labs
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

PLATFORM = "https://platform.example/sign-in?from=fleet"


@pytest.fixture(scope="module")
def labs(seaweedfs: SeaweedFS) -> Iterator[Labs]:
    with short_folder("fleet-codes-") as directory:
        changes = {"FleetIdentityProvider": {"sign_in_url": PLATFORM}}
        labs = start_bare_labs(directory, seaweedfs, 2, changes)
        try:
            yield labs
        finally:
            labs.stop()


def code_for(labs: Labs, user: str = "ada") -> str:
    """As the platform's server gets it, from the second lab."""
    headers = {"Authorization": f"Bearer {token(labs, user)}"}
    answer = requests.post(f"{labs.urls[1]}/api/fleet/sign-in-codes", headers=headers)
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return str(answer.json()["code"])


def form_of(page: requests.Response) -> dict[str, str]:
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))


def platform_of(page: requests.Response) -> str:
    """Where a page leads that begins a sign-in."""
    found = re.search(r'id="platform" href="([^"]*)"', page.text)
    assert found
    return html.unescape(found[1])


def send(session: requests.Session, url: str, form: dict[str, str]) -> requests.Response:
    headers = {"Origin": url}
    return session.post(f"{url}/login", data=form, headers=headers, allow_redirects=False)


def test_a_sign_in_that_the_fleet_has_begun_goes_on_by_itself_and_once(labs: Labs) -> None:
    url, session = labs.urls[0], requests.Session()
    assert f"{'/login?start='}" in session.get(f"{url}/lab/tree/demo").text
    begun = session.get(f"{url}/login?start&next=/lab/tree/demo/x", allow_redirects=False)
    address = platform_of(begun)
    there = urlsplit(address)
    assert address.startswith(PLATFORM)
    asked = {name: values[0] for name, values in parse_qs(there.query).items()}
    assert asked["return_to"].startswith(f"{url}/login?next=")

    query = {"code": code_for(labs), "state": asked["state"]}
    elsewhere = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    for _ in range(2):
        # Looking is no signing in.
        page = session.get(asked["return_to"], params=query, headers=elsewhere)
        assert page.status_code == 200, page.text
        # In the tab that has begun it; anywhere else its reader is asked.
        assert "sessionStorage" in page.text
        assert "Sign in as ada?" in page.text
        assert SESSION not in session.cookies
    done = send(session, url, form_of(page))
    assert done.status_code == 302, done.text
    assert done.headers["Location"] == "/lab/tree/demo/x"
    assert session.get(f"{url}/api/me").json()["identity"]["username"] == "ada"

    again = requests.Session()
    refused = again.get(f"{url}/login", params={"code": query["code"]})
    assert refused.status_code == 401
    assert "used already" in refused.text
    assert "sign in at your platform for a new one" in refused.text


def test_a_state_of_another_browser_is_refused(labs: Labs) -> None:
    url, session = labs.urls[0], requests.Session()
    other = requests.get(f"{url}/login?start", allow_redirects=False)
    state = parse_qs(urlsplit(platform_of(other)).query)["state"][0]
    for given in (state, "x"):
        page = session.get(f"{url}/login", params={"code": code_for(labs), "state": given})
        assert page.status_code == 403
        assert "not begun in this browser" in page.text
        assert "submit()" not in page.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"},
        {},
        TYPED,
    ],
)
def test_a_code_asks_first_in_a_page_and_in_a_browser_of_somebody_else(
    labs: Labs, headers: dict[str, str]
) -> None:
    url, session = labs.urls[0], browser(labs)
    query = {"code": code_for(labs, "mallory")}
    page = session.get(f"{url}/login", params=query, headers=headers)
    assert "Sign in as mallory?" in page.text
    assert "submit()" not in page.text
    assert session.get(f"{url}/api/me").json()["identity"]["username"] == "ada"


def test_of_many_who_send_a_code_at_once_one_is_signed_in(labs: Labs) -> None:
    query = {"code": code_for(labs)}

    def try_it(number: int) -> int:
        url, session = labs.urls[number % 2], requests.Session()
        page = session.get(f"{url}/login", params=query)
        return send(session, url, form_of(page)).status_code if page.ok else page.status_code

    with ThreadPoolExecutor(8) as many:
        answers = list(many.map(try_it, range(8)))
    assert sorted(answers).count(302) == 1
    assert set(answers) <= {302, 401}


@pytest.mark.parametrize("code", ["x", "A" * 43, "é" * 43])
def test_what_is_no_code_signs_nobody_in(labs: Labs, code: str) -> None:
    assert requests.get(f"{labs.urls[0]}/login", params={"code": code}).status_code == 401


@pytest.mark.parametrize(
    ("body", "status", "seconds"),
    [
        (None, 201, 60),
        ({}, 201, 60),
        ({"seconds": 900}, 201, 900),
        ({"seconds": 0}, 400, None),
        ({"seconds": 3601}, 400, None),
        ({"seconds": True}, 400, None),
        ({"seconds": 1.5}, 400, None),
        ([], 400, None),
    ],
)
def test_a_code_is_valid_for_as_long_as_its_maker_says(
    labs: Labs, body: Any, status: int, seconds: int | None
) -> None:
    headers = {"Authorization": f"Bearer {token(labs)}"}
    answer = requests.post(f"{labs.urls[0]}/api/fleet/sign-in-codes", headers=headers, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json().get("seconds") == seconds


def test_a_code_is_given_for_a_users_own_token_alone(labs: Labs) -> None:
    url = labs.urls[0]
    path = f"{url}/api/fleet/sign-in-codes"
    service = labs.signer.sign("lab", {}, 60, service="lab")
    session = browser(labs)
    own: dict[str, Any] = {"Origin": url, "X-XSRFToken": session.cookies["_xsrf"]}
    assert session.post(path, headers=own).status_code == 403
    assert requests.post(path, headers={"Authorization": f"Bearer {service}"}).status_code == 403
    assert requests.post(path, headers={"Origin": url}).status_code == 403
