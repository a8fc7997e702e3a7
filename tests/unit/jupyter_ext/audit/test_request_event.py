"""What the audit says of a request, and that no secret of it gets there."""

import asyncio
import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, HTTPError, RequestHandler

from jupyter_ext.audit.audit_event import AuditEvent, Kind, Outcome, Server
from jupyter_ext.audit.audited_calls import Audited
from jupyter_ext.audit.notes import REQUEST_HEADER, note
from jupyter_ext.audit.request_event import objects_in, outcome_of
from jupyter_ext.audit.request_log import audited_log
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.route_table import handler_name
from jupyter_ext.platform.tokens import Identity

UNKNOWN = "0b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11"
ADA = Identity("ada", "Ada", {"demo": Role.OWNER}, None, 4e9, "the token")
SECRET = "5ecret-5ecret"

Answer = Callable[[RequestHandler], None]


class Handler(RequestHandler):
    """Answers as a test says."""

    def initialize(self, answer: Answer) -> None:
        self._answer = answer

    def get(self) -> None:
        self._answer(self)

    put = post = get


TABLE = {
    (handler_name(Handler), "PUT"): Audited("file.save", Kind.CHANGE),
    (handler_name(Handler), "GET"): Audited("file.read", Kind.READ),
}


def event_of(
    answer: Answer,
    method: str = "GET",
    uri: str = "/api/contents/demo/a.ipynb",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> AuditEvent:
    """The event of a request, and Tornado's own way there."""
    events: list[AuditEvent] = []
    audit = SimpleNamespace(record=events.append)
    application = Application()
    application.settings["log_function"] = audited_log(
        lambda handler: None, cast(Any, audit), TABLE, "/"
    )
    stream = SimpleNamespace(
        set_close_callback=lambda callback: None,
        stream=SimpleNamespace(),
        write_headers=_written,
        write=_written,
        finish=lambda: None,
        context=SimpleNamespace(remote_ip="10.0.0.1", protocol="http"),
    )
    request = HTTPServerRequest(
        headers=HTTPHeaders({"Host": "lab", **(headers or {})}),
        body=body,
        connection=cast(Any, stream),
        start_line=RequestStartLine(method, uri, "HTTP/1.1"),
    )

    async def execute() -> None:
        await Handler(application, request, answer=answer)._execute([])

    asyncio.run(execute())
    assert len(events) == 1
    return events[0]


def _written(*arguments: object) -> "asyncio.Future[None]":
    written = asyncio.get_running_loop().create_future()
    written.set_result(None)
    return written


def refuse(error: Exception) -> Answer:
    def answer(handler: RequestHandler) -> None:
        raise error

    return answer


def test_what_was_done() -> None:
    def answer(handler: RequestHandler) -> None:
        note(handler, caller=ADA, login="0123456789abcdef")
        handler.finish()

    found = event_of(answer, "PUT", headers={REQUEST_HEADER: "a" * 32})
    assert (found.action, found.outcome, found.status) == ("file.save", Outcome.ALLOWED, 200)
    assert (found.actor.kind, found.actor.name) == ("user", "ada")
    assert (found.actor.login, found.actor.address) == ("0123456789ab", "10.0.0.1")
    assert found.object == {
        "project": "demo",
        "path": "demo/a.ipynb",
        "url": "/api/contents/demo/a.ipynb",
    }
    assert found.request == "a" * 32
    assert found.reason == ""


def test_why_something_was_denied() -> None:
    found = event_of(refuse(HTTPError(403, "you are not an editor")), "PUT")
    assert (found.outcome, found.reason) == (Outcome.DENIED, "you are not an editor")


def test_what_a_caller_must_not_learn_is_there() -> None:
    error = HTTPError(404, "there is no such kernel")
    error.for_audit = "ada has no role in 'other'"  # type: ignore[attr-defined]
    found = event_of(refuse(error))
    assert (found.outcome, found.reason) == (Outcome.DENIED, "ada has no role in 'other'")


def test_what_failed_does_not_say_what_was_sent() -> None:
    for error in (HTTPError(409, f"{SECRET} is there"), ValueError(SECRET)):
        found = event_of(refuse(error), "PUT")
        assert found.outcome is Outcome.FAILED
        assert SECRET not in found.reason


def test_an_event_that_cannot_be_made_is_no_error_of_the_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen: list[RequestHandler] = []
    broken = SimpleNamespace(record=None, log=SimpleNamespace(exception=lambda text: None))
    log = audited_log(seen.append, cast(Any, broken), TABLE, "/")
    handler = cast(RequestHandler, object())
    log(handler)
    assert seen == [handler]


@pytest.mark.parametrize("sent", ["", "x" * 32, "a" * 33, "a" * 31 + "\n", SECRET])
def test_only_an_id_is_taken_for_one(sent: str) -> None:
    found = event_of(lambda handler: handler.finish(), headers={REQUEST_HEADER: sent})
    assert found.request not in ("", sent)


@given(
    secret=st.text(st.characters(codec="utf-8"), min_size=8, max_size=30),
    name=st.sampled_from(
        ["Authorization", "Cookie", "X-XSRFToken", "X-Forwarded-For", "User-Agent", "Referer"]
    ),
    argument=st.sampled_from(["token", "code", "q", "_xsrf", "version"]),
    status=st.sampled_from([200, 302, 400, 403, 404, 409, 500]),
)
def test_nothing_of_headers_queries_and_bodies_gets_there(
    secret: str, name: str, argument: str, status: int
) -> None:
    marked = f"5ecret{secret.encode().hex()}"

    def answer(handler: RequestHandler) -> None:
        note(handler, caller=ADA)
        if status >= 400:
            # As handlers do for what cannot be understood.
            raise HTTPError(status, "no" if status == 403 else f"{handler.request.body!r} is bad")
        handler.set_status(status)
        handler.finish()

    found = event_of(
        answer,
        "POST",
        f"/api/contents/demo/a.ipynb?{urlencode({argument: marked})}",
        {name: f"Bearer {marked}"},
        json.dumps({"source": marked, "path": "demo/b.ipynb"}).encode(),
    )
    document = json.dumps(found.document(Server("lab", "lab-1", "1")))
    assert marked not in document
    assert "the token" not in document


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/api/contents/demo/a.ipynb", {"project": "demo", "path": "demo/a.ipynb"}),
        ("/api/contents/demo/a%20b.ipynb/trust", {"project": "demo", "path": "demo/a b.ipynb"}),
        ("/api/contents/demo/a/checkpoints/1", {"project": "demo", "path": "demo/a"}),
        ("/files/demo/x.png", {"project": "demo", "path": "demo/x.png"}),
        ("/nbconvert/html/demo/a.ipynb", {"project": "demo", "path": "demo/a.ipynb"}),
        (f"/api/kernels/{UNKNOWN}/restart", {"kernel": UNKNOWN}),
        (f"/api/fleet/kernels/{UNKNOWN}/journal", {"kernel": UNKNOWN}),
        (f"/api/sessions/{UNKNOWN}", {"session": UNKNOWN}),
        ("/api/kernels", {}),
        ("/login", {}),
    ],
)
def test_what_an_address_names(path: str, expected: dict[str, str]) -> None:
    assert objects_in(path) == expected


@pytest.mark.parametrize(
    ("status", "refused", "expected"),
    [
        (101, False, Outcome.ALLOWED),
        (204, False, Outcome.ALLOWED),
        (302, False, Outcome.ALLOWED),
        # To the login.
        (302, True, Outcome.DENIED),
        (401, False, Outcome.DENIED),
        (403, False, Outcome.DENIED),
        (404, False, Outcome.FAILED),
        (404, True, Outcome.DENIED),
        (405, False, Outcome.DENIED),
        (503, False, Outcome.FAILED),
    ],
)
def test_what_a_status_means(status: int, refused: bool, expected: Outcome) -> None:
    assert outcome_of(status, refused=refused) is expected
