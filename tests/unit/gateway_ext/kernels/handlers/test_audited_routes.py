"""Each call of a gateway that changes something is in the audit."""

import pytest

from gateway_ext.kernels.handlers.audited_routes import AUDITED
from gateway_ext.kernels.handlers.routes import ROUTES
from jupyter_ext.audit.audit_event import Kind
from jupyter_ext.platform.route_table import READ, Route, Who

CALLS = [(entry, method) for entry in ROUTES for method in sorted(entry.methods)]


@pytest.mark.parametrize(
    ("entry", "method"),
    [
        (entry, method)
        for entry, method in CALLS
        if method not in READ or (entry.socket and method == "GET")
    ],
)
def test_each_route_that_changes_something_has_a_name(entry: Route, method: str) -> None:
    assert (entry.handler, method) in AUDITED, f"name {method} of {entry.handler} in audited_routes"


def test_what_users_and_operators_change_is_written_by_default() -> None:
    not_written = {
        AUDITED[entry.handler, method].action
        for entry, method in CALLS
        if method not in READ
        and entry.who is not Who.KERNELS
        and AUDITED[entry.handler, method].kind is not Kind.CHANGE
    }
    # Gateways have no sessions.
    assert not_written == {"session"}


def test_every_name_is_of_a_route() -> None:
    routes = {(entry.handler, method) for entry, method in CALLS}
    assert AUDITED.keys() <= routes
