"""A fleet whose front serves https."""

import json
import ssl
import subprocess
from pathlib import Path

import pytest
import requests
import websocket

pytestmark = pytest.mark.long


def make_certificate(folder: Path) -> tuple[str, str]:
    certificate, key = folder / "fleet.pem", folder / "fleet.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-nodes", "-days", "2", "-subj", "/CN=localhost", "-keyout", str(key)]
    command += ["-out", str(certificate), "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    return str(certificate), str(key)


def served(port: int) -> str:
    """The certificate that the front shows."""
    return ssl.get_server_certificate(("127.0.0.1", port))


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
        assert session.get(status["login_url"]).status_code == 200
        names = {cookie.name for cookie in session.cookies}
        assert names == {
            "__Host-jupyter-fleet-session",
            "__Host-jupyter-fleet-session-copy",
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
        plain = {"jupyter-fleet-session": session.cookies["__Host-jupyter-fleet-session"]}
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
