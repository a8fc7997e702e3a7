"""Each call of a lab that changes something is in the audit."""

import pytest

from jupyter_ext.audit.audit_event import Kind
from jupyter_ext.auth.audited_routes import AUDITED
from jupyter_ext.auth.routes import ROUTES
from jupyter_ext.platform.route_table import READ, Route, Who

CALLS = [(entry, method) for entry in ROUTES for method in sorted(entry.methods)]


@pytest.mark.parametrize(
    ("entry", "method"),
    [(entry, method) for entry, method in CALLS if method not in READ or entry.socket],
)
def test_each_route_that_changes_something_has_a_name(entry: Route, method: str) -> None:
    assert (entry.handler, method) in AUDITED, f"name {method} of {entry.handler} in audited_routes"


def test_what_users_change_is_written_by_default() -> None:
    not_written = {
        AUDITED[entry.handler, method].action
        for entry, method in CALLS
        if method not in READ
        and entry.who not in (Who.SERVICES, Who.KERNELS)
        and AUDITED[entry.handler, method].kind is not Kind.CHANGE
    }
    # Layouts are saved all the time; a browser's report changes nothing.
    assert not_written == {"workspace.save", "page.report"}


def test_reading_a_file_is_no_poll() -> None:
    files = "jupyter_ext.contents.handlers.ContentsHandler"
    assert AUDITED[files, "GET"].kind is Kind.READ


def test_every_name_is_of_a_route() -> None:
    routes = {(entry.handler, method) for entry, method in CALLS}
    assert AUDITED.keys() <= routes
