"""What browsers may do with a lab's pages, by their headers."""

import base64
import hashlib
import re
from collections.abc import Iterator

import pytest
import requests

from tests.integration.jupyter_ext.auth.test_login_and_routes import token
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs, start_bare_labs
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder


def test_the_page_for_outputs_is_open_to_everybody_and_sets_nothing(bare_labs: Labs) -> None:
    answer = requests.get(f"{bare_labs.urls[0]}/fleet/frame", timeout=30, allow_redirects=False)
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"].startswith("sandbox allow-scripts; ")
    assert "report-uri" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"].startswith("public")
    assert "Set-Cookie" not in answer.headers
    ada = {"Authorization": f"Bearer {token(bare_labs)}"}
    known = requests.get(f"{bare_labs.urls[1]}/fleet/frame", headers=ada, timeout=30)
    assert known.text == answer.text
    assert "Set-Cookie" not in known.headers
    assert (
        requests.post(f"{bare_labs.urls[0]}/fleet/frame", headers=ada, timeout=30).status_code
        == 403
    )


def test_pages_load_from_their_own_port_or_by_tls(bare_labs: Labs) -> None:
    ada = {"Authorization": f"Bearer {token(bare_labs)}"}
    answer = requests.get(f"{bare_labs.urls[0]}/lab", headers=ada, timeout=30)
    directives = answer.headers["Content-Security-Policy"].split("; ")
    assert "img-src 'self' data: blob: https:" in directives
    assert "base-uri 'none'" in directives
    assert "report-uri /api/security/csp-report" in directives


def test_websockets_of_the_host_that_the_browser_asks_are_named(bare_labs: Labs) -> None:
    ada = {"Authorization": f"Bearer {token(bare_labs)}"}
    port = bare_labs.ports[0]
    for host, named in (("localhost", f" ws://localhost:{port}"), ("[::1]", "")):
        answer = requests.get(
            f"{bare_labs.urls[0]}/lab", headers={**ada, "Host": f"{host}:{port}"}, timeout=30
        )
        directives = answer.headers["Content-Security-Policy"].split("; ")
        assert f"connect-src 'self'{named} data: blob: https:" in directives
        # Plots that a user has made are scripts in the page.
        (scripts,) = [one for one in directives if one.startswith("script-src ")]
        assert scripts == "script-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob: https:"


FRAMES = "frames.test"


@pytest.fixture(scope="module")
def strict(seaweedfs: SeaweedFS) -> Iterator[Labs]:
    """A lab that frames all outputs, at a host name of their own."""
    with short_folder("fleet-strict-") as directory:
        changes = {
            "ServerApp": {"allow_remote_access": True},
            "FleetIdentityProvider": {"public_url": "http://fleet.test:8000"},
            "JupyterFleet": {"frame_all_outputs": True, "frame_url": f"http://{FRAMES}:8000"},
        }
        labs = start_bare_labs(directory, seaweedfs, 1, changes)
        try:
            yield labs
        finally:
            labs.stop()


def test_where_all_outputs_are_framed_pages_run_installed_scripts_alone(strict: Labs) -> None:
    ada = {"Authorization": f"Bearer {token(strict)}"}
    answer = requests.get(f"{strict.urls[0]}/lab", headers=ada, timeout=30)
    policy = answer.headers["Content-Security-Policy"]
    (scripts,) = [one for one in policy.split("; ") if one.startswith("script-src ")]
    sources = scripts.split(" ")[1:]
    folders = [one for one in sources if one.startswith("http://fleet.test:8000/")]
    assert len(folders) == 2
    assert sources[2] == "'unsafe-eval'"
    # The page's own inline script, as the page has it.
    (inline,) = re.findall(r"<script>(.*?)</script>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert sources[3:] == [f"'sha256-{digest}'"]
    # What the page loads is there.
    loaded = re.findall(r'<script[^>]* src="([^"]+)"', answer.text)
    assert loaded
    for path in loaded:
        assert any(f"http://fleet.test:8000{path}".startswith(folder) for folder in folders)
    assert '"fleetFrameUrl": "http://frames.test:8000"' in answer.text
    # What people sign in with has scripts of its own.
    login = requests.get(f"{strict.urls[0]}/login", timeout=30)
    assert "'unsafe-inline' 'unsafe-eval'" in login.headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", [FRAMES, f"{FRAMES}:8000", f"{FRAMES.upper()}.:8000"])
def test_a_host_name_for_frames_has_nothing_but_frames(strict: Labs, host: str) -> None:
    ada = {"Authorization": f"Bearer {token(strict)}", "Host": host}
    url = strict.urls[0]
    frame = requests.get(f"{url}/fleet/frame", headers=ada, timeout=30)
    assert frame.status_code == 200
    assert "frame-ancestors http://fleet.test:8000" in frame.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in frame.headers
    for path in ("/", "/lab", "/login", "/api", "/api/me", "/static/favicon.ico", "/api/contents"):
        for method in ("GET", "POST", "OPTIONS"):
            answer = requests.request(
                method, url + path, headers=ada, timeout=30, allow_redirects=False
            )
            assert answer.status_code == 404, (method, path)
            assert answer.text == "Here are only frames for outputs.\n"
            assert "Set-Cookie" not in answer.headers


def test_the_fleets_own_host_has_the_fleet(strict: Labs) -> None:
    ada = {"Authorization": f"Bearer {token(strict)}", "Host": "fleet.test:8000"}
    assert requests.get(f"{strict.urls[0]}/api/me", headers=ada, timeout=30).status_code == 200
    frame = requests.get(f"{strict.urls[0]}/fleet/frame", headers=ada, timeout=30)
    assert "frame-ancestors 'self'" in frame.headers["Content-Security-Policy"]
