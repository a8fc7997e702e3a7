"""How much each route reads."""

import pytest

from jupyter_ext.auth.body_limits import SETTINGS, check_body, limits_of
from jupyter_ext.platform.json_bodies import DOCUMENT, SMALL, JsonLimits, JsonRefused


@pytest.mark.parametrize(
    ("method", "path", "limits"),
    [
        ("PUT", "/api/contents/demo/a.ipynb", DOCUMENT),
        ("POST", "/api/contents/demo", SMALL),
        ("PATCH", "/api/contents/demo/a.ipynb", SMALL),
        ("PUT", "/lab/api/settings/@jupyterlab/a:b", SETTINGS),
        ("PUT", "/lab/api/workspaces/auto-x", SMALL),
        ("POST", "/api/sessions", SMALL),
        ("PATCH", "/api/sessions/0-1-2-3-4", SMALL),
        ("POST", "/api/kernels", SMALL),
        ("POST", "/login", SMALL),
        ("POST", "/something/new", SMALL),
    ],
)
def test_every_route_has_a_limit(method: str, path: str, limits: JsonLimits) -> None:
    assert limits_of(method, path) == limits


def test_a_text_that_no_database_takes_is_refused_except_in_a_files_content() -> None:
    body = rb'{"path": "\ud800"}'
    with pytest.raises(JsonRefused):
        check_body("POST", "/api/sessions", body)
    check_body("PUT", "/api/contents/demo/a.ipynb", body)
