"""What JupyterLab's pages may load."""

import base64
import hashlib

import pytest

from jupyter_ext.auth.page_policy import page_policy, script_sources
from jupyter_ext.auth.request_origin import origin_of

FOLDERS = ["/base/static/lab/", "/base/lab/extensions/"]


def directives(policy: str) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in policy.split("; "))


def test_pages_load_from_and_send_to_their_own_port_or_by_tls_only() -> None:
    assert directives(page_policy("/base/report")) == {
        "base-uri": "'none'",
        "connect-src": "'self' data: blob: https:",
        "default-src": "'self' data: blob: https:",
        "font-src": "'self' data: blob: https:",
        "form-action": "'self'",
        "frame-ancestors": "'self'",
        "frame-src": "'self' data: blob: https:",
        "img-src": "'self' data: blob: https:",
        "manifest-src": "'self'",
        "media-src": "'self' data: blob: https:",
        "object-src": "blob:",
        "script-src": "'self' 'unsafe-inline' 'unsafe-eval' data: blob: https:",
        "style-src": "'self' 'unsafe-inline' data: blob: https:",
        "worker-src": "'self' blob:",
        "report-uri": "/base/report",
    }


def test_frames_of_outputs_may_have_another_host() -> None:
    policy = directives(page_policy("/report", frames="http://frames.test:8888"))
    assert policy["frame-src"] == "'self' data: blob: https: http://frames.test:8888"


@pytest.mark.parametrize(
    ("url", "socket"),
    [
        ("http://127.0.0.1:8888", "ws://127.0.0.1:8888"),
        ("https://fleet.example", "wss://fleet.example"),
        ("https://fleet.example:443", "wss://fleet.example"),
        ("https://fleet.example:8443", "wss://fleet.example:8443"),
        ("http://FLEET.example.:80", "ws://fleet.example."),
    ],
)
def test_websockets_of_the_pages_host_are_named(url: str, socket: str) -> None:
    policy = page_policy("/report", origin_of(url))
    assert directives(policy)["connect-src"] == f"'self' {socket} data: blob: https:"


@pytest.mark.parametrize(
    "host",
    ["*", "a;script-src *", "a, b", "a b", "[::1]:80", "'self'", "*.example", "ä", ".", "-"],
)
def test_no_host_that_a_client_sends_changes_the_policy(host: str) -> None:
    origin = origin_of(f"http://{host}")
    assert page_policy("/report", origin) == page_policy("/report")
    sources = script_sources(origin, FOLDERS, "")
    assert sources == ("'self'", "'unsafe-eval'")


def test_scripts_come_from_installed_files_alone() -> None:
    template = '<script id="config" type="x">{{ data }}</script><body><script>go()</script></body>'
    sources = script_sources(origin_of("https://fleet.example:8443"), FOLDERS, template)
    digest = base64.b64encode(hashlib.sha256(b"go()").digest()).decode()
    assert sources == (
        "https://fleet.example:8443/base/static/lab/",
        "https://fleet.example:8443/base/lab/extensions/",
        "'unsafe-eval'",
        f"'sha256-{digest}'",
    )
    policy = directives(page_policy("/report", None, sources))
    assert policy["script-src"] == " ".join(sources)
