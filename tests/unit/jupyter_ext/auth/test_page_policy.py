"""What JupyterLab's pages may load."""

from jupyter_ext.auth.page_policy import page_policy


def test_pages_load_from_and_send_to_their_own_port_or_by_tls_only() -> None:
    directives = dict(part.split(" ", 1) for part in page_policy("/base/report").split("; "))
    assert directives == {
        "base-uri": "'none'",
        "connect-src": "'self' data: blob: https:",
        "form-action": "'self'",
        "frame-ancestors": "'self'",
        "img-src": "'self' data: blob: https:",
        "object-src": "blob:",
        "worker-src": "'self' blob:",
        "report-uri": "/base/report",
    }
