"""Logins that any lab knows, and routes that exist for nobody."""

import json
import re
from urllib.parse import urlencode

import pytest
import requests
import websocket

from jupyter_ext.platform.tokens import TokenSigner, create_keys
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.jupyter_ext.auth.browsers import SESSION, TYPED, browser, token
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs
from tests.unit.jupyter_ext.platform.token_attacks import Attacker, sendable


def test_a_link_logs_in_at_every_lab(bare_labs: Labs) -> None:
    session = browser(bare_labs)
    for name in (SESSION, f"{SESSION}-copy"):
        (cookie,) = [c for c in session.cookies if c.name == name]
        assert cookie.has_nonstandard_attr("HttpOnly")
        assert cookie.get_nonstandard_attr("SameSite") == "Lax"
    assert len(session.cookies[SESSION]) == 43
    assert "jupyter-fleet-login" not in session.cookies
    for url in bare_labs.urls:
        me = session.get(f"{url}/api/me").json()
        assert me["identity"]["username"] == "ada"
        assert "token" not in str(me["identity"])
        assert session.get(f"{url}/lab").status_code == 200
        assert session.get(f"{url}/api/contents/demo").status_code == 200


def test_changes_with_a_cookie_need_the_xsrf_token_and_with_a_header_do_not(
    bare_labs: Labs,
) -> None:
    session = browser(bare_labs)
    body = {"type": "directory"}
    first, second = bare_labs.urls
    refused = session.post(f"{first}/api/contents/demo", json=body, headers={"Origin": first})
    assert refused.status_code == 403
    headers = {"X-XSRFToken": session.cookies["_xsrf"]}
    for url in (first, second):
        own = {**headers, "Origin": url}
        answer = session.post(f"{url}/api/contents/demo", json=body, headers=own)
        assert answer.status_code == 201, answer.text
    # From another site, even with everything else right.
    stranger = {**headers, "Origin": "http://evil.example"}
    assert session.post(f"{first}/api/contents/demo", json=body, headers=stranger).status_code in (
        403,
        404,
    )
    bearer = {"Authorization": f"Bearer {token(bare_labs)}"}
    answer = requests.post(f"{first}/api/contents/demo", json=body, headers=bearer)
    assert answer.status_code == 201


def test_the_form_takes_a_token_and_goes_where_one_was_going(bare_labs: Labs) -> None:
    session = requests.Session()
    url = bare_labs.urls[0]
    asked = session.get(f"{url}/lab/tree/demo")
    assert asked.url.startswith(f"{url}/login?next=")
    wanted = re.search(r'name="next" value="([^"]+)"', asked.text)
    assert wanted is not None
    # No token protects this form: what the browser says of its page does.
    form = {"next": wanted[1], "token": "nonsense"}
    refused = session.post(f"{url}/login", data=form, headers={"Origin": url})
    assert refused.status_code == 401
    assert "not a token" in refused.text
    form["token"] = token(bare_labs)
    for stranger in ({}, {"Origin": "http://127.0.0.1:1"}, {"Sec-Fetch-Site": "same-site"}):
        refused = session.post(f"{url}/login", data=form, headers=stranger)
        assert refused.status_code in (403, 404)
        assert SESSION not in session.cookies
    own = {"Origin": url}
    answer = session.post(f"{url}/login", data=form, headers=own, allow_redirects=False)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/lab/tree/demo"
    assert session.get(f"{url}/api/me").status_code == 200


@pytest.mark.parametrize(
    "next_url", ["http://evil.example/", "//evil.example", "/\\evil.example", "https:evil.example"]
)
def test_a_login_leads_to_no_other_site(bare_labs: Labs, next_url: str) -> None:
    query = urlencode({"token": token(bare_labs), "next": next_url})
    answer = requests.get(
        f"{bare_labs.urls[0]}/login?{query}", headers=TYPED, allow_redirects=False
    )
    assert answer.status_code == 302
    location = answer.headers["Location"]
    assert location == "/lab/tree/demo" or location.startswith("/%5C")


@pytest.mark.parametrize("next_url", ["/lab\r\nSet-Cookie: a=b", "/a\nb", "//[", "http:///[x"])
def test_a_login_with_a_page_that_cannot_be_goes_home_and_logs_no_token(
    bare_labs: Labs, next_url: str
) -> None:
    query = urlencode({"token": token(bare_labs), "next": next_url})
    answer = requests.get(
        f"{bare_labs.urls[0]}/login?{query}", headers=TYPED, allow_redirects=False
    )
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/lab/tree/demo"


