"""Routes are allowed by name, or refused."""

from dataclasses import replace
from typing import Any

import pytest

from jupyter_ext.auth import route_policy
from jupyter_ext.auth.route_policy import Answer, Decision
from jupyter_ext.auth.routes import ROUTES
from jupyter_ext.auth.user import FleetUser, initials_of
from jupyter_ext.platform.kernel_tickets import KernelTicket
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.route_table import Call
from jupyter_ext.platform.tokens import Identity


def identity(service: str | None = None, **projects: Role) -> Identity:
    return Identity("ada", "Ada Lovelace", projects, service, 4e9, "secret-token")


def call(method: str, path: str) -> Call:
    """As the lab's own handler at this path is called; a test of the running lab compares them."""
    for entry in ROUTES:
        if method in entry.methods and entry.pattern.fullmatch(path):
            return Call(method, path, entry.handler, entry.socket)
    return Call(method, path, "jupyter_server.some.handlers.Handler")


def decide(method: str, path: str, caller: Identity | KernelTicket | None) -> Decision:
    return route_policy.decide(call(method, path), caller)


OWNER = identity(demo=Role.OWNER)
VIEWER = identity(demo=Role.VIEWER)
STRANGER = identity(other=Role.OWNER)


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/fleet/frame",
        "/login",
        "/logout",
        "/static/lab/x.js",
        "/favicon.ico",
        "/lab/api/themes/a/b.css",
    ],
)
def test_some_routes_need_no_login(path: str) -> None:
    assert decide("GET", path, None).answer is Answer.ALLOW
    assert decide("HEAD", path, None).answer is Answer.ALLOW


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/lab"),
        ("GET", "/lab/tree/demo/a.ipynb"),
        ("GET", "/lab/workspaces/auto-x/tree/demo"),
        ("GET", "/doc/tree/demo/a.ipynb"),
        ("GET", "/lab/api/settings/@jupyterlab/a:b"),
        ("PUT", "/lab/api/settings/@jupyterlab/a:b"),
        ("DELETE", "/lab/api/workspaces/default"),
        ("GET", "/api/contents"),
        ("GET", "/api/contents/demo/a%20b/c.ipynb"),
        ("PUT", "/api/contents/demo/a.ipynb"),
        ("POST", "/api/contents/demo/a.ipynb/checkpoints"),
        ("DELETE", "/api/contents/demo/a.ipynb/checkpoints/0-a"),
        ("POST", "/api/contents/demo/a.ipynb/trust"),
        ("GET", "/api/fleet/versions/demo/a.ipynb"),
        ("GET", "/files/demo/a.png"),
        ("GET", "/nbconvert/html/demo/a.ipynb"),
        ("GET", "/api/sessions"),
        ("POST", "/api/sessions"),
        ("PATCH", "/api/sessions/0-1-2-3-4"),
        ("DELETE", "/api/kernels/0-1-2-3-4"),
        ("POST", "/api/kernels/0-1-2-3-4/interrupt"),
        ("GET", "/api/kernels/0-1-2-3-4/channels"),
        ("GET", "/kernelspecs/python/logo-64x64.png"),
        ("GET", "/api/fleet/kernelspecs/a%20b/launch-options"),
        ("GET", "/api/fleet/launch-choices"),
        ("GET", "/lsp/status"),
        ("GET", "/api/resolvePath"),
    ],
)
def test_what_a_page_needs_is_there_after_a_login(method: str, path: str) -> None:
    assert decide(method, path, OWNER).answer is Answer.ALLOW
    assert decide(method, path, None).answer is Answer.LOG_IN


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/shutdown"),
        ("PUT", "/api/fleet/launch-choices"),
        ("GET", "/api/fleet/kernelspecs"),
        ("POST", "/api/terminals"),
        ("GET", "/terminals/websocket/1"),
        ("PUT", "/api/config/notebook"),
        ("PUT", "/lab/api/settings"),
        ("PUT", "/lab/api/settings/"),
        ("PATCH", "/api/me"),
        ("POST", "/lab/api/plugins"),
        ("POST", "/lab/api/extensions"),
        ("DELETE", "/lab/api/build"),
        ("GET", "/metrics"),
        ("GET", "/view/demo/a.html"),
        # Stock handlers that fail at it.
        ("HEAD", "/files/demo/a.png"),
        ("HEAD", "/api/spec.yaml"),
        ("POST", "/nbconvert/html"),
        # What runs TeX or a browser on the lab.
        ("GET", "/nbconvert/pdf/demo/a.ipynb"),
        ("GET", "/nbconvert/PDF/demo/a.ipynb"),
        ("GET", "/nbconvert/webpdf/demo/a.ipynb"),
        ("GET", "/nbconvert/qtpng/demo/a.ipynb"),
        ("GET", "/lab/api/licenses/"),
        ("GET", "/lab/api/licenses/licenses.json"),
        ("GET", "/lsp/ws/pylsp"),
        ("GET", "/something/new"),
        ("GET", "/api/kernels/0-1-2-3-4/channels/more"),
        ("PUT", "/api/contents/"),
        ("POST", "/api/contents"),
    ],
)
def test_everything_else_is_refused(method: str, path: str) -> None:
    decision = decide(method, path, OWNER)
    assert decision.answer is Answer.REFUSE
    assert decision.status == 403
    assert decision.reason


