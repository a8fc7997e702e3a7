"""Enterprise Gateway's tests of its app and its calls, on ours. Each that is left out says why."""

from collections.abc import Iterator
from typing import Any

import pytest

# First: it sets how long these tests may take.
from tests.peers import rebased  # isort: skip
from tests.peers.rebased import PeerApp, Platform, Rebased  # isort: skip
from enterprise_gateway.tests import (  # type: ignore[import-untyped]
    test_enterprise_gateway,
    test_gatewayapp,
    test_handlers,
)

NO_SESSIONS = "sessions are kept by the labs, in SQL: a gateway of a fleet has none"
LIST_IS_ALLOWED = "who may list what is decided by the caller's token, not by list_kernels"

SKIPPED = {
    "TestDefaults.test_no_discovery": LIST_IS_ALLOWED,
    "TestDefaults.test_json_errors": LIST_IS_ALLOWED + "; a malformed id is 400",
    "TestDefaults.test_crud_sessions": NO_SESSIONS,
    "TestEnableDiscovery.test_enable_kernel_list": NO_SESSIONS,
    "TestCustomDefaultKernel.test_default_kernel_name": "an unknown kernelspec is a 404 with a "
    "clear message here, not a 500 with a traceback",
    "TestEnterpriseGateway.test_port_range": "kernels listen on no port: Unix sockets",
}


def left_out(self: Any) -> None:
    """In the place of a skipped test."""


def rebase(module: Any) -> dict[str, type]:
    """The test classes of a module on our app, with the skipped ones marked."""
    classes = {}
    for name, base in vars(module).items():
        if not isinstance(base, type) or base.__module__ != module.__name__:
            continue
        if not issubclass(base, test_gatewayapp.TestGatewayAppBase):
            continue
        if base in (test_gatewayapp.TestGatewayAppBase, test_handlers.TestHandlers):
            continue
        marked = {}
        for test in (test for test in dir(base) if test.startswith("test_")):
            reason = SKIPPED.get(f"{name}.{test}")
            if reason:
                marked[test] = pytest.mark.skip(reason=reason)(left_out)
        classes[name] = type(name, (Rebased, base), {**marked, "__module__": __name__})
    return classes


globals().update(rebase(test_handlers))
globals().update(rebase(test_enterprise_gateway))


class TestGatewayAppConfig(test_gatewayapp.TestGatewayAppConfig):  # type: ignore[misc]
    """The app's configuration; needs no server."""

    @pytest.fixture(autouse=True)
    def _on_our_app(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(rebased, "platform", Platform(), raising=False)
        monkeypatch.setattr(test_gatewayapp, "EnterpriseGatewayApp", PeerApp)
        yield
        rebased.platform.remove()


def test_all_that_is_skipped_exists() -> None:
    for test in SKIPPED:
        name, _, method = test.partition(".")
        assert hasattr(globals()[name], method), test
