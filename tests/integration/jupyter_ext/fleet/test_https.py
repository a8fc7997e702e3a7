"""A fleet whose front serves https."""

import json
import os
import signal
import socket
import ssl

import pytest
import requests
import websocket

from tests.integration.jupyter_ext.auth.browsers import sign_in
from tests.servers.certificate import make_certificate

pytestmark = pytest.mark.long


def served(port: int) -> str:
    """The certificate that the front shows."""
    return ssl.get_server_certificate(("127.0.0.1", port))


def test_a_front_that_others_reach_has_a_certificate_and_no_log_has_a_token(fleet) -> None:
    small = ("--labs", "1", "--gateways", "1")
    fleet.up(*small, "--listen", "0.0.0.0", "--token-in-url", "yes")
    certificate = str(fleet.data_dir.secrets / "front.pem")
    with open(certificate) as file:
        assert served(fleet.port) in file.read()
    url = f"https://127.0.0.1:{fleet.port}"
    token = fleet.run("token", "ada").strip()
    with requests.Session() as session:
        session.trust_env = False
        session.verify = certificate
        link = fleet.run("login-link").strip()
        assert link.startswith(f"https://{socket.gethostname()}:{fleet.port}/login?code=")
        sign_in(session, link.replace(socket.gethostname(), "127.0.0.1"))
        assert session.get(f"{url}/api/me").json()["identity"]["username"] == "demo"
        # Labs serve every name of the machine.
        named = {"Host": "machine.example", "Authorization": f"Bearer {token}"}
        assert session.get(f"{url}/api/me", headers=named).status_code == 200

    # As VS Code calls a server, with nothing but the address.
    with requests.Session() as editor:
        editor.trust_env = False
        editor.verify = certificate
        specs = editor.get(f"{url}/api/kernelspecs?token={token}")
        assert "python" in specs.json()["kernelspecs"]
        body = {"name": "python"}
        kernel = editor.post(f"{url}/api/kernels?token={token}", json=body, timeout=60)
        assert kernel.status_code == 201, kernel.text
        channels = f"/api/kernels/{kernel.json()['id']}/channels?session_id=s&token={token}"
        address = url.replace("https", "wss") + channels
        websocket.create_connection(address, sslopt={"ca_certs": certificate}, timeout=30).close()
        # The front says so in its log, and quotes what it was asked.
        os.kill(fleet.processes()["lab-1"]["pid"], signal.SIGKILL)
        for _ in range(3):
            editor.get(f"{url}/api/kernelspecs?token={token}", timeout=30)
    logs = list(fleet.data_dir.logs.iterdir())
    assert logs
    assert not any(token.encode() in file.read_bytes() for file in logs)

    shown = served(fleet.port)
    fleet.run("down", "--kernels")
    fleet.run("up", "--detach")
    assert served(fleet.port) == shown, "people have compared its fingerprint"


def test_a_login_over_https_has_cookies_that_no_page_without_tls_can_set(fleet, tmp_path) -> None:
    certificate, key = make_certificate(tmp_path)
    small = ("--labs", "1", "--gateways", "1")
    fleet.up(*small, "--tls-cert", certificate, "--tls-key", key)
    status = json.loads(fleet.run("status", "--json", "--token"))
    url = f"https://127.0.0.1:{fleet.port}"
    assert status["url"] == f"{url}/"
    with requests.Session() as session:
        # The environment may name other certificates.
        session.trust_env = False
        session.verify = certificate
        sign_in(session, status["login_url"])
        names = {cookie.name for cookie in session.cookies}
        assert names == {
            f"__Host-jupyter-fleet-session-{fleet.port}",
            f"__Host-jupyter-fleet-session-{fleet.port}-copy",
            "_xsrf",
        }
        headers = {"Origin": url, "X-XSRFToken": session.cookies["_xsrf"]}
        body = {"type": "directory"}
        made = session.post(f"{url}/api/contents/demo", json=body, headers=headers)
        assert made.status_code == 201, made.text
        # What the fleet's own programs reach is another origin.
        inside = {**headers, "Origin": f"http://127.0.0.1:{fleet.port}"}
        assert not session.post(f"{url}/api/contents/demo", json=body, headers=inside).ok
        # Without the prefix it is no login.
        name = f"jupyter-fleet-session-{fleet.port}"
        plain = {name: session.cookies[f"__Host-{name}"]}
        assert requests.get(f"{url}/api/me", cookies=plain, verify=certificate).status_code == 403
        cookies = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
        websocket.create_connection(
            f"wss://127.0.0.1:{fleet.port}/api/events/subscribe",
            cookie=cookies,
            sslopt={"ca_certs": certificate},
            timeout=15,
        ).close()
        kernel = session.post(f"{url}/api/kernels", json={"name": "python"}, headers=headers)
        assert kernel.status_code == 201, kernel.text
    # nginx answers 400 to who speaks no TLS there.
    assert requests.get(f"http://127.0.0.1:{fleet.port}/api", timeout=10).status_code == 400

    # A renewed certificate is loaded without a restart.
    before, pid = served(fleet.port), fleet.processes()["front"]["pid"]
    make_certificate(tmp_path)
    fleet.run("up", "--detach")
    assert served(fleet.port) != before
    assert fleet.processes()["front"]["pid"] == pid
    assert "--tls-cert" in fleet.run("up", "--tls-cert", "", code=1)
