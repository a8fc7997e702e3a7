"""A login's cookie works for the fleet's own page alone, and not longer than its user wants."""

import re
from urllib.parse import urlencode

import pytest
import requests
import websocket

from tests.integration.jupyter_ext.auth.browsers import SESSION, TYPED, browser, token
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs


def sign_out(session: requests.Session, url: str, **more: str) -> requests.Response:
    form = {"_xsrf": session.cookies.get("_xsrf", "")}
    headers = {"Origin": url, **more}
    return session.post(f"{url}/logout", data=form, headers=headers, allow_redirects=False)


def test_whoever_signs_out_has_no_cookie_and_the_cookie_is_worth_nothing(bare_labs: Labs) -> None:
    session = browser(bare_labs)
    url = bare_labs.urls[1]
    kept = session.cookies.get_dict()
    answer = sign_out(session, url)
    assert answer.status_code == 303, answer.text
    assert answer.headers["Location"] == "/login"
    assert SESSION not in session.cookies
    assert f"{SESSION}-copy" not in session.cookies
    assert "Paste the token" in session.get(f"{url}/login").text
    assert session.get(f"{url}/api/me").status_code in (401, 403)
    # Whoever has kept the cookies is out as well; also at a lab that has not seen them before.
    assert requests.get(f"{url}/api/contents", cookies=kept).status_code == 401
    # So it is for those who were not signed in.
    assert requests.get(f"{url}/logout", allow_redirects=False).headers["Location"] == "/login"


def test_no_link_and_no_foreign_page_signs_out(bare_labs: Labs) -> None:
    session = browser(bare_labs)
    url = bare_labs.urls[0]
    asked = session.get(f"{url}/logout")
    assert "You are signed in as ada" in asked.text
    assert sign_out(session, url, Origin="http://evil.example").status_code == 403
    forged = session.post(f"{url}/logout", data={}, headers={"Origin": url})
    assert forged.status_code == 403
    assert session.get(f"{url}/api/me").status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
        {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "navigate"},
        # A link in a notebook of others, in the fleet's own page.
        {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "navigate"},
        {"Referer": "http://evil.example/"},
        # As to a host without TLS, from a page that has it leave the referer out.
        {},
        # Clicked in a mail: its person may not know that this browser is somebody's already.
        TYPED,
    ],
)
def test_no_other_page_signs_a_browser_in_without_its_persons_consent(
    bare_labs: Labs, headers: dict[str, str]
) -> None:
    session = browser(bare_labs)
    kept = session.cookies[SESSION]
    url = bare_labs.urls[0]
    link = f"{url}/login?{urlencode({'token': token(bare_labs, 'mallory')})}&next=/lab/tree/demo"
    asked = session.get(link, headers=headers)
    assert "Sign in as mallory?" in asked.text
    assert "This browser is signed in as ada" in asked.text
    assert asked.headers["Cache-Control"] == "no-store"
    assert session.cookies[SESSION] == kept
    assert session.get(f"{url}/api/me").json()["identity"]["username"] == "ada"
    # The button is the person's own.
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', asked.text))
    answer = session.post(f"{url}/login", data=form, headers={"Origin": url}, allow_redirects=False)
    assert answer.headers["Location"] == "/lab/tree/demo"
    assert session.get(f"{url}/api/me").json()["identity"]["username"] == "mallory"
    nobody = requests.get(f"{url}/login?token=nonsense", headers=headers)
    assert nobody.status_code == 401


def test_another_port_that_sets_the_mark_of_an_upgrade_signs_nobody_out(bare_labs: Labs) -> None:
    session = browser(bare_labs)
    session.cookies.set("jupyter-fleet-login-too", "1")
    for url in bare_labs.urls:
        assert session.get(f"{url}/api/me").status_code == 200