def test_no_error_of_a_login_puts_its_token_into_the_log(bare_labs: Labs) -> None:
    secret = token(bare_labs)
    query = urlencode({"token": secret}) + "&next=%FF"
    for path in ("login", "lab", "api/contents/demo", "nowhere"):
        requests.get(f"{bare_labs.urls[0]}/{path}?{query}", allow_redirects=False)
    logs = "".join(file.read_text() for file in bare_labs.directory.glob("*.log"))
    assert "next=%FF" in logs
    assert secret not in logs
    assert secret.rpartition(".")[2] not in logs


def test_a_login_ends_with_its_token(bare_labs: Labs) -> None:
    session = requests.Session()
    url = bare_labs.urls[0]
    expired = token(bare_labs, seconds=-10)
    answer = session.get(f"{url}/login?{urlencode({'token': expired})}", headers=TYPED)
    assert answer.status_code == 401
    assert "expired" in answer.text
    assert SESSION not in session.cookies
    call = requests.get(f"{url}/api/contents", headers={"Authorization": f"Bearer {expired}"})
    assert call.status_code == 401
    assert "expired" in call.json()["message"]

    short = browser(bare_labs, seconds=3)
    assert short.get(f"{url}/api/me").status_code == 200
    wait_until(lambda: short.get(f"{url}/api/me").status_code != 200)
    # The browser still has the cookie, or nobody could say why the page stopped working.
    call = short.get(f"{url}/api/contents")
    assert call.status_code == 401
    assert "expired" in call.json()["message"]
    page = short.get(f"{url}/lab")
    assert "/login" in page.url
    assert "expired" in page.text


def test_a_page_knows_its_own_user_with_roles_and_no_token(bare_labs: Labs) -> None:
    url = bare_labs.urls[0]
    for user, projects in (("ann", {"demo": "viewer", "b": "owner"}), ("bob", {"demo": "editor"})):
        signed = token(bare_labs, user, **projects)
        page = requests.get(f"{url}/lab", headers={"Authorization": f"Bearer {signed}"})
        found = re.search(r'id="jupyter-config-data"[^>]*>(.*?)</script>', page.text, re.DOTALL)
        assert found
        config = json.loads(found[1])
        assert config["fleetUser"]["username"] == user
        assert config["fleetUser"]["projects"] == projects
        me = requests.get(f"{url}/api/me", headers={"Authorization": f"Bearer {signed}"})
        # A page that stays open learns there what a new login has changed.
        assert me.json()["identity"]["projects"] == projects
        assert config["quitButton"] is False
        assert signed not in page.text


def test_strangers_tokens_and_cookies_are_refused(bare_labs: Labs) -> None:
    url = bare_labs.urls[0]
    create_keys(bare_labs.directory / "other.pem", bare_labs.directory / "other.json")
    foreign = TokenSigner(bare_labs.directory / "other.pem").sign("ada", {"demo": "owner"}, 60)
    answer = requests.get(f"{url}/api/contents", headers={"Authorization": f"Bearer {foreign}"})
    assert answer.status_code == 401
    assert "key" in answer.json()["message"]
    # A cookie that we have not signed, with a good token in it; and IDs of no login.
    for name in (SESSION, "jupyter-fleet-login"):
        for value in (token(bare_labs), "A" * 43, "x"):
            cookie = {"Cookie": f"{name}={value}"}
            assert requests.get(f"{url}/api/contents", headers=cookie).status_code == 401
    assert requests.get(f"{url}/api/contents").status_code == 403
    # Tokens in URLs end up in logs: they are for the login only.
    query = urlencode({"token": token(bare_labs)})
    assert requests.get(f"{url}/api/contents?{query}").status_code == 403


