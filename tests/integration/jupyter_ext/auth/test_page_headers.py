"""What browsers may do with a lab's pages, by their headers."""

import requests

from tests.integration.jupyter_ext.auth.test_login_and_routes import token
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs


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