def test_calls_of_other_ports_with_the_cookie_are_refused(bare_labs: Labs) -> None:
    session = browser(bare_labs)
    url = bare_labs.urls[0]
    for path in ("api/contents/demo", "api/me", "files/demo/a.txt", "lab"):
        answer = session.get(f"{url}/{path}", headers={"Sec-Fetch-Site": "same-site"})
        assert answer.status_code == 403, path
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert session.get(f"{url}/lab", headers=link).status_code == 200
    # Without TLS, browsers do not say which site has led here.
    led = {"Referer": "http://127.0.0.1:1/", "Accept": "text/html,*/*;q=0.8"}
    assert session.get(f"{url}/lab", headers=led).status_code == 200
    assert session.get(f"{url}/api/contents/demo", headers=led).status_code == 403
    assert session.get(f"{url}/lab", headers={"Referer": led["Referer"]}).status_code == 403
    own = {"Sec-Fetch-Site": "same-origin"}
    assert session.get(f"{url}/api/contents/demo", headers=own).status_code == 200
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
    address = url.replace("http", "ws") + "/api/events/subscribe"
    for origin in ("http://127.0.0.1:1", "https" + url.removeprefix("http"), "null"):
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            websocket.create_connection(address, cookie=cookies, origin=origin, timeout=15)
        assert refused.value.status_code == 403
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(address, cookie=cookies, suppress_origin=True, timeout=15)
    assert refused.value.status_code == 403
    # A token is no cookie.
    bearer = {"Authorization": f"Bearer {token(bare_labs)}", "Sec-Fetch-Site": "cross-site"}
    assert requests.get(f"{url}/api/contents/demo", headers=bearer).status_code == 200


def test_a_port_that_sets_the_token_against_forged_requests_gains_nothing(
    bare_labs: Labs,
) -> None:
    session = browser(bare_labs)
    url = bare_labs.urls[0]
    mine = session.cookies["_xsrf"]
    other = browser(bare_labs).cookies["_xsrf"]
    body = {"type": "directory"}
    for chosen in (other, "2|11111111|" + "1" * 32 + "|1700000000"):
        session.cookies.set("_xsrf", chosen, domain="127.0.0.1", path="/")
        headers = {"Origin": url, "X-XSRFToken": chosen}
        refused = session.post(f"{url}/api/contents/demo", json=body, headers=headers)
        assert refused.status_code == 403
        # And the page has its own again.
        assert session.get(f"{url}/api/me").status_code == 200
        healed = {"Origin": url, "X-XSRFToken": session.cookies["_xsrf"]}
        answer = session.post(f"{url}/api/contents/demo", json=body, headers=healed)
        assert answer.status_code == 201
    headers = {"Origin": url, "X-XSRFToken": mine}
    assert session.post(f"{url}/api/contents/demo", json=body, headers=headers).ok


def test_another_fleet_at_the_same_host_name_disturbs_no_page(bare_labs: Labs) -> None:
    session = browser(bare_labs)
    url = bare_labs.urls[0]
    theirs = browser(bare_labs).cookies["_xsrf"]
    told = session.get(f"{url}/api/me").headers["X-Fleet-XSRF"]
    body = {"type": "directory"}
    for cookie in (theirs, "nonsense"):
        # Its page asks something every few seconds, and puts its own token into the cookie.
        session.cookies.set("_xsrf", cookie, domain="127.0.0.1", path="/")
        headers = {"Origin": url, "X-XSRFToken": told}
        made = session.post(f"{url}/api/contents/demo", json=body, headers=headers)
        assert made.status_code == 201, made.text
    assert "X-Fleet-XSRF" not in requests.get(f"{url}/api").headers
    # The form to sign in depends on no cookie either.
    stranger = requests.Session()
    stranger.get(f"{url}/login")
    stranger.cookies.set("_xsrf", theirs, domain="127.0.0.1", path="/")
    form = {"token": token(bare_labs)}
    own = {"Origin": url}
    done = stranger.post(f"{url}/login", data=form, headers=own, allow_redirects=False)
    assert done.status_code == 302, done.text
    assert stranger.get(f"{url}/api/me").status_code == 200


def test_who_signs_in_again_leaves_no_earlier_login_behind(bare_labs: Labs) -> None:
    session = browser(bare_labs)
    url = bare_labs.urls[1]
    kept = session.cookies.get_dict()
    link = f"{url}/login?{urlencode({'token': token(bare_labs)})}"
    session.get(link, headers=TYPED, allow_redirects=False)
    assert session.cookies[SESSION] != kept[SESSION]
    assert session.get(f"{url}/api/me").status_code == 200
    assert requests.get(f"{url}/api/contents", cookies=kept).status_code == 401