def test_who_has_many_projects_signs_in_although_the_token_fits_no_cookie(
    bare_labs: Labs,
) -> None:
    many = {f"project-number-{number}": "owner" for number in range(150)}
    query = urlencode({"token": bare_labs.signer.sign("ada", many, 60)})
    session = requests.Session()
    answer = session.get(f"{bare_labs.urls[0]}/login?{query}", headers=TYPED, allow_redirects=False)
    assert answer.status_code == 302
    assert session.get(f"{bare_labs.urls[1]}/api/me").status_code == 200
    assert all(len(value) < 100 for value in session.cookies.values())


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/shutdown"),
        ("GET", "/api/terminals"),
        ("POST", "/api/terminals"),
        ("PUT", "/api/config/notebook"),
        ("PATCH", "/api/config/notebook"),
        ("PATCH", "/api/me"),
        ("POST", "/api/events"),
        ("POST", "/lab/api/plugins"),
        ("POST", "/lab/api/extensions"),
        ("POST", "/lab/api/build"),
        ("DELETE", "/lab/api/build"),
        ("GET", "/metrics"),
        ("GET", "/view/demo/a.txt"),
        ("POST", "/api/nbconvert"),
        ("POST", "/nbconvert/html"),
        ("GET", "/lsp/ws/pylsp"),
        ("GET", "/lab/api/licenses/"),
        ("GET", "/nbconvert/pdf/demo/a.ipynb"),
        ("POST", "/api/contents"),
        ("PUT", "/api/contents/other/a.txt"),
        ("GET", "/files/other/a.txt"),
        ("GET", "/nbconvert/html/other/a.ipynb"),
    ],
)
def test_what_a_shared_server_does_for_nobody(bare_labs: Labs, method: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {token(bare_labs)}"}
    answer = requests.request(method, bare_labs.urls[0] + path, headers=headers, json={})
    assert answer.status_code in (403, 404), answer.text


def test_viewers_change_nothing(bare_labs: Labs) -> None:
    url = bare_labs.urls[0]
    eve = {"Authorization": f"Bearer {token(bare_labs, 'eve', demo='viewer')}"}
    assert requests.get(f"{url}/api/contents/demo", headers=eve).status_code == 200
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        path = "/api/contents/demo" + ("" if method == "POST" else "/a.txt")
        answer = requests.request(method, url + path, headers=eve, json={"type": "file"})
        assert answer.status_code == 403, (method, answer.text)


def test_files_are_read_through_the_manager(bare_labs: Labs) -> None:
    url = bare_labs.urls[0]
    ada = {"Authorization": f"Bearer {token(bare_labs)}"}
    body = {"type": "file", "format": "text", "content": "<b>x</b>"}
    assert requests.put(f"{url}/api/contents/demo/raw.html", headers=ada, json=body).ok
    answer = requests.get(f"{url}/files/demo/raw.html", headers=ada)
    assert answer.text == "<b>x</b>"
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    bob = {"Authorization": f"Bearer {token(bare_labs, 'bob', other='owner')}"}
    assert requests.get(f"{url}/files/demo/raw.html", headers=bob).status_code == 404


def test_events_are_for_those_who_may_see_the_file(bare_labs: Labs) -> None:
    url = bare_labs.urls[0]

    def listen(user: str, **projects: str) -> websocket.WebSocket:
        return websocket.create_connection(
            f"{url.replace('http', 'ws', 1)}/api/events/subscribe",
            header={"Authorization": f"Bearer {token(bare_labs, user, **projects)}"},
            timeout=5,
        )

    ada, bob = listen("ada", demo="viewer"), listen("bob", other="owner")
    writer = {"Authorization": f"Bearer {token(bare_labs)}"}
    body = {"type": "file", "format": "text", "content": "x"}
    saved = requests.put(f"{url}/api/contents/demo/event.txt", headers=writer, json=body)
    assert saved.status_code in (200, 201)
    assert "demo/event.txt" in ada.recv()
    # The first that bob hears of is a file of his own project.
    writer = {"Authorization": f"Bearer {token(bare_labs, 'bob', other='owner')}"}
    saved = requests.put(f"{url}/api/contents/other/event.txt", headers=writer, json=body)
    assert saved.status_code in (200, 201)
    assert "other/event.txt" in bob.recv()
    ada.close()
    bob.close()


def test_no_gateway_is_said_and_costs_no_session(bare_labs: Labs) -> None:
    headers = {"Authorization": f"Bearer {token(bare_labs)}"}
    answer = requests.get(f"{bare_labs.urls[0]}/api/kernels", headers=headers, timeout=30)
    assert answer.status_code == 503
    assert "gateway" in answer.json()["message"]


def test_an_event_stream_ends_with_its_login(bare_labs: Labs) -> None:
    address = bare_labs.urls[0].replace("http", "ws") + "/api/events/subscribe"
    stream = websocket.create_connection(
        address, header={"Authorization": f"Bearer {token(bare_labs, seconds=1)}"}, timeout=15
    )
    opcode, data = stream.recv_data()
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    assert int.from_bytes(data[:2], "big") == 4401
    assert b"expired" in data
    stream.close()


def test_a_page_of_one_person_is_not_served_as_another(bare_labs: Labs) -> None:
    session = browser(bare_labs)
    url = bare_labs.urls[0]
    mine = session.get(f"{url}/api/contents/demo", headers={"X-Fleet-User": "ada"})
    assert mine.status_code == 200
    theirs = session.get(f"{url}/api/contents/demo", headers={"X-Fleet-User": "bob"})
    assert theirs.status_code == 401
    assert "signed in as ada" in theirs.json()["message"]
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)
    address = url.replace("http", "ws") + "/api/events/subscribe?fleet_user="
    websocket.create_connection(f"{address}ada", cookie=cookies, timeout=15).close()
    with pytest.raises(websocket.WebSocketBadStatusException) as refused:
        websocket.create_connection(f"{address}bob", cookie=cookies, timeout=15)
    assert refused.value.status_code == 401