def test_who_asks_for_a_format_that_is_not_exported_reads_what_to_do() -> None:
    reason = decide("GET", "/nbconvert/pdf/demo/a.ipynb", OWNER).reason
    assert reason.startswith('This fleet does not export notebooks as "pdf". Choose another format')


@pytest.mark.parametrize(
    "path",
    [
        "/api/contents/demo",
        "/api/contents/demo/a.ipynb",
        "/api/contents//demo/a.ipynb",
        "/api/contents/%64emo/a.ipynb",
        "/api/contents/demo/a.ipynb/checkpoints",
        "/files/demo/a.png",
        "/api/fleet/versions/demo/a.ipynb",
        "/nbconvert/html/demo/a.ipynb",
    ],
)
def test_files_are_for_the_project(path: str) -> None:
    assert decide("GET", path, VIEWER).answer is Answer.ALLOW
    refused = decide("GET", path, STRANGER)
    assert (refused.answer, refused.status) == (Answer.REFUSE, 404)


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_viewers_change_nothing(method: str) -> None:
    path = "/api/contents/demo/a.ipynb"
    refused = decide(method, path, VIEWER)
    assert (refused.answer, refused.status) == (Answer.REFUSE, 403)
    assert "editor" in refused.reason
    assert decide(method, path, identity(demo=Role.EDITOR)).answer is Answer.ALLOW


def test_viewers_may_trust_for_themselves() -> None:
    assert decide("POST", "/api/contents/demo/a.ipynb/trust", VIEWER).answer is Answer.ALLOW
    assert decide("POST", "/api/contents/demo/a.ipynb/trust", STRANGER).status == 404


def test_our_own_servers_may_do_it_all_but_only_by_name() -> None:
    service = identity(service="lab")
    assert decide("GET", "/api/fleet/revocations", service).answer is Answer.ALLOW
    assert decide("GET", "/metrics", service).answer is Answer.REFUSE
    assert decide("PUT", "/api/contents/demo/a", service).answer is Answer.ALLOW
    assert decide("POST", "/api/shutdown", service).answer is Answer.REFUSE


def test_a_user_shows_no_token() -> None:
    user = FleetUser.of(OWNER)
    assert "secret-token" not in repr(user)
    assert "secret-token" not in str(user.model())
    assert user.model()["initials"] == "AL"


@pytest.mark.parametrize(
    ("name", "initials"), [("Ada", "A"), ("ada king lovelace", "AL"), ("", ""), ("  ", "")]
)
def test_initials(name: str, initials: str) -> None:
    assert initials_of(name) == initials


TICKET = KernelTicket("k-1", "demo", Role.OWNER, "ada", "demo/a.ipynb", "python", 1)


def test_a_ticket_opens_the_routes_of_its_kernel_alone() -> None:
    assert decide("POST", "/api/fleet/kernels/k-1/journal", TICKET).answer is Answer.ALLOW
    for method, path in (
        ("POST", "/api/fleet/kernels/k-2/journal"),
        ("GET", "/api/fleet/kernels/k-1/journal"),
        ("POST", "/api/fleet/kernels/k-1/ticket"),
        ("GET", "/api/contents/demo/a.ipynb"),
        ("PUT", "/api/contents/demo/a.ipynb"),
        ("POST", "/api/kernels"),
        ("GET", "/api/kernels/k-1/channels"),
        ("GET", "/api/me"),
        ("GET", "/metrics"),
        ("GET", "/nothing"),
    ):
        decision = decide(method, path, TICKET)
        assert (decision.answer, decision.status) == (Answer.REFUSE, 403), (method, path)


def test_the_routes_of_kernels_are_closed_to_people() -> None:
    for path in ("/api/fleet/kernels/k-1/journal", "/api/fleet/kernels/k-1/ticket"):
        assert decide("POST", path, OWNER).answer is Answer.REFUSE
        assert decide("POST", path, None).answer is Answer.LOG_IN
        assert decide("POST", path, identity("gateway")).answer is Answer.ALLOW


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"handler": "jupyter_server.services.kernels.handlers.MainKernelHandler"}, "/api/kernels"),
        ({"handler": "somebody_ext.handlers.FleetKernelsHandler"}, "/api/kernels"),
        ({"socket": True}, "/api/kernels"),
        ({"method": "PUT"}, "/api/kernels"),
        ({"path": "/api/sessions"}, "/api/kernels"),
        ({"socket": False}, "/api/kernels/0-1-2-3-4/channels"),
        ({"method": "POST"}, "/api/kernels/0-1-2-3-4/channels"),
    ],
)
def test_handler_method_socket_and_path_must_agree(changed: dict[str, Any], path: str) -> None:
    named = call("GET", path)
    assert route_policy.decide(named, OWNER).answer is Answer.ALLOW
    other = replace(named, **changed)
    assert route_policy.decide(other, OWNER).answer is Answer.REFUSE
    assert route_policy.decide(other, None).answer is Answer.LOG_IN


def test_gateways_have_no_business_with_what_users_have() -> None:
    gateway = identity("gateway")
    for method, path in (
        ("GET", "/api/contents/demo/a.ipynb"),
        ("PUT", "/api/contents/demo/a.ipynb"),
        ("GET", "/api/sessions"),
        ("POST", "/api/kernels"),
        ("GET", "/lab/api/workspaces"),
        ("GET", "/lab"),
    ):
        assert decide(method, path, gateway).answer is Answer.REFUSE, path
    assert decide("POST", "/api/fleet/kernels/k-1/ticket", gateway).answer is Answer.ALLOW