def test_the_login_page_lets_another_person_in_and_tells_the_tab_that_waits(
    bare_labs: Labs,
) -> None:
    session = browser(bare_labs)
    url = bare_labs.urls[0]
    assert "Paste the token" in session.get(f"{url}/login?again").text
    done = session.get(f"{url}/login?done")
    assert "You are signed in as ada" in done.text
    assert "BroadcastChannel" in done.text
    stranger = requests.get(f"{url}/login?done")
    assert "Paste the token" in stranger.text


def test_nobody_keeps_what_is_private(bare_labs: Labs) -> None:
    session = browser(bare_labs)
    url = bare_labs.urls[0]
    body = {"type": "file", "format": "text", "content": "x"}
    headers = {"Authorization": f"Bearer {token(bare_labs)}"}
    assert requests.put(f"{url}/api/contents/demo/kept.txt", headers=headers, json=body).ok
    for path in (
        "/lab",
        "/api/me",
        "/api/contents/demo",
        "/files/demo/kept.txt",
        "/lab/api/workspaces",
        "/api/contents/demo/nothing",
        "/api/contents/other",
        "/api/kernels",
    ):
        assert "no-store" in session.get(f"{url}{path}").headers["Cache-Control"], path
    # The page's own files are everybody's, and are asked for again and again.
    page = session.get(f"{url}/lab").text
    script = re.search(r'src="(/static/lab/[^"]+)"', page)
    assert script is not None
    assert "no-store" not in session.get(url + script[1]).headers["Cache-Control"]


def test_a_report_of_a_browser_forges_no_line_of_the_log(bare_labs: Labs) -> None:
    url = f"{bare_labs.urls[0]}/api/security/csp-report"
    headers = {"Authorization": f"Bearer {token(bare_labs)}"}
    line = "[I 2026-01-01 00:00:00.000 ServerApp] User mallory logged in."
    report = {"csp-report": {"blocked-uri": f"x\n{line}"}}
    assert requests.post(url, headers=headers, json=report).status_code == 204
    assert requests.post(url, headers=headers, data=f"x\n{line}").status_code == 400
    requests.get(f"{bare_labs.urls[0]}/nowhere%0A{line}", headers=headers)
    log = bare_labs.processes[0].log.read_text()
    assert "a browser of 'ada' reports blocked-uri" in log
    assert line not in log.splitlines()


def test_forged_and_broken_tokens_are_refused(bare_labs: Labs) -> None:
    attacks = sendable(Attacker(bare_labs.directory).all())
    assert len(attacks) >= 150
    wrong = []
    for name, forged in attacks.items():
        headers = {"Authorization": f"Bearer {forged}"}
        answer = requests.get(f"{bare_labs.urls[0]}/api/me", headers=headers, timeout=20)
        if answer.status_code != 401 or forged in answer.text:
            wrong.append((name, answer.status_code))
    assert wrong == []
